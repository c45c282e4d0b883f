#include "npu_firmware_shim/aia/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/aia/buffers.h"
#include "tools/npu_bench/allocation_counter.h"

namespace npf::aia {
namespace {

using ::testing::HasSubstr;

TEST(AiaEngine, AnUnknownOneIsRefusedWithThoseThatThereAre) {
  const auto refused = open_engine("tpu");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status(), Status::kUnsupported);
  EXPECT_THAT(refused.error().message, HasSubstr("engine 'tpu' is unknown; there are: onnxruntime, synthetic"));
}

TEST(AiaEngine, TheBytesOfAModelSayWhichEngineTheyAreFor) {
  EXPECT_EQ(engine_name_of(bytes_of("synthetic:64:1")), "synthetic");
  EXPECT_EQ(engine_name_of(bytes_of("synthetic")), "onnxruntime");
  EXPECT_EQ(engine_name_of(bytes_of("\x08\x07\x12")), "onnxruntime");
  EXPECT_EQ(engine_name_of({}), "onnxruntime");
}

TEST(AiaModel, AWrongCountOfBuffersIsRefusedBeforeAnythingIsWritten) {
  const auto model = synthetic_model("synthetic:64:0");
  const Buffers buffers(*model);
  EXPECT_EQ(model->last_failure(), "");
  EXPECT_EQ(model->run({}, buffers.out()), Status::kInvalidArgument);
  EXPECT_THAT(std::string(model->last_failure()), HasSubstr("0 input buffers for a model of 1"));
  EXPECT_EQ(model->run(buffers.in(), {}), Status::kInvalidArgument);
  EXPECT_THAT(std::string(model->last_failure()), HasSubstr("0 output buffers for a model of 1"));
  EXPECT_EQ(buffers.output(0)[0], std::byte{0xcd});
  EXPECT_EQ(model->cost().runs, 0U);
}

TEST(AiaModel, AWrongSizeIsRefusedByNameOnBothSides) {
  const auto model = synthetic_model("synthetic:64:0");
  const Buffers buffers(*model);
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{63}}) {
    const std::vector<std::span<const std::byte>> in{buffers.in()[0].first(bytes)};
    EXPECT_EQ(model->run(in, buffers.out()), Status::kInvalidArgument);
    EXPECT_EQ(std::string(model->last_failure()),
              "aia: the buffer for input 'input' has " + std::to_string(bytes) + " bytes; give exactly 64");
    const std::vector<std::span<std::byte>> out{buffers.output(0).first(bytes)};
    EXPECT_EQ(model->run(buffers.in(), out), Status::kInvalidArgument);
    EXPECT_THAT(std::string(model->last_failure()), HasSubstr("output 'output' has " + std::to_string(bytes)));
  }
}

// Two float tensors, and a run that fails when it is told to.
class Halves final : public Model {
 public:
  Halves() : Model({tensor("x")}, {tensor("y")}) {}
  Status next = Status::kOk;

 private:
  static TensorInfo tensor(const char* name) {
    const std::int64_t extents[] = {4};
    return TensorInfo::make(name, kFloat32, Shape::make(extents).value()).value();
  }
  Status execute(Inputs, Outputs) noexcept override {
    return is_ok(next) ? next : fail(next, "%s", std::string(2000, 'x').c_str());
  }
};

TEST(AiaModel, ABufferThatElementsDoNotFitIntoIsRefused) {
  Halves model;
  alignas(16) std::byte memory[40]{};
  const std::span<const std::byte> in[] = {{memory + 1, 16}};
  const std::span<std::byte> out[] = {{memory + 20, 16}};
  EXPECT_EQ(model.run(in, out), Status::kInvalidArgument);
  EXPECT_THAT(std::string(model.last_failure()), HasSubstr("give an address that is a multiple of 4"));
}

TEST(AiaModel, AFailedRunKeepsItsSentenceCutAndCostsNothing) {
  Halves model;
  const Buffers buffers(model);
  model.next = Status::kSystem;
  EXPECT_EQ(model.run(buffers.in(), buffers.out()), Status::kSystem);
  EXPECT_EQ(model.last_failure(), std::string(511, 'x'));
  EXPECT_EQ(model.cost().runs, 0U);
  model.next = Status::kOk;
  EXPECT_EQ(model.run(buffers.in(), buffers.out()), Status::kOk) << "the model stays usable";
  EXPECT_EQ(model.cost().runs, 1U);
}

TEST(AiaModel, CostCountsRunsAndFollowsTheLastOnes) {
  const auto model = synthetic_model("synthetic:64:500");
  const Buffers buffers(*model);
  EXPECT_EQ(model->cost().last_ns, 0U);
  ASSERT_EQ(model->run(buffers.in(), buffers.out()), Status::kOk);
  const RunCost first = model->cost();
  EXPECT_EQ(first.runs, 1U);
  EXPECT_GE(first.last_ns, 500'000U);
  EXPECT_EQ(first.ewma_ns, first.last_ns);
  ASSERT_EQ(model->run(buffers.in(), buffers.out()), Status::kOk);
  const RunCost second = model->cost();
  EXPECT_EQ(second.runs, 2U);
  EXPECT_NEAR(static_cast<double>(second.ewma_ns),
              static_cast<double>(first.ewma_ns) * 7 / 8 + static_cast<double>(second.last_ns) / 8, 2.0);
}

TEST(AiaModel, ARunAllocatesNothing) {
  const auto model = synthetic_model("synthetic:4096:0");
  const Buffers buffers(*model);
  const std::uint64_t before = npu_bench::allocations_so_far();
  if (before == 0) GTEST_SKIP() << "allocations are not counted in this build: a sanitizer has the allocator";
  for (int run = 0; run < 100; ++run) ASSERT_EQ(model->run(buffers.in(), buffers.out()), Status::kOk);
  EXPECT_EQ(model->run({}, {}), Status::kInvalidArgument);
  EXPECT_EQ(npu_bench::allocations_so_far() - before, 0U);
}

}  // namespace
}  // namespace npf::aia
