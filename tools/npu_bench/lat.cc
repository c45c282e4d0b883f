// Inside the measured interval, per round trip: acquire, write (--touch all), commit, release of the tensor before, take, read,
// and one reading of the clock; meanwhile the server takes, reads, acquires, writes, commits, releases.
#include <algorithm>

#include "tools/npu_bench/measure.h"

namespace npf::npu_bench {

namespace {

// Like a stage, this side releases a tensor when it has committed the one that follows from it. `held` is the last one taken.
Status round_trip(Lane& lane, Mark mark, std::uint64_t bytes, std::optional<InputSlot>& held) noexcept {
  OutputSlot output;
  if (const Status status = lane.acquire(output); !is_ok(status)) return status;
  lane.produce(output, bytes);
  if (const Status status = lane.commit(output, mark, bytes); !is_ok(status)) return status;
  if (held) lane.release(*held);
  if (const Status status = lane.take(held.emplace()); !is_ok(status)) return status;
  lane.consume(*held);
  return Status::kOk;
}

Status repeat_round_trips(Lane& lane, std::uint64_t bytes, const Amount& amount, Samples& samples,
                          std::optional<InputSlot>& held) noexcept {
  const std::uint64_t duration_ticks =
      static_cast<std::uint64_t>(amount.duration_s * static_cast<double>(kNsPerSecond) / ns_per_tick());
  const std::uint64_t start = ticks();
  std::uint64_t last = start;
  while (!samples.full() && !stop_requested()) {
    if (const Status status = round_trip(lane, Mark::kMeasured, bytes, held); !is_ok(status)) return status;
    const std::uint64_t now = ticks();
    samples.add(now - last);
    last = now;
    if (duration_ticks != 0 && now - start >= duration_ticks) break;
  }
  return Status::kOk;
}

Status measure(Lane& lane, std::uint64_t bytes, const Amount& amount, Samples& samples,
               std::optional<InputSlot>& held) noexcept {
  const std::uint64_t warmup_end_ns = monotonic_ns() + kWarmupNsMax;
  for (std::uint64_t i = 0; i < amount.warmup && monotonic_ns() < warmup_end_ns && !stop_requested(); ++i) {
    if (const Status status = round_trip(lane, Mark::kWarmup, bytes, held); !is_ok(status)) return status;
  }
  return repeat_round_trips(lane, bytes, amount, samples, held);
}

Status count(Lane& lane, std::uint64_t bytes, Measured& measured, std::optional<InputSlot>& held) noexcept {
  if (const Status status = round_trip(lane, Mark::kBegin, bytes, held); !is_ok(status)) return status;
  Audit audit(lane);
  const std::uint64_t most = std::min(measured.iterations, kCountedMax);
  const std::uint64_t end = ticks() + static_cast<std::uint64_t>(static_cast<double>(kCountedNsMax) / ns_per_tick());
  audit.start();
  Status status = Status::kOk;
  while (is_ok(status) && measured.counted < most && (measured.counted == 0 || ticks() < end)) {
    status = round_trip(lane, Mark::kCounted, bytes, held);
    measured.counted += is_ok(status) ? 1U : 0U;
  }
  audit.stop();
  measured.counts = audit.counts();
  return is_ok(status) ? round_trip(lane, Mark::kEnd, bytes, held) : status;
}

}  // namespace

Measured measure_latency(Lane& lane, std::uint64_t bytes, const Amount& amount) {
  ns_per_tick();  // its first call takes a while
  Samples samples(amount.iterations);
  std::optional<InputSlot> held;
  Status status = measure(lane, bytes, amount, samples, held);
  Measured measured;
  measured.iterations = samples.count();
  if (is_ok(status)) status = count(lane, bytes, measured, held);
  if (samples.count() > 0) measured.latency = LatencySummary::of_round_trips(samples);
  if (!is_ok(status)) measured.failed = lane.why(status);
  return measured;
}

}  // namespace npf::npu_bench
