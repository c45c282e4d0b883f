#include "npu_firmware_shim/aia/core.h"

namespace npf::aia {

Status AiaCore::submit(const Job& job) noexcept {
  if (job.model == nullptr || job.done == nullptr) return Status::kInvalidArgument;
  if (stopped_) return Status::kCancelled;
  const std::uint64_t accepted = accepted_.load(std::memory_order_relaxed);
  // SYNC aia-job-done: whoever sees the count sees that the core has read the entry that is written now.
  if (accepted - done_.load(std::memory_order_acquire) == ring_.size()) return Status::kPending;
  ring_[accepted % ring_.size()] = job;
  // SYNC aia-job-published: whoever sees the count sees the job before it, and the inputs that it names.
  accepted_.store(accepted + 1, std::memory_order_release);
  ring_bell();
  return Status::kOk;
}

// An add, not a store: it is also the barrier between "the job is there" and "nobody sleeps" that a sleeper relies on.
void AiaCore::ring_bell() noexcept {
  bell_.fetch_add(1, std::memory_order_seq_cst);
  bell_.notify_one();  // a system call only where somebody sleeps
}

void AiaCore::serve() noexcept {
  std::uint64_t idle_since_ns = 0;
  while (!cancelling_.load(std::memory_order_relaxed)) {
    if (try_run_one()) {
      idle_since_ns = 0;
    } else if (is_over()) {
      return;
    } else {
      idle(idle_since_ns);
    }
  }
}

bool AiaCore::try_run_one() noexcept {
  const std::uint64_t next = done_.load(std::memory_order_relaxed);
  // SYNC aia-job-published
  if (accepted_.load(std::memory_order_acquire) == next) return false;
  const Job job = ring_[next % ring_.size()];
  const std::uint64_t start_ns = monotonic_ns();
  const Status status = job.model->run(job.inputs, job.outputs);
  const std::uint64_t took_ns = monotonic_ns() - start_ns;
  jobs_.add();
  busy_ns_.add(took_ns);
  finish(job, {status, took_ns});
  return true;
}

// The entry is free before done is called, so that done's submitter finds room at once.
void AiaCore::finish(const Job& job, const JobOutcome& outcome) noexcept {
  // SYNC aia-job-done
  done_.store(done_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  job.done(job.context, outcome);
}

// Nothing is submitted once draining is set, so an empty ring then stays empty.
bool AiaCore::is_over() const noexcept {
  // SYNC aia-draining
  return draining_.load(std::memory_order_acquire) &&
         accepted_.load(std::memory_order_relaxed) == done_.load(std::memory_order_relaxed);
}

void AiaCore::idle(std::uint64_t& idle_since_ns) noexcept {
  const std::uint64_t now_ns = monotonic_ns();
  if (idle_since_ns == 0) idle_since_ns = now_ns;
  if (now_ns - idle_since_ns < options_.spin_ns) return cpu_relax();
  // Read first: what rings after this look is a count that differs, and no sleep.
  const std::uint32_t heard = bell_.load(std::memory_order_seq_cst);
  const bool has_job = accepted_.load(std::memory_order_acquire) != done_.load(std::memory_order_relaxed);
  const bool is_stopping = draining_.load(std::memory_order_relaxed) || cancelling_.load(std::memory_order_relaxed);
  if (!has_job && !is_stopping) bell_.wait(heard, std::memory_order_seq_cst);
}

}  // namespace npf::aia
