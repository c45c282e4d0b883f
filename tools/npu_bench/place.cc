#include "tools/npu_bench/place.h"

#include <cstdlib>

#include "fabric/survey.h"

namespace npf::npu_bench {

namespace {

std::string host_of(const IpAddress& address) {
  const std::string text = text_of(address);
  return address.is_v4() ? text : "[" + text + "]";
}

bool can_be_listened_at(const fabric::RdmaGid& gid) {
  return gid.type == fabric::GidType::kRoceV2 && !gid.netdev.empty() && !gid.value.is_link_local() &&
         !gid.value.is_any();
}

Result<std::string> verbs_place() {
  const char* const chosen = std::getenv("NPF_VERBS_ADDRESS");
  if (chosen != nullptr && *chosen != '\0') return "verbs://" + std::string(chosen);
  const fabric::RdmaInventory rdma = fabric::survey_fabrics().rdma;
  for (const fabric::RdmaDevice& device : rdma.devices) {
    for (const fabric::RdmaPort& port : device.ports) {
      if (!device.problem.empty() || !port.is_active) continue;
      for (const fabric::RdmaGid& gid : port.gids) {
        if (can_be_listened_at(gid)) return "verbs://" + host_of(gid.value);
      }
    }
  }
  return Error{
      Status::kNotFound,
      "--fabric verbs: " +
          (rdma.devices.empty() ? rdma.why_empty : "no RDMA device here has an active port with an IP address") +
          "; `npu-ctl doctor` says what is missing, `scripts/rxe run -- npu-bench ...` runs in a guest that has a "
          "device, NPF_VERBS_ADDRESS names an address"};
}

}  // namespace

Result<std::string> place_of(const std::string& fabric) {
  if (fabric == "verbs") return verbs_place();
  if (fabric == "ofi+tcp") return std::string("ofi+tcp://127.0.0.1");
  return fabric;
}

}  // namespace npf::npu_bench
