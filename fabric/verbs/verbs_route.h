// Which device, port and GID reach a peer: RDMA CM's rules over an inventory, with the reason for each that does not.
#pragma once

#include "fabric/rdma_device.h"

namespace npf::fabric {

// Asks the kernel for the route. Blocks: bounded (netlink).
RdmaPath choose_gid(const RdmaInventory& inventory, const IpAddress& peer);

// The rules alone. They are those of the kernel's cma.c and addr.c: the GID must lie on the device that the route leaves
// by, and be its source address (RoCE) or its hardware address (IPoIB); of several RDMA devices the one registered first.
RdmaPath choose_gid(const RdmaInventory& inventory, const IpAddress& peer, const Result<IpRoute>& route);

}  // namespace npf::fabric
