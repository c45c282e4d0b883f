#include <algorithm>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>

#include "base/clock.h"
#include "npu_firmware_shim/aia/engine.h"

namespace npf::aia {

Status Model::run(Inputs in, Outputs out) noexcept {
  if (const Status status = check(in, out); !is_ok(status)) return status;
  const std::uint64_t start_ns = monotonic_ns();
  const Status status = execute(in, out);
  if (is_ok(status)) count_run(monotonic_ns() - start_ns);
  return status;
}

Status Model::check(Inputs in, Outputs out) noexcept {
  Status status = check_count("input", inputs_.size(), in.size());
  if (is_ok(status)) status = check_count("output", outputs_.size(), out.size());
  for (std::size_t i = 0; is_ok(status) && i < in.size(); ++i) {
    status = check_buffer("input", inputs_[i], in[i].data(), in[i].size());
  }
  for (std::size_t i = 0; is_ok(status) && i < out.size(); ++i) {
    status = check_buffer("output", outputs_[i], out[i].data(), out[i].size());
  }
  return status;
}

Status Model::check_count(const char* side, std::size_t expected, std::size_t given) noexcept {
  if (expected == given) return Status::kOk;
  return fail(Status::kInvalidArgument, "aia: %zu %s buffers for a model of %zu; give one for each of its tensors",
              given, side, expected);
}

Status Model::check_buffer(const char* side, const TensorInfo& tensor, const std::byte* buffer,
                           std::size_t bytes) noexcept {
  if (bytes != tensor.bytes) {
    return fail(Status::kInvalidArgument, "aia: the buffer for %s '%s' has %zu bytes; give exactly %" PRIu64, side,
                tensor.name.c_str(), bytes, tensor.bytes);
  }
  if (reinterpret_cast<std::uintptr_t>(buffer) % tensor.dtype.bytes() != 0) {
    return fail(Status::kInvalidArgument,
                "aia: the buffer for %s '%s' begins at %p; give an address that is a multiple of %u", side,
                tensor.name.c_str(), static_cast<const void*>(buffer), tensor.dtype.bytes());
  }
  return Status::kOk;
}

Status Model::fail(Status status, const char* format, ...) noexcept {
  va_list arguments;
  va_start(arguments, format);
  const int written = std::vsnprintf(failure_.data(), failure_.size(), format, arguments);
  va_end(arguments);
  failure_bytes_ = written < 0 ? 0 : std::min(static_cast<std::size_t>(written), failure_.size() - 1);
  return status;
}

void Model::count_run(std::uint64_t ns) noexcept {
  constexpr std::uint64_t kWeight = 8;
  const std::uint64_t runs = runs_.load(std::memory_order_relaxed);
  const std::uint64_t before = ewma_ns_.load(std::memory_order_relaxed);
  // The first run is the average, not an eighth of it.
  const std::uint64_t ewma = runs == 0 ? ns : before - before / kWeight + ns / kWeight;
  last_ns_.store(ns, std::memory_order_relaxed);
  ewma_ns_.store(ewma, std::memory_order_relaxed);
  runs_.store(runs + 1, std::memory_order_relaxed);
}

}  // namespace npf::aia
