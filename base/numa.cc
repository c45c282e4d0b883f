#include "base/numa.h"

#include <algorithm>
#include <sstream>
#include <string>

namespace npf {

namespace {

// "Node 0 MemTotal:       16318900 kB"
std::uint64_t memory_bytes(const SystemTree& tree, const std::string& folder) {
  std::istringstream lines(tree.text(folder + "/meminfo").value_or(""));
  std::string word;
  while (lines >> word) {
    std::uint64_t kibibytes = 0;
    if (word == "MemTotal:" && lines >> kibibytes) return kibibytes * 1024;
  }
  return 0;
}

NumaNode read_node(const SystemTree& tree, int id) {
  const std::string folder = "/sys/devices/system/node/node" + std::to_string(id);
  NumaNode node;
  node.id = id;
  node.cores = parse_number_list(tree.text(folder + "/cpulist").value_or(""));
  node.memory_bytes = memory_bytes(tree, folder);
  std::istringstream distances(tree.text(folder + "/distance").value_or(""));
  for (int each = 0; distances >> each;) node.distances.push_back(each);
  return node;
}

bool has_one_of(const NumaNode& node, const std::vector<int>& cores) {
  return std::ranges::any_of(node.cores, [&](int core) { return std::ranges::find(cores, core) != cores.end(); });
}

}  // namespace

std::vector<NumaNode> numa_nodes(const SystemTree& tree) {
  std::vector<NumaNode> nodes;
  for (const int id : parse_number_list(tree.text("/sys/devices/system/node/online").value_or(""))) {
    nodes.push_back(read_node(tree, id));
  }
  return nodes;
}

std::optional<int> numa_distance(const std::vector<NumaNode>& nodes, int node, const std::vector<int>& cores) {
  const auto from = std::ranges::find(nodes, node, &NumaNode::id);
  if (from == nodes.end()) return std::nullopt;
  std::optional<int> nearest;
  for (std::size_t index = 0; index < nodes.size() && index < from->distances.size(); ++index) {
    if (!has_one_of(nodes[index], cores)) continue;
    nearest = std::min(nearest.value_or(from->distances[index]), from->distances[index]);
  }
  return nearest;
}

}  // namespace npf
