// The endpoint's cold side: opening and connecting, and its end. Failures met while posting: ofi_endpoint_failure.cc.
#include "fabric/ofi/ofi_endpoint.h"

#include <rdma/fi_cm.h>
#include <rdma/fi_errno.h>

#include <algorithm>
#include <cstdlib>

#include "base/assert.h"
#include "base/log.h"
#include "fabric/cm_data.h"
#include "fabric/endpoint_options.h"
#include "fabric/ofi/ofi_failure.h"

namespace npf::fabric::ofi {

namespace {

// At least one request a quarter of the queue is signaled, so that the rest is known to be done.
constexpr std::uint32_t kSignalsPerQueue = 4;

// WRITE_WITH_IMMs that wait for receives, beyond those receives; provider tcp sets itself no limit.
constexpr std::uint32_t kImmediatesWaitingMax = 1024;

}  // namespace

Result<std::size_t> connection_data_bytes_max(fid& endpoint, const Provider& provider) {
  std::size_t bytes = 0;
  std::size_t size = sizeof bytes;
  const int failed = ::fi_getopt(&endpoint, FI_OPT_ENDPOINT, FI_OPT_CM_DATA_SIZE, &bytes, &size);
  if (failed != 0) return ofi_error(Status::kSystem, provider.backend + ": asking for FI_OPT_CM_DATA_SIZE", -failed);
  if (bytes >= kCmDataBytes) return bytes;
  return Error{Status::kUnsupported, provider.backend + ": the provider carries " + std::to_string(bytes) +
                                         " bytes with a connection request (FI_OPT_CM_DATA_SIZE); needed: " +
                                         std::to_string(kCmDataBytes) + "; choose another provider"};
}

Result<std::unique_ptr<OfiEndpoint>> OfiEndpoint::create(OfiDomain& domain, const fi_info& info,
                                                         const EndpointOptions& options) {
  if (auto checked = check_options(domain, options); !checked.ok()) return checked.error();
  auto events = EventQueue::create(domain.fabric(), domain.provider().backend);
  if (!events.ok()) return events.error();
  std::unique_ptr<OfiEndpoint> endpoint(new OfiEndpoint(domain, std::move(*events), info, options));
  if (auto opened = endpoint->open(info, options); !opened.ok()) return opened.error();
  return endpoint;
}

OfiEndpoint::OfiEndpoint(OfiDomain& domain, EventQueue events, const fi_info& info, const EndpointOptions& options)
    : domain_(domain),
      provider_(domain.provider()),
      queue_(static_cast<OfiCompletionQueue&>(*options.completion_queue)),
      context_(options.context),
      hello_(options.hello),
      send_depth_(options.send_depth),
      receive_depth_(options.receive_depth),
      signal_every_(std::max(1U, options.send_depth / kSignalsPerQueue)),
      peer_(to_text(info.dest_addr, info.dest_addrlen)),
      events_(std::move(events)),
      sends_(options.send_depth),
      receives_(options.receive_depth),
      arrivals_(options.receive_depth + kImmediatesWaitingMax) {
  NPF_ASSERT(&queue_.domain() == &domain);
}

Error OfiEndpoint::failed_at(const char* step, int code) const {
  return ofi_error(Status::kSystem, provider_.backend + ": " + step + " for " + peer_, std::abs(code),
                   "`npu-ctl doctor` shows limits and devices");
}

Result<void> OfiEndpoint::open(const fi_info& info, const EndpointOptions& options) {
  if (auto reserved = queue_.reserve(send_depth_ + receive_depth_); !reserved.ok()) return reserved;
  reserved_ = true;
  const Info own(::fi_dupinfo(&info));
  if (!own) return Error{Status::kOutOfMemory, provider_.backend + ": no memory for an endpoint"};
  own->tx_attr->size = send_depth_;
  own->rx_attr->size = receive_depth_;
  fid_ep* endpoint = nullptr;
  if (const int failed = ::fi_endpoint(domain_.get(), own.get(), &endpoint, nullptr); failed != 0) {
    return failed_at("fi_endpoint", failed);
  }
  endpoint_.reset(endpoint);
  if (auto bytes_max = connection_data_bytes_max(endpoint->fid, provider_); !bytes_max.ok()) return bytes_max.error();
  if (auto opened = open_queue(); !opened.ok()) return opened;
  if (const int failed = ::fi_ep_bind(endpoint, &events_.get()->fid, 0); failed != 0) {
    return failed_at("fi_ep_bind (event queue)", failed);
  }
  if (const int failed = ::fi_ep_bind(endpoint, &completions_->fid, FI_TRANSMIT | FI_SELECTIVE_COMPLETION);
      failed != 0) {
    return failed_at("fi_ep_bind (completion queue, transmit)", failed);
  }
  if (const int failed = ::fi_ep_bind(endpoint, &completions_->fid, FI_RECV); failed != 0) {
    return failed_at("fi_ep_bind (completion queue, receive)", failed);
  }
  if (const int failed = ::fi_enable(endpoint); failed != 0) return failed_at("fi_enable", failed);
  auto bounces = domain_.allocate(provider_.capabilities.send_bytes_max * receive_depth_, Access::kLocal);
  if (!bounces.ok()) return bounces.error();
  bounces_ = std::move(*bounces);
  for (std::uint32_t i = 0; i < receive_depth_; ++i) {
    if (const int failed = post_bounce(i); failed != 0) return failed_at("fi_recv", failed);
  }
  if (const PostResult first = post_receive(options.receives); first.posted < options.receives.size()) {
    return Error{Status::kInvalidArgument,
                 provider_.backend + ": the first receives cannot be posted; are their buffers registered?"};
  }
  return {};
}

Result<void> OfiEndpoint::open_queue() {
  constexpr std::size_t kSpare = 64;
  fi_cq_attr attributes{};
  attributes.size = send_depth_ + 2 * std::size_t{receive_depth_} + kSpare;
  attributes.format = FI_CQ_FORMAT_DATA;
  if (const int failed = OfiWait::open(domain_.get(), attributes, completions_, wait_); failed != 0) {
    return failed_at("fi_cq_open", failed);
  }
  return {};
}

OfiEndpoint::~OfiEndpoint() {
  domain_.control().remove(*this);
  stop();
  if (joined_) queue_.leave(seat_);
  if (reserved_) queue_.release(send_depth_ + receive_depth_);
}

Result<Hello> OfiEndpoint::connect(const void* address, std::uint64_t deadline_ns) {
  const CmHello data = encode_cm_hello(hello_);
  if (const int failed = ::fi_connect(endpoint_.get(), address, data.data(), data.size()); failed != 0) {
    return connect_failure(-failed, {});
  }
  const auto event = events_.wait_event(deadline_ns);
  if (event.status() == Status::kTimedOut) {
    return Error{Status::kTimedOut, provider_.backend + ": " + peer_ +
                                        " did not answer in time; is its process stopped or busy, or is it no NPU "
                                        "Fabric?"};
  }
  if (!event.ok()) return event.error();
  if (event->error != 0) return connect_failure(event->error, event->data);
  if (event->type != FI_CONNECTED) return connect_failure(FI_ECONNABORTED, event->data);
  connected_ = true;
  auto hello = decode_cm_hello(event->data);
  if (!hello.ok()) return Error{hello.status(), provider_.backend + ": " + peer_ + ": " + hello.error().message};
  if (auto live = go_live(); !live.ok()) return live.error();
  return hello;
}

Error OfiEndpoint::connect_failure(int code, std::span<const std::byte> data) const {
  const std::string who = provider_.backend + ": " + peer_;
  code = std::abs(code);
  if (const std::string reason = decode_cm_refusal(data); !reason.empty()) {
    return ofi_error(Status::kRefused, who + " refused the connection: " + reason, code);
  }
  if (code == FI_ECONNREFUSED && data.empty()) {
    return ofi_error(Status::kUnreachable, who + ": nobody listens there", code, "is the peer running?");
  }
  if (code == FI_ECONNREFUSED) {
    return ofi_error(Status::kRefused, who + " refused the connection without a reason of ours", code,
                     "is another program at that address?");
  }
  if (code == FI_ENOPROTOOPT) {
    return ofi_error(Status::kProtocol, who + " answered in another protocol", code,
                     "is another program, or another version of libfabric, at that address?");
  }
  return ofi_error(Status::kUnreachable, who + ": no connection (fi_connect)", code,
                   "is it the right address, and does a route lead there?");
}

Result<void> OfiEndpoint::accept(std::uint64_t deadline_ns) {
  const CmHello data = encode_cm_hello(hello_);
  if (const int failed = ::fi_accept(endpoint_.get(), data.data(), data.size()); failed != 0) {
    return failed_at("fi_accept", failed);
  }
  const auto event = events_.wait_event(deadline_ns);
  if (!event.ok() || event->error != 0 || event->type != FI_CONNECTED) {
    const Error why = event.ok()
                          ? ofi_error(Status::kDisconnected, "event " + std::to_string(event->type), event->error)
                          : event.error();
    return Error{Status::kDisconnected,
                 provider_.backend + ": " + peer_ + " went away before it was accepted: " + why.message};
  }
  connected_ = true;
  return go_live();
}

// Connected: from here on the control thread hears for it, and the data path polls it.
Result<void> OfiEndpoint::go_live() {
  if (auto added = domain_.control().add(*this); !added.ok()) return added;
  auto seat = queue_.join(this);
  if (!seat.ok()) return seat.error();
  seat_ = *seat;
  joined_ = true;
  log(LogLevel::kInfo, provider_.backend + ": connected to " + peer_);
  queue_.wake();  // whoever sleeps did not look here yet
  return {};
}

void OfiEndpoint::read_events() noexcept {
  for (;;) {
    const auto event = events_.wait_event(0);
    if (!event.ok()) return;
    if (event->error != 0) {
      fail(ofi_error(Status::kDisconnected, "the provider ended the connection", event->error,
                     "look for the first cause at the peer"));
    } else if (event->type == FI_SHUTDOWN) {
      fail({Status::kDisconnected,
            "disconnected (FI_SHUTDOWN): the peer closed the connection, its process ended, or "
            "a remote access was refused; look for the first cause at the peer"});
    }
  }
}

// Takes nothing out of the queue: that is the data path's. It may have been falling asleep meanwhile, and the provider
// may have cleared what would have woken it: whoever armed before is woken, whoever arms later polls once more.
void OfiEndpoint::progress_if_idle() noexcept {
  const std::uint64_t polls = queue_.polls();
  const bool idle = polls == polls_seen_;
  polls_seen_ = polls;
  if (!idle || queue_.armed() || !failure_.connected()) return;
  const std::lock_guard lock(progress_or_sleep_);
  ::fi_cq_read(completions_.get(), nullptr, 0);
  if (queue_.armed()) queue_.wake();
}

bool OfiEndpoint::prepare_sleep(int epoll) noexcept {
  if (!endpoint_) return true;
  if (!failure_.connected()) return false;
  if (arrivals_.room() == 0) return true;  // nothing is read before the caller posts receives
  const std::lock_guard lock(progress_or_sleep_);
  fid* object = &completions_->fid;
  return ::fi_trywait(domain_.fabric(), &object, 1) == FI_SUCCESS && wait_.watch(epoll, *completions_);
}

void OfiEndpoint::close() noexcept {
  failure_.close({Status::kDisconnected, provider_.backend + ": " + peer_ + ": closed on this side"});
  stop();
}

// What had come is given out still, what had not is flushed.
void OfiEndpoint::stop() noexcept {
  if (!endpoint_) return;
  if (connected_) ::fi_shutdown(endpoint_.get(), 0);
  endpoint_.reset();
  if (!completions_) return;
  while (true) {
    fi_cq_data_entry entry;
    const ssize_t found = ::fi_cq_read(completions_.get(), &entry, 1);
    fi_cq_err_entry ignored{};
    if (found == 1) {
      take(entry);
    } else if (found != -FI_EAVAIL || ::fi_cq_readerr(completions_.get(), &ignored, 0) < 1) {
      break;
    }
  }
  wait_.unwatch(queue_.fd());
}

}  // namespace npf::fabric::ofi
