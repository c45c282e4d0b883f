// Posting and completing. Steps are numbered in docs/hot_path.md.
#include <arpa/inet.h>

#include <array>

#include "fabric/verbs/verbs_endpoint.h"
#include "fabric/verbs/verbs_region.h"
#include "fabric/work_request.h"

namespace npf::fabric::verbs {

namespace {

constexpr std::size_t kRequestsPerDoorbell = 16;
constexpr std::size_t kSpansPerDoorbell = 64;

constexpr ibv_wr_opcode work_opcode(Opcode opcode) {
  switch (opcode) {
    case Opcode::kWriteWithImm: return IBV_WR_RDMA_WRITE_WITH_IMM;
    case Opcode::kSend: return IBV_WR_SEND;
    case Opcode::kRead: return IBV_WR_RDMA_READ;
    default: return IBV_WR_RDMA_WRITE;
  }
}

ibv_sge entry_of(const LocalSpan& span) noexcept {
  const auto* const region = static_cast<const VerbsRegion*>(span.region);
  return {.addr = reinterpret_cast<std::uintptr_t>(span.data),
          .length = static_cast<std::uint32_t>(span.length_bytes),
          .lkey = region != nullptr ? region->local_key() : 0};
}

}  // namespace

struct VerbsEndpoint::SendBatch {
  std::array<ibv_send_wr, kRequestsPerDoorbell> requests;
  std::array<ibv_sge, kSpansPerDoorbell> spans;
  std::size_t request_count = 0;
  std::size_t span_count = 0;

