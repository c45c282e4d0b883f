#include "fabric/verbs/verbs_route.h"

#include <gmock/gmock.h>

namespace npf::fabric {
namespace {

using testing::HasSubstr;

IpAddress ip(std::string_view text) { return parse_ip(text).value(); }

RdmaGid gid(std::uint32_t index, GidType type, std::string_view value, unsigned netdev_index, std::string netdev) {
  return {index, type, ip(value), netdev_index, std::move(netdev)};
}

// What rxe over an Ethernet netdev has: a link-local GID and one for its address.
RdmaDevice rxe(const std::string& name, unsigned netdev_index, const std::string& netdev, std::string_view address) {
  RdmaDevice device{.name = name, .kind = RdmaKind::kSoftRoce, .transport = RdmaTransport::kRoce};
  device.ports = {{.number = 1,
                   .state = "ACTIVE",
                   .is_active = true,
                   .link_layer = LinkLayer::kEthernet,
                   .mtu_active_bytes = 4096,
                   .gids = {gid(0, GidType::kRoceV2, "fe80::1", netdev_index, netdev),
                            gid(1, GidType::kRoceV2, address, netdev_index, netdev)}}};
  return device;
}

IpRoute route(std::string_view to, std::string_view from, unsigned netdev_index, const std::string& netdev) {
  IpRoute made;
  made.destination = ip(to);
  made.source = ip(from);
  made.device.index = netdev_index;
  made.device.name = netdev;
  return made;
}

RdmaPath choose(std::vector<RdmaDevice> devices, const IpRoute& by) {
  return choose_gid({std::move(devices), ""}, by.destination, by);
}

const RdmaCandidate& rejected(const RdmaPath& path, const std::string& device, std::uint32_t gid_index) {
  for (const RdmaCandidate& each : path.candidates) {
    if (each.device == device && each.gid && each.gid->index == gid_index) return each;
  }
  throw std::out_of_range(device);
}

TEST(ChooseGid, TakesTheGidThatIsTheSourceOfTheRoute) {
  const RdmaPath path = choose({rxe("rxe0", 4, "eth0", "10.8.0.1")}, route("10.8.0.2", "10.8.0.1", 4, "eth0"));
  ASSERT_TRUE(path.chosen);
  EXPECT_EQ(path.chosen->device, "rxe0");
  EXPECT_EQ(path.chosen->gid.index, 1U);
  EXPECT_EQ(path.chosen->mtu_active_bytes, 4096U);
  EXPECT_EQ(path.summary(),
            "10.8.0.2: rxe0 port 1 GID 1 (10.8.0.1, RoCEv2): the route leaves by eth0 from 10.8.0.1, MTU 4096");
  EXPECT_THAT(rejected(path, "rxe0", 0).reason, HasSubstr("link-local"));
}

TEST(ChooseGid, TakesTheDeviceThatHasTheHostsOwnAddress) {
  IpRoute own = route("10.9.0.1", "10.9.0.1", 5, "d0");
  own.is_local = true;
  const RdmaPath path = choose({rxe("rxe0", 4, "eth0", "10.8.0.1"), rxe("rxe1", 5, "d0", "10.9.0.1")}, own);
  ASSERT_TRUE(path.chosen);
  EXPECT_EQ(path.chosen->device, "rxe1");
  EXPECT_THAT(path.summary(), HasSubstr("this host's own, on d0"));
  EXPECT_THAT(path.text(),
              HasSubstr("not rxe0 port 1: its netdev eth0 is not the one that the route to 10.9.0.1 leaves by, d0"));
}

TEST(ChooseGid, TakesTheDeviceThatWasRegisteredFirst) {
  const RdmaPath path = choose({rxe("b", 4, "eth0", "10.8.0.1"), rxe("a", 4, "eth0", "10.8.0.1")},
                               route("10.8.0.2", "10.8.0.1", 4, "eth0"));
  ASSERT_TRUE(path.chosen);
  EXPECT_EQ(path.chosen->device, "b");
  EXPECT_THAT(rejected(path, "a", 1).reason, HasSubstr("b was registered before it"));
}

TEST(ChooseGid, TakesAnIpv6Source) {
  const RdmaPath path = choose({rxe("rxe0", 4, "eth0", "fd00::1")}, route("fd00::2", "fd00::1", 4, "eth0"));
  ASSERT_TRUE(path.chosen);
  EXPECT_EQ(path.chosen->gid.index, 1U);
}

TEST(ChooseGid, TakesALinkLocalGidForALinkLocalPeer) {
  const RdmaPath path = choose({rxe("rxe0", 4, "eth0", "10.8.0.1")}, route("fe80::2", "fe80::1", 4, "eth0"));
  ASSERT_TRUE(path.chosen);
  EXPECT_EQ(path.chosen->gid.index, 0U);
}

// A port of hardware has each address twice.
TEST(ChooseGid, PrefersRoceV2AndTakesRoceV1OnlyOnTheLink) {
  RdmaDevice both = rxe("mlx5_0", 4, "eth0", "10.8.0.1");
  both.ports[0].gids.insert(both.ports[0].gids.begin() + 1, gid(7, GidType::kRoceV1, "10.8.0.1", 4, "eth0"));
  const IpRoute on_link = route("10.8.0.2", "10.8.0.1", 4, "eth0");
  const RdmaPath path = choose({both}, on_link);
  ASSERT_TRUE(path.chosen);
  EXPECT_EQ(path.chosen->gid.type, GidType::kRoceV2);
  EXPECT_THAT(rejected(path, "mlx5_0", 7).reason, HasSubstr("RoCEv1: not routable"));

  RdmaDevice old = rxe("mlx4_0", 4, "eth0", "10.8.0.1");
  for (RdmaGid& each : old.ports[0].gids) each.type = GidType::kRoceV1;
  EXPECT_TRUE(choose({old}, on_link).chosen);
  IpRoute far = route("10.7.0.2", "10.8.0.1", 4, "eth0");
  far.gateway = ip("10.8.0.254");
  const RdmaPath beyond = choose({old}, far);
  EXPECT_FALSE(beyond.chosen);
  EXPECT_THAT(rejected(beyond, "mlx4_0", 1).reason, HasSubstr("behind the gateway 10.8.0.254"));
}

TEST(ChooseGid, TakesTheInfinibandPortBelowTheIpoibDevice) {
  RdmaDevice device{.name = "mlx5_1", .transport = RdmaTransport::kInfiniband};
  device.ports = {{.number = 1, .state = "ACTIVE", .is_active = true, .link_layer = LinkLayer::kInfiniband}};
  device.ports[0].gids = {gid(0, GidType::kInfiniband, "fe80::9803:9b03:1234:5678", 0, "")};
  IpRoute by = route("10.6.0.2", "10.6.0.1", 6, "ib0");
  by.device.hardware_address = {0x80, 0, 0, 0x48};
  by.device.hardware_address.insert(by.device.hardware_address.end(), device.ports[0].gids[0].value.bytes.begin(),
                                    device.ports[0].gids[0].value.bytes.end());
  EXPECT_TRUE(choose({device}, by).chosen);
  by.device.hardware_address.back() ^= 1U;
  EXPECT_THAT(rejected(choose({device}, by), "mlx5_1", 0).reason, HasSubstr("another port or GID"));
  EXPECT_THAT(rejected(choose({device}, route("10.8.0.2", "10.8.0.1", 4, "eth0")), "mlx5_1", 0).reason,
              HasSubstr("eth0, which is no IPoIB device"));
}

TEST(ChooseGid, TakesTheIwarpPortOfTheRoutesNetdev) {
  RdmaDevice device{.name = "siw0", .kind = RdmaKind::kSoftIwarp, .transport = RdmaTransport::kIwarp};
  device.ports = {{.number = 1, .state = "ACTIVE", .is_active = true, .netdevs = {"eth0"}}};
  device.ports[0].gids = {gid(0, GidType::kInfiniband, "200:ff::", 0, "")};
  EXPECT_TRUE(choose({device}, route("10.8.0.2", "10.8.0.1", 4, "eth0")).chosen);
  EXPECT_FALSE(choose({device}, route("10.9.0.2", "10.9.0.1", 5, "d0")).chosen);
}

TEST(ChooseGid, SaysWhyNothingIsTaken) {
  RdmaDevice down = rxe("rxe0", 4, "eth0", "10.8.0.1");
  down.ports[0].is_active = false;
  down.ports[0].state = "DOWN";
  RdmaDevice shut{.name = "mlx5_0", .problem = "it cannot be opened: /dev/infiniband/uverbs0: Permission denied"};
  RdmaDevice bare = rxe("rxe2", 4, "eth0", "10.8.0.1");
  bare.ports[0].gids.clear();
  RdmaDevice hidden = rxe("rxe3", 0, "", "10.8.0.1");
  RdmaDevice other = rxe("rxe4", 4, "eth0", "10.8.0.77");
  const struct {
    RdmaDevice device;
    std::string_view words;
  } cases[] = {
      {down, "not rxe0 port 1: the port is DOWN"},
      {shut, "not mlx5_0: it cannot be opened: /dev/infiniband/uverbs0: Permission denied"},
      {bare, "not rxe2 port 1: the port has no GID"},
      {hidden, "no netdev in this network namespace"},
      {other, "the kernel sends from 10.8.0.1, not from 10.8.0.77"},
  };
  for (const auto& [device, words] : cases) {
    const RdmaPath path = choose({device}, route("10.8.0.2", "10.8.0.1", 4, "eth0"));
    EXPECT_FALSE(path.chosen) << words;
    EXPECT_THAT(path.text(), HasSubstr(std::string("10.8.0.2: no RDMA device reaches it")));
    EXPECT_THAT(path.text(), HasSubstr(std::string(words)));
  }
}

TEST(ChooseGid, SaysThatThereIsNoRoute) {
  const Error none{Status::kUnreachable, "the kernel has no route to 10.1.1.1 (Network is unreachable)"};
  const RdmaPath path = choose_gid({{rxe("rxe0", 4, "eth0", "10.8.0.1")}, ""}, ip("10.1.1.1"), none);
  EXPECT_FALSE(path.chosen);
  EXPECT_FALSE(path.route);
  EXPECT_THAT(path.summary(), HasSubstr("no route to 10.1.1.1"));
}

TEST(ChooseGid, SaysThatThereIsNoDevice) {
  const RdmaPath path = choose({}, route("10.8.0.2", "10.8.0.1", 4, "eth0"));
  EXPECT_EQ(path.text(), "10.8.0.2: no RDMA device reaches it: there is none");
}

// A port's VLAN or bond has GIDs of its own beside those of the netdev below.
TEST(ChooseGid, TakesTheGidOfTheVlanThatTheRouteLeavesBy) {
  RdmaDevice device = rxe("rxe0", 4, "eth0", "10.8.0.1");
  device.ports[0].gids.push_back(gid(2, GidType::kRoceV2, "10.20.0.1", 9, "eth0.7"));
  const RdmaPath path = choose({device}, route("10.20.0.2", "10.20.0.1", 9, "eth0.7"));
  ASSERT_TRUE(path.chosen);
  EXPECT_EQ(path.chosen->gid.index, 2U);
  EXPECT_THAT(rejected(path, "rxe0", 1).reason, HasSubstr("its netdev eth0 is not the one"));
}

// Measured: over rxe on `lo`, rdma_resolve_addr succeeds and rdma_resolve_route fails with "No such device".
TEST(ChooseGid, RefusesLoopbackAlsoWhereADeviceLiesOverIt) {
  IpRoute by = route("127.0.0.1", "127.0.0.1", 1, "lo");
  by.is_local = by.device.is_loopback = true;
  const RdmaPath path = choose({rxe("rxelo", 1, "lo", "127.0.0.1")}, by);
  EXPECT_FALSE(path.chosen);
  EXPECT_THAT(path.text(), HasSubstr("not rxelo: RDMA CM does not work over loopback"));
}

}  // namespace
}  // namespace npf::fabric
