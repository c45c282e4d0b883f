// The endpoint's cold side: handshake, regions of the peer, and every way to fail.
#include "fabric/shm/shm_endpoint.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "fabric/endpoint_options.h"
#include "fabric/shm/shm_barrier.h"

namespace npf::fabric::shm {

namespace {

Error refusal(const std::string& path, Status status, const Message& answer) {
  const std::string who = "shm: " + path;
  if (status == Status::kTimedOut) {
    return {status, who + " did not answer in time; is its process stopped or busy?"};
  }
  if (status == Status::kVersionMismatch) return {status, who + ": " + explain_versions(answer)};
  if (status == Status::kDisconnected) return {status, who + " went away without an answer; see the other side's log"};
  if (is_ok(status) && answer.kind == MessageKind::kReject) {
    return {Status::kRefused, who + " refused the connection: " + text_of(answer)};
  }
  return {Status::kProtocol, who + " answered what no peer of this protocol answers"};
}

}  // namespace

RingView::RingView(std::byte* memory, std::uint32_t ring_depth)
    : header(reinterpret_cast<RingHeader*>(memory)),
      entries(reinterpret_cast<RingEntry*>(memory + sizeof(RingHeader))),
      bounces(memory + sizeof(RingHeader) + ring_depth * sizeof(RingEntry)),
      depth(ring_depth) {}

Result<std::unique_ptr<ShmEndpoint>> ShmEndpoint::prepare(ShmDomain& domain, const EndpointOptions& options) {
  if (auto checked = check_options(domain, options); !checked.ok()) return checked.error();
  // Twice as deep as the receives: the head is told late, and whoever has a receive to fill must not find the ring full.
  const std::uint32_t depth = 2 * std::bit_ceil(options.receive_depth);
  auto ring = SharedMemory::create("npf-ring", ring_bytes(depth), PeerAccess::kReadWrite);
  if (!ring.ok()) return ring.error();
  std::unique_ptr<ShmEndpoint> endpoint(new ShmEndpoint(domain, options, std::move(*ring)));
  endpoint->inbound_ = RingView(endpoint->ring_.data(), depth);
  endpoint->receives_.assign(options.receives.begin(), options.receives.end());
  endpoint->receives_.set_capacity(options.receive_depth);
  return endpoint;
}

ShmEndpoint::ShmEndpoint(ShmDomain& domain, const EndpointOptions& options, SharedMemory ring)
    : domain_(domain),
      queue_(static_cast<ShmCompletionQueue&>(*options.completion_queue)),
      context_(options.context),
      hello_(options.hello),
      completions_(options.send_depth),
      ring_(std::move(ring)) {}

ShmEndpoint::~ShmEndpoint() {
  if (!link_) return;
  queue_.leave(this);
  domain_.remove_link(*link_);
  link_->hang_up("the peer gave up this connection");
}

Status ShmEndpoint::offer(MessageKind kind) noexcept {
  Message message = make_message(kind);
  message.flags = domain_.expedited() ? kFlagExpedited : 0;
  message.ring_depth = static_cast<std::uint32_t>(inbound_.depth);
  message.hello_bytes = static_cast<std::uint32_t>(hello_.bytes().size());
  std::ranges::copy(hello_.bytes(), message.hello);
  const std::array<int, kDescriptorsMax> descriptors = {ring_.fd(), queue_.wake_page_fd(), queue_.fd(),
                                                        domain_.key_page_fd()};
  return send_message(link_->socket(), message, descriptors);
}

Result<void> ShmEndpoint::accept(ScopedFd socket, Received request) {
  peer_ = peer_name(socket.get());
  link_ = std::make_shared<ShmLink>(std::move(socket), &queue_);
  if (auto mapped = map_peer(std::move(request)); !mapped.ok()) {
    send_message(link_->socket(), make_message(MessageKind::kReject, mapped.error().message), {});
    return mapped;
  }
  if (auto added = domain_.add_link(link_); !added.ok()) return added;
  queue_.join(this);
  if (is_ok(offer(MessageKind::kAccept))) return {};
  return Error{Status::kDisconnected, "shm: " + peer_ + " went away before it was accepted"};
}

Result<Hello> ShmEndpoint::connect(ScopedFd socket, const std::string& path, std::uint64_t deadline_ns) {
  peer_ = peer_name(socket.get());
  link_ = std::make_shared<ShmLink>(std::move(socket), &queue_);
  if (!is_ok(offer(MessageKind::kConnect))) {
    return Error{Status::kDisconnected, "shm: " + path + " went away while connecting"};
  }
  domain_.announce_regions(*link_);
  Received answer;
  const Status status = link_->await_answer(answer, deadline_ns);
  if (!is_ok(status) || answer.message.kind != MessageKind::kAccept) return refusal(path, status, answer.message);
  const Hello hello = hello_of(answer.message);
  if (auto mapped = map_peer(std::move(answer)); !mapped.ok()) return mapped.error();
  if (auto added = domain_.add_link(link_); !added.ok()) return added.error();
  queue_.join(this);
  return hello;
}

Result<void> ShmEndpoint::map_peer(Received peer) {
  const std::uint32_t depth = peer.message.ring_depth;
  if (peer.descriptor_count != kDescriptorsMax || !std::has_single_bit(depth) || depth > 2 * kQueueDepthMax) {
    return Error{Status::kProtocol, "shm: " + peer_ + " offers a ring of depth " + std::to_string(depth) + " with " +
                                        std::to_string(peer.descriptor_count) +
                                        " descriptors, which no peer of this protocol does"};
  }
  auto ring = SharedMemory::map_peer(peer.descriptors[0].get(), 0, ring_bytes(depth), PeerAccess::kReadWrite);
  if (!ring.ok()) return ring.error();
  auto wake = SharedMemory::map_peer(peer.descriptors[1].get(), 0, sizeof(WakePage), PeerAccess::kRead);
  if (!wake.ok()) return wake.error();
  auto keys = SharedMemory::map_peer(peer.descriptors[3].get(), 0, sizeof(KeyPage), PeerAccess::kRead);
  if (!keys.ok()) return keys.error();
  peer_ring_ = std::move(*ring);
  peer_wake_memory_ = std::move(*wake);
  peer_keys_memory_ = std::move(*keys);
  peer_event_ = std::move(peer.descriptors[2]);
  outbound_ = RingView(peer_ring_.data(), depth);
  peer_wake_ = peer_wake_memory_.as<const WakePage>();
  peer_keys_ = peer_keys_memory_.as<const KeyPage>();
  full_fence_ = !domain_.expedited() || (peer.message.flags & kFlagExpedited) == 0;
  return {};
}

// The peer announced the region before it gave out its key, so it is in the socket, if it is at all.
const PeerRegion* ShmEndpoint::import_region(std::uint32_t key) {
  link_->receive();
  for (PeerRegion& arrived : link_->take_arrived()) {
    const auto same_place = [&](const auto& known) { return known->key % kRegionsMax == arrived.key % kRegionsMax; };
    // Its former holder was deregistered; our direct pointers into it stay valid by contract.
    std::ranges::for_each(peer_regions_, [&](auto& known) {
      if (same_place(known)) known->key = 0;
    });
    peer_regions_.push_back(std::make_unique<PeerRegion>(std::move(arrived)));
  }
  const auto found = std::ranges::find(peer_regions_, key, [](const auto& region) { return region->key; });
  return found == peer_regions_.end() || key == 0 ? nullptr : found->get();
}

Error ShmEndpoint::first_cause() const {
  const std::lock_guard lock(cause_mutex_);
  return first_cause_;
}

void ShmEndpoint::fail(Status status, std::string sentence) noexcept {
  if (state_.load(std::memory_order_relaxed) != EndpointState::kConnected) return;
  sentence = "shm: " + peer_ + ": " + sentence;
  link_->hang_up(sentence);
  {
    const std::lock_guard lock(cause_mutex_);
    first_cause_ = {status, std::move(sentence)};
  }
  state_.store(EndpointState::kFailed, std::memory_order_release);
}

void ShmEndpoint::fail_refused(const Descriptor& descriptor, const char* who) noexcept {
  const char* operation = descriptor.opcode == Opcode::kRead ? "READ from" : "WRITE to";
  fail(Status::kRemoteAccess, std::string(who) + " a " + operation + " address " + std::to_string(descriptor.address) +
                                  ", " + std::to_string(descriptor.length_bytes) + " bytes, with key " +
                                  std::to_string(descriptor.key) +
                                  ": no region of that domain grants it; check key, bounds and access rights");
}

void ShmEndpoint::fail_too_long(std::uint64_t sent_bytes, std::uint64_t receive_bytes) noexcept {
  fail(Status::kProtocol, "a SEND of " + std::to_string(sent_bytes) + " bytes found a receive of " +
                              std::to_string(receive_bytes) + " bytes; post larger receives");
}

void ShmEndpoint::fail_peer_gone(Status status) noexcept {
  fail(status, (status == Status::kDisconnected ? "disconnected: " : "") + link_->goodbye());
}

// The first failed completion carries the cause, all others are flushed.
Status ShmEndpoint::failure_to_report() noexcept {
  const bool failed = state_.load(std::memory_order_relaxed) == EndpointState::kFailed;
  if (!failed || failure_reported_) return Status::kFlushed;
  failure_reported_ = true;
  return first_cause().status;
}

void ShmEndpoint::close() noexcept {
  link_->hang_up("the peer closed the connection");
  {
    const std::lock_guard lock(cause_mutex_);
    if (is_ok(first_cause_.status)) first_cause_ = {Status::kDisconnected, "shm: " + peer_ + ": closed on this side"};
  }
  state_.store(EndpointState::kClosed, std::memory_order_release);
}

}  // namespace npf::fabric::shm
