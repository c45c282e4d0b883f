// What each backend sees on this machine, as plain values, and what an address would use. Nothing is kept open.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fabric/rdma_device.h"

namespace npf::fabric {

struct BackendPresence {
  std::string scheme;
  bool is_built = false;
  std::string package;  // Debian's, that a build without it lacks
};

// Those the registry knows, in its order.
std::vector<BackendPresence> known_backends();

// A libfabric provider for reliable connected endpoints (FI_EP_MSG) with remote writes: what ofi can use.
struct FabricProvider {
  std::string name;
  std::string version;
  std::vector<std::string> domains;  // as the provider names them: of tcp the netdevs
};

struct ProviderList {
  std::vector<FabricProvider> providers;
  std::string why_empty;
};

struct Survey {
  std::vector<BackendPresence> backends;
  RdmaInventory rdma;
  ProviderList ofi;
};

// Blocks: bounded (drivers and providers are asked).
Survey survey_fabrics();

// What one backend would do with an address.
struct AddressAnswer {
  std::string backend;
  bool is_usable = false;
  std::string device;  // what it would use; empty: none
  std::string why;     // one sentence, without a full stop
  std::optional<RdmaPath> rdma;
};

// An IP address is answered for every backend that goes to another host, best first; a fabric address for its own.
// kInvalidArgument when the address is neither. Blocks: until the resolver answers, for a host that is a name.
Result<std::vector<AddressAnswer>> answers_for(const Survey& survey, std::string_view address);

}  // namespace npf::fabric
