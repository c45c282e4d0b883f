#include "tools/npu_ctl/doctor_facts.h"

#include <algorithm>

#include "base/affinity.h"

namespace npf::npu_ctl {

namespace {

constexpr const char* kModules[] = {"ib_uverbs", "rdma_ucm", "rdma_rxe"};
constexpr const char* kRdmaTools[] = {"/usr/sbin/rdma", "/sbin/rdma", "/usr/bin/rdma", "/bin/rdma"};

std::vector<DeviceNode> rdma_nodes(const SystemTree& tree) {
  const std::string folder = "/dev/infiniband/";
  std::vector<DeviceNode> nodes = {device_node(tree, folder + "rdma_cm")};
  for (const std::string& name : tree.names(folder)) {
    if (name.starts_with("uverbs")) nodes.push_back(device_node(tree, folder + name));
  }
  return nodes;
}

}  // namespace

bool AddressFacts::is_usable() const { return std::ranges::any_of(answers, &fabric::AddressAnswer::is_usable); }

ModuleState Facts::module(const std::string& name) const {
  const auto found = modules.find(name);
  return found == modules.end() ? ModuleState::kUnknown : found->second;
}

Facts read_facts(const SystemTree& tree) {
  Facts facts;
  facts.kernel = kernel_release(tree);
  facts.in_container = is_container(tree);
  facts.netns = network_namespace(tree);
  const auto of_init = tree.link_name("/proc/1/ns/net");
  facts.has_own_netns = of_init && *of_init != facts.netns;
  facts.numa = numa_nodes(tree);
  facts.memory = memory_limits(tree);
  facts.huge_pages = huge_pages(tree);
  facts.transparent_huge_pages = transparent_huge_pages(tree);
  for (const char* module : kModules) facts.modules[module] = module_state(tree, module);
  facts.nodes = rdma_nodes(tree);
  facts.kernel_devices = tree.names("/sys/class/infiniband");
  facts.has_rdma_tool = std::ranges::any_of(kRdmaTools, [&](const char* path) { return tree.has(path); });
  return facts;
}

Result<Facts> gather_facts(const SystemTree& tree, const std::vector<std::string>& addresses) {
  Facts facts = read_facts(tree);
  facts.cores = allowed_cores();
  if (auto devices = net_devices(); devices.ok()) {
    facts.netdevs = std::move(*devices);
  } else {
    facts.why_no_netdevs = devices.error().message;
  }
  facts.survey = fabric::survey_fabrics();
  for (const std::string& address : addresses) {
    auto answers = fabric::answers_for(facts.survey, address);
    if (!answers.ok()) return answers.error();
    facts.addresses.push_back({address, std::move(*answers)});
  }
  return facts;
}

}  // namespace npf::npu_ctl
