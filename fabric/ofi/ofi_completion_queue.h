// The seam's queue over the provider's, of which each endpoint has its own: provider tcp does not tell whose a remote
// WRITE's immediate is; and who is sent more than it posted receives for holds up nobody else.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/fd.h"
#include "fabric/fabric.h"

namespace npf::fabric::ofi {

class OfiDomain;
class OfiEndpoint;

// Order: SYNC ofi-seat-taken.
class OfiCompletionQueue final : public CompletionQueue {
 public:
  static Result<std::unique_ptr<OfiCompletionQueue>> create(OfiDomain& domain, std::uint32_t depth);
  ~OfiCompletionQueue() override;

  std::size_t poll(std::span<Completion> completions) noexcept override;
  void arm() noexcept override { armed_.store(true); }
  void disarm() noexcept override;
  bool armed() const noexcept override { return armed_.load(); }
  int fd() const noexcept override { return epoll_.get(); }  // an epoll, where endpoints are watched while one sleeps

  const OfiDomain& domain() const { return domain_; }

  // Room for as many completions. Threads: any.
  Result<void> reserve(std::uint32_t completions);
  void release(std::uint32_t completions);

  // A seat: from now on the endpoint is polled. Threads: any.
  Result<std::uint32_t> join(OfiEndpoint* endpoint);
  // Threads: the data path's, which does not find it any more.
  void leave(std::uint32_t seat);
  // Changes with each poll. Threads: any.
  std::uint64_t polls() const noexcept { return polls_.load(std::memory_order_relaxed); }

  // An endpoint has failed: ends a sleep, or the next one. Threads: any.
  void wake() noexcept;

  // Who waits for room, and nothing else, may go on.
  void note_room() noexcept { room_made_ = true; }

  // Whoever found nothing is about to sleep: makes fd() readable if a provider would not do so for what it has already.
  void prepare_sleep() noexcept;

 private:
  static constexpr std::uint32_t kSeats = 1024;
  static constexpr std::uint32_t kPollsAwakeMax = 1024;

  OfiCompletionQueue(OfiDomain& domain, std::uint32_t depth) : domain_(domain), depth_(depth) {}
  Result<void> open();
  void stop_watching() noexcept;

  OfiDomain& domain_;
  const std::uint32_t depth_;
  ScopedFd event_;
  ScopedFd epoll_;  // of event_ and, while somebody sleeps now and then, the endpoints' descriptors
  std::atomic<bool> armed_{false};
  std::atomic<std::uint64_t> polls_{0};
  bool room_made_ = false;
  bool watching_ = false;
  std::uint32_t polls_awake_ = 0;  // since the last sleep, while watching_
  std::uint32_t first_ = 0;        // whose turn it is
  std::array<std::atomic<OfiEndpoint*>, kSeats> seats_{};
  std::atomic<std::uint32_t> seats_used_{0};  // none is taken from here on
  std::mutex mutex_;
  std::uint32_t promised_ = 0;  // completions; guarded by mutex_
};

}  // namespace npf::fabric::ofi
