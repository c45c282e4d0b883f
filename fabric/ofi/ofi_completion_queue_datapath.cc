// Polling: each endpoint in turn gives what it has. Steps are numbered in docs/hot_path.md.
#include "fabric/ofi/ofi_completion_queue.h"
#include "fabric/ofi/ofi_endpoint.h"

namespace npf::fabric::ofi {

// Hot path 4, the way in.
std::size_t OfiCompletionQueue::poll(std::span<Completion> completions) noexcept {
  polls_.store(polls_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  const std::uint32_t seats = seats_used_.load(std::memory_order_acquire);
  if (watching_ && ++polls_awake_ >= kPollsAwakeMax) [[unlikely]]
    stop_watching();
  std::size_t count = 0;
  std::uint32_t seat = first_ < seats ? first_ : 0;
  for (std::uint32_t i = 0; i < seats && count < completions.size(); ++i) {
    // SYNC ofi-seat-taken
    OfiEndpoint* const endpoint = seats_[seat].load(std::memory_order_acquire);
    if (endpoint != nullptr) count += endpoint->poll(completions.subspan(count));
    if (++seat == seats) seat = 0;
  }
  first_ = seat;  // who was not asked is the next one's first
  if (armed_.load(std::memory_order_relaxed) && count == 0) [[unlikely]]
    prepare_sleep();
  return count;
}

}  // namespace npf::fabric::ofi
