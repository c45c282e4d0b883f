// Where both sides meet when --fabric names a backend and no address. shm and fake choose their place themselves (LocalPeer).
#pragma once

#include <string>

#include "base/result.h"

namespace npf::npu_bench {

// "verbs" and "ofi+tcp" become an address without a port, at which a listener chooses one; anything else stays what it is.
// kNotFound with the next step when this machine has no RDMA device to listen at. Blocks: bounded (devices are asked).
Result<std::string> place_of(const std::string& fabric);

}  // namespace npf::npu_bench
