// One ibv_cq for any number of queue pairs, and the descriptor that a sleeper waits on.
#pragma once

#include <infiniband/verbs.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>

#include "base/fd.h"
#include "fabric/fabric.h"
#include "fabric/verbs/verbs_device.h"

namespace npf::fabric::verbs {

class VerbsEndpoint;

// What travels through the device in wr_id and says whose completion it is: a place in the queue's table, which holder
// of it, the direction, and where in the order of posting. Completions of who has left are told apart by the holder.
struct Token {
  enum class Kind : std::uint8_t { kSend, kReceive, kProbe };
  static constexpr std::uint32_t kSeats = 4096;

  std::uint32_t seat = 0;
  std::uint32_t holder = 0;  // 16 bits
  Kind kind = Kind::kSend;
  std::uint32_t place_low = 0;

  std::uint64_t encoded() const noexcept {
    return (std::uint64_t{seat} << 52U) | (std::uint64_t{holder} << 36U) | (static_cast<std::uint64_t>(kind) << 32U) |
           place_low;
  }
  static Token decode(std::uint64_t bits) noexcept {
    return {.seat = static_cast<std::uint32_t>(bits >> 52U),
            .holder = static_cast<std::uint32_t>(bits >> 36U) & 0xffffU,
            .kind = static_cast<Kind>((bits >> 32U) & 0xfU),
            .place_low = static_cast<std::uint32_t>(bits)};
  }
};

// Order: SYNC seat-taken, SYNC somebody-failed.
class VerbsCompletionQueue final : public CompletionQueue {
 public:
  static Result<std::unique_ptr<VerbsCompletionQueue>> create(std::shared_ptr<VerbsDevice> device, std::uint32_t depth);
  ~VerbsCompletionQueue() override;

  std::size_t poll(std::span<Completion> completions) noexcept override;
  void arm() noexcept override;
  void disarm() noexcept override;
  bool armed() const noexcept override { return armed_.load(std::memory_order_relaxed); }
  int fd() const noexcept override { return epoll_.get(); }

  ibv_cq* get() const { return queue_; }
  const VerbsDevice& device() const { return *device_; }

  // A seat and room for as many completions. Threads: any.
  Result<Token> join(VerbsEndpoint* endpoint, std::uint32_t completions);
  // Threads: the data path's. What the device still has for it is dropped.
  void leave(const Token& token, std::uint32_t completions);

  // How often the data path has found nothing more in the device's queue. Threads: any.
  std::uint64_t times_drained() const noexcept { return times_drained_.load(std::memory_order_relaxed); }

  // An endpoint has failed: ends a sleep, or the next one, and has the data path flush what it posted. Threads: any.
  void report_failure() noexcept;

 private:
  static constexpr std::size_t kBatch = 16;

  VerbsCompletionQueue(std::shared_ptr<VerbsDevice> device, std::uint32_t depth);
  Result<void> open();
  void wake() noexcept;
  void flush_failed() noexcept;
  bool translate(const ibv_wc& work, Completion& completion) noexcept;
  std::size_t take_stashed(std::span<Completion> completions) noexcept;

  struct Seat {
    std::atomic<VerbsEndpoint*> endpoint{nullptr};
    std::uint32_t holder = 0;  // guarded by mutex_
  };

  const std::shared_ptr<VerbsDevice> device_;
  const std::uint32_t depth_;
  ibv_comp_channel* channel_ = nullptr;
  ibv_cq* queue_ = nullptr;
  ScopedFd event_;
  ScopedFd epoll_;                               // of the channel and event_
  std::atomic<bool> armed_{false};               // the data path's
  std::atomic<std::uint64_t> times_drained_{0};  // the data path's
  std::unique_ptr<std::array<Seat, Token::kSeats>> seats_;
  std::atomic<bool> somebody_failed_{false};
  std::deque<ibv_wc> stashed_;  // polled while an endpoint left; the data path's
  std::mutex mutex_;
  std::uint32_t next_seat_ = 0;  // guarded by mutex_
  std::uint32_t promised_ = 0;   // completions; guarded by mutex_
};

}  // namespace npf::fabric::verbs
