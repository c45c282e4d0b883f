// How a data-path thread waits: spinning, sleeping, or the first for a while and then the second.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/fd.h"
#include "fabric/dispatch.h"
#include "fabric/fabric.h"

namespace npf::fabric::hop {

enum class WaitStrategy : std::uint8_t {
  kSpin,      // never leaves the processor
  kAdaptive,  // spins, then yields to whoever shares the core, then sleeps
  kEvent,     // sleeps at once
};

std::string_view wait_strategy_name(WaitStrategy strategy);
Result<WaitStrategy> parse_wait_strategy(std::string_view name);

// How often each phase ended a wait. A wait that was over before it began counts as spin.
struct WaitCounters {
  std::uint64_t spin = 0;
  std::uint64_t yield = 0;
  std::uint64_t sleep = 0;
};

struct WaitLimits {
  std::uint64_t spin_ns = 5 * kNsPerUs;    // adaptive: then yield
  std::uint64_t yield_ns = 50 * kNsPerUs;  // adaptive: then sleep; about what waking a sleeper on another core costs
};

inline constexpr std::uint64_t kNoDeadline = UINT64_MAX;

// Threads: the queue's. Blocks: wait() until ready() or the deadline (monotonic_ns).
class Waiter {
 public:
  Waiter(CompletionQueue& queue, WaitStrategy strategy, const WaitLimits& limits = {})
      : queue_(queue), strategy_(strategy), limits_(limits) {}

  // Dispatches completions until ready() is true: kOk, or kTimedOut. ready() is asked first, and after each poll of the
  // queue.
  template <typename Ready>
  Status wait(Ready&& ready, std::uint64_t deadline_ns = kNoDeadline);

  const WaitCounters& counters() const { return counters_; }

 private:
  enum class Phase : std::uint8_t { kSpin, kYield, kSleep };

  // The slow side of wait: goes to the next phase when this one's time is over; yields. kTimedOut behind the deadline.
  Status advance(Phase& phase, std::uint64_t& start_ns, std::uint64_t deadline_ns) noexcept;
  // One sleep, until the queue has something or the deadline; true: ready() was, and nobody slept.
  template <typename Ready>
  bool sleep(Ready&& ready, std::uint64_t deadline_ns);
  void sleep_armed(std::uint64_t deadline_ns) noexcept;
  void set_timer(std::uint64_t deadline_ns) noexcept;
  void count(Phase phase) noexcept;

  CompletionQueue& queue_;
  const WaitStrategy strategy_;
  const WaitLimits limits_;
  WaitCounters counters_;
  ScopedFd timer_;  // made at the first sleep that has a deadline
  std::uint64_t timer_deadline_ns_ = kNoDeadline;
  bool timer_works_ = true;
};

// A wait that goes on leaves more of the core to the sibling that it may wait for.
inline void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

template <typename Ready>
Status Waiter::wait(Ready&& ready, std::uint64_t deadline_ns) {
  constexpr std::uint32_t kPollsPerClockRead = 64;
  constexpr std::uint32_t kPollsBeforeRelaxing = 512;  // what waits for less would feel it
  Phase phase = Phase::kSpin;
  std::uint64_t start_ns = 0;
  // Before the first poll: whoever has a credit need not look for more (64 B hop: 0.19 us instead of 0.30).
  bool done = ready();
  for (std::uint32_t polls = 1; !done; ++polls) {
    dispatch_completions(queue_);
    done = ready();
    // Polls are what a spin is for; the clock and the rest wait their turn.
    const bool spins = phase == Phase::kSpin && strategy_ != WaitStrategy::kEvent;
    if (spins && polls > kPollsBeforeRelaxing) relax();
    if (done || (spins && polls % kPollsPerClockRead != 0)) continue;
    if (const Status status = advance(phase, start_ns, deadline_ns); !is_ok(status)) return status;
    if (phase == Phase::kSleep) done = sleep(ready, deadline_ns);
  }
  count(phase);
  return Status::kOk;
}

template <typename Ready>
bool Waiter::sleep(Ready&& ready, std::uint64_t deadline_ns) {
  queue_.arm();
  std::size_t found = 0;
  bool done = false;
  do {  // only an empty poll behind arm() allows to sleep
    found = dispatch_completions(queue_);
    done = ready();
  } while (!done && found > 0);
  if (!done) sleep_armed(deadline_ns);
  queue_.disarm();
  return done;
}

}  // namespace npf::fabric::hop
