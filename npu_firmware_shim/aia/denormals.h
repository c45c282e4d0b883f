// Denormal floats as zero, for the calling thread: kernels that meet denormals take 12 to 40 times as long.
#pragma once

#include <cstdint>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace npf::aia {

// The thread's floating point control word: MXCSR, or FPCR on aarch64.
using FloatControl = std::uint64_t;

inline FloatControl float_control() noexcept {
#if defined(__x86_64__)
  return _mm_getcsr();
#elif defined(__aarch64__)
  std::uint64_t value = 0;
  asm volatile("mrs %0, fpcr" : "=r"(value));
  return value;
#else
  return 0;
#endif
}

inline void set_float_control(FloatControl value) noexcept {
#if defined(__x86_64__)
  _mm_setcsr(static_cast<unsigned>(value));
#elif defined(__aarch64__)
  asm volatile("msr fpcr, %0" : : "r"(value));
#else
  static_cast<void>(value);
#endif
}

#if defined(__x86_64__)
inline constexpr FloatControl kFlushBits = 0x8040;  // FTZ: results, DAZ: operands
#elif defined(__aarch64__)
inline constexpr FloatControl kFlushBits = std::uint64_t{1} << 24;  // FZ: both
#else
inline constexpr FloatControl kFlushBits = 0;
#endif

inline void flush_denormals_on_this_thread() noexcept { set_float_control(float_control() | kFlushBits); }
inline bool denormals_are_flushed() noexcept { return (float_control() & kFlushBits) == kFlushBits; }

// Puts the thread's control word back: engines change it while they load.
class FloatControlKept {
 public:
  FloatControlKept() = default;
  FloatControlKept(const FloatControlKept&) = delete;
  FloatControlKept& operator=(const FloatControlKept&) = delete;
  ~FloatControlKept() { set_float_control(before_); }

 private:
  FloatControl before_ = float_control();
};

}  // namespace npf::aia
