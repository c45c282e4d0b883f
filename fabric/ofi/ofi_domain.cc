#include "fabric/ofi/ofi_domain.h"

#include "base/assert.h"
#include "base/clock.h"
#include "fabric/ofi/ofi.h"
#include "fabric/ofi/ofi_completion_queue.h"
#include "fabric/ofi/ofi_endpoint.h"
#include "fabric/ofi/ofi_failure.h"
#include "fabric/ofi/ofi_listener.h"
#include "fabric/ofi/ofi_region.h"

namespace npf::fabric {

Result<std::unique_ptr<Domain>> open_ofi_domain(const Address& address) {
  if (ofi::provider_of(address.scheme).empty() || address.host.empty() || !address.parameters.empty()) {
    return Error{Status::kInvalidArgument,
                 "ofi: an address names a provider, a host and a port, as in ofi+tcp://10.9.0.1:7472"};
  }
  auto domain = ofi::OfiDomain::open(address);
  if (!domain.ok()) return domain.error();
  return std::unique_ptr<Domain>(std::move(*domain));
}

}  // namespace npf::fabric

namespace npf::fabric::ofi {

namespace {

Capabilities named(const Provider& provider) {
  Capabilities capabilities = provider.capabilities;
  capabilities.backend = provider.backend;
  return capabilities;
}

}  // namespace

Result<std::unique_ptr<OfiDomain>> OfiDomain::open(const Address& address) {
  const std::string name = provider_of(address.scheme);
  // An address of this host is served by what has it; another host's is reached by its route.
  auto info = find_info(name, address, Role::kListen);
  if (!info.ok()) info = find_info(name, address, Role::kConnect);
  if (!info.ok()) return info.error();
  auto provider = Provider::of(name, **info);
  if (!provider.ok()) return provider.error();
  // A peer names virtual addresses. A provider that could do with offsets into regions obeys what it is opened with.
  (*info)->domain_attr->mr_mode |= FI_MR_VIRT_ADDR;
  const auto failed_at = [&](const char* step, int failed) {
    return ofi_error(Status::kSystem, provider->backend + ": " + step + " for " + address.host, -failed,
                     "`npu-ctl doctor` shows what libfabric sees");
  };
  fid_fabric* fabric = nullptr;
  if (const int failed = ::fi_fabric((*info)->fabric_attr, &fabric, nullptr); failed != 0) {
    return failed_at("fi_fabric", failed);
  }
  Fid<fid_fabric> fabric_owner(fabric);
  fid_domain* domain = nullptr;
  if (const int failed = ::fi_domain(fabric, info->get(), &domain, nullptr); failed != 0) {
    return failed_at("fi_domain", failed);
  }
  Fid<fid_domain> domain_owner(domain);
  auto control = OfiControl::start(provider->backend);
  if (!control.ok()) return control.error();
  return std::unique_ptr<OfiDomain>(
      new OfiDomain(std::move(*provider), std::move(fabric_owner), std::move(domain_owner), std::move(*control)));
}

OfiDomain::OfiDomain(Provider provider, Fid<fid_fabric> fabric, Fid<fid_domain> domain,
                     std::unique_ptr<OfiControl> control)
    : provider_(std::move(provider)),
      capabilities_(named(provider_)),
      fabric_(std::move(fabric)),
      domain_(std::move(domain)),
      control_(std::move(control)) {}

OfiDomain::~OfiDomain() = default;

std::uint32_t OfiDomain::next_key() {
  const std::lock_guard lock(mutex_);
  return random_();
}

Result<std::unique_ptr<CompletionQueue>> OfiDomain::create_completion_queue(std::uint32_t depth) {
  auto queue = OfiCompletionQueue::create(*this, depth);
  if (!queue.ok()) return queue.error();
  return std::unique_ptr<CompletionQueue>(std::move(*queue));
}

Result<std::unique_ptr<Region>> OfiDomain::allocate(std::uint64_t bytes, Access access) {
  if (bytes == 0) {
    return Error{Status::kInvalidArgument, provider_.backend + ": a region of 0 bytes; allowed: 1 or more"};
  }
  auto arena = Arena::map(provider_.backend, bytes);
  if (!arena.ok()) return arena.error();
  return OfiRegion::enter(*this, std::move(*arena), {}, access);
}

Result<std::unique_ptr<Region>> OfiDomain::register_memory(std::span<std::byte> memory, Access access) {
  if (memory.empty()) {
    return Error{Status::kInvalidArgument, provider_.backend + ": a region of 0 bytes; allowed: 1 or more"};
  }
  return OfiRegion::enter(*this, Arena(), memory, access);
}

Result<std::unique_ptr<Listener>> OfiDomain::listen(std::string_view address) {
  auto parsed = parse_ofi_address(address, provider_);
  if (!parsed.ok()) return parsed.error();
  auto listener = OfiListener::create(*this, *parsed);
  if (!listener.ok()) return listener.error();
  return std::unique_ptr<Listener>(std::move(*listener));
}

Result<Connected> OfiDomain::connect(std::string_view address, const EndpointOptions& options,
                                     std::uint64_t timeout_ns) {
  const std::uint64_t now_ns = monotonic_ns();
  const std::uint64_t deadline_ns = timeout_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + timeout_ns;
  auto parsed = parse_ofi_address(address, provider_);
  if (!parsed.ok()) return parsed.error();
  auto info = find_info(provider_.name, *parsed, Role::kConnect);
  if (!info.ok()) return info.error();
  auto endpoint = OfiEndpoint::create(*this, **info, options);
  if (!endpoint.ok()) return endpoint.error();
  auto hello = (*endpoint)->connect((*info)->dest_addr, deadline_ns);
  if (!hello.ok()) return hello.error();
  return Connected{std::move(*endpoint), *hello};
}

}  // namespace npf::fabric::ofi
