// What the running kernel has: its release, modules, and the device nodes that this process may open.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/system_tree.h"

namespace npf {

enum class ModuleState : unsigned char {
  kLoaded,  // or built in and in use: it is in /sys/module
  kBuiltIn,
  kLoadable,   // in modules.dep of this kernel
  kAbsent,     // this kernel was built without it, or its package is not installed
  kUnknown,    // no /lib/modules of this kernel here, as in a container
  kNoModules,  // the kernel loads none, and does not have it
};
std::string_view module_state_name(ModuleState state);

// Empty where it cannot be read.
std::string kernel_release(const SystemTree& tree);

ModuleState module_state(const SystemTree& tree, std::string_view module);

struct DeviceNode {
  std::string path;
  bool is_there = false;
  bool may_open = false;  // to read and write
};

DeviceNode device_node(const SystemTree& tree, const std::string& path);

// In a container, by the files that Docker and Podman leave; others are not noticed.
bool is_container(const SystemTree& tree);

// "net:[4026531840]"; two processes with the same text share it.
std::string network_namespace(const SystemTree& tree);

}  // namespace npf
