// One side of the hops of one measurement: a completion queue, the producer and consumer on it, and how this side waits.
#pragma once

#include <memory>
#include <optional>

#include "base/clock.h"
#include "fabric/hop/duplex.h"
#include "fabric/hop/waiter.h"
#include "tools/npu_bench/plan.h"
#include "tools/npu_bench/stop_signal.h"
#include "tools/npu_bench/touch.h"

namespace npf::npu_bench {

using fabric::hop::InputSlot;
using fabric::hop::OutputSlot;

// Travels as the layout: which part of a measurement a tensor belongs to.
enum class Mark : std::uint32_t { kWarmup = 1, kBegin = 2, kMeasured = 3, kCounted = 4, kEnd = 5 };

// Threads: one. Blocks: take, acquire, commit, until done, failed, or (kCancelled) a stop signal while nothing moves.
class Lane {
 public:
  static constexpr std::uint64_t kLookAroundNs = 100 * kNsPerMs;
  static constexpr std::uint32_t kSilentLooksMax =
      100;  // 10 s without a tensor or credit: kTimedOut, unless in event mode

  static Result<std::unique_ptr<Lane>> create(fabric::Domain& domain, const Plan& plan, std::uint64_t bytes);

  Result<void> add_producer(fabric::Domain& domain);
  Result<void> add_consumer(fabric::Domain& domain);
  fabric::CompletionQueue& queue() { return *queue_; }
  fabric::hop::Producer* producer() { return producer_.get(); }
  fabric::hop::Consumer* consumer() { return consumer_.get(); }
  bool shares_connection(const fabric::Domain& domain) const;  // both hops of a lat over one: where that is cheaper
  fabric::hop::Duplex& duplex() { return duplex_.emplace(*producer_, *consumer_); }  // of the two; again: anew
  const fabric::hop::Waiter& waiter() const { return waiter_; }
  std::vector<const fabric::Endpoint*> endpoints() const;

  Status take(InputSlot& slot) noexcept;
  Status acquire(OutputSlot& slot) noexcept;
  Status commit(const OutputSlot& slot, Mark mark, std::uint64_t bytes) noexcept;
  void release(const InputSlot& slot) noexcept { consumer_->release(slot); }

  // What --touch says is done to a tensor before commit, and after take. The second is for a side that also sends.
  void produce(const OutputSlot& slot, std::uint64_t bytes) noexcept;
  void consume(const InputSlot& slot) noexcept;

  // Why a take, acquire or commit failed: the endpoint's first cause, or what the hop found.
  Error why(Status status) const;

  template <typename Ready>
  Status wait_until(Ready&& ready) noexcept;

 private:
  Lane(const Plan& plan, std::uint64_t bytes, std::unique_ptr<fabric::CompletionQueue> queue);
  Status look_around(std::uint32_t& silent_looks) noexcept;

  const Plan plan_;
  const std::uint64_t bytes_;
  std::unique_ptr<fabric::CompletionQueue> queue_;
  fabric::hop::Waiter waiter_;
  // Renewed when it is reached, so that no wait reads the clock for it. None in event mode: a timer in each ppoll would cost a
  // tenth of what is measured.
  std::uint64_t deadline_ns_;
  std::unique_ptr<fabric::hop::Producer> producer_;
  std::unique_ptr<fabric::hop::Consumer> consumer_;
  std::optional<fabric::hop::Duplex> duplex_;  // what serves both hops where they share a connection
  std::unique_ptr<fabric::Region> source_;     // --copy: what is sent
};

template <typename Ready>
Status Lane::wait_until(Ready&& ready) noexcept {
  std::uint32_t silent_looks = 0;
  for (;;) {
    bool done = false;
    waiter_.wait([&] { return (done = ready()) || stop_overdue(); }, deadline_ns_);
    if (done) return Status::kOk;
    if (stop_overdue()) return Status::kCancelled;
    if (const Status status = look_around(silent_looks); !is_ok(status)) return status;
  }
}

inline Status Lane::take(InputSlot& slot) noexcept {
  Status taken = Status::kPending;
  const Status waited = wait_until([&] {
    taken = consumer_->try_take(slot);
    return taken != Status::kPending;
  });
  return is_ok(waited) ? taken : waited;
}

inline Status Lane::acquire(OutputSlot& slot) noexcept {
  Status acquired = producer_->try_acquire(slot);
  if (acquired != Status::kPending) return acquired;
  const Status waited = wait_until([&] {
    acquired = producer_->try_acquire(slot);
    return acquired != Status::kPending;
  });
  return is_ok(waited) ? acquired : waited;
}

inline Status Lane::commit(const OutputSlot& slot, Mark mark, std::uint64_t bytes) noexcept {
  const fabric::hop::Message message{.request_id = slot.sequence,
                                     .payload_bytes = bytes,
                                     .completion = {},
                                     .layout = static_cast<std::uint32_t>(mark)};
  const auto once = [&] {
    return source_ ? producer_->commit_gathered(slot, message, source_->local(0, bytes))
                   : producer_->commit(slot, message);
  };
  Status committed = once();
  if (committed != Status::kPending) return committed;
  const Status waited = wait_until([&] {
    committed = once();
    return committed != Status::kPending;
  });
  return is_ok(waited) ? committed : waited;
}

inline void Lane::produce(const OutputSlot& slot, std::uint64_t bytes) noexcept {
  if (plan_.touch == Touch::kNone) return;
  write_every_byte(source_ ? source_->bytes().first(bytes) : slot.payload.first(bytes), slot.sequence);
}

inline void Lane::consume(const InputSlot& slot) noexcept {
  if (plan_.touch == Touch::kAll) keep(read_every_byte(slot.payload));
}

}  // namespace npf::npu_bench
