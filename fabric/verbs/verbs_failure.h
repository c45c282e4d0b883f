// What a device's work completion says went wrong, in the seam's terms and for people.
#pragma once

#include <infiniband/verbs.h>

#include <string>

#include "base/result.h"
#include "fabric/fabric.h"

namespace npf::fabric::verbs {

// The first failed completion of an endpoint. received: of a posted receive, else of that operation.
Error explain_work_failure(const ibv_wc& work, bool received, Opcode opcode);

}  // namespace npf::fabric::verbs
