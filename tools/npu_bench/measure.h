// The client's measuring loops.
#pragma once

#include <cstdint>
#include <optional>

#include "tools/npu_bench/audit.h"
#include "tools/npu_bench/lane.h"
#include "tools/npu_bench/stats.h"

namespace npf::npu_bench {

struct Amount {
  std::uint64_t iterations = 0;  // at most; also the room for samples
  std::uint64_t warmup = 0;      // iterations before, but no longer than kWarmupNsMax
  double duration_s = 0;         // 0: iterations decide
};

inline constexpr std::uint64_t kWarmupNsMax = 500 * kNsPerMs;

// Counting comes behind timing, over as many tensors more: counting system calls makes each of them slower.
inline constexpr std::uint64_t kCountedMax = 2000;
inline constexpr std::uint64_t kCountedNsMax = 500 * kNsPerMs;

// What was measured of one size, whole or as far as it came.
struct Measured {
  std::uint64_t iterations = 0;
  std::optional<LatencySummary> latency;
  std::optional<BandwidthSummary> bandwidth;
  std::uint64_t counted = 0;    // iterations behind the measured ones that the counts are of
  Counts counts;                // of the client's side
  std::optional<Error> failed;  // why it ended early; absent when whole, or stopped by a signal between two tensors
};

Amount amount_for(std::uint64_t bytes, const Plan& plan, std::uint64_t iterations, std::uint64_t warmup,
                  double duration_s);

// A ping-pong: a tensor to the server, one of the same size back.
Measured measure_latency(Lane& lane, std::uint64_t bytes, const Amount& amount);

// A stream to the server, as fast as it releases.
Measured measure_bandwidth(Lane& lane, std::uint64_t bytes, const Amount& amount, std::uint32_t depth);

}  // namespace npf::npu_bench
