#include "base/system_tree.h"

#include <gmock/gmock.h>

#include "base/numa.h"
#include "tests/fake_tree.h"

namespace npf {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(SystemTree, ReadsBelowItsRoot) {
  FakeTree fake;
  fake.folder("/sys/b").file("/sys/a/mtu", "4200\n").link("/sys/a/driver", "../../drivers/mlx5_core");
  const SystemTree tree = fake.tree();
  EXPECT_EQ(tree.text("/sys/a/mtu"), "4200");
  EXPECT_EQ(tree.number("/sys/a/mtu"), 4200);
  EXPECT_EQ(tree.link_name("/sys/a/driver"), "mlx5_core");
  EXPECT_EQ(tree.number("/sys/a/none"), std::nullopt);
  EXPECT_THAT(tree.names("/sys"), ElementsAre("a", "b"));
  EXPECT_THAT(tree.names("/none"), IsEmpty());
}

TEST(NumberList, IsReadAsTheKernelWritesIt) {
  EXPECT_THAT(parse_number_list("0-2,5,7-7"), ElementsAre(0, 1, 2, 5, 7));
  EXPECT_THAT(parse_number_list("3"), ElementsAre(3));
  EXPECT_THAT(parse_number_list(""), IsEmpty());
  EXPECT_THAT(parse_number_list("x"), IsEmpty());
}

TEST(Numa, DistanceIsThatOfTheNearestAllowedCore) {
  const std::vector<NumaNode> nodes = {{0, {0, 1}, 0, {10, 21}}, {1, {2, 3}, 0, {21, 10}}};
  EXPECT_EQ(numa_distance(nodes, 1, {0, 1}), 21);
  EXPECT_EQ(numa_distance(nodes, 1, {1, 2}), 10);
  EXPECT_EQ(numa_distance(nodes, -1, {0}), std::nullopt);
  EXPECT_EQ(numa_distance(nodes, 1, {9}), std::nullopt);
  EXPECT_EQ(numa_distance({}, 0, {0}), std::nullopt);
}

TEST(Numa, NodesOfThisMachineHaveCoresAndDistances) {
  const auto nodes = numa_nodes(SystemTree());
  if (nodes.empty()) GTEST_SKIP() << "a kernel without NUMA";
  for (const NumaNode& node : nodes) EXPECT_EQ(node.distances.size(), nodes.size());
}

}  // namespace
}  // namespace npf
