// An AIA core: one pinned thread that runs models, one job after another. Not the choice of what runs next: whoever
// submits decides that by submitting.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/counters.h"
#include "npu_firmware_shim/aia/engine.h"

namespace npf::aia {

// What a job came to.
struct JobOutcome {
  Status status = Status::kOk;  // run()'s, or kCancelled: it never ran
  std::uint64_t busy_ns = 0;    // in run(); 0 for a cancelled one
};

// One run of one model. The model, the buffers and both arrays of spans are the submitter's and stay until done is
// called; a model is in the jobs of one core at a time.
struct Job {
  Model* model = nullptr;
  Inputs inputs;
  Outputs outputs;
  // Called once for each accepted job, in the order of submission: on the core's thread, or on that of stop() for the
  // jobs it cancels. Must not throw, block, or call stop(). model->last_failure() is stable inside.
  void (*done)(void* context, const JobOutcome& outcome) noexcept = nullptr;
  void* context = nullptr;
};

struct AiaCoreOptions {
  int core = 0;                           // to pin to, as in base/affinity.h
  std::uint32_t queue_depth = 16;         // jobs accepted and not yet done; 1 to kQueueDepthMax
  std::uint64_t spin_ns = 50 * kNsPerUs;  // idle for so long, then asleep; 0: asleep at once
};

enum class StopMode : std::uint8_t {
  kDrain,   // runs what was accepted
  kCancel,  // ends the job that runs, and hands the others back as kCancelled
};

// Threads: submit() and stop() one, the submitter's; jobs(), busy_ns() any. Blocks: submit() never; stop() bounded by the
//   job that runs (kCancel) or by all that were accepted (kDrain).
// Owns: its thread, on which denormals are zero. Allocates nothing after start().
// Order: SYNC aia-job-published, SYNC aia-job-done, SYNC aia-draining.
class AiaCore {
 public:
  static constexpr std::uint32_t kQueueDepthMax = 4096;

  // Returns when the thread is pinned and ready. Fails with pin_this_thread's sentence, or for a depth out of range.
  static Result<std::unique_ptr<AiaCore>> start(const AiaCoreOptions& options);

  AiaCore(const AiaCore&) = delete;
  AiaCore& operator=(const AiaCore&) = delete;
  ~AiaCore() { stop(StopMode::kCancel); }

  // kPending: queue_depth jobs are accepted and not done; try again after a done. kCancelled: after stop().
  // kInvalidArgument: without a model or a done.
  Status submit(const Job& job) noexcept;

  // Every accepted job has had its done when it returns. The second call does nothing.
  void stop(StopMode mode);

  std::uint64_t jobs() const noexcept { return jobs_.value(); }        // that ran, failed ones too
  std::uint64_t busy_ns() const noexcept { return busy_ns_.value(); }  // in run(), all together

 private:
  explicit AiaCore(const AiaCoreOptions& options);

  void serve() noexcept;
  bool try_run_one() noexcept;
  bool is_over() const noexcept;
  void idle(std::uint64_t& idle_since_ns) noexcept;
  void finish(const Job& job, const JobOutcome& outcome) noexcept;
  void ring_bell() noexcept;

  const AiaCoreOptions options_;
  std::vector<Job> ring_;
  std::thread thread_;
  bool stopped_ = false;  // the submitter's own

  std::atomic<std::uint64_t> jobs_cell_{0};
  std::atomic<std::uint64_t> busy_ns_cell_{0};
  Counter jobs_{&jobs_cell_};
  Counter busy_ns_{&busy_ns_cell_};

  static constexpr std::size_t kCacheLine = 64;
  alignas(kCacheLine) std::atomic<std::uint64_t> accepted_{0};  // written by the submitter
  std::atomic<bool> draining_{false};
  std::atomic<bool> cancelling_{false};
  // Counts what the thread may have slept through. 32 bits: what a futex compares.
  std::atomic<std::uint32_t> bell_{0};
  alignas(kCacheLine) std::atomic<std::uint64_t> done_{0};  // written by the core, and by stop() after it
};

}  // namespace npf::aia
