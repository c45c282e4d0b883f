#include "fabric/verbs/verbs_completion_queue.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>

#include "base/assert.h"
#include "fabric/verbs/verbs_endpoint.h"

namespace npf::fabric::verbs {

Result<std::unique_ptr<VerbsCompletionQueue>> VerbsCompletionQueue::create(std::shared_ptr<VerbsDevice> device,
                                                                           std::uint32_t depth) {
  const auto limit = static_cast<std::uint32_t>(device->limits().max_cqe);
  if (depth == 0 || depth > limit) {
    return Error{Status::kInvalidArgument, "verbs: a completion queue of depth " + std::to_string(depth) +
                                               "; allowed: 1 to " + std::to_string(limit) + " (max_cqe of " +
                                               device->name() + ")"};
  }
  std::unique_ptr<VerbsCompletionQueue> queue(new VerbsCompletionQueue(std::move(device), depth));
  if (auto opened = queue->open(); !opened.ok()) return opened.error();
  return queue;
}

VerbsCompletionQueue::VerbsCompletionQueue(std::shared_ptr<VerbsDevice> device, std::uint32_t depth)
    : device_(std::move(device)), depth_(depth), seats_(std::make_unique<std::array<Seat, Token::kSeats>>()) {}

Result<void> VerbsCompletionQueue::open() {
  const auto failed = [&](const char* what) {
    return system_error("verbs: " + std::string(what) + " on " + device_->name(), errno);
  };
  channel_ = ibv_create_comp_channel(device_->context());
  if (channel_ == nullptr) return failed("ibv_create_comp_channel");
  ::fcntl(channel_->fd, F_SETFL, ::fcntl(channel_->fd, F_GETFL) | O_NONBLOCK);
  // Each endpoint may have one idle probe more than its depths.
  constexpr std::uint32_t kProbes = 64;
  const std::uint32_t entries = std::min(depth_ + kProbes, static_cast<std::uint32_t>(device_->limits().max_cqe));
  queue_ = ibv_create_cq(device_->context(), static_cast<int>(entries), this, channel_, 0);
  if (queue_ == nullptr) return failed("ibv_create_cq");
  event_ = ScopedFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  epoll_ = ScopedFd(::epoll_create1(EPOLL_CLOEXEC));
  for (const int fd : {channel_->fd, event_.get()}) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return failed("epoll of a completion queue");
  }
  return {};
}

VerbsCompletionQueue::~VerbsCompletionQueue() {
  // Queue pairs point here; whoever destroys the queue first has a bug that would otherwise show much later.
  NPF_ASSERT(promised_ == 0);
  if (queue_ != nullptr) {
    disarm();  // ibv_destroy_cq waits for every event to be acknowledged
    ibv_destroy_cq(queue_);
  }
  if (channel_ != nullptr) ibv_destroy_comp_channel(channel_);
}

void VerbsCompletionQueue::arm() noexcept {
  armed_ = true;
  ibv_req_notify_cq(queue_, 0);
}

void VerbsCompletionQueue::disarm() noexcept {
  armed_ = false;
  std::uint64_t wakeups = 0;
  [[maybe_unused]] const ssize_t bytes = ::read(event_.get(), &wakeups, sizeof wakeups);  // EAGAIN: nobody woke us
  unsigned events = 0;
  ibv_cq* queue = nullptr;
  void* context = nullptr;
  while (ibv_get_cq_event(channel_, &queue, &context) == 0) ++events;
  if (events > 0) ibv_ack_cq_events(queue_, events);
}

void VerbsCompletionQueue::wake() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t bytes = ::write(event_.get(), &one, sizeof one);  // EAGAIN: it is readable already
}

void VerbsCompletionQueue::report_failure() noexcept {
  // SYNC somebody-failed: whoever sees it finds the endpoint failed.
  somebody_failed_.store(true, std::memory_order_release);
  wake();
}

void VerbsCompletionQueue::flush_failed() noexcept {
  somebody_failed_.store(false, std::memory_order_relaxed);
  // SYNC somebody-failed
  std::atomic_thread_fence(std::memory_order_acquire);
  const std::lock_guard lock(mutex_);
  for (Seat& seat : *seats_) {
    VerbsEndpoint* const endpoint = seat.endpoint.load(std::memory_order_relaxed);
    if (endpoint != nullptr && endpoint->state() != EndpointState::kConnected) endpoint->flush();
  }
}

Result<Token> VerbsCompletionQueue::join(VerbsEndpoint* endpoint, std::uint32_t completions) {
  const std::lock_guard lock(mutex_);
  if (completions > depth_ - promised_) {
    return Error{Status::kResourceLimit, "verbs: an endpoint with depths of " + std::to_string(completions) +
                                             " together does not fit in a completion queue of depth " +
                                             std::to_string(depth_) + " of which " + std::to_string(promised_) +
                                             " are taken; create it deeper"};
  }
  for (std::uint32_t tries = 0; tries < Token::kSeats; ++tries) {
    next_seat_ = (next_seat_ + 1) % Token::kSeats;
    Seat& seat = (*seats_)[next_seat_];
    if (seat.endpoint.load(std::memory_order_relaxed) != nullptr) continue;
    promised_ += completions;
    seat.holder = (seat.holder + 1) & 0xffffU;
    // SYNC seat-taken: whoever polls a completion finds the endpoint that was there before it was posted.
    seat.endpoint.store(endpoint, std::memory_order_release);
    return Token{.seat = next_seat_, .holder = seat.holder};
  }
  return Error{Status::kResourceLimit, "verbs: a completion queue serves at most " + std::to_string(Token::kSeats) +
                                           " endpoints; use another queue"};
}

// Its queue pair is gone, so nothing more comes. A device need not forget what it has queued for it, and that would take
// the place of who comes next.
void VerbsCompletionQueue::leave(const Token& token, std::uint32_t completions) {
  const auto is_its = [&](const ibv_wc& work) {
    const Token whose = Token::decode(work.wr_id);
    return whose.seat == token.seat && whose.holder == token.holder;
  };
  std::erase_if(stashed_, is_its);
  std::array<ibv_wc, kBatch> works;
  for (int count = 0; (count = ibv_poll_cq(queue_, works.size(), works.data())) > 0;) {
    std::copy_if(works.begin(), works.begin() + count, std::back_inserter(stashed_), std::not_fn(is_its));
  }
  if (!stashed_.empty()) wake();  // the device will not tell of them again
  const std::lock_guard lock(mutex_);
  (*seats_)[token.seat].endpoint.store(nullptr, std::memory_order_relaxed);
  promised_ -= completions;
}

}  // namespace npf::fabric::verbs
