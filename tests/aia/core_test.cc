#include "npu_firmware_shim/aia/core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/affinity.h"
#include "npu_firmware_shim/aia/denormals.h"
#include "tests/aia/buffers.h"
#include "tools/npu_bench/allocation_counter.h"

namespace npf::aia {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What one job came to, as told by its done.
struct Told {
  std::atomic<int> calls{0};
  JobOutcome outcome;
  std::thread::id on;

  static void done(void* context, const JobOutcome& outcome) noexcept {
    auto& told = *static_cast<Told*>(context);
    told.outcome = outcome;
    told.on = std::this_thread::get_id();
    told.calls.fetch_add(1, std::memory_order_release);
    told.calls.notify_all();
  }
  void wait() { calls.wait(0, std::memory_order_acquire); }
};

Job job_of(Model& model, const Buffers& buffers, Told& told) {
  return {&model, buffers.in(), buffers.out(), Told::done, &told};
}

std::unique_ptr<AiaCore> start(AiaCoreOptions options = {}) {
  options.core = allowed_cores().back();
  return std::move(AiaCore::start(options)).value();
}

// Says where and how it ran: its output is core number, whether denormals are flushed, and a sum of denormals.
class Witness final : public Model {
 public:
  Witness() : Model({}, {}) {}
  int core = -1;
  bool is_flushed = false;
  float sum = -1;
  std::vector<int> allowed;

 private:
  Status execute(Inputs, Outputs) noexcept override {
    core = ::sched_getcpu();
    is_flushed = denormals_are_flushed();
    allowed = allowed_cores();
    const volatile float denormal = 1e-39F;
    sum = denormal + denormal;
    return Status::kOk;
  }
};

TEST(AiaCore, RunsJobsOnItsPinnedCoreWithDenormalsAsZero) {
  ASSERT_FALSE(denormals_are_flushed()) << "this thread's are not";
  for (const int core : allowed_cores()) {
    auto aia_core = std::move(AiaCore::start({.core = core})).value();
    Witness witness;
    Told told;
    ASSERT_EQ(aia_core->submit({&witness, {}, {}, Told::done, &told}), Status::kOk);
    told.wait();
    EXPECT_EQ(witness.core, core);
    EXPECT_THAT(witness.allowed, ElementsAre(core));
    EXPECT_TRUE(witness.is_flushed);
    EXPECT_EQ(witness.sum, 0.0F);
    EXPECT_NE(told.on, std::this_thread::get_id());
  }
  EXPECT_FALSE(denormals_are_flushed());
}

TEST(AiaCore, ACoreThatDoesNotExistIsRefused) {
  const auto refused = AiaCore::start({.core = CPU_SETSIZE});
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("does not exist or is not allowed here"));
}

TEST(AiaCore, AQueueOfNoneOrTooManyIsRefused) {
  for (const std::uint32_t depth : {0U, AiaCore::kQueueDepthMax + 1}) {
    const auto refused = AiaCore::start({.core = allowed_cores().front(), .queue_depth = depth});
    ASSERT_FALSE(refused.ok());
    EXPECT_THAT(refused.error().message, HasSubstr("a queue of " + std::to_string(depth) + " jobs; give 1 to 4096"));
  }
}

TEST(AiaCore, CountsJobsAndTheTimeTheyTook) {
  const auto core = start();
  const auto model = synthetic_model("synthetic:64:1000:9");
  const Buffers buffers(*model);
  for (int i = 0; i < 3; ++i) {
    Told told;
    ASSERT_EQ(core->submit(job_of(*model, buffers, told)), Status::kOk);
    told.wait();
    EXPECT_EQ(told.outcome.status, Status::kOk);
    EXPECT_GE(told.outcome.busy_ns, 1'000'000U);
  }
  EXPECT_EQ(buffers.output(0)[0], std::byte{9});
  EXPECT_EQ(core->jobs(), 3U);
  EXPECT_GE(core->busy_ns(), 3'000'000U);
}

TEST(AiaCore, AJobThatFailsIsToldWithTheModelsStatus) {
  const auto core = start();
  const auto model = synthetic_model("synthetic:64:0");
  Told told;
  ASSERT_EQ(core->submit({model.get(), {}, {}, Told::done, &told}), Status::kOk);
  told.wait();
  EXPECT_EQ(told.outcome.status, Status::kInvalidArgument);
  EXPECT_THAT(std::string(model->last_failure()), HasSubstr("0 input buffers"));
  EXPECT_EQ(core->jobs(), 1U);
}

TEST(AiaCore, AJobWithoutAModelOrADoneIsRefused) {
  const auto core = start();
  const auto model = synthetic_model("synthetic:64:0");
  EXPECT_EQ(core->submit({nullptr, {}, {}, Told::done, nullptr}), Status::kInvalidArgument);
  EXPECT_EQ(core->submit({model.get(), {}, {}, nullptr, nullptr}), Status::kInvalidArgument);
}

