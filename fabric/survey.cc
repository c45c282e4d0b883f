#include "fabric/survey.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "fabric/address.h"
#if defined(NPF_HAS_VERBS)
#include "fabric/verbs/verbs_inventory.h"
#include "fabric/verbs/verbs_route.h"
#endif
#if defined(NPF_HAS_OFI)
#include "fabric/ofi/ofi_survey.h"
#endif

namespace npf::fabric {

namespace {

Result<IpAddress> resolve(const std::string& host) {
  if (auto ip = parse_ip(host); ip.ok()) return ip;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (failed != 0) return Error{Status::kInvalidArgument, "host '" + host + "': " + ::gai_strerror(failed)};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(found, ::freeaddrinfo);
  return ip_of(*list->ai_addr);
}

AddressAnswer verbs_answer([[maybe_unused]] const Survey& survey, [[maybe_unused]] const IpAddress& peer) {
  AddressAnswer answer{.backend = "verbs"};
#if defined(NPF_HAS_VERBS)
  answer.rdma = choose_gid(survey.rdma, peer);
  answer.is_usable = answer.rdma->chosen.has_value();
  if (answer.is_usable) {
    const ChosenGid& chosen = *answer.rdma->chosen;
    answer.device = chosen.device + " port " + std::to_string(chosen.port) + " GID " + std::to_string(chosen.gid.index);
  }
  answer.why = answer.rdma->summary();
#else
  answer.why = "this build is without verbs";
#endif
  return answer;
}

bool has_provider(const Survey& survey, const std::string& name) {
  return std::ranges::find(survey.ofi.providers, name, &FabricProvider::name) != survey.ofi.providers.end();
}

// What the provider itself does: a socket to the peer, by the kernel's route.
AddressAnswer ofi_answer(const Survey& survey, const std::string& provider, const IpAddress& peer) {
  AddressAnswer answer{.backend = "ofi+" + provider};
  if (!has_provider(survey, provider)) {
    answer.why =
        survey.ofi.why_empty.empty() ? "libfabric has no provider '" + provider + "' here" : survey.ofi.why_empty;
    return answer;
  }
  const auto route = route_to(peer);
  if (!route.ok()) {
    answer.why = route.error().message;
    return answer;
  }
  answer.is_usable = true;
  answer.device = route->device.name;
  answer.why = "provider " + provider + " over " + route->device.name + " from " + text_of(route->source);
  if (!route->gateway.is_any()) answer.why += " by the gateway " + text_of(route->gateway);
  if (route->is_local) answer.why += ", an address of this host";
  return answer;
}

AddressAnswer answer_over_ip(const Survey& survey, const BackendPresence& backend, const std::string& provider,
                             const IpAddress& peer) {
  if (backend.is_built) {
    return backend.scheme == "verbs" ? verbs_answer(survey, peer) : ofi_answer(survey, provider, peer);
  }
  const std::string name = backend.scheme == "verbs" ? backend.scheme : backend.scheme + "+" + provider;
  return {.backend = name,
          .why = "this build is without " + backend.scheme + "; install " + backend.package + " and build again"};
}

AddressAnswer shm_answer(const std::string& path) {
  AddressAnswer answer{.backend = "shm"};
  std::error_code ignored;
  const std::filesystem::path socket(path);
  const std::string folder = socket.has_parent_path() ? socket.parent_path().string() : ".";
  if (std::filesystem::is_socket(socket, ignored)) {
    answer.is_usable = ::access(path.c_str(), W_OK) == 0;
    answer.why = answer.is_usable ? "a listener's socket is there, and this process may connect"
                                  : "a listener's socket is there, and this process may not connect (no write access)";
  } else if (!std::filesystem::is_directory(folder, ignored)) {
    answer.why = "folder " + folder + " is not there, so nobody can listen; mkdir -p " + folder;
  } else if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    answer.why = "nobody listens, and this process may not write to " + folder;
  } else {
    answer.is_usable = true;
    answer.why = "nobody listens yet, and this process may listen there";
  }
  if (answer.is_usable) answer.device = "memory of this host";
  return answer;
}

Error unknown_backend(const Survey& survey, const std::string& scheme) {
  std::string known;
  for (const BackendPresence& each : survey.backends) known += (known.empty() ? "" : ", ") + each.scheme;
  return {Status::kInvalidArgument, "backend '" + scheme + "' is unknown; known: " + known};
}

Result<AddressAnswer> answer_of_backend(const Survey& survey, const Address& address) {
  const std::string scheme = address.scheme.substr(0, address.scheme.find('+'));
  const auto backend = std::ranges::find(survey.backends, scheme, &BackendPresence::scheme);
  if (backend == survey.backends.end()) return unknown_backend(survey, address.scheme);
  if (scheme == "shm") return shm_answer(address.path);
  if (scheme == "fake") {
    return AddressAnswer{
        .backend = "fake", .is_usable = true, .device = "this process", .why = "in-process, for tests"};
  }
  if (address.host.empty())
    return Error{Status::kInvalidArgument, "address has no host; write " + scheme + "://host:port"};
  const auto peer = resolve(address.host);
  if (!peer.ok()) return peer.error();
  const std::size_t plus = address.scheme.find('+');
  const std::string provider = plus == std::string::npos ? "tcp" : address.scheme.substr(plus + 1);
  return answer_over_ip(survey, *backend, provider, *peer);
}

}  // namespace

Survey survey_fabrics() {
  Survey survey;
  survey.backends = known_backends();
#if defined(NPF_HAS_VERBS)
  survey.rdma = take_verbs_inventory();
#else
  survey.rdma.why_empty = "this build is without verbs";
#endif
#if defined(NPF_HAS_OFI)
  survey.ofi = list_ofi_providers();
#else
  survey.ofi.why_empty = "this build is without libfabric";
#endif
  return survey;
}

Result<std::vector<AddressAnswer>> answers_for(const Survey& survey, std::string_view address) {
  if (const auto peer = parse_ip(address); peer.ok()) {
    std::vector<AddressAnswer> answers;
    for (const BackendPresence& backend : survey.backends) {
      if (backend.scheme != "verbs" && backend.scheme != "ofi") continue;
      answers.push_back(answer_over_ip(survey, backend, "tcp", *peer));
    }
    // RDMA where it goes, TCP where it does not.
    std::ranges::stable_sort(answers, {}, [](const AddressAnswer& each) { return each.backend != "verbs"; });
    return answers;
  }
  const auto parsed = parse_address(address);
  if (!parsed.ok()) return parsed.error();
  auto answer = answer_of_backend(survey, *parsed);
  if (!answer.ok()) return answer.error();
  return std::vector<AddressAnswer>{std::move(*answer)};
}

}  // namespace npf::fabric
