// NUMA nodes as the kernel tells them: which cores, how much memory, how far apart.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/system_tree.h"

namespace npf {

struct NumaNode {
  int id = 0;
  std::vector<int> cores;
  std::uint64_t memory_bytes = 0;
  std::vector<int> distances;  // to each node in the order of ids, in the kernel's unit: 10 is here
};

// In the order of ids; none on a kernel without NUMA.
std::vector<NumaNode> numa_nodes(const SystemTree& tree);

// From a node to the nearest of these cores. Nothing when the node or the cores' nodes are not known.
std::optional<int> numa_distance(const std::vector<NumaNode>& nodes, int node, const std::vector<int>& cores);

}  // namespace npf
