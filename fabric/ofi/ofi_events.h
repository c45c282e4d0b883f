// An event queue with a deadline of ours: connection requests, answers, and the end of a connection.
#pragma once

#include <rdma/fi_cm.h>
#include <rdma/fi_eq.h>

#include <cstdint>
#include <vector>

#include "fabric/ofi/ofi_provider.h"

namespace npf::fabric::ofi {

struct Event {
  std::uint32_t type = 0;       // FI_CONNREQ, FI_CONNECTED, FI_SHUTDOWN
  int error = 0;                // positive: it failed, type says nothing
  Info info;                    // of who asks
  std::vector<std::byte> data;  // what the connection manager carried
};

// Threads: one at a time.
class EventQueue {
 public:
  static Result<EventQueue> create(fid_fabric* fabric, const std::string& who);

  fid_eq* get() const { return queue_.get(); }
  int fd() const { return fd_; }
  void close() { queue_.reset(); }

  // Blocks: until an event or the deadline (monotonic_ns): kTimedOut. A signal ends the wait early.
  // After kTimedOut, fd() is readable when there is more.
  Result<Event> wait_event(std::uint64_t deadline_ns) const;

 private:
  EventQueue(fid_fabric* fabric, Fid<fid_eq> queue, int fd) : fabric_(fabric), queue_(std::move(queue)), fd_(fd) {}
  Result<Event> read() const;

  fid_fabric* fabric_;
  Fid<fid_eq> queue_;
  int fd_;
};

}  // namespace npf::fabric::ofi
