// Does our choice agree with RDMA CM's own? On the devices of this machine; without any it is skipped, loudly.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <rdma/rdma_cma.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "fabric/verbs/verbs_inventory.h"
#include "fabric/verbs/verbs_route.h"
#include "tests/fabric_availability.h"

namespace npf::fabric {
namespace {

constexpr int kResolveTimeoutMs = 500;

sockaddr_storage socket_address(const IpAddress& ip) {
  sockaddr_storage storage{};
  if (ip.is_v4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
    v4.sin_family = AF_INET;
    std::memcpy(&v4.sin_addr, &ip.bytes[12], sizeof v4.sin_addr);
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_scope_id = ip.scope;
    std::memcpy(&v6.sin6_addr, ip.bytes.data(), ip.bytes.size());
  }
  return storage;
}

struct CmChoice {
  std::string device;  // empty: RDMA CM resolves it to none
  std::uint32_t port = 0;
  IpAddress gid;
};

CmChoice ask_rdma_cm(const IpAddress& peer) {
  CmChoice choice;
  rdma_cm_id* raw = nullptr;
  // Without a channel of its own the identifier is synchronous.
  if (rdma_create_id(nullptr, &raw, nullptr, RDMA_PS_TCP) != 0) return choice;
  const std::unique_ptr<rdma_cm_id, decltype(&rdma_destroy_id)> id(raw, rdma_destroy_id);
  sockaddr_storage to = socket_address(peer);
  if (rdma_resolve_addr(id.get(), nullptr, reinterpret_cast<sockaddr*>(&to), kResolveTimeoutMs) != 0) return choice;
  if (id->verbs == nullptr) return choice;
  choice.device = ibv_get_device_name(id->verbs->device);
  choice.port = id->port_num;
  std::memcpy(choice.gid.bytes.data(), &id->route.addr.addr.ibaddr.sgid, choice.gid.bytes.size());
  return choice;
}

// This host's own addresses, and the one next to each: on its link, whether anybody is there or not.
std::vector<IpAddress> peers() {
  std::vector<IpAddress> all;
  const auto devices = net_devices();
  if (!devices.ok()) return all;
  for (const NetDevice& device : *devices) {
    if (device.is_loopback || !device.is_up) continue;
    for (IpAddress address : device.addresses) {
      all.push_back(address);
      address.bytes.back() ^= 3U;
      all.push_back(address);
    }
  }
  return all;
}

TEST(ChooseGidHere, IsWhatRdmaCmTakes) {
  const RdmaInventory inventory = take_verbs_inventory();
  if (inventory.devices.empty()) {
    ASSERT_FALSE(is_required_fabric("verbs")) << inventory.why_empty;
    GTEST_SKIP() << "no RDMA device here: " << inventory.why_empty;
  }
  int agreed = 0;
  for (const IpAddress& peer : peers()) {
    const RdmaPath ours = choose_gid(inventory, peer);
    const CmChoice theirs = ask_rdma_cm(peer);
    if (theirs.device.empty()) {
      // A neighbour who does not answer keeps RDMA CM from an answer, not us.
      EXPECT_FALSE(ours.chosen && ours.route->is_local) << ours.text();
      continue;
    }
    ASSERT_TRUE(ours.chosen) << "RDMA CM takes " << theirs.device << "\n" << ours.text();
    EXPECT_EQ(ours.chosen->device, theirs.device) << ours.text();
    EXPECT_EQ(ours.chosen->port, theirs.port) << ours.text();
    EXPECT_EQ(ours.chosen->gid.value, theirs.gid) << text_of(theirs.gid) << "\n" << ours.text();
    ++agreed;
  }
  EXPECT_GT(agreed, 0) << "RDMA CM resolved no address of this host";
  RecordProperty("agreed", agreed);
}

}  // namespace
}  // namespace npf::fabric
