// The proof that nothing is copied between the caller's buffers and the engine: the addresses that the library is
// handed, and the instructions that touch the pages first. And that we allocate nothing per run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>

#include "npu_firmware_shim/aia/onnx/onnx_model.h"
#include "tests/aia/onnx/onnx_case.h"
#include "tests/aia/onnx/touch_trap.h"
#include "tools/npu_bench/allocation_counter.h"

namespace npf::aia::onnx {
namespace {

using ::testing::ElementsAre;
using ::testing::Not;

// The library's table with a Run that takes notes. Threads: the test's.
class RunWitness {
 public:
  explicit RunWitness(const Ort& real) : real_(real.api), ort_(real) {
    // Not the whole struct: an older library's table ends before the header's does.
    std::memcpy(table_, real.api, kTableBytes);
    auto* const api = reinterpret_cast<OrtApi*>(table_);
    api->Run = noting_run;
    api->CreateTensorWithDataAsOrtValue = counting_create;
    ort_.api = api;
    current = this;
  }
  RunWitness(const RunWitness&) = delete;
  RunWitness& operator=(const RunWitness&) = delete;
  ~RunWitness() { current = nullptr; }

  const Ort& ort() const { return ort_; }
  std::vector<const void*> inputs;         // of the last run
  std::vector<const void*> outputs;        // before it, and
  std::vector<const void*> outputs_after;  // behind it
  std::uint64_t library_allocations = 0;   // of all runs
  std::uint64_t values_made = 0;

 private:
  static constexpr std::size_t kTableBytes = offsetof(OrtApi, SetDeterministicCompute) + sizeof(void*);

  static std::vector<const void*> addresses(const OrtValue* const* values, std::size_t count) {
    std::vector<const void*> found;
    for (std::size_t i = 0; i < count; ++i) {
      void* data = nullptr;
      OrtStatus* const status = current->real_->GetTensorMutableData(const_cast<OrtValue*>(values[i]), &data);
      EXPECT_EQ(status, nullptr);
      found.push_back(data);
    }
    return found;
  }

  // NOLINTNEXTLINE(readability-function-size): the library's own signature
  static OrtStatus* ORT_API_CALL noting_run(OrtSession* session, const OrtRunOptions* options, const char* const* names,
                                            const OrtValue* const* values, size_t count, const char* const* out_names,
                                            size_t out_count, OrtValue** out_values) noexcept {
    const std::uint64_t entered = npu_bench::allocations_so_far();
    current->inputs = addresses(values, count);
    current->outputs = addresses(out_values, out_count);
    OrtStatus* const status =
        current->real_->Run(session, options, names, values, count, out_names, out_count, out_values);
    current->outputs_after = addresses(out_values, out_count);
    // The witness's own vectors are in it too: what counts is what is outside.
    current->library_allocations += npu_bench::allocations_so_far() - entered;
    return status;
  }

  // NOLINTNEXTLINE(readability-function-size): the library's own signature
  static OrtStatus* ORT_API_CALL counting_create(const OrtMemoryInfo* memory, void* data, size_t bytes,
                                                 const int64_t* extents, size_t rank, ONNXTensorElementDataType type,
                                                 OrtValue** value) noexcept {
    ++current->values_made;
    return current->real_->CreateTensorWithDataAsOrtValue(memory, data, bytes, extents, rank, type, value);
  }

  static inline RunWitness* current = nullptr;

