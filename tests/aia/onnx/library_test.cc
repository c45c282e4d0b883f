// Which library is loaded, and what is said when there is none. Each case is a process of its own: one that loaded a
// library keeps it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "npu_firmware_shim/aia/onnx/onnx.h"
#include "tests/aia/onnx/onnx_case.h"

namespace npf::aia::onnx {
namespace {

using OnnxLibrary = OnnxCase;

[[noreturn]] void tell_refusal(const char* variable, const char* value) {
  ::setenv(variable, value, 1);
  const auto opened = onnx::open_engine();
  std::fprintf(stderr, "%s", opened.ok() ? "opened" : opened.error().message.c_str());
  std::exit(opened.status() == Status::kUnsupported ? 0 : 1);
}

class OnnxLibraryAbsent : public ::testing::Test {
 protected:
  void SetUp() override { ::testing::FLAGS_gtest_death_test_style = "threadsafe"; }
};

TEST_F(OnnxLibraryAbsent, OneThatIsNotThereIsNamedWithTheNextStep) {
  EXPECT_EXIT(tell_refusal("NPF_ONNXRUNTIME", "/nowhere/libonnxruntime.so"), ::testing::ExitedWithCode(0),
              "no ONNX model can be loaded .*/nowhere/libonnxruntime.so.*run scripts/setup --for onnx");
}

TEST_F(OnnxLibraryAbsent, ALibraryThatIsNoneIsRefused) {
  EXPECT_EXIT(tell_refusal("NPF_ONNXRUNTIME", "libm.so.6"), ::testing::ExitedWithCode(0),
              "libm.so.6 has no function OrtGetApiBase.*set NPF_ONNXRUNTIME");
}

TEST_F(OnnxLibrary, SaysItsVersionAndItsPath) {
  const auto loaded = ort();
  ASSERT_TRUE(loaded.ok());
  EXPECT_THAT((*loaded)->version, ::testing::StartsWith("1."));
  EXPECT_THAT((*loaded)->path, ::testing::HasSubstr("libonnxruntime.so"));
  EXPECT_EQ(ort().value(), *loaded) << "the same each time";
}

TEST_F(OnnxLibrary, IsToldToReportNothing) { EXPECT_STREQ(std::getenv("ORT_DISABLE_TELEMETRY"), "1"); }

}  // namespace
}  // namespace npf::aia::onnx
