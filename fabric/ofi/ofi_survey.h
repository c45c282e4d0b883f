// The libfabric providers that ofi can use here. Opens none of them.
#pragma once

#include "fabric/survey.h"

namespace npf::fabric {

// Blocks: bounded (libfabric loads its providers).
ProviderList list_ofi_providers();

}  // namespace npf::fabric
