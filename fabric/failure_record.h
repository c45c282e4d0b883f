// Whether an endpoint lives, and what ended it first. For backends in which control and data-path thread both may find
// the end.
#pragma once

#include <atomic>
#include <mutex>
#include <utility>

#include "base/result.h"
#include "fabric/fabric.h"

namespace npf::fabric {

// Threads: any; status_to_report the data path's. Blocks: bounded (its mutex); state() never.
// Order: SYNC failure-recorded.
class FailureRecord {
 public:
  // SYNC failure-recorded: whoever sees an endpoint failed finds its cause.
  EndpointState state() const noexcept { return state_.load(std::memory_order_acquire); }
  bool connected() const noexcept { return state() == EndpointState::kConnected; }

  Error first_cause() const {
    const std::lock_guard lock(mutex_);
    return cause_;
  }

  // True: this is the first cause. Later ones only follow from it and are dropped.
  bool fail(Error cause) noexcept { return end(EndpointState::kFailed, std::move(cause)); }

  // By its owner, whatever its state: closed is what it is then. True: it was connected.
  bool close(Error cause) noexcept {
    const bool first = end(EndpointState::kClosed, std::move(cause));
    state_.store(EndpointState::kClosed, std::memory_order_release);
    return first;
  }

  // For a completion of what was not done: the cause on the first one of a failed endpoint, kFlushed on all others.
  Status status_to_report() noexcept {
    if (reported_ || state() != EndpointState::kFailed) return Status::kFlushed;
    reported_ = true;
    return first_cause().status;
  }

 private:
  bool end(EndpointState state, Error cause) noexcept {
    const std::lock_guard lock(mutex_);
    if (!is_ok(cause_.status)) return false;
    cause_ = std::move(cause);
    // SYNC failure-recorded
    state_.store(state, std::memory_order_release);
    return true;
  }

  std::atomic<EndpointState> state_{EndpointState::kConnected};
  bool reported_ = false;  // the data path's
  mutable std::mutex mutex_;
  Error cause_;  // guarded by mutex_
};

}  // namespace npf::fabric