  alignas(OrtApi) std::byte table_[sizeof(OrtApi)]{};
  const OrtApi* real_;
  Ort ort_;
};

class OnnxInPlace : public BlazefaceCase {
 protected:
  std::unique_ptr<Model> load_over(const RunWitness& witness, const LoadOptions& options = {}) {
    return std::move(OnnxModel::load(witness.ort(), bytes_of(bytes_), options)).value();
  }
};

TEST_F(OnnxInPlace, TheLibraryIsHandedTheCallersAddressesAndKeepsThem) {
  RunWitness witness(**ort());
  const auto model = load_over(witness);
  for (int slot = 0; slot < 3; ++slot) {
    const Buffers buffers(*model);
    ASSERT_EQ(model->run(buffers.in(), buffers.out()), Status::kOk) << model->last_failure();
    EXPECT_THAT(witness.inputs, ElementsAre(buffers.input(0).data()));
    const auto ours = ElementsAre(buffers.output(0).data(), buffers.output(1).data(), buffers.output(2).data(),
                                  buffers.output(3).data());
    EXPECT_THAT(witness.outputs, ours);
    EXPECT_THAT(witness.outputs_after, ours) << "the library put buffers of its own in their place";
  }
}

TEST_F(OnnxInPlace, AValueIsMadeOncePerAddress) {
  RunWitness witness(**ort());
  const auto model = load_over(witness, {.buffers_max = 4});
  std::vector<std::unique_ptr<Buffers>> ring;
  ring.reserve(4);
  for (int slot = 0; slot < 4; ++slot) ring.push_back(std::make_unique<Buffers>(*model));
  for (int run = 0; run < 20; ++run) {
    const Buffers& slot = *ring[static_cast<std::size_t>(run) % ring.size()];
    ASSERT_EQ(model->run(slot.in(), slot.out()), Status::kOk);
  }
  EXPECT_EQ(witness.values_made, 4U * (1 + 4));
}

TEST_F(OnnxInPlace, ARunAllocatesNothingOutsideTheLibrary) {
  RunWitness witness(**ort());
  const auto model = load_over(witness);
  const Buffers buffers(*model);
  if (npu_bench::allocations_so_far() == 0) {
    GTEST_SKIP() << "allocations are not counted in this build: a sanitizer has the allocator";
  }
  ASSERT_EQ(model->run(buffers.in(), buffers.out()), Status::kOk);
  witness.library_allocations = 0;
  const std::uint64_t before = npu_bench::allocations_so_far();
  for (int run = 0; run < 50; ++run) {
    if (model->run(buffers.in(), buffers.out()) != Status::kOk) FAIL() << model->last_failure();
  }
  const std::uint64_t all = npu_bench::allocations_so_far() - before;
  EXPECT_GT(witness.library_allocations, 0U) << "the counter counts";
  EXPECT_EQ(all - witness.library_allocations, 0U);
}

std::string library_module() {
  const auto* const function = reinterpret_cast<const void*>((*ort())->api->Run);
  return module_of(reinterpret_cast<std::uintptr_t>(function));
}

// The buffers of one run on pages of their own.
struct PagedRun {
  explicit PagedRun(Model& of) : model(of) {
    for (const TensorInfo& tensor : model.inputs()) in_pages.push_back(std::make_unique<Pages>(tensor.bytes));
    for (const TensorInfo& tensor : model.outputs()) out_pages.push_back(std::make_unique<Pages>(tensor.bytes));
    for (std::size_t i = 0; i < in_pages.size(); ++i) in.push_back(in_pages[i]->first(model.inputs()[i].bytes));
    for (std::size_t i = 0; i < out_pages.size(); ++i) out.push_back(out_pages[i]->first(model.outputs()[i].bytes));
  }
  // The first touch of these pages in one run.
  Touch touch_of(const Pages& pages) {
    const TouchTrap trap(pages.all());
    EXPECT_EQ(model.run(in, out), Status::kOk) << model.last_failure();
    return trap.first_touch();
  }

  Model& model;
  std::vector<std::unique_ptr<Pages>> in_pages;
  std::vector<std::unique_ptr<Pages>> out_pages;
  std::vector<std::span<const std::byte>> in;
  std::vector<std::span<std::byte>> out;
};

using OnnxPages = OnnxCase;

TEST_F(OnnxPages, AKernelReadsTheInputsPagesAndWritesTheOutputs) {
#if !defined(__x86_64__)
  GTEST_SKIP() << "the fault's registers are read on x86-64 only";
#endif
  constexpr std::int64_t kElements = 1 << 16;
  const auto model = load(doubling(kElements));
  PagedRun run(*model);
  ASSERT_EQ(model->run(run.in, run.out), Status::kOk) << "warm";
  const Touch read = run.touch_of(*run.in_pages[0]);
  EXPECT_EQ(read.count, 1);
  EXPECT_FALSE(read.is_write);
  EXPECT_EQ(module_of(read.instruction), library_module()) << "not a copy by libc or by us";
  const Touch written = run.touch_of(*run.out_pages[0]);
  EXPECT_EQ(written.count, 1);
  EXPECT_TRUE(written.is_write);
  EXPECT_EQ(module_of(written.instruction), library_module());
}

using BlazefacePages = BlazefaceCase;

// Its last operators are copies themselves (Reshape), so the writer may be libc's memcpy; it is never our code.
TEST_F(BlazefacePages, TheRealModelTouchesEachTensorsPagesWithinTheLibrary) {
#if !defined(__x86_64__)
  GTEST_SKIP() << "the fault's registers are read on x86-64 only";
#endif
  const auto model = load(bytes_);
  PagedRun run(*model);
  ASSERT_EQ(model->run(run.in, run.out), Status::kOk) << "warm";
  const std::string ours = module_of(reinterpret_cast<std::uintptr_t>(&library_module));
  const Touch read = run.touch_of(*run.in_pages[0]);
  EXPECT_EQ(read.count, 1);
  EXPECT_FALSE(read.is_write);
  EXPECT_THAT(module_of(read.instruction), Not(ours));
  for (const auto& pages : run.out_pages) {
    const Touch written = run.touch_of(*pages);
    EXPECT_EQ(written.count, 1);
    EXPECT_TRUE(written.is_write);
    EXPECT_THAT(module_of(written.instruction), Not(ours));
  }
}

}  // namespace
}  // namespace npf::aia::onnx
