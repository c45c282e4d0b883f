// Polling: from the device's work completions to the seam's. Steps are numbered in docs/hot_path.md.
#include <algorithm>

#include "fabric/verbs/verbs_completion_queue.h"
#include "fabric/verbs/verbs_endpoint.h"

namespace npf::fabric::verbs {

// Hot path 4, the way in.
std::size_t VerbsCompletionQueue::poll(std::span<Completion> completions) noexcept {
  if (somebody_failed_.load(std::memory_order_relaxed)) [[unlikely]]
    flush_failed();
  std::size_t count = stashed_.empty() ? 0 : take_stashed(completions);
  std::array<ibv_wc, kBatch> works;
  while (count < completions.size()) {
    const std::size_t wanted = std::min(completions.size() - count, kBatch);
    const int found = ibv_poll_cq(queue_, static_cast<int>(wanted), works.data());
    for (int i = 0; i < found; ++i) {
      if (translate(works[static_cast<std::size_t>(i)], completions[count])) ++count;
    }
    if (found < static_cast<int>(wanted)) {
      times_drained_.store(times_drained_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      break;
    }
  }
  return count;
}

// Each gives one completion at most: what was not asked to be signaled succeeds without a word.
bool VerbsCompletionQueue::translate(const ibv_wc& work, Completion& completion) noexcept {
  const Token token = Token::decode(work.wr_id);
  // SYNC seat-taken
  VerbsEndpoint* const endpoint = (*seats_)[token.seat].endpoint.load(std::memory_order_acquire);
  return endpoint != nullptr && endpoint->complete(work, token, completion);
}

std::size_t VerbsCompletionQueue::take_stashed(std::span<Completion> completions) noexcept {
  std::size_t count = 0;
  while (!stashed_.empty() && count < completions.size()) {
    if (translate(stashed_.front(), completions[count])) ++count;
    stashed_.pop_front();
  }
  return count;
}

}  // namespace npf::fabric::verbs
