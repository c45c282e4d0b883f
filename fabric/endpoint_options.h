// What any backend can refuse before it makes anything of an endpoint.
#pragma once

#include "base/result.h"
#include "fabric/fabric.h"

namespace npf::fabric {

// Queue, depths and first receives against the domain's limits; the error names the value and what is allowed.
Result<void> check_options(const Domain& domain, const EndpointOptions& options);

}  // namespace npf::fabric
