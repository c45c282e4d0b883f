// All that the doctor knows about the machine, gathered once; findings and output are made from this alone.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/kernel.h"
#include "base/memory_limits.h"
#include "base/net_device.h"
#include "base/numa.h"
#include "fabric/survey.h"

namespace npf::npu_ctl {

struct AddressFacts {
  std::string address;  // as it was asked
  std::vector<fabric::AddressAnswer> answers;

  bool is_usable() const;
};

struct Facts {
  std::string kernel;
  bool in_container = false;
  bool has_own_netns = false;  // another than process 1's, as far as that may be read
  std::string netns;
  std::vector<int> cores;
  std::vector<NumaNode> numa;
  MemoryLimits memory;
  std::vector<HugePages> huge_pages;
  std::string transparent_huge_pages;
  std::map<std::string, ModuleState> modules;
  std::vector<DeviceNode> nodes;            // /dev/infiniband
  std::vector<std::string> kernel_devices;  // /sys/class/infiniband: what the kernel has, whatever libibverbs lists
  bool has_rdma_tool = false;               // rdma, of iproute2
  std::vector<NetDevice> netdevs;
  std::string why_no_netdevs;
  fabric::Survey survey;
  std::vector<AddressFacts> addresses;

  ModuleState module(const std::string& name) const;
};

// What the tree tells; the rest is left empty.
Facts read_facts(const SystemTree& tree);

// Those, and what only system calls, drivers and providers tell. kInvalidArgument for an address that is none.
Result<Facts> gather_facts(const SystemTree& tree, const std::vector<std::string>& addresses);

}  // namespace npf::npu_ctl