TEST(AiaCore, AFullQueueIsPendingUntilAJobIsDone) {
  const auto core = start({.queue_depth = 2});
  const auto model = synthetic_model("synthetic:64:20000");
  const Buffers buffers(*model);
  Told told[3];
  ASSERT_EQ(core->submit(job_of(*model, buffers, told[0])), Status::kOk);
  ASSERT_EQ(core->submit(job_of(*model, buffers, told[1])), Status::kOk);
  EXPECT_EQ(core->submit(job_of(*model, buffers, told[2])), Status::kPending) << "the one that runs counts";
  told[0].wait();
  EXPECT_EQ(core->submit(job_of(*model, buffers, told[2])), Status::kOk) << "there is room once done is called";
  told[2].wait();
}

TEST(AiaCore, StopDrainsWhatWasAccepted) {
  const auto core = start({.queue_depth = 8});
  const auto model = synthetic_model("synthetic:64:2000");
  const Buffers buffers(*model);
  Told told[8];
  for (Told& each : told) ASSERT_EQ(core->submit(job_of(*model, buffers, each)), Status::kOk);
  core->stop(StopMode::kDrain);
  for (const Told& each : told) {
    EXPECT_EQ(each.calls, 1);
    EXPECT_EQ(each.outcome.status, Status::kOk);
  }
  EXPECT_EQ(core->jobs(), 8U);
  Told late;
  EXPECT_EQ(core->submit(job_of(*model, buffers, late)), Status::kCancelled);
  core->stop(StopMode::kDrain);
  EXPECT_EQ(late.calls, 0);
}

TEST(AiaCore, StopThatCancelsEndsTheRunningJobAndHandsTheOthersBackOnce) {
  const auto core = start({.queue_depth = 8});
  const auto model = synthetic_model("synthetic:64:20000");
  const Buffers buffers(*model);
  Told told[8];
  for (Told& each : told) ASSERT_EQ(core->submit(job_of(*model, buffers, each)), Status::kOk);
  told[0].wait();
  core->stop(StopMode::kCancel);
  std::uint64_t ran = 0;
  for (const Told& each : told) {
    EXPECT_EQ(each.calls, 1);
    if (each.outcome.status == Status::kOk)
      ++ran;
    else
      EXPECT_EQ(each.outcome.status, Status::kCancelled);
  }
  EXPECT_EQ(ran, core->jobs());
  EXPECT_GE(ran, 1U);
  EXPECT_LT(ran, 8U) << "the last ones never ran";
}

TEST(AiaCore, AnIdleOneStopsWhetherItSpinsOrSleeps) {
  for (const std::uint64_t spin_ns : {std::uint64_t{0}, 10 * kNsPerSecond}) {
    for (const StopMode mode : {StopMode::kDrain, StopMode::kCancel}) {
      const auto core = start({.spin_ns = spin_ns});
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      core->stop(mode);
      EXPECT_EQ(core->jobs(), 0U);
    }
  }
}

// A wake-up that is lost leaves a job for ever: many sleeps and submissions that race with them.
TEST(AiaCore, NoSubmissionIsSleptThrough) {
  const auto core = start({.queue_depth = 4, .spin_ns = 0});
  const auto model = synthetic_model("synthetic:64:0");
  const Buffers buffers(*model);
  for (int round = 0; round < 20000; ++round) {
    Told told;
    ASSERT_EQ(core->submit(job_of(*model, buffers, told)), Status::kOk);
    told.wait();
  }
  EXPECT_EQ(core->jobs(), 20000U);
}

// The submitter learns of room by the count alone, not by a done that it waited for: TSan sees whether that is enough.
TEST(AiaCore, AnEntryOfTheRingIsWrittenOnlyAfterItWasRead) {
  const auto core = start({.queue_depth = 2});
  const auto model = synthetic_model("synthetic:64:0");
  const Buffers buffers(*model);
  const auto nothing = [](void*, const JobOutcome&) noexcept {};
  for (int accepted = 0; accepted < 20000;) {
    const Status status = core->submit({model.get(), buffers.in(), buffers.out(), nothing, nullptr});
    ASSERT_FALSE(is_failure(status));
    if (is_ok(status)) ++accepted;
  }
  core->stop(StopMode::kDrain);
  EXPECT_EQ(core->jobs(), 20000U);
}

TEST(AiaCore, JobsAllocateNothing) {
  const auto core = start({.queue_depth = 4, .spin_ns = 0});
  const auto model = synthetic_model("synthetic:64:0");
  const Buffers buffers(*model);
  const std::uint64_t before = npu_bench::allocations_so_far();
  if (before == 0) GTEST_SKIP() << "allocations are not counted in this build: a sanitizer has the allocator";
  for (int round = 0; round < 100; ++round) {
    Told told;
    if (core->submit(job_of(*model, buffers, told)) != Status::kOk) FAIL();
    told.wait();
  }
  EXPECT_EQ(npu_bench::allocations_so_far() - before, 0U);
}

}  // namespace
}  // namespace npf::aia
