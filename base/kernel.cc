#include "base/kernel.h"

#include <unistd.h>

#include <algorithm>
#include <sstream>

namespace npf {

namespace {

// Files write either; the kernel takes them for the same.
std::string with_underscores(std::string name) {
  std::ranges::replace(name, '-', '_');
  return name;
}

// "kernel/drivers/infiniband/sw/rxe/rdma_rxe.ko.xz: ..." names rdma_rxe.
std::string module_of_line(const std::string& line) {
  const std::string path = line.substr(0, line.find(':'));
  const std::string file = path.substr(path.rfind('/') == std::string::npos ? 0 : path.rfind('/') + 1);
  return with_underscores(file.substr(0, file.find(".ko")));
}

bool lists(const std::string& text, std::string_view module) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (module_of_line(line) == module) return true;
  }
  return false;
}

}  // namespace

std::string_view module_state_name(ModuleState state) {
  switch (state) {
    case ModuleState::kLoaded: return "loaded";
    case ModuleState::kBuiltIn: return "built in";
    case ModuleState::kLoadable: return "loadable";
    case ModuleState::kAbsent: return "absent";
    case ModuleState::kUnknown: return "unknown";
    case ModuleState::kNoModules: return "no modules in this kernel";
  }
  return "unknown";
}

std::string kernel_release(const SystemTree& tree) { return tree.text("/proc/sys/kernel/osrelease").value_or(""); }

ModuleState module_state(const SystemTree& tree, std::string_view module) {
  if (tree.has("/sys/module/" + std::string(module))) return ModuleState::kLoaded;
  const std::string folder = "/lib/modules/" + kernel_release(tree);
  if (lists(tree.text(folder + "/modules.builtin").value_or(""), module)) return ModuleState::kBuiltIn;
  if (!tree.has("/proc/modules")) return ModuleState::kNoModules;
  const auto loadable = tree.text(folder + "/modules.dep");
  if (!loadable) return ModuleState::kUnknown;
  return lists(*loadable, module) ? ModuleState::kLoadable : ModuleState::kAbsent;
}

DeviceNode device_node(const SystemTree& tree, const std::string& path) {
  return {path, tree.has(path), ::access(tree.path(path).c_str(), R_OK | W_OK) == 0};
}

bool is_container(const SystemTree& tree) { return tree.has("/.dockerenv") || tree.has("/run/.containerenv"); }

std::string network_namespace(const SystemTree& tree) { return tree.link_name("/proc/self/ns/net").value_or(""); }

}  // namespace npf
