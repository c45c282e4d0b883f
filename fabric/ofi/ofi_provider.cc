#include "fabric/ofi/ofi_provider.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <rdma/fi_errno.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "fabric/ofi/ofi_failure.h"
#include "fabric/ofi/ofi_survey.h"

namespace npf::fabric::ofi {

namespace {

// A provider names its default depths unasked; its limits show only in what it refuses.
constexpr std::array<std::uint32_t, 5> kDepths = {16'384, 4096, 1024, 256, 64};
constexpr std::uint64_t kSendBytesMax = 4096;          // each is copied once, out of a bounce buffer of this size
constexpr std::uint64_t kMessageBytesMax = 1U << 31U;  // its length travels in 32 bits
constexpr std::uint32_t kRegionsMax = 1U << 20U;       // where the provider names no limit
constexpr int kMemoryModes = FI_MR_LOCAL | FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY;

Info make_hints(const std::string& provider, std::uint32_t depth) {
  Info hints(::fi_allocinfo());
  if (!hints) return hints;
  hints->caps = FI_MSG | FI_RMA;
  // Nothing that would need memory of ours for each request (FI_CONTEXT).
  hints->mode = FI_RX_CQ_DATA;
  hints->ep_attr->type = FI_EP_MSG;
  hints->tx_attr->size = hints->rx_attr->size = depth;
  hints->domain_attr->mr_mode = kMemoryModes;
  hints->domain_attr->threading = FI_THREAD_SAFE;
  hints->fabric_attr->prov_name = ::strdup(provider.c_str());
  return hints;
}

// A name is enough for a provider's utility layers to join in ("tcp;ofi_rxm"); connected endpoints need none of them.
bool is_of(const fi_info& info, const std::string& provider) {
  return info.fabric_attr != nullptr && info.fabric_attr->prov_name != nullptr &&
         provider == info.fabric_attr->prov_name && info.ep_attr->type == FI_EP_MSG;
}

Info first_of(Info list, const std::string& provider) {
  for (const fi_info* info = list.get(); info != nullptr; info = info->next) {
    if (is_of(*info, provider)) return Info(::fi_dupinfo(info));
  }
  return {};
}

Error no_provider(const std::string& provider, const Address& address, int failed) {
  std::string known;
  for (const FabricProvider& each : list_ofi_providers().providers) {
    if (each.name == provider) {
      return ofi_error(Status::kNotFound, "ofi: provider '" + provider + "' does not serve " + address.host, failed,
                       "use an address of a network that it reaches; `npu-ctl doctor` lists its devices");
    }
    known += (known.empty() ? "" : ", ") + each.name;
  }
  return ofi_error(Status::kNotFound, "ofi: libfabric has no provider '" + provider + "' with connected endpoints",
                   failed, "there are: " + (known.empty() ? "none" : known));
}

}  // namespace

// A cache of registrations would keep a key alive behind its region's end, and grant a region what another one of the same
// memory granted. Read by libfabric once, at the first call.
void forbid_registration_cache() { [[maybe_unused]] static const int done = ::setenv("FI_MR_CACHE_MAX_COUNT", "0", 1); }

Result<Info> find_info(const std::string& provider, const Address& address, Role role) {
  const std::string port = std::to_string(address.port);
  int failed = -FI_ENODATA;
  for (const std::uint32_t depth : kDepths) {
    const Info hints = make_hints(provider, depth);
    if (!hints) return Error{Status::kOutOfMemory, "ofi: no memory for a query of libfabric"};
    fi_info* found = nullptr;
    forbid_registration_cache();
    failed = ::fi_getinfo(FI_VERSION(1, 17), address.host.c_str(), port.c_str(), role == Role::kListen ? FI_SOURCE : 0,
                          hints.get(), &found);
    if (failed != 0) continue;
    if (Info info = first_of(Info(found), provider)) return info;
    failed = -FI_ENODATA;
  }
  return no_provider(provider, address, -failed);
}

Result<Provider> Provider::of(const std::string& name, const fi_info& info) {
  Provider provider;
  provider.name = name;
  provider.backend = "ofi+" + name;
  const fi_domain_attr& domain = *info.domain_attr;
  const auto lacks = [&](const std::string& what) {
    return Error{Status::kUnsupported, provider.backend + ": the provider " + what + "; choose another one"};
  };
  if ((info.mode & ~static_cast<std::uint64_t>(FI_RX_CQ_DATA)) != 0) {
    return lacks("wants memory for each request (mode " + std::to_string(info.mode) + ")");
  }
  if ((domain.mr_mode & ~kMemoryModes) != 0) {
    return lacks("registers memory in a mode that is unknown here (mr_mode " + std::to_string(domain.mr_mode) + ")");
  }
  if (domain.cq_data_size < sizeof(std::uint32_t)) {
    return lacks("carries " + std::to_string(domain.cq_data_size) + " bytes as the immediate; 4 are needed");
  }
  if (domain.mr_key_size < sizeof(std::uint32_t)) {
    return lacks("has keys of " + std::to_string(domain.mr_key_size) + " bytes; 4 are needed");
  }
  provider.keys_are_ours = (domain.mr_mode & FI_MR_PROV_KEY) == 0;
  provider.immediate_takes_receive = ((info.mode | info.rx_attr->mode) & FI_RX_CQ_DATA) != 0;
  provider.data_is_wide = domain.cq_data_size >= sizeof(std::uint64_t);
  const auto depth = static_cast<std::uint32_t>(std::min(info.tx_attr->size, info.rx_attr->size));
  provider.capabilities = {
      .backend = {},  // provider.backend, wherever that comes to lie
      .queue_depth_max = depth,
      .gather_max = std::min(kGatherMax, static_cast<std::uint32_t>(info.tx_attr->iov_limit)),
      .inline_bytes_max = static_cast<std::uint32_t>(std::min<std::size_t>(info.tx_attr->inject_size, kSendBytesMax)),
      .send_bytes_max = std::min<std::uint64_t>(kSendBytesMax, info.ep_attr->max_msg_size),
      .message_bytes_max = std::min<std::uint64_t>(kMessageBytesMax, info.ep_attr->max_msg_size),
      .regions_max = static_cast<std::uint32_t>(
          std::min<std::size_t>(domain.mr_cnt == 0 ? kRegionsMax : domain.mr_cnt, kRegionsMax)),
      .direct = false,
      .remote_access_to_any_memory = true,
      // tcp drops the connection without a word to the initiator; verbs passes on what the NIC says, but not of requests for
      // which no completion was asked.
      .names_refusals = false,
      .acknowledged_by_traffic = info.ep_attr->protocol == FI_PROTO_SOCK_TCP,
      .tells_death_from_close = false};
  return provider;
}

std::string provider_of(std::string_view scheme) {
  constexpr std::string_view kPrefix = "ofi+";
  return scheme.starts_with(kPrefix) ? std::string(scheme.substr(kPrefix.size())) : std::string();
}

Result<Address> parse_ofi_address(std::string_view address, const Provider& provider) {
  auto parsed = parse_address(address);
  if (!parsed.ok()) return parsed;
  if (parsed->scheme != provider.backend || parsed->host.empty() || !parsed->parameters.empty()) {
    return Error{Status::kInvalidArgument, provider.backend + ": '" + std::string(address) +
                                               "' is no address of this domain; write " + provider.backend +
                                               "://host:port"};
  }
  return parsed;
}

std::string to_text(const void* socket_address, std::size_t length_bytes) {
  sockaddr_storage address{};
  if (socket_address == nullptr) return "an unknown address";
  std::memcpy(&address, socket_address, std::min(length_bytes, sizeof address));
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET6) {
    const auto& six = reinterpret_cast<const sockaddr_in6&>(address);
    ::inet_ntop(AF_INET6, &six.sin6_addr, text, sizeof text);
    return "[" + std::string(text) + "]:" + std::to_string(ntohs(six.sin6_port));
  }
  const auto& four = reinterpret_cast<const sockaddr_in&>(address);
  ::inet_ntop(AF_INET, &four.sin_addr, text, sizeof text);
  return std::string(text) + ":" + std::to_string(ntohs(four.sin_port));
}

}  // namespace npf::fabric::ofi
