// What travels through the provider as op_context: the direction, and where in the order of posting, or which bounce
// buffer. It is no address; providers that would write there (FI_CONTEXT) are refused.
#pragma once

#include <cstdint>

namespace npf::fabric::ofi {

struct Token {
  enum class Kind : std::uint8_t { kSend = 1, kReceive = 2 };

  Kind kind = Kind::kSend;
  std::uint32_t low = 0;

  void* encoded() const noexcept {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): libfabric carries a number as well
    return reinterpret_cast<void*>((std::uintptr_t{static_cast<std::uint8_t>(kind)} << 32U) | low);
  }
  static Token of(const void* context) noexcept {
    const auto bits = reinterpret_cast<std::uintptr_t>(context);
    return {.kind = static_cast<Kind>(bits >> 32U), .low = static_cast<std::uint32_t>(bits)};
  }
};
static_assert(sizeof(std::uintptr_t) == sizeof(std::uint64_t));

}  // namespace npf::fabric::ofi
