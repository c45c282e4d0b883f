// RDMA's operations through libfabric (1.17 or later), over connected endpoints (FI_EP_MSG) of any provider that has
// them; `tcp` first. Address: ofi+PROVIDER://host:port, host being an address to listen on, or of the peer to reach.
// Nothing of the backend but this function is seen outside its folder.
#pragma once

#include <memory>

#include "fabric/address.h"
#include "fabric/fabric.h"

namespace npf::fabric {

Result<std::unique_ptr<Domain>> open_ofi_domain(const Address& address);

}  // namespace npf::fabric
