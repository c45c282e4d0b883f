// What is loaded, how it is described, and what is refused with which words.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "npu_firmware_shim/aia/denormals.h"
#include "tests/aia/onnx/onnx_case.h"

namespace npf::aia::onnx {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

using OnnxLoad = OnnxCase;
using BlazefaceLoad = BlazefaceCase;

TEST_F(BlazefaceLoad, IsDescribedByNameDtypeAndShape) {
  const auto model = load(bytes_);
  ASSERT_EQ(model->inputs().size(), 1U);
  EXPECT_EQ(dtype_name(model->inputs()[0].dtype), "float32");
  EXPECT_EQ(shape_name(model->inputs()[0].shape), "[1, 128, 128, 3]");
  EXPECT_EQ(model->inputs()[0].bytes, 196608U);
  ASSERT_EQ(model->outputs().size(), 4U);
  std::uint64_t bytes = 0;
  for (const TensorInfo& output : model->outputs()) {
    EXPECT_FALSE(output.name.empty());
    EXPECT_EQ(output.dtype, kFloat32);
    bytes += output.bytes;
  }
  EXPECT_EQ(bytes, std::uint64_t{512 + 384} * (1 + 16) * sizeof(float))
      << "a score and 16 coordinates an anchor, 896 of them";
}

TEST_F(BlazefaceLoad, ATruncatedModelIsRefusedWithItsSize) {
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{100}, bytes_.size() / 2, bytes_.size() - 1}) {
    const Error error = refusal(bytes_.substr(0, bytes));
    EXPECT_EQ(error.status, Status::kInvalidArgument) << bytes;
    EXPECT_THAT(error.message, AllOf(HasSubstr("onnxruntime 1."), HasSubstr(std::to_string(bytes) + " bytes"),
                                     HasSubstr("truncated, damaged, or no ONNX model")));
  }
}

TEST_F(OnnxLoad, GarbageAndNothingAreRefused) {
  std::string garbage(4096, '\0');
  for (std::size_t i = 0; i < garbage.size(); ++i) garbage[i] = static_cast<char>(i * i * 31 + 7);
  for (const std::string& bytes : {garbage, std::string(1000, '\0'),
                                   std::string("\x7f"
                                               "ELF"),
                                   std::string("{}")}) {
    const Error error = refusal(bytes);
    EXPECT_EQ(error.status, Status::kInvalidArgument) << error.message;
    EXPECT_THAT(error.message, HasSubstr("no ONNX model"));
  }
  EXPECT_THAT(refusal("").message, HasSubstr("0 bytes are no model"));
}

TEST_F(OnnxLoad, AnOperatorOrOpsetThatTheLibraryLacksIsUnsupported) {
  const Value x{"x", kOnnxFloat, {4}};
  const Value y{"y", kOnnxFloat, {4}};
  const Error unknown = refusal(build_model({{{"Frobnicate", {"x"}, {"y"}}}, {x}, {y}}));
  EXPECT_EQ(unknown.status, Status::kUnsupported) << unknown.message;
  EXPECT_THAT(unknown.message, HasSubstr("Frobnicate"));
  const Error late = refusal(build_model({{{"Add", {"x", "x"}, {"y"}}}, {x}, {y}, 9999}));
  EXPECT_EQ(late.status, Status::kUnsupported) << late.message;
  EXPECT_THAT(late.message, HasSubstr("9999"));
}

TEST_F(OnnxLoad, WhatIsNoTensorOfWholeBytesIsUnsupportedByName) {
  const Value words{"words", kOnnxString, {4}};
  const Error strings = refusal(build_model({{{"Identity", {"words"}, {"y"}}}, {words}, {{"y", kOnnxString, {4}}}}));
  EXPECT_EQ(strings.status, Status::kUnsupported);
  EXPECT_THAT(strings.message, AllOf(HasSubstr("'words' has strings as elements"), HasSubstr("cast them")));
  const Value list{"list", kOnnxFloat, {4}, true};
  const Error sequence =
      refusal(build_model({{{"Identity", {"list"}, {"y"}}}, {list}, {{"y", kOnnxFloat, {4}, true}}}));
  EXPECT_EQ(sequence.status, Status::kUnsupported) << sequence.message;
  EXPECT_THAT(sequence.message, HasSubstr("'list' is a sequence"));
}

TEST_F(OnnxLoad, ARankAboveEightIsUnsupportedByName) {
  const std::vector<Extent> nine(9, std::int64_t{1});
  const Error error = refusal(doubling({"deep", kOnnxFloat, nine}, {"y", kOnnxFloat, nine}));
  EXPECT_EQ(error.status, Status::kUnsupported);
  EXPECT_THAT(error.message, AllOf(HasSubstr("rank 9"), HasSubstr("'deep'")));
}

