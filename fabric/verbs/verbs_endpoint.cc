// The endpoint's cold side: connecting, what the control thread hears, and every way to fail.
#include "fabric/verbs/verbs_endpoint.h"

#include <algorithm>
#include <cerrno>

#include "base/clock.h"
#include "base/log.h"
#include "fabric/cm_data.h"
#include "fabric/endpoint_options.h"
#include "fabric/verbs/verbs_failure.h"

namespace npf::fabric::verbs {

namespace {

constexpr int kNobodyListens = 8;  // invalid service ID; InfiniBand specification 12.6.7.2, REJ reasons

// At least one request a quarter of the queue is signaled, so that the rest is known to be done.
constexpr std::uint32_t kSignalsPerQueue = 4;

// How many ticks it can take until the transport has given up: each try ends after one to four times 4.096 us x 2^exponent
// (InfiniBand specification 9.7.6.1.3). Ticks, not a clock: they stand still where the process does.
std::uint32_t probe_ticks_of(std::uint8_t timeout_exponent, std::uint8_t retries) {
  constexpr std::uint64_t kUnitNs = 4096;
  const std::uint64_t longest_ns = (4 * kUnitNs << timeout_exponent) * (retries + 1U);
  return static_cast<std::uint32_t>(longest_ns / kTickNs + 1);
}

}  // namespace

Result<std::unique_ptr<VerbsEndpoint>> VerbsEndpoint::create(VerbsDomain& domain, CmId&& id,
                                                             const EndpointOptions& options) {
  if (auto checked = check_options(domain, options); !checked.ok()) return checked.error();
  if (auto reserved = domain.device()->reserve_queue_pair(); !reserved.ok()) return reserved.error();
  std::unique_ptr<VerbsEndpoint> endpoint(new VerbsEndpoint(domain, std::move(id), options));
  if (auto opened = endpoint->open(options); !opened.ok()) {
    if (endpoint->pair_ != nullptr) rdma_destroy_qp(endpoint->id_.get());
    id = std::move(endpoint->id_);
    return opened.error();
  }
  return endpoint;
}

VerbsEndpoint::VerbsEndpoint(VerbsDomain& domain, CmId id, const EndpointOptions& options)
    : domain_(domain),
      queue_(static_cast<VerbsCompletionQueue&>(*options.completion_queue)),
      context_(options.context),
      hello_(options.hello),
      send_depth_(options.send_depth),
      receive_depth_(options.receive_depth),
      signal_every_(std::max(1U, options.send_depth / kSignalsPerQueue)),
      sends_(options.send_depth),
      receives_(options.receive_depth),
      id_(std::move(id)) {
  NPF_ASSERT(&queue_.device() == domain.device().get());
  peer_ = to_text(rdma_get_peer_addr(id_.get())) + " by " + domain.device()->name();
}

Result<void> VerbsEndpoint::open(const EndpointOptions& options) {
  auto token = queue_.join(this, send_depth_ + receive_depth_);
  if (!token.ok()) return token.error();
  token_ = *token;
  joined_ = true;
  const Capabilities& limits = domain_.capabilities();
  ibv_qp_init_attr wanted{};
  wanted.qp_context = this;
  wanted.send_cq = wanted.recv_cq = queue_.get();
  wanted.qp_type = IBV_QPT_RC;
  wanted.cap = {.max_send_wr = send_depth_ + 1,  // and the idle probe
                .max_recv_wr = receive_depth_,
                .max_send_sge = limits.gather_max,
                .max_recv_sge = 1,
                .max_inline_data = limits.inline_bytes_max};
  if (rdma_create_qp(id_.get(), domain_.get(), &wanted) != 0) {
    return system_error("verbs: a queue pair of depths " + std::to_string(send_depth_) + " and " +
                            std::to_string(receive_depth_) + " on " + domain_.device()->name() + " (max_qp " +
                            std::to_string(domain_.device()->limits().max_qp) + ")",
                        errno);
  }
  pair_ = id_->qp;
  const PostResult first = post_receive(options.receives);
  if (first.posted < options.receives.size()) {
    return Error{Status::kInvalidArgument, "verbs: the first receives cannot be posted; are their buffers registered?"};
  }
  std::uint8_t exponent = kAckTimeoutExponent;
  if (rdma_set_option(id_.get(), RDMA_OPTION_ID, RDMA_OPTION_ID_ACK_TIMEOUT, &exponent, sizeof exponent) != 0) {
    return system_error("verbs: setting the acknowledgement timeout (Linux 5.3 or later)", errno);
  }
  return {};
}

VerbsEndpoint::~VerbsEndpoint() {
  domain_.device()->remove(*this);
  disconnect();
  // Waits until the control thread has done with events of this queue pair and this identifier.
  id_.reset();
  if (joined_) queue_.leave(token_, send_depth_ + receive_depth_);
  domain_.device()->release_queue_pair();
}

rdma_conn_param VerbsEndpoint::connection_parameters(std::span<const std::byte> data) const {
  const ibv_device_attr& limits = domain_.device()->limits();
  rdma_conn_param parameters{};
  parameters.private_data = data.data();
  parameters.private_data_len = static_cast<std::uint8_t>(data.size());
  parameters.responder_resources = static_cast<std::uint8_t>(std::min<int>(kReadsInFlight, limits.max_qp_rd_atom));
  parameters.initiator_depth = static_cast<std::uint8_t>(std::min<int>(kReadsInFlight, limits.max_qp_init_rd_atom));
  parameters.retry_count = kRetries;
  parameters.rnr_retry_count = kReceiverNotReadyRetries;
  return parameters;
}

Result<Hello> VerbsEndpoint::connect(std::uint64_t deadline_ns) {
  const CmHello data = encode_cm_hello(hello_);
  rdma_conn_param parameters = connection_parameters(data);
  if (rdma_connect(id_.get(), &parameters) != 0) return system_error("verbs: connecting to " + peer_, errno);
  const auto event = id_.channel()->wait_event(deadline_ns);
  if (event.status() == Status::kTimedOut) {
    return Error{Status::kTimedOut,
                 "verbs: " + peer_ + " did not answer in time; is its process stopped or busy, or its host gone?"};
  }
  if (!event.ok()) return event.error();
  if (event->type != RDMA_CM_EVENT_ESTABLISHED) return connect_failure(*event);
  connected_ = true;
  auto hello = decode_cm_hello(event->data);
  if (!hello.ok()) return Error{hello.status(), "verbs: " + peer_ + ": " + hello.error().message};
  if (auto live = go_live(); !live.ok()) return live.error();
  return hello;
}

Error VerbsEndpoint::connect_failure(const CmEvent& event) const {
  const std::string who = "verbs: " + peer_;
  const std::string status =
      "RDMA CM: " + std::string(rdma_event_str(event.type)) + ", status " + std::to_string(event.status);
  if (event.type == RDMA_CM_EVENT_REJECTED && event.status == kNobodyListens) {
    return {Status::kUnreachable, who + ": nobody listens there (" + status + "); is the peer running?"};
  }
  if (event.type == RDMA_CM_EVENT_REJECTED) {
    const std::string reason = decode_cm_refusal(event.data);
    return {Status::kRefused,
            who + " refused the connection: " + (reason.empty() ? "no reason given" : reason) + " (" + status + ")"};
  }
  if (event.type == RDMA_CM_EVENT_DEVICE_REMOVAL) {
    return {Status::kUnreachable, who + ": device " + domain_.device()->name() + " was removed (" + status + ")"};
  }
  return {Status::kUnreachable, who + " could not be reached (" + status + ", " + domain_.device()->condition() +
                                    "); `npu-ctl doctor` says what the device lacks"};
}

Result<void> VerbsEndpoint::accept(std::uint64_t deadline_ns) {
  const CmHello data = encode_cm_hello(hello_);
  rdma_conn_param parameters = connection_parameters(data);
  if (rdma_accept(id_.get(), &parameters) != 0) return system_error("verbs: accepting " + peer_, errno);
  const auto event = id_.channel()->wait_event(deadline_ns);
  if (!event.ok() || event->type != RDMA_CM_EVENT_ESTABLISHED) {
    const std::string what = event.ok() ? rdma_event_str(event->type) : event.error().message;
    return Error{Status::kDisconnected, "verbs: " + peer_ + " went away before it was accepted (" + what + ")"};
  }
  connected_ = true;
  return go_live();
}

// Connected: from here on the control thread hears for it.
Result<void> VerbsEndpoint::go_live() {
  ibv_qp_attr attributes{};
  attributes.min_rnr_timer = kReceiverNotReadyTimer;  // RDMA CM leaves it at 0, which stands for 655 ms
  if (const int failed = ibv_modify_qp(pair_, &attributes, IBV_QP_MIN_RNR_TIMER); failed != 0) {
    return system_error("verbs: setting the receiver-not-ready timer towards " + peer_, failed);
  }
  ibv_qp_init_attr ignored{};
  const int wanted = IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY | IBV_QP_PATH_MTU;
  if (const int failed = ibv_query_qp(pair_, &attributes, wanted, &ignored); failed != 0) {
    return system_error("verbs: querying the queue pair towards " + peer_, failed);
  }
  // The connector chooses for both sides.
  if (attributes.retry_cnt >= kForEver || attributes.rnr_retry >= kForEver || attributes.timeout == 0) {
    return Error{Status::kProtocol, "verbs: " + peer_ + " asks for endless retries (retry_cnt " +
                                        std::to_string(attributes.retry_cnt) + ", rnr_retry " +
                                        std::to_string(attributes.rnr_retry) + ", timeout " +
                                        std::to_string(attributes.timeout) + "); a lost peer would never be noticed"};
  }
  probe_ticks_max_ = probe_ticks_of(attributes.timeout, attributes.retry_cnt);
  constexpr unsigned kSmallestMtu = 128;
  log(LogLevel::kInfo, "verbs: connected to " + peer_ + ", from " + to_text(rdma_get_local_addr(id_.get())) + ", MTU " +
                           std::to_string(kSmallestMtu << static_cast<unsigned>(attributes.path_mtu)) + ", " +
                           std::to_string(attributes.retry_cnt) + " retries");
  id_->context = this;
  if (auto moved = id_.migrate(domain_.device()->control_channel()); !moved.ok()) return moved;
  domain_.device()->add(*this);
  return {};
}

void VerbsEndpoint::on_cm_event(rdma_cm_event_type type) noexcept {
  switch (type) {
    case RDMA_CM_EVENT_DISCONNECTED:
      fail({Status::kDisconnected, "disconnected: the peer closed the connection, or its process ended"});
      break;
    case RDMA_CM_EVENT_DEVICE_REMOVAL: on_device_failure("the device was removed"); break;
    case RDMA_CM_EVENT_ADDR_CHANGE:
      log(LogLevel::kWarning, "verbs: " + peer_ + ": the local address moved to another device");
      break;
    default: break;  // the end of the time-wait state, and late answers
  }
}

void VerbsEndpoint::on_queue_pair_event(const std::string& text) noexcept {
  fail({Status::kRemoteAccess, "the device ended the queue pair: " + text});
}

void VerbsEndpoint::on_device_failure(const std::string& why) noexcept {
  fail({Status::kDisconnected, why + "; `npu-ctl doctor` shows what is there now"});
}

// One empty WRITE, which needs no rights and which nobody at the peer sees: its device acknowledges it or does not. What
// happens to data in flight tells the same, so only idle connections are asked.
void VerbsEndpoint::probe_if_idle() noexcept {
  const std::uint64_t activity = activity_.load(std::memory_order_relaxed);
  const bool idle = activity == activity_probed_;
  activity_probed_ = activity;
  if (!failure_.connected()) return;
  if (probing_.load(std::memory_order_relaxed)) return check_probe();
  if (!idle) return;
  probing_.store(true, std::memory_order_relaxed);
  probe_ticks_ = 0;
  Token token = token_;
  token.kind = Token::Kind::kProbe;
  ibv_send_wr probe{};
  probe.wr_id = token.encoded();
  probe.opcode = IBV_WR_RDMA_WRITE;
  probe.send_flags = IBV_SEND_SIGNALED;
  ibv_send_wr* refused = nullptr;
  if (ibv_post_send(pair_, &probe, &refused) != 0) probing_.store(false, std::memory_order_relaxed);
}

// A device has to answer it, if only with an error, and may forget to: rdma_rxe, when its link goes down meanwhile (1 probe in
// 20). What the owner has not polled is no such case, so it must have found its queue empty after the time was over.
void VerbsEndpoint::check_probe() noexcept {
  if (++probe_ticks_ == probe_ticks_max_) drained_at_the_end_ = queue_.times_drained();
  if (probe_ticks_ <= probe_ticks_max_) return;
  const bool has_polled = queue_.times_drained() >= drained_at_the_end_ + 2;  // one may have begun before
  if (!has_polled && !queue_.armed()) return;
  fail({Status::kPeerDied, "the device answered an empty WRITE neither with success nor with an error for " +
                               std::to_string(probe_ticks_ * kTickNs / kNsPerMs) +
                               " ms; the path to the peer is gone; " + domain_.device()->condition()});
}

bool VerbsEndpoint::complete_probe(const ibv_wc& work) noexcept {
  probing_.store(false, std::memory_order_relaxed);
  if (work.status != IBV_WC_SUCCESS && failure_.connected()) {
    failure_of(work, Token::Kind::kProbe, Opcode::kWrite);
  }
  return false;
}

Status VerbsEndpoint::failure_of(const ibv_wc& work, Token::Kind kind, Opcode opcode) noexcept {
  if (failure_.connected()) {
    Error cause = explain_work_failure(work, kind == Token::Kind::kReceive, opcode);
    if (cause.status == Status::kPeerDied || cause.status == Status::kDisconnected) {
      cause.message += "; " + domain_.device()->condition();
    }
    fail(std::move(cause));
  }
  return kind == Token::Kind::kProbe ? Status::kFlushed : failure_.status_to_report();
}

void VerbsEndpoint::fail(Error cause) noexcept {
  cause.message = "verbs: " + peer_ + ": " + cause.message;
  if (!failure_.fail(std::move(cause))) return;
  disconnect();
  queue_.report_failure();
}

void VerbsEndpoint::close() noexcept {
  failure_.close({Status::kDisconnected, "verbs: " + peer_ + ": closed on this side"});
  disconnect();
  flush();
}

// RDMA CM moves the queue pair to the error state, so that all that is posted comes back, and tells the peer.
void VerbsEndpoint::disconnect() noexcept {
  const std::lock_guard lock(disconnect_mutex_);
  if (!std::exchange(connected_, false)) return;
  if (rdma_disconnect(id_.get()) != 0) move_to_error();
}

// rdma_rxe flushes what is posted when a queue pair moves to the error state, and receives posted later only when it is
// moved there again. Done by the thread that posts, nothing is left behind.
void VerbsEndpoint::flush() noexcept {
  flushing_ = true;
  move_to_error();
}

void VerbsEndpoint::move_to_error() noexcept {
  ibv_qp_attr attributes{};
  attributes.qp_state = IBV_QPS_ERR;
  ibv_modify_qp(pair_, &attributes, IBV_QP_STATE);
}

}  // namespace npf::fabric::verbs
