// Posting and completing. Steps are numbered in docs/hot_path.md.
#include <rdma/fi_errno.h>
#include <rdma/fi_rma.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "fabric/ofi/ofi_endpoint.h"
#include "fabric/ofi/ofi_token.h"
#include "fabric/work_request.h"

namespace npf::fabric::ofi {

namespace {

// Where a provider carries 64 bits, the length comes along: provider tcp does not tell it to the receiver.
std::uint64_t data_of(std::uint32_t immediate, std::uint64_t length_bytes, bool wide) noexcept {
  return wide ? (length_bytes << 32U) | immediate : immediate;
}

}  // namespace

// Hot path 3, over libfabric: each request goes to the provider by itself.
PostResult OfiEndpoint::post(std::span<const WorkRequest> requests) noexcept {
  PostResult result;
  for (const WorkRequest& request : requests) {
    std::uint64_t length_bytes = 0;
    result.status = check_shape(request, provider_.capabilities, length_bytes);
    if (!is_ok(result.status)) [[unlikely]] {
      log_refused(provider_.backend, peer_, request, provider_.capabilities);
      return result;
    }
    result.status = sends_.room() > 0 ? hand_over(request, length_bytes) : Status::kPending;
    if (!is_ok(result.status)) [[unlikely]] {
      note_pending();
      return result;
    }
    ++result.posted;
    ++counters_.posted;
  }
  return result;
}

// A failed endpoint takes it and flushes it later.
Status OfiEndpoint::hand_over(const WorkRequest& request, std::uint64_t length_bytes) noexcept {
  const std::uint64_t place = sends_.push({request.id, request.opcode, request.signaled, false});
  if (!failure_.connected()) [[unlikely]]
    return Status::kOk;
  std::array<iovec, kGatherMax> spans;
  std::array<void*, kGatherMax> descriptors;
  std::size_t count = 0;
  bool all_registered = true;
  for (const LocalSpan& span : request.local) {
    if (span.length_bytes == 0) continue;
    spans[count] = {span.data, span.length_bytes};
    const auto* const region = static_cast<const OfiRegion*>(span.region);
    all_registered = all_registered && region != nullptr;
    descriptors[count++] = region != nullptr ? region->descriptor() : nullptr;
  }
  // Provider verbs looks into the first one also where there is no span. Without any, what is injected needs none.
  void** const described = count > 0 && all_registered ? descriptors.data() : nullptr;
  void* const context = Token{.kind = Token::Kind::kSend, .low = static_cast<std::uint32_t>(place)}.encoded();
  const bool reads = request.opcode == Opcode::kRead;
  // A READ's end does not follow from a later request's.
  const bool signal = request.signaled || reads || unsignaled_ + 1 >= signal_every_;
  std::uint64_t flags = signal ? FI_COMPLETION : 0;
  // Done is what the peer has, not what left this host.
  if (signal && !reads) flags |= FI_TRANSMIT_COMPLETE;
  if (!reads && length_bytes <= provider_.capabilities.inline_bytes_max) flags |= FI_INJECT;
  ssize_t failed = 0;
  if (request.opcode == Opcode::kSend) {
    const fi_msg message{
        .msg_iov = spans.data(), .desc = described, .iov_count = count, .addr = 0, .context = context, .data = 0};
    failed = fi_sendmsg(endpoint_.get(), &message, flags);
  } else {
    if (length_bytes > 0 && request.remote.address > UINT64_MAX - length_bytes) [[unlikely]] {
      refuse_wrapped(request, length_bytes);
      return Status::kOk;
    }
    const fi_rma_iov remote{.addr = request.remote.address, .len = length_bytes, .key = request.remote.key};
    const fi_msg_rma message{.msg_iov = spans.data(),
                             .desc = described,
                             .iov_count = count,
                             .addr = 0,
                             .rma_iov = &remote,
                             .rma_iov_count = length_bytes > 0 ? 1U : 0U,
                             .context = context,
                             .data = data_of(request.immediate, length_bytes, provider_.data_is_wide)};
    if (request.opcode == Opcode::kWriteWithImm) flags |= FI_REMOTE_CQ_DATA;
    failed = reads ? fi_readmsg(endpoint_.get(), &message, flags) : fi_writemsg(endpoint_.get(), &message, flags);
  }
  if (failed == -FI_EAGAIN) [[unlikely]] {
    sends_.unpush();
    return Status::kPending;
  }
  unsignaled_ = signal ? 0 : unsignaled_ + 1;
  if (failed != 0) [[unlikely]]
    refuse_post(static_cast<int>(failed), request.opcode);
  return Status::kOk;
}

PostResult OfiEndpoint::post_receive(std::span<const ReceiveRequest> requests) noexcept {
  PostResult result;
  for (const ReceiveRequest& request : requests) {
    if (request.local.length_bytes > 0 && request.local.region == nullptr) {
      result.status = Status::kInvalidArgument;
      return result;
    }
    if (receives_.room() == 0) {
      result.status = Status::kPending;
      return result;
    }
    receives_.push(request);
    ++result.posted;
  }
  return result;
}

int OfiEndpoint::post_bounce(std::uint32_t index) noexcept {
  const std::uint64_t bytes = provider_.capabilities.send_bytes_max;
  return static_cast<int>(fi_recv(endpoint_.get(), bounces_->bytes().data() + index * bytes, bytes,
                                  static_cast<const OfiRegion*>(bounces_.get())->descriptor(), 0,
                                  Token{.kind = Token::Kind::kReceive, .low = index}.encoded()));
}

void OfiEndpoint::repost_bounce(std::uint32_t index) noexcept {
  if (!endpoint_) return;
  const int failed = post_bounce(index);
  if (failed != 0) [[unlikely]]
    refuse_post(failed, Opcode::kReceive);
}

// Hot path 4, over libfabric. A provider may only get on while it is asked, which costs it a system call: so it is asked
// no more than it has to be.
std::size_t OfiEndpoint::poll(std::span<Completion> completions) noexcept {
  std::size_t count = give_ready(completions);
  while (count < completions.size()) {
    if (!endpoint_) [[unlikely]]
      return count + give_flushed(completions.subspan(count));
    if (!is_due()) break;
    const Found found = read_provider();
    if (found == Found::kNothing && !failure_.connected()) [[unlikely]]
      stop();
    if (found != Found::kNothing || !endpoint_) count += give_ready(completions.subspan(count));
    if (found != Found::kBatch && endpoint_) break;
  }
  return count;
}

// Who has been silent, as the producer of a hop is between credits, is asked in every eighth poll only: each question is a
// system call that the others wait for.
bool OfiEndpoint::is_due() noexcept {
  return silent_++ < kSilentPolls || silent_ % (kPollsSkipped + 1) == 0 || queue_.armed() || !failure_.connected();
}

OfiEndpoint::Found OfiEndpoint::read_provider() noexcept {
  std::array<fi_cq_data_entry, kBatch> entries;
  const std::size_t wanted = std::min<std::size_t>(kBatch, arrivals_.room());
  if (wanted == 0) return Found::kNothing;
  const ssize_t found = fi_cq_read(completions_.get(), entries.data(), wanted);
  if (found == -FI_EAGAIN) return Found::kNothing;
  if (found < 0) [[unlikely]]
    return take_error(static_cast<int>(found)) ? Found::kBatch : Found::kNothing;
  silent_ = 0;
  for (ssize_t i = 0; i < found; ++i) take(entries[static_cast<std::size_t>(i)]);
  return static_cast<std::size_t>(found) == wanted ? Found::kBatch : Found::kLess;
}

void OfiEndpoint::take(const fi_cq_data_entry& entry) noexcept {
  if ((entry.flags & (FI_RECV | FI_REMOTE_WRITE)) != 0) {
    take_arrival(entry);
  } else {
    finish(Token::of(entry.op_context).low);
  }
}

void OfiEndpoint::take_arrival(const fi_cq_data_entry& entry) noexcept {
  if (arrivals_.room() == 0) return;  // when stopped only: it would find no receive
  const std::uint32_t bounce = Token::of(entry.op_context).low;
  if ((entry.flags & FI_REMOTE_WRITE) != 0) {
    const std::uint64_t length_bytes = provider_.data_is_wide ? entry.data >> 32U : entry.len;
    arrivals_.push({length_bytes, static_cast<std::uint32_t>(entry.data), 0, true});
    if (provider_.immediate_takes_receive) repost_bounce(bounce);
  } else {
    arrivals_.push({entry.len, 0, bounce, false});
  }
}

// The provider tells of a request's end when the peer has it, and with it all before.
void OfiEndpoint::finish(std::uint32_t place_low) noexcept {
  const std::uint64_t place = sends_.place_of(place_low);
  if (!sends_.holds(place)) [[unlikely]]
    return;
  sends_.at(place).done = true;
  covered_ = std::max(covered_, place + 1);
}

std::size_t OfiEndpoint::give_ready(std::span<Completion> completions) noexcept {
  const std::size_t sent = give_sends(completions);
  return sent + give_receives(completions.subspan(sent));
}

std::size_t OfiEndpoint::give_sends(std::span<Completion> completions) noexcept {
  std::size_t count = 0;
  while (!sends_.empty() && sends_.oldest_place() < covered_ && count < completions.size()) {
    const Sent& sent = sends_.front();
    if (sent.opcode == Opcode::kRead && !sent.done) break;
    if (sent.signaled) completions[count++] = completion_of(sent.id, sent.opcode, Status::kOk);
    sends_.pop();
    if (starved_) [[unlikely]] {
      starved_ = false;
      queue_.note_room();
    }
  }
  return count;
}

std::size_t OfiEndpoint::give_receives(std::span<Completion> completions) noexcept {
  std::size_t count = 0;
  while (!arrivals_.empty() && !receives_.empty() && count < completions.size()) {
    const Arrival arrival = arrivals_.front();
    const ReceiveRequest& receive = receives_.front();
    Completion& completion = completions[count];
    completion = completion_of(receive.id, Opcode::kReceiveWithImm, Status::kOk);
    completion.length_bytes = arrival.length_bytes;
    completion.immediate = arrival.immediate;
    if (!arrival.is_immediate) {
      if (arrival.length_bytes > receive.local.length_bytes) [[unlikely]] {
        refuse_large(arrival.length_bytes, receive.local.length_bytes);
        while (!arrivals_.empty()) arrivals_.pop();
        break;
      }
      completion.opcode = Opcode::kReceive;
      const std::byte* const from = bounces_->bytes().data() + arrival.bounce * provider_.capabilities.send_bytes_max;
      if (arrival.length_bytes > 0) std::memcpy(receive.local.data, from, arrival.length_bytes);
      counters_.bytes_copied += arrival.length_bytes;
      repost_bounce(arrival.bounce);
    }
    arrivals_.pop();
    receives_.pop();
    ++counters_.received;
    ++count;
  }
  return count;
}

std::size_t OfiEndpoint::give_flushed(std::span<Completion> completions) noexcept {
  std::size_t count = 0;
  for (; !sends_.empty() && count < completions.size(); sends_.pop()) {
    const Sent& sent = sends_.front();
    completions[count++] = completion_of(sent.id, sent.opcode, failure_.status_to_report());
  }
  for (; !receives_.empty() && count < completions.size(); receives_.pop()) {
    completions[count++] = completion_of(receives_.front().id, Opcode::kReceive, failure_.status_to_report());
  }
  return count;
}

Completion OfiEndpoint::completion_of(std::uint64_t id, Opcode opcode, Status status) const noexcept {
  return {.id = id, .context = context_, .opcode = opcode, .status = status, .immediate = 0, .length_bytes = 0};
}

}  // namespace npf::fabric::ofi
