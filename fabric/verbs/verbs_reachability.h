// Why RDMA CM finds no device for an address, or no way to it: its own word is an errno, and the reasons lie in the devices.
// Asks the machine anew, so that a failure tells of what is there now.
#pragma once

#include <string>

#include "base/result.h"
#include "fabric/verbs/verbs_cm.h"

namespace npf::fabric::verbs {

// RDMA CM cannot be opened at all: kNotFound.
Error explain_no_rdma(int errno_value);

// step: what failed on the way, as in "resolving its address". kUnreachable; without any device kNotFound.
Error explain_no_route(const SocketAddress& peer, const std::string& step, int errno_value);

// operation: "listening at 10.9.0.1:7472 (rdma_bind_addr)". kNotFound: no device of this host has that address.
Error explain_no_local_device(const std::string& operation, int errno_value);

}  // namespace npf::fabric::verbs
