// An engine that computes next to nothing for a declared time: what schedulers and benches need. Its outputs still
// depend on its inputs, so that a tensor that went astray is seen.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "npu_firmware_shim/aia/engine.h"

namespace npf::aia::synthetic {

inline constexpr std::string_view kEngineName = "synthetic";
inline constexpr std::string_view kPrefix = "synthetic:";

inline constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 40;
inline constexpr std::uint64_t kMicrosecondsMax = 10'000'000;
// Of kEdges: the bytes at each end that are computed.
inline constexpr std::uint64_t kEdgeBytes = 64;

enum class Extent : std::uint8_t {
  kAll,    // every byte is read and written
  kEdges,  // the first and last kEdgeBytes: what moving a tensor costs is seen without what touching it costs
};

// synthetic:BYTES:MICROSECONDS[:KEY[:all|edges]], such as synthetic:4096:150 or synthetic:4096:150:7:edges. One input
// and one output, uint8 [BYTES]; output byte = input byte xor KEY (0 to 255, default 0: a copy). A chain of stages
// with different keys gives the xor of them all, and a stage that was skipped or run twice shows.
// A run takes MICROSECONDS at least, spinning on the clock: it burns a core as a kernel does, and never sleeps.
struct Description {
  std::uint64_t bytes = 0;
  std::uint64_t busy_us = 0;
  std::uint8_t key = 0;
  Extent extent = Extent::kAll;
};

// Fails with the part that is wrong, and the form.
Result<Description> parse(std::string_view text);

// Never fails. Its load takes the text above as bytes.
Result<std::unique_ptr<Engine>> open_engine();

}  // namespace npf::aia::synthetic
