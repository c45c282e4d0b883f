#include "fabric/verbs/verbs_inventory.h"

#include <gmock/gmock.h>

#include "tests/fake_tree.h"

namespace npf::fabric {
namespace {

using testing::ElementsAre;

constexpr const char* kFolder = "/sys/class/infiniband/";

RdmaDevice seen(const std::string& name) {
  RdmaDevice device{.name = name};
  device.ports = {{.number = 1}};
  return device;
}

// Two nodes, a core each.
FakeTree& two_nodes(FakeTree& fake) {
  const std::string nodes = "/sys/devices/system/node/";
  fake.file(nodes + "online", "0-1\n");
  fake.file(nodes + "node0/cpulist", "0\n").file(nodes + "node0/distance", "10 21\n");
  return fake.file(nodes + "node1/cpulist", "1\n").file(nodes + "node1/distance", "21 10\n");
}

TEST(SysfsFacts, OfHardwareAreItsBusDevices) {
  FakeTree fake;
  const std::string device = std::string(kFolder) + "mlx5_0/device/";
  two_nodes(fake).file(device + "numa_node", "1\n").folder(device + "net/ens1").link(device + "driver", "../mlx5_core");
  fake.file(std::string(kFolder) + "mlx5_0/ports/1/rate", "100 Gb/sec (4X EDR)\n");
  RdmaDevice mlx = seen("mlx5_0");
  add_sysfs_facts(fake.tree(), {0}, mlx);
  EXPECT_EQ(mlx.kind, RdmaKind::kHardware);
  EXPECT_EQ(mlx.driver, "mlx5_core");
  EXPECT_EQ(mlx.numa_node, 1);
  EXPECT_EQ(mlx.numa_distance, 21);
  EXPECT_EQ(mlx.ports[0].rate, "100 Gb/sec (4X EDR)");
  EXPECT_THAT(mlx.ports[0].netdevs, ElementsAre("ens1"));
}

TEST(SysfsFacts, OfRxeAreThoseOfTheNetdevBelow) {
  FakeTree fake;
  two_nodes(fake)
      .file(std::string(kFolder) + "rxe0/parent", "ens1\n")
      .file("/sys/class/net/ens1/device/numa_node", "1\n");
  RdmaDevice rxe = seen("rxe0");
  add_sysfs_facts(fake.tree(), {0, 1}, rxe);
  EXPECT_EQ(rxe.kind, RdmaKind::kSoftRoce);
  EXPECT_EQ(rxe.driver, "");
  EXPECT_THAT(rxe.ports[0].netdevs, ElementsAre("ens1"));
  EXPECT_EQ(rxe.numa_distance, 10);
}

TEST(SysfsFacts, OfADeviceOnNoBusAreUnknown) {
  FakeTree fake;
  fake.folder(std::string(kFolder) + "soft0");
  RdmaDevice device = seen("soft0");
  add_sysfs_facts(fake.tree(), {0}, device);
  EXPECT_EQ(device.kind, RdmaKind::kVirtual);
  EXPECT_EQ(device.numa_node, -1);
  EXPECT_EQ(device.numa_distance, std::nullopt);
}

TEST(VerbsInventory, OfThisMachineSaysWhyItIsEmpty) {
  const RdmaInventory inventory = take_verbs_inventory();
  EXPECT_EQ(inventory.devices.empty(), !inventory.why_empty.empty());
}

}  // namespace
}  // namespace npf::fabric
