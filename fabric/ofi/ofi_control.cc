#include "fabric/ofi/ofi_control.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "fabric/ofi/ofi_endpoint.h"

namespace npf::fabric::ofi {

namespace {

constexpr int kTickMs = 5;  // how long an operation on an idle owner's memory may wait

}  // namespace

Result<std::unique_ptr<OfiControl>> OfiControl::start(const std::string& backend) {
  std::unique_ptr<OfiControl> control(new OfiControl());
  control->epoll_ = ScopedFd(::epoll_create1(EPOLL_CLOEXEC));
  control->nudge_ = ScopedFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
  if (::epoll_ctl(control->epoll_.get(), EPOLL_CTL_ADD, control->nudge_.get(), &event) != 0) {
    return system_error(backend + ": epoll of the control thread", errno);
  }
  control->thread_ = std::thread([raw = control.get()] { raw->run(); });
  return control;
}

OfiControl::~OfiControl() {
  if (!thread_.joinable()) return;
  stopping_.store(true);
  nudge();
  thread_.join();
}

void OfiControl::nudge() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t bytes = ::write(nudge_.get(), &one, sizeof one);
}

void OfiControl::run() {
  while (!stopping_.load()) {
    std::array<epoll_event, 16> events;
    const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), tick() ? kTickMs : -1);
    for (int i = 0; i < count; ++i) {
      auto* const endpoint = static_cast<OfiEndpoint*>(events.at(static_cast<std::size_t>(i)).data.ptr);
      if (endpoint == nullptr) {
        std::uint64_t nudges = 0;
        [[maybe_unused]] const ssize_t bytes = ::read(nudge_.get(), &nudges, sizeof nudges);
        continue;
      }
      const std::lock_guard lock(mutex_);
      if (endpoints_.contains(endpoint)) endpoint->read_events();
    }
  }
}

// False: there is nobody to look after.
bool OfiControl::tick() {
  const std::lock_guard lock(mutex_);
  for (OfiEndpoint* const endpoint : endpoints_) endpoint->progress_if_idle();
  return !endpoints_.empty();
}

Result<void> OfiControl::add(OfiEndpoint& endpoint) {
  const std::lock_guard lock(mutex_);
  epoll_event event{.events = EPOLLIN, .data = {.ptr = &endpoint}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, endpoint.events_fd(), &event) != 0) {
    return system_error("ofi: epoll of the events of " + endpoint.peer(), errno);
  }
  endpoints_.insert(&endpoint);
  nudge();
  endpoint.read_events();  // what came since the last look leaves the descriptor as it is
  return {};
}

void OfiControl::remove(OfiEndpoint& endpoint) {
  const std::lock_guard lock(mutex_);
  if (endpoints_.erase(&endpoint) > 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, endpoint.events_fd(), nullptr);
}

}  // namespace npf::fabric::ofi
