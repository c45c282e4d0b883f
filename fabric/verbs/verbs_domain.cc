#include "fabric/verbs/verbs_domain.h"

#include <algorithm>
#include <cerrno>

#include "base/clock.h"
#include "fabric/verbs/verbs.h"
#include "fabric/verbs/verbs_completion_queue.h"
#include "fabric/verbs/verbs_endpoint.h"
#include "fabric/verbs/verbs_listener.h"
#include "fabric/verbs/verbs_region.h"

namespace npf::fabric {

Result<std::unique_ptr<Domain>> open_verbs_domain(const Address& address) {
  if (address.host.empty() || !address.parameters.empty()) {
    return Error{Status::kInvalidArgument, "verbs: an address has a host and a port, as in verbs://10.9.0.1:7472"};
  }
  auto domain = verbs::VerbsDomain::open(address);
  if (!domain.ok()) return domain.error();
  return std::unique_ptr<Domain>(std::move(*domain));
}

}  // namespace npf::fabric

namespace npf::fabric::verbs {

namespace {

constexpr std::uint64_t kResolveTimeoutNs = 2 * kNsPerSecond;
constexpr std::uint32_t kGatherMax = 16;
constexpr std::uint32_t kQueueDepthMax = 16'384;
constexpr std::uint64_t kSendBytesMax = 1U << 20U;  // a SEND is a message between programs; tensors are written

Capabilities capabilities_of(const VerbsDevice& device) {
  const ibv_device_attr& limits = device.limits();
  const auto positive = [](int limit) { return static_cast<std::uint32_t>(std::max(limit, 1)); };
  return {.backend = "verbs",
          // One place of each queue is the idle probe's.
          .queue_depth_max = std::min({kQueueDepthMax, positive(limits.max_qp_wr - 1), positive(limits.max_cqe / 2)}),
          .gather_max = std::min(kGatherMax, positive(limits.max_sge)),
          .inline_bytes_max = device.inline_bytes_max(),
          .send_bytes_max = std::min(kSendBytesMax, device.message_bytes_max()),
          .message_bytes_max = device.message_bytes_max(),
          .regions_max = positive(limits.max_mr),
          .direct = false,
          .remote_access_to_any_memory = true,
          .tells_death_from_close = false};  // RDMA CM ends the connection of a killed process as if it had closed it
}

// An address of this host is bound to, so that its own device serves it; another host's is reached by its route.
Result<CmId> bind_to_device(const SocketAddress& address) {
  auto id = CmId::create();
  if (!id.ok()) return id;
  SocketAddress local = address;
  local.set_port(0);
  if (rdma_bind_addr(id->get(), local.get()) == 0 && (*id)->verbs != nullptr) return id;
  id = CmId::create();
  if (!id.ok()) return id;
  if (auto resolved = id->resolve(address, monotonic_ns() + kResolveTimeoutNs); !resolved.ok()) return resolved.error();
  return id;
}

}  // namespace

Result<std::unique_ptr<VerbsDomain>> VerbsDomain::open(const Address& address) {
  auto resolved = SocketAddress::resolve(address);
  if (!resolved.ok()) return resolved.error();
  auto id = bind_to_device(*resolved);
  if (!id.ok()) return id.error();
  auto device = VerbsDevice::of(std::move(*id));
  if (!device.ok()) return device.error();
  ibv_pd* const domain = ibv_alloc_pd((*device)->context());
  if (domain == nullptr) {
    return system_error("verbs: a protection domain on " + (*device)->name() + " (max_pd " +
                            std::to_string((*device)->limits().max_pd) + ")",
                        errno);
  }
  return std::unique_ptr<VerbsDomain>(new VerbsDomain(std::move(*device), domain));
}

VerbsDomain::VerbsDomain(std::shared_ptr<VerbsDevice> device, ibv_pd* domain)
    : device_(std::move(device)), domain_(domain), capabilities_(capabilities_of(*device_)) {}

VerbsDomain::~VerbsDomain() {
  // EBUSY: something made by this domain outlives it.
  NPF_ASSERT(ibv_dealloc_pd(domain_) == 0);
}

Result<std::unique_ptr<CompletionQueue>> VerbsDomain::create_completion_queue(std::uint32_t depth) {
  auto queue = VerbsCompletionQueue::create(device_, depth);
  if (!queue.ok()) return queue.error();
  return std::unique_ptr<CompletionQueue>(std::move(*queue));
}

Result<std::unique_ptr<Region>> VerbsDomain::allocate(std::uint64_t bytes, Access access) {
  if (bytes == 0) return Error{Status::kInvalidArgument, "verbs: a region of 0 bytes; allowed: 1 or more"};
  auto arena = Arena::map("verbs", bytes);
  if (!arena.ok()) return arena.error();
  return VerbsRegion::enter(*this, std::move(*arena), {}, access);
}

Result<std::unique_ptr<Region>> VerbsDomain::register_memory(std::span<std::byte> memory, Access access) {
  if (memory.empty()) return Error{Status::kInvalidArgument, "verbs: a region of 0 bytes; allowed: 1 or more"};
  return VerbsRegion::enter(*this, Arena(), memory, access);
}

Result<void> VerbsDomain::check_device(const rdma_cm_id& id, const std::string& address) const {
  if (id.verbs == device_->context()) return {};
  const std::string other = id.verbs == nullptr ? "none" : ibv_get_device_name(id.verbs->device);
  return Error{Status::kInvalidArgument, "verbs: " + address + " belongs to device " + other +
                                             ", but this domain is on " + device_->name() +
                                             "; open a domain with that address"};
}

Result<std::unique_ptr<Listener>> VerbsDomain::listen(std::string_view address) {
  auto parsed = parse_verbs_address(address);
  if (!parsed.ok()) return parsed.error();
  auto listener = VerbsListener::create(*this, *parsed);
  if (!listener.ok()) return listener.error();
  return std::unique_ptr<Listener>(std::move(*listener));
}

Result<Connected> VerbsDomain::connect(std::string_view address, const EndpointOptions& options,
                                       std::uint64_t timeout_ns) {
  const std::uint64_t now_ns = monotonic_ns();
  const std::uint64_t deadline_ns = timeout_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + timeout_ns;
  auto parsed = parse_verbs_address(address);
  if (!parsed.ok()) return parsed.error();
  auto peer = SocketAddress::resolve(*parsed);
  if (!peer.ok()) return peer.error();
  auto id = CmId::create();
  if (!id.ok()) return id.error();
  if (auto resolved = id->resolve(*peer, deadline_ns); !resolved.ok()) return resolved.error();
  if (auto ours = check_device(*id->get(), std::string(address)); !ours.ok()) return ours.error();
  auto endpoint = VerbsEndpoint::create(*this, std::move(*id), options);
  if (!endpoint.ok()) return endpoint.error();
  auto hello = (*endpoint)->connect(deadline_ns);
  if (!hello.ok()) return hello.error();
  return Connected{std::move(*endpoint), *hello};
}

}  // namespace npf::fabric::verbs
