// The build without ONNX Runtime's headers: compiled beside the other one, so that both are tested on every machine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "npu_firmware_shim/aia/onnx/onnx.h"

namespace npf::aia::onnx {
namespace {

TEST(OnnxAbsent, IsARefusalWithTheNextStep) {
  const auto refused = open_engine();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status(), Status::kUnsupported);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("this build is without it and loads no ONNX model; run "
                                                            "scripts/setup --for onnx and build again"));
}

}  // namespace
}  // namespace npf::aia::onnx
