#include "fabric/ofi/ofi_completion_queue.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "base/assert.h"
#include "fabric/ofi/ofi_domain.h"
#include "fabric/ofi/ofi_endpoint.h"

namespace npf::fabric::ofi {

Result<std::unique_ptr<OfiCompletionQueue>> OfiCompletionQueue::create(OfiDomain& domain, std::uint32_t depth) {
  if (depth == 0) {
    return Error{Status::kInvalidArgument,
                 domain.provider().backend + ": a completion queue of depth 0; allowed: 1 or more"};
  }
  std::unique_ptr<OfiCompletionQueue> queue(new OfiCompletionQueue(domain, depth));
  if (auto opened = queue->open(); !opened.ok()) return opened.error();
  return queue;
}

Result<void> OfiCompletionQueue::open() {
  event_ = ScopedFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  epoll_ = ScopedFd(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{.events = EPOLLIN, .data = {.fd = event_.get()}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, event_.get(), &event) != 0) {
    return system_error(domain_.provider().backend + ": epoll of a completion queue", errno);
  }
  return {};
}

OfiCompletionQueue::~OfiCompletionQueue() {
  // Endpoints point here; whoever destroys the queue first has a bug that would otherwise show much later.
  NPF_ASSERT(promised_ == 0);
}

void OfiCompletionQueue::disarm() noexcept {
  armed_.store(false);
  std::uint64_t wakeups = 0;
  [[maybe_unused]] const ssize_t bytes = ::read(event_.get(), &wakeups, sizeof wakeups);  // EAGAIN: nobody woke us
}

void OfiCompletionQueue::wake() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t bytes = ::write(event_.get(), &one, sizeof one);  // EAGAIN: it is readable already
}

void OfiCompletionQueue::prepare_sleep() noexcept {
  bool may_sleep = !std::exchange(room_made_, false);
  const std::uint32_t count = seats_used_.load(std::memory_order_acquire);
  for (std::uint32_t i = 0; may_sleep && i < count; ++i) {
    // SYNC ofi-seat-taken
    OfiEndpoint* const endpoint = seats_[i].load(std::memory_order_acquire);
    may_sleep = endpoint == nullptr || endpoint->prepare_sleep(epoll_.get());
  }
  watching_ = true;
  polls_awake_ = 0;
  if (!may_sleep) wake();
}

void OfiCompletionQueue::stop_watching() noexcept {
  watching_ = false;
  const std::uint32_t count = seats_used_.load(std::memory_order_acquire);
  for (std::uint32_t i = 0; i < count; ++i) {
    // SYNC ofi-seat-taken
    OfiEndpoint* const endpoint = seats_[i].load(std::memory_order_acquire);
    if (endpoint != nullptr) endpoint->end_sleeping(epoll_.get());
  }
}

Result<void> OfiCompletionQueue::reserve(std::uint32_t completions) {
  const std::lock_guard lock(mutex_);
  if (completions <= depth_ - promised_) {
    promised_ += completions;
    return {};
  }
  return Error{Status::kResourceLimit,
               domain_.provider().backend + ": an endpoint with depths of " + std::to_string(completions) +
                   " together does not fit in a completion queue of depth " + std::to_string(depth_) + " of which " +
                   std::to_string(promised_) + " are taken; create it deeper"};
}

void OfiCompletionQueue::release(std::uint32_t completions) {
  const std::lock_guard lock(mutex_);
  promised_ -= completions;
}

Result<std::uint32_t> OfiCompletionQueue::join(OfiEndpoint* endpoint) {
  const std::lock_guard lock(mutex_);
  for (std::uint32_t i = 0; i < kSeats; ++i) {
    if (seats_[i].load(std::memory_order_relaxed) != nullptr) continue;
    // SYNC ofi-seat-taken: whoever polls finds the whole endpoint.
    seats_[i].store(endpoint, std::memory_order_release);
    if (i >= seats_used_.load(std::memory_order_relaxed)) seats_used_.store(i + 1, std::memory_order_release);
    return i;
  }
  return Error{Status::kResourceLimit, domain_.provider().backend + ": a completion queue serves at most " +
                                           std::to_string(kSeats) + " endpoints; use another queue"};
}

void OfiCompletionQueue::leave(std::uint32_t seat) {
  const std::lock_guard lock(mutex_);
  seats_[seat].store(nullptr, std::memory_order_relaxed);
  std::uint32_t used = seats_used_.load(std::memory_order_relaxed);
  while (used > 0 && seats_[used - 1].load(std::memory_order_relaxed) == nullptr) --used;
  seats_used_.store(used, std::memory_order_relaxed);
}

}  // namespace npf::fabric::ofi
