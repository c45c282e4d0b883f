// Inside the measured interval: from before the first acquire until the server has released the last tensor.
#include <algorithm>
#include <vector>

#include "tools/npu_bench/measure.h"

namespace npf::npu_bench {

namespace {

struct Stream {
  std::vector<std::uint64_t> marks;  // ticks, whenever a window of tensors was committed
  std::uint64_t window_hops = 1;
  std::uint64_t hops = 0;
  std::uint64_t run_ticks = 0;
};

Status send(Lane& lane, Mark mark, std::uint64_t bytes, std::uint32_t depth) noexcept {
  fabric::hop::Producer& producer = *lane.producer();
  if (producer.undelivered() >= depth) {
    const auto has_room = [&] { return producer.undelivered() < depth || !is_ok(producer.status()); };
    if (const Status status = lane.wait_until(has_room); !is_ok(status)) return status;
  }
  OutputSlot output;
  if (const Status status = lane.acquire(output); !is_ok(status)) return status;
  lane.produce(output, bytes);
  return lane.commit(output, mark, bytes);
}

Status wait_for_all(Lane& lane) noexcept {
  fabric::hop::Producer& producer = *lane.producer();
  const Status status = lane.wait_until([&] { return producer.undelivered() == 0 || !is_ok(producer.status()); });
  return is_ok(status) ? producer.status() : status;
}

Status stream(Lane& lane, std::uint64_t bytes, const Amount& amount, std::uint32_t depth, Stream& result) noexcept {
  const std::uint64_t duration_ticks =
      static_cast<std::uint64_t>(amount.duration_s * static_cast<double>(kNsPerSecond) / ns_per_tick());
  const std::uint64_t start = ticks();
  Status status = Status::kOk;
  while (result.hops < amount.iterations && !stop_requested()) {
    status = send(lane, Mark::kMeasured, bytes, depth);
    if (!is_ok(status)) break;
    if (++result.hops % result.window_hops != 0) continue;
    const std::uint64_t now = ticks();
    if (result.marks.size() < result.marks.capacity()) result.marks.push_back(now);
    if (duration_ticks != 0 && now - start >= duration_ticks) break;
  }
  if (is_ok(status)) status = wait_for_all(lane);
  result.run_ticks = ticks() - start;
  return status;
}

Status count(Lane& lane, std::uint64_t bytes, std::uint32_t depth, Measured& measured) noexcept {
  if (const Status status = send(lane, Mark::kBegin, bytes, depth); !is_ok(status)) return status;
  if (const Status status = wait_for_all(lane); !is_ok(status)) return status;
  Audit audit(lane);
  const std::uint64_t most = std::min(measured.iterations, kCountedMax);
  const std::uint64_t end = ticks() + static_cast<std::uint64_t>(static_cast<double>(kCountedNsMax) / ns_per_tick());
  audit.start();
  Status status = Status::kOk;
  while (is_ok(status) && measured.counted < most && (measured.counted == 0 || ticks() < end)) {
    status = send(lane, Mark::kCounted, bytes, depth);
    measured.counted += is_ok(status) ? 1U : 0U;
  }
  if (is_ok(status)) status = wait_for_all(lane);
  audit.stop();
  measured.counts = audit.counts();
  return is_ok(status) ? send(lane, Mark::kEnd, bytes, depth) : status;
}

Status measure(Lane& lane, std::uint64_t bytes, const Amount& amount, std::uint32_t depth, Stream& result,
               Measured& measured) noexcept {
  const std::uint64_t warmup_end_ns = monotonic_ns() + kWarmupNsMax;
  for (std::uint64_t i = 0; i < amount.warmup && monotonic_ns() < warmup_end_ns && !stop_requested(); ++i) {
    if (const Status status = send(lane, Mark::kWarmup, bytes, depth); !is_ok(status)) return status;
  }
  if (const Status status = wait_for_all(lane); !is_ok(status)) return status;
  const Status status = stream(lane, bytes, amount, depth, result);
  measured.iterations = result.hops;
  return is_ok(status) ? count(lane, bytes, depth, measured) : status;
}

}  // namespace

Measured measure_bandwidth(Lane& lane, std::uint64_t bytes, const Amount& amount, std::uint32_t depth) {
  constexpr std::uint64_t kWindowsMax = 64;
  constexpr std::uint64_t kWindowsPerDuration = 4096;
  constexpr std::uint64_t kDepthsPerWindow = 4;  // so that filling the ring is not taken for bandwidth
  ns_per_tick();
  Stream result;
  result.window_hops = kDepthsPerWindow * depth;
  if (amount.duration_s == 0) result.window_hops = std::max(result.window_hops, amount.iterations / kWindowsMax);
  result.marks.reserve(amount.duration_s == 0 ? kWindowsMax : kWindowsPerDuration);
  Measured measured;
  const Status status = measure(lane, bytes, amount, depth, result, measured);
  measured.iterations = result.hops;
  if (result.hops > 0 && result.run_ticks > 0) {
    measured.bandwidth =
        BandwidthSummary::of_windows(result.marks, result.window_hops, result.hops, result.run_ticks, bytes);
  }
  if (!is_ok(status)) measured.failed = lane.why(status);
  return measured;
}

}  // namespace npf::npu_bench
