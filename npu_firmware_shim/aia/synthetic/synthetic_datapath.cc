#include "base/clock.h"
#include "npu_firmware_shim/aia/synthetic/synthetic_model.h"

namespace npf::aia::synthetic {

namespace {

void compute(std::span<const std::byte> in, std::span<std::byte> out, std::byte key) noexcept {
  for (std::size_t i = 0; i < in.size(); ++i) out[i] = in[i] ^ key;
}

}  // namespace

Status SyntheticModel::execute(Inputs in, Outputs out) noexcept {
  const std::uint64_t start_ns = monotonic_ns();
  const auto key = static_cast<std::byte>(description_.key);
  if (description_.extent == Extent::kAll || in[0].size() <= 2 * kEdgeBytes) {
    compute(in[0], out[0], key);
  } else {
    compute(in[0].first(kEdgeBytes), out[0].first(kEdgeBytes), key);
    compute(in[0].last(kEdgeBytes), out[0].last(kEdgeBytes), key);
  }
  // Computing is part of the declared time, as it is of a kernel's.
  const std::uint64_t busy_ns = description_.busy_us * kNsPerUs;
  while (monotonic_ns() - start_ns < busy_ns) cpu_relax();
  return Status::kOk;
}

}  // namespace npf::aia::synthetic
