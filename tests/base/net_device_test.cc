#include "base/net_device.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace npf {
namespace {

// Real answers of this machine: `lo` is the only device that every one has.
TEST(NetDevices, HaveLoopbackWithItsAddress) {
  const auto devices = net_devices();
  ASSERT_TRUE(devices.ok()) << devices.error().message;
  const auto lo = std::ranges::find(*devices, "lo", &NetDevice::name);
  ASSERT_NE(lo, devices->end());
  EXPECT_TRUE(lo->is_loopback);
  EXPECT_GT(lo->mtu_bytes, 0U);
  if (!lo->is_up) GTEST_SKIP() << "lo is down in this network namespace";
  EXPECT_NE(std::ranges::find(lo->addresses, *parse_ip("127.0.0.1")), lo->addresses.end());
}

TEST(RouteTo, AnOwnAddressLeavesByTheDeviceThatHasIt) {
  const auto devices = net_devices();
  ASSERT_TRUE(devices.ok());
  for (const NetDevice& device : *devices) {
    for (const IpAddress& address : device.addresses) {
      if (!device.is_up || address.is_link_local()) continue;
      const auto route = route_to(address);
      ASSERT_TRUE(route.ok()) << route.error().message;
      EXPECT_TRUE(route->is_local) << text_of(address);
      EXPECT_EQ(route->device.name, device.name) << text_of(address);
      EXPECT_EQ(route->source, address) << text_of(route->source);
    }
  }
}

TEST(RouteTo, AllOfTheLoopbackNetworkIsLocal) {
  const auto route = route_to(*parse_ip("127.9.9.9"));
  if (!route.ok()) GTEST_SKIP() << route.error().message;
  EXPECT_TRUE(route->is_local);
  EXPECT_EQ(route->device.name, "lo");
}

// What not even a default route takes; a broadcast, being no peer, counts as not reachable too.
TEST(RouteTo, SaysThatThereIsNone) {
  for (const std::string address : {"255.255.255.255", "224.0.0.1", "ff02::1"}) {
    const auto route = route_to(*parse_ip(address));
    ASSERT_FALSE(route.ok()) << address;
    EXPECT_EQ(route.status(), Status::kUnreachable);
    EXPECT_NE(route.error().message.find("no route to " + address), std::string::npos) << route.error().message;
  }
}

}  // namespace
}  // namespace npf