  bool has_room_for(std::size_t more_spans) const noexcept {
    return request_count < requests.size() && span_count + more_spans <= spans.size();
  }
};

// Hot path 3, over a NIC: all requests that fit go to it with one doorbell.
PostResult VerbsEndpoint::post(std::span<const WorkRequest> requests) noexcept {
  SendBatch batch;
  PostResult result;
  Status status = Status::kOk;
  for (const WorkRequest& request : requests) {
    std::uint64_t length_bytes = 0;
    if (status = check_shape(request, domain_.capabilities(), length_bytes); !is_ok(status)) [[unlikely]] {
      log_refused("verbs", peer_, request, domain_.capabilities());
      break;
    }
    if (sends_.room() == 0) {
      status = Status::kPending;
      break;
    }
    if (!batch.has_room_for(request.local.size())) {
      if (status = ring_doorbell(batch, result.posted); !is_ok(status)) return {status, result.posted};
    }
    append(batch, request, length_bytes);
  }
  const Status rung = ring_doorbell(batch, result.posted);
  result.status = is_ok(rung) ? status : rung;
  return result;
}

void VerbsEndpoint::append(SendBatch& batch, const WorkRequest& request, std::uint64_t length_bytes) noexcept {
  ibv_sge* const spans = batch.spans.data() + batch.span_count;
  int span_count = 0;
  for (const LocalSpan& span : request.local) {
    if (span.length_bytes > 0) spans[span_count++] = entry_of(span);
  }
  const bool signal = request.signaled || unsignaled_ + 1 >= signal_every_;
  unsignaled_ = signal ? 0 : unsignaled_ + 1;
  // The data's read by the device is saved where it fits into the request; a READ has none.
  const bool inlined = length_bytes <= domain_.capabilities().inline_bytes_max && request.opcode != Opcode::kRead;
  Token token = token_;
  token.place_low = static_cast<std::uint32_t>(sends_.push({request.id, request.opcode, request.signaled}));

  ibv_send_wr& work = batch.requests[batch.request_count];
  work.wr_id = token.encoded();
  work.next = nullptr;
  work.sg_list = spans;
  work.num_sge = span_count;
  work.opcode = work_opcode(request.opcode);
  work.send_flags = (signal ? static_cast<unsigned>(IBV_SEND_SIGNALED) : 0U) |
                    (inlined ? static_cast<unsigned>(IBV_SEND_INLINE) : 0U);
  work.imm_data = htonl(request.immediate);
  work.wr.rdma = {.remote_addr = request.remote.address, .rkey = request.remote.key};
  if (batch.request_count > 0) batch.requests[batch.request_count - 1].next = &work;
  ++batch.request_count;
  batch.span_count += static_cast<std::size_t>(span_count);
}

Status VerbsEndpoint::ring_doorbell(SendBatch& batch, std::uint32_t& posted) noexcept {
  if (batch.request_count == 0) return Status::kOk;
  ibv_send_wr* refused = nullptr;
  const int failed = ibv_post_send(pair_, batch.requests.data(), &refused);
  std::size_t taken = batch.request_count;
  if (failed != 0) [[unlikely]] {
    taken = static_cast<std::size_t>(refused - batch.requests.data());
    for (std::size_t i = taken; i < batch.request_count; ++i) sends_.unpush();
  }
  posted += static_cast<std::uint32_t>(taken);
  counters_.posted += taken;
  batch.request_count = batch.span_count = 0;
  if (failed == 0) return Status::kOk;
  return failed == ENOMEM ? Status::kPending : Status::kInvalidArgument;
}

PostResult VerbsEndpoint::post_receive(std::span<const ReceiveRequest> requests) noexcept {
  const PostResult result = hand_over(requests);
  if (flushing_) [[unlikely]]
    flush();
  return result;
}

PostResult VerbsEndpoint::hand_over(std::span<const ReceiveRequest> requests) noexcept {
  std::array<ibv_recv_wr, kRequestsPerDoorbell> works;
  std::array<ibv_sge, kRequestsPerDoorbell> spans;
  PostResult result;
  while (result.posted < requests.size()) {
    std::size_t count = 0;
    for (; count < works.size() && result.posted + count < requests.size() && receives_.room() > 0; ++count) {
      const ReceiveRequest& request = requests[result.posted + count];
      if (request.local.length_bytes > 0 && request.local.region == nullptr)
        return {Status::kInvalidArgument, result.posted};
      Token token = token_;
      token.kind = Token::Kind::kReceive;
      token.place_low = static_cast<std::uint32_t>(receives_.push({request.id, Opcode::kReceive, true}));
      spans[count] = entry_of(request.local);
      works[count] = {.wr_id = token.encoded(),
                      .next = nullptr,
                      .sg_list = &spans[count],
                      .num_sge = request.local.length_bytes > 0 ? 1 : 0};
      if (count > 0) works[count - 1].next = &works[count];
    }
    if (count == 0) return {Status::kPending, result.posted};
    ibv_recv_wr* refused = nullptr;
    const int failed = ibv_post_recv(pair_, works.data(), &refused);
    const std::size_t taken = failed == 0 ? count : static_cast<std::size_t>(refused - works.data());
    for (std::size_t i = taken; i < count; ++i) receives_.unpush();
    result.posted += static_cast<std::uint32_t>(taken);
    if (failed != 0) return {failed == ENOMEM ? Status::kPending : Status::kInvalidArgument, result.posted};
  }
  return result;
}

// Hot path 4, over a NIC: what the device says about one request. False: nothing that the caller wants to hear.
bool VerbsEndpoint::complete(const ibv_wc& work, const Token& token, Completion& completion) noexcept {
  if (token.holder != token_.holder) return false;  // of who had this seat before
  activity_.store(activity_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (token.kind == Token::Kind::kProbe) return complete_probe(work);
  const bool received = token.kind == Token::Kind::kReceive;
  PostedRing& ring = received ? receives_ : sends_;
  const std::uint64_t place = ring.place_of(token.place_low);
  if (!ring.holds(place)) [[unlikely]]
    return false;
  const Posted posted = ring.retire(place);
  completion = {.id = posted.id,
                .context = context_,
                .opcode = posted.opcode,
                .status = Status::kOk,
                .immediate = 0,
                .length_bytes = 0};
  if (work.status != IBV_WC_SUCCESS) [[unlikely]] {
    completion.status = failure_of(work, token.kind, posted.opcode);
    return true;
  }
  if (!received) return posted.signaled;
  ++counters_.received;
  completion.length_bytes = work.byte_len;
  if (work.opcode == IBV_WC_RECV_RDMA_WITH_IMM) {
    completion.opcode = Opcode::kReceiveWithImm;
    completion.immediate = ntohl(work.imm_data);
  }
  return true;
}

}  // namespace npf::fabric::verbs
