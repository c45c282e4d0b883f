// No device, the wrong one, one that is down, and addresses that lead nowhere.
#include "tests/fabric/verbs/bad_input/guest.h"

namespace npf::fabric::bad_input {
namespace {

using VerbsDeviceBadInput = VerbsBadInput;

TEST_F(VerbsDeviceBadInput, WithoutAnyDeviceItSaysHowToGetOne) {
  shell("rdma link del " + kDevice);
  const auto domain = open_domain(address_of(kHost, 1));
  ASSERT_FALSE(domain.ok());
  EXPECT_TRUE(tells(domain.error(), Status::kNotFound, {kHost, "no RDMA device", "npu-ctl doctor", "scripts/rxe"}));
}

TEST_F(VerbsDeviceBadInput, ADomainAtAnAddressThatLeadsNowhereSaysWhyNotEachDevice) {
  const auto nowhere = open_domain("verbs://192.0.2.7:1");
  ASSERT_FALSE(nowhere.ok());
  EXPECT_TRUE(tells(nowhere.error(), Status::kUnreachable,
                    {"192.0.2.7:1", "Network is unreachable", "no RDMA device reaches it",
                     "not rxe0: there is no route", "npu-ctl doctor --to 192.0.2.7"}));
  const auto loopback = open_domain("verbs://127.0.0.1:1");
  ASSERT_FALSE(loopback.ok());
  EXPECT_TRUE(tells(loopback.error(), Status::kUnreachable,
                    {"127.0.0.1:1", "No such device", "not rxe0: RDMA CM does not work over loopback"}));
}

TEST_F(VerbsDeviceBadInput, ListeningAtAnAddressOfNoDeviceNamesThoseThereAre) {
  const Side side;
  for (const std::string host : {"127.0.0.1", "192.0.2.1", "0.0.0.0"}) {
    const auto listener = side.domain->listen(address_of(host, unique_port()));
    ASSERT_FALSE(listener.ok()) << host;
    EXPECT_TRUE(tells(listener.error(), Status::kNotFound,
                      {"listening at " + host, "rdma_bind_addr", "rxe0 has 10.9.0.1", "listen at one of these"}));
  }
}

TEST_F(VerbsDeviceBadInput, APortInUseIsSaidToBe) {
  const Side side;
  const std::uint16_t port = unique_port();
  const auto first = side.domain->listen(address_of(kHost, port));
  ASSERT_TRUE(first.ok()) << first.error().message;
  const auto second = side.domain->listen(address_of(kHost, port));
  ASSERT_FALSE(second.ok());
  EXPECT_TRUE(tells(second.error(), Status::kAddressInUse,
                    {kHost + ":" + std::to_string(port), "Address already in use", "choose another port"}));
}

TEST_F(VerbsDeviceBadInput, NobodyListensThere) {
  const Side side;
  const auto connected = side.domain->connect(address_of(kHost, unique_port()), side.options(), kWatchdogNs);
  ASSERT_FALSE(connected.ok());
  EXPECT_TRUE(tells(connected.error(), Status::kUnreachable,
                    {kHost, kDevice, "nobody listens there", "REJECTED", "is the peer running?"}));
}

TEST_F(VerbsDeviceBadInput, APeerWithoutARouteIsToldWithTheReasonOfEachDevice) {
  const Side side;
  const auto connected = side.domain->connect("verbs://192.0.2.7:9", side.options(), kWatchdogNs);
  ASSERT_FALSE(connected.ok());
  EXPECT_TRUE(tells(connected.error(), Status::kUnreachable,
                    {"192.0.2.7:9", "rdma_resolve_addr", "not rxe0: there is no route", "npu-ctl doctor --to"}));
}

// A dummy netdev loses what is sent to others.
TEST_F(VerbsDeviceBadInput, APeerWhoseHostIsNotThereTimesOut) {
  const Side side;
  const auto connected = side.domain->connect("verbs://10.9.0.77:9", side.options(), kNsPerSecond);
  ASSERT_FALSE(connected.ok());
  EXPECT_TRUE(tells(connected.error(), Status::kTimedOut, {"10.9.0.77:9", kDevice, "did not answer in time"}));
}

TEST_F(VerbsDeviceBadInput, ADeviceThatIsDownIsNamedWithItsState) {
  const Side side;
  const std::string address = address_of(kHost, unique_port());
  const auto listener = side.domain->listen(address);
  ASSERT_TRUE(listener.ok()) << listener.error().message;
  shell("ip link set rdma0 down");
  const auto connected = side.domain->connect(address, side.options(), kNsPerSecond);
  ASSERT_FALSE(connected.ok());
  EXPECT_TRUE(tells(connected.error(), Status::kUnreachable,
                    {kHost, kDevice, "UNREACHABLE", "port 1 down", "last reported: port error", "npu-ctl doctor"}));
}

}  // namespace
}  // namespace npf::fabric::bad_input