TEST_F(OnnxLoad, DtypesAreTheModels) {
  const auto model = load(build_model({{{"Identity", {"a"}, {"c"}}, {"Identity", {"b"}, {"d"}}},
                                       {{"a", kOnnxInt64, {2}}, {"b", kOnnxDouble, {3}}},
                                       {{"c", kOnnxInt64, {2}}, {"d", kOnnxDouble, {3}}}}));
  EXPECT_EQ(tensor_name(model->inputs()[0]), "'a' int64 [2]");
  EXPECT_EQ(tensor_name(model->inputs()[1]), "'b' float64 [3]");
  EXPECT_EQ(tensor_name(model->outputs()[0]), "'c' int64 [2]");
  EXPECT_EQ(model->outputs()[1].bytes, 24U);
}

TEST_F(OnnxLoad, AScalarIsATensorOfRankNone) {
  const auto model = load(doubling({"x", kOnnxFloat, {}}, {"y", kOnnxFloat, {}}));
  EXPECT_EQ(shape_name(model->inputs()[0].shape), "[]");
  const Buffers buffers(*model);
  buffers.input_as<float>(0)[0] = 21.0F;
  ASSERT_EQ(model->run(buffers.in(), buffers.out()), Status::kOk) << model->last_failure();
  EXPECT_EQ(buffers.output_as<float>(0)[0], 42.0F);
}

std::string batched() {
  return doubling({"x", kOnnxFloat, {"batch", std::int64_t{4}}}, {"y", kOnnxFloat, {"batch", std::int64_t{4}}});
}

TEST_F(OnnxLoad, AnOpenDimensionIsFixedByItsName) {
  for (const std::int64_t batch : {1, 3}) {
    const auto model = load(batched(), {.dimensions = {{"batch", batch}}});
    const std::string shape = "[" + std::to_string(batch) + ", 4]";
    EXPECT_EQ(shape_name(model->inputs()[0].shape), shape);
    EXPECT_EQ(shape_name(model->outputs()[0].shape), shape);
    const Buffers buffers(*model);
    buffers.input_as<float>(0).back() = 1.5F;
    ASSERT_EQ(model->run(buffers.in(), buffers.out()), Status::kOk) << model->last_failure();
    EXPECT_EQ(buffers.output_as<float>(0).back(), 3.0F);
  }
}

TEST_F(OnnxLoad, AnOpenDimensionWithoutASizeIsRefusedByName) {
  const Error error = refusal(batched());
  EXPECT_EQ(error.status, Status::kInvalidArgument);
  EXPECT_THAT(error.message, HasSubstr("dimension 0 of 'x' is open; give a size for 'batch' when loading"));
}

TEST_F(OnnxLoad, AnOpenDimensionWithoutANameIsRefusedByItsPlace) {
  const Error error =
      refusal(doubling({"x", kOnnxFloat, {std::int64_t{2}, ""}}, {"y", kOnnxFloat, {std::int64_t{2}, ""}}));
  EXPECT_EQ(error.status, Status::kInvalidArgument);
  EXPECT_THAT(error.message, HasSubstr("dimension 1 of 'x' is open and has no name"));
}

TEST_F(OnnxLoad, ASizeThatFitsNoDimensionIsRefused) {
  const auto said = [&](std::vector<DimensionSize> dimensions) {
    const Error error = refusal(batched(), {.dimensions = std::move(dimensions)});
    EXPECT_EQ(error.status, Status::kInvalidArgument);
    return error.message;
  };
  EXPECT_THAT(said({{"bacth", 2}}), HasSubstr("no open dimension 'bacth'; open are: 'batch'"));
  EXPECT_THAT(said({{"batch", 0}}), HasSubstr("size 0 for dimension 'batch'; give 1 or more"));
  EXPECT_THAT(said({{"batch", 2}, {"batch", 3}}), HasSubstr("'batch' has two sizes"));
  EXPECT_THAT(said({{"batch", INT64_MAX}}), HasSubstr("more bytes than 63 bits count"));
}

TEST_F(OnnxLoad, LoadingLeavesTheCallersFloatControlAlone) {
  const FloatControl before = float_control();
  ASSERT_FALSE(denormals_are_flushed());
  load(doubling(4));
  EXPECT_EQ(float_control(), before);
  flush_denormals_on_this_thread();
  load(doubling(4));
  EXPECT_TRUE(denormals_are_flushed());
  set_float_control(before);
}

TEST_F(OnnxLoad, TheEngineAndTheBytesMayGoBeforeTheModel) {
  std::unique_ptr<Model> model;
  {
    std::string bytes = doubling(4);
    model = load(bytes);
    std::fill(bytes.begin(), bytes.end(), '\0');
    engine_.reset();
  }
  const Buffers buffers(*model);
  buffers.input_as<float>(0)[3] = 2.0F;
  ASSERT_EQ(model->run(buffers.in(), buffers.out()), Status::kOk);
  EXPECT_EQ(buffers.output_as<float>(0)[3], 4.0F);
}

TEST_F(OnnxLoad, ARingOfNoSlotsIsRefused) {
  EXPECT_THAT(refusal(doubling(4), {.buffers_max = 0}).message, HasSubstr("buffers_max is 0"));
}

}  // namespace
}  // namespace npf::aia::onnx
