// What libibverbs sees on this machine, as plain values. Opens each device for as long as it takes to ask.
#pragma once

#include "base/system_tree.h"
#include "fabric/rdma_device.h"

namespace npf::fabric {

// A device that cannot be opened is listed with its problem. Blocks: bounded (the devices' drivers).
RdmaInventory take_verbs_inventory();

// What libibverbs does not tell and sysfs does: kind, driver, NUMA node and distance, rate, netdevs.
void add_sysfs_facts(const SystemTree& tree, const std::vector<int>& cores, RdmaDevice& device);

}  // namespace npf::fabric
