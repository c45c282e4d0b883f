#include "npu_firmware_shim/aia/core.h"

#include <future>

#include "base/affinity.h"
#include "npu_firmware_shim/aia/denormals.h"

namespace npf::aia {

AiaCore::AiaCore(const AiaCoreOptions& options) : options_(options), ring_(options.queue_depth) {}

Result<std::unique_ptr<AiaCore>> AiaCore::start(const AiaCoreOptions& options) {
  if (options.queue_depth < 1 || options.queue_depth > kQueueDepthMax) {
    return Error{Status::kInvalidArgument, "aia: a queue of " + std::to_string(options.queue_depth) +
                                               " jobs; give 1 to " + std::to_string(kQueueDepthMax)};
  }
  std::unique_ptr<AiaCore> core(new AiaCore(options));
  std::promise<Result<void>> ready;
  auto is_ready = ready.get_future();
  // It goes with the thread: who waits for it may be gone before set_value has returned.
  core->thread_ = std::thread([ready = std::move(ready), self = core.get()]() mutable {
    auto pinned = pin_this_thread(self->options_.core);
    const bool is_pinned = pinned.ok();
    flush_denormals_on_this_thread();
    ready.set_value(std::move(pinned));
    if (is_pinned) self->serve();
  });
  if (auto pinned = is_ready.get(); !pinned.ok()) return pinned.error();
  return core;
}

void AiaCore::stop(StopMode mode) {
  if (stopped_) return;
  stopped_ = true;
  // SYNC aia-draining: whoever sees it sees the count of all that were ever accepted.
  (mode == StopMode::kDrain ? draining_ : cancelling_).store(true, std::memory_order_release);
  ring_bell();
  thread_.join();
  // The thread is gone, so what it left is this one's.
  const std::uint64_t accepted = accepted_.load(std::memory_order_relaxed);
  for (std::uint64_t next = done_.load(std::memory_order_relaxed); next < accepted; ++next) {
    const Job job = ring_[next % ring_.size()];
    finish(job, {Status::kCancelled, 0});
  }
}

}  // namespace npf::aia
