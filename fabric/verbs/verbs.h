// RDMA through libibverbs and RDMA CM: InfiniBand, RoCE, and soft-RoCE (docs/soft-roce.md).
// Address: verbs://host:port, host being an address of the device to listen on, or of the peer to reach.
// Nothing of the backend but this function is seen outside its folder.
#pragma once

#include <memory>

#include "fabric/address.h"
#include "fabric/fabric.h"

namespace npf::fabric {

Result<std::unique_ptr<Domain>> open_verbs_domain(const Address& address);

}  // namespace npf::fabric
