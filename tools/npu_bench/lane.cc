#include "tools/npu_bench/lane.h"

namespace npf::npu_bench {

Result<std::unique_ptr<Lane>> Lane::create(fabric::Domain& domain, const Plan& plan, std::uint64_t bytes) {
  if (bytes > plan.slot_bytes_for(bytes)) {
    return Error{Status::kInvalidArgument, "a tensor of " + std::to_string(bytes) +
                                               " bytes is larger than a slot; allowed: 1 to " +
                                               std::to_string(plan.slot_bytes) + " (--slot-bytes)"};
  }
  // Room for all that both endpoints can have under way: four ring's laps of sends, one of receives, credits.
  constexpr std::uint32_t kCompletionsPerSlot = 8;
  constexpr std::uint32_t kCompletionsMin = 256;
  auto queue = domain.create_completion_queue(kCompletionsMin + kCompletionsPerSlot * plan.slots);
  if (!queue.ok()) return queue.error();
  return std::unique_ptr<Lane>(new Lane(plan, bytes, std::move(*queue)));
}

Lane::Lane(const Plan& plan, std::uint64_t bytes, std::unique_ptr<fabric::CompletionQueue> queue)
    : plan_(plan),
      bytes_(bytes),
      queue_(std::move(queue)),
      waiter_(*queue_, plan.wait),
      deadline_ns_(plan.wait == fabric::hop::WaitStrategy::kEvent ? fabric::hop::kNoDeadline
                                                                  : monotonic_ns() + kLookAroundNs) {}

Result<void> Lane::add_producer(fabric::Domain& domain) {
  producer_ = std::make_unique<fabric::hop::Producer>(domain, fabric::hop::ProducerOptions{.slots_max = plan_.slots});
  if (!plan_.copied) return {};
  auto source = domain.allocate(bytes_, fabric::Access::kLocal);
  if (!source.ok()) return source.error();
  source_ = std::move(*source);
  return {};
}

Result<void> Lane::add_consumer(fabric::Domain& domain) {
  auto consumer =
      fabric::hop::Consumer::create(domain, {.slots = plan_.slots, .payload_bytes_max = plan_.slot_bytes_for(bytes_)});
  if (!consumer.ok()) return consumer.error();
  consumer_ = std::move(*consumer);
  return {};
}

bool Lane::shares_connection(const fabric::Domain& domain) const {
  return producer_ && consumer_ && domain.capabilities().acknowledged_by_traffic;
}

std::vector<const fabric::Endpoint*> Lane::endpoints() const {
  std::vector<const fabric::Endpoint*> all;
  if (producer_ && producer_->endpoint() != nullptr) all.push_back(producer_->endpoint());
  const fabric::Endpoint* const incoming = consumer_ ? consumer_->endpoint() : nullptr;
  if (incoming != nullptr && (all.empty() || all.front() != incoming)) all.push_back(incoming);
  return all;
}

Status Lane::look_around(std::uint32_t& silent_looks) noexcept {
  deadline_ns_ = monotonic_ns() + kLookAroundNs;
  return ++silent_looks > kSilentLooksMax ? Status::kTimedOut : Status::kOk;
}

Error Lane::why(Status status) const {
  if (status == Status::kCancelled) return {status, "stopped by a signal while the other side was silent"};
  if (status == Status::kTimedOut) return {status, "the other side has been silent for 10 s"};
  for (const fabric::Endpoint* endpoint : endpoints()) {
    Error cause = endpoint->first_cause();
    if (is_failure(cause.status)) return cause;
  }
  return {status, "the hop failed: " + std::string(status_name(status))};
}

}  // namespace npf::npu_bench
