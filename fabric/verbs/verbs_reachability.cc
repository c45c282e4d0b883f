#include "fabric/verbs/verbs_reachability.h"

#include "fabric/verbs/verbs_inventory.h"
#include "fabric/verbs/verbs_route.h"

namespace npf::fabric::verbs {

namespace {

const char* const kWhereToGetOne =
    "; `npu-ctl doctor` says what is missing, and scripts/rxe brings a soft-RoCE device in a guest";

// "rxe0 has 10.9.0.1, rxe1 has nothing but link-local GIDs"
std::string addresses_of(const RdmaInventory& inventory) {
  std::string said;
  for (const RdmaDevice& device : inventory.devices) {
    std::string own;
    for (const RdmaPort& port : device.ports) {
      for (const RdmaGid& gid : port.gids) {
        if (!gid.value.is_link_local()) own += (own.empty() ? "" : " and ") + text_of(gid.value);
      }
    }
    if (!device.problem.empty()) own = "a problem: " + device.problem;
    said += (said.empty() ? "" : ", ") + device.name + " has " + (own.empty() ? "none but link-local ones" : own);
  }
  return said;
}

}  // namespace

Error explain_no_rdma(int errno_value) {
  Error error = system_error("verbs: RDMA CM is not to be had on this machine", errno_value);
  error.status = Status::kNotFound;
  error.message += kWhereToGetOne;
  return error;
}

Error explain_no_route(const SocketAddress& peer, const std::string& step, int errno_value) {
  Error error = system_error("verbs: " + to_text(peer.get()) + ": " + step, errno_value);
  const RdmaInventory inventory = take_verbs_inventory();
  if (inventory.devices.empty()) {
    error.status = Status::kNotFound;
    error.message += "; there is no RDMA device here (" + inventory.why_empty + ")" + kWhereToGetOne;
    return error;
  }
  const IpAddress ip = ip_of(*peer.get());
  const RdmaPath path = choose_gid(inventory, ip);
  error.status = Status::kUnreachable;
  error.message += "; " + path.text("; ");
  error.message += path.chosen ? "; is the peer's host up, and is that its address?"
                               : "; `npu-ctl doctor --to " + text_of(ip) + "` shows all there is";
  return error;
}

Error explain_no_local_device(const std::string& operation, int errno_value) {
  Error error = system_error("verbs: " + operation, errno_value);
  const RdmaInventory inventory = take_verbs_inventory();
  error.status = Status::kNotFound;
  error.message += "; no RDMA device of this host has that address";
  error.message += inventory.devices.empty() ? " (" + inventory.why_empty + ")" + kWhereToGetOne
                                             : ": " + addresses_of(inventory) + "; listen at one of these";
  return error;
}

}  // namespace npf::fabric::verbs
