#include "fabric/ofi/ofi_wait.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

namespace npf::fabric::ofi {

int OfiWait::open(fid_domain* domain, fi_cq_attr attributes, Fid<fid_cq>& queue, OfiWait& wait) {
  int failed = 0;
  // Polling sockets is cheaper than asking an epoll about them, which each arrival has to tell.
  for (const fi_wait_obj kind : {FI_WAIT_POLLFD, FI_WAIT_FD}) {
    attributes.wait_obj = kind;
    fid_cq* opened = nullptr;
    failed = ::fi_cq_open(domain, &attributes, &opened, nullptr);
    if (failed != 0) continue;
    queue.reset(opened);
    wait.by_list_ = kind == FI_WAIT_POLLFD;
    return 0;
  }
  return failed;
}

// The first of a list is libfabric's own, and tells that the list has changed; it stays readable while nobody blocks
// inside libfabric. Here the list is asked for anew before each sleep.
std::size_t OfiWait::ask(fid_cq& queue, Descriptors& descriptors) const noexcept {
  if (!by_list_) {
    descriptors[0] = {-1, POLLIN, 0};
    return ::fi_control(&queue.fid, FI_GETWAIT, &descriptors[0].fd) == 0 ? 1 : 0;
  }
  fi_wait_pollfd list{.change_index = 0, .nfds = descriptors.size(), .fd = descriptors.data()};
  if (::fi_control(&queue.fid, FI_GETWAIT, &list) != 0 || list.nfds == 0) return 0;
  std::copy(descriptors.begin() + 1, descriptors.begin() + static_cast<std::ptrdiff_t>(list.nfds), descriptors.begin());
  return list.nfds - 1;
}

bool OfiWait::is_watched(const pollfd& descriptor) const noexcept {
  return std::any_of(watched_.begin(), watched_.begin() + static_cast<std::ptrdiff_t>(count_),
                     [&](const pollfd& each) { return each.fd == descriptor.fd && each.events == descriptor.events; });
}

bool OfiWait::watch(int epoll, fid_cq& queue) noexcept {
  Descriptors now;
  const std::size_t count = ask(queue, now);
  const bool same = count == count_ && std::all_of(now.begin(), now.begin() + static_cast<std::ptrdiff_t>(count),
                                                   [&](const pollfd& each) { return is_watched(each); });
  if (same) return count > 0;
  unwatch(epoll);
  for (std::size_t i = 0; i < count; ++i) {
    static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT);
    epoll_event event{.events = static_cast<std::uint32_t>(now[i].events), .data = {.fd = now[i].fd}};
    if (::epoll_ctl(epoll, EPOLL_CTL_ADD, now[i].fd, &event) != 0) return false;
    watched_[count_++] = now[i];
  }
  return count > 0;
}

void OfiWait::unwatch(int epoll) noexcept {
  for (; count_ > 0; --count_) ::epoll_ctl(epoll, EPOLL_CTL_DEL, watched_[count_ - 1].fd, nullptr);
}

}  // namespace npf::fabric::ofi
