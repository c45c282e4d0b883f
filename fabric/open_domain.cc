// The registry: a backend is a folder and one line here.
#include <string>

#include "fabric/address.h"
#include "fabric/fabric.h"
#include "fabric/fake/fake.h"
#include "fabric/shm/shm.h"
#include "fabric/survey.h"
#if defined(NPF_HAS_VERBS)
#include "fabric/verbs/verbs.h"
#endif
#if defined(NPF_HAS_OFI)
#include "fabric/ofi/ofi.h"
#endif

namespace npf::fabric {

namespace {

struct Backend {
  std::string_view scheme;                                          // of an address, up to a '+'
  Result<std::unique_ptr<Domain>> (*open)(const Address& address);  // null: this build is without it
  std::string_view package = {};                                    // that brings it
};

#if defined(NPF_HAS_VERBS)
constexpr auto kOpenVerbs = open_verbs_domain;
#else
constexpr decltype(Backend::open) kOpenVerbs = nullptr;
#endif
#if defined(NPF_HAS_OFI)
constexpr auto kOpenOfi = open_ofi_domain;
#else
constexpr decltype(Backend::open) kOpenOfi = nullptr;
#endif

constexpr Backend kBackends[] = {
    {"fake", open_fake_domain},
    {"ofi", kOpenOfi, "libfabric-dev"},
    {"shm", open_shm_domain},
    {"verbs", kOpenVerbs, "libibverbs-dev and librdmacm-dev"},
};

Error unknown_backend(const std::string& scheme) {
  std::string known;
  for (const Backend& backend : kBackends) {
    if (backend.open != nullptr) known += (known.empty() ? "" : ", ") + std::string(backend.scheme);
  }
  return {Status::kUnsupported, "backend '" + scheme + "' is unknown; this build has: " + known};
}

Error built_without(const Backend& backend) {
  return {Status::kUnsupported, "this build is without backend '" + std::string(backend.scheme) + "'; install " +
                                    std::string(backend.package) + " and build again"};
}

}  // namespace

std::vector<BackendPresence> known_backends() {
  std::vector<BackendPresence> known;
  known.reserve(std::size(kBackends));
  for (const Backend& backend : kBackends) {
    known.push_back({std::string(backend.scheme), backend.open != nullptr, std::string(backend.package)});
  }
  return known;
}

Result<std::unique_ptr<Domain>> open_domain(std::string_view address) {
  auto parsed = parse_address(address);
  if (!parsed.ok()) return parsed.error();
  const std::string_view scheme = std::string_view(parsed->scheme).substr(0, parsed->scheme.find('+'));
  for (const Backend& backend : kBackends) {
    if (backend.scheme == scheme) return backend.open != nullptr ? backend.open(*parsed) : built_without(backend);
  }
  return unknown_backend(parsed->scheme);
}

}  // namespace npf::fabric
