// What wakes a sleeper when a provider's completion queue has something: one descriptor of the provider's, or its sockets.
#pragma once

#include <poll.h>
#include <rdma/fi_eq.h>

#include <array>
#include <cstdint>
#include <span>

#include "fabric/ofi/ofi_provider.h"

namespace npf::fabric::ofi {

// Watched by the epoll of whoever sleeps only while somebody sleeps: each message would pay for it otherwise (provider
// tcp, 64 B hop: 2 us of 17).
// Threads: the data path's.
class OfiWait {
 public:
  // Opens a completion queue with the cheaper kind that the provider has. attributes: all but wait_obj.
  // The error is the provider's, negative.
  static int open(fid_domain* domain, fi_cq_attr attributes, Fid<fid_cq>& queue, OfiWait& wait);

  bool watched() const noexcept { return count_ > 0; }

  // Brings the epoll up to date with what the provider waits for now. False: it cannot, so nobody may sleep.
  bool watch(int epoll, fid_cq& queue) noexcept;
  void unwatch(int epoll) noexcept;

 private:
  static constexpr std::size_t kDescriptorsMax = 8;  // provider tcp has three
  using Descriptors = std::array<pollfd, kDescriptorsMax>;

  std::size_t ask(fid_cq& queue, Descriptors& descriptors) const noexcept;
  bool is_watched(const pollfd& descriptor) const noexcept;

  bool by_list_ = false;
  Descriptors watched_{};
  std::size_t count_ = 0;
};

}  // namespace npf::fabric::ofi
