#include "npu_firmware_shim/aia/synthetic/synthetic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/clock.h"
#include "tests/aia/buffers.h"

namespace npf::aia::synthetic {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

void fill_pattern(std::span<std::byte> bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7 + 1);
}

TEST(AiaSynthetic, DescribesWhatItsTextSays) {
  const auto model = synthetic_model("synthetic:4096:150");
  ASSERT_EQ(model->inputs().size(), 1U);
  ASSERT_EQ(model->outputs().size(), 1U);
  EXPECT_EQ(tensor_name(model->inputs()[0]), "'input' uint8 [4096]");
  EXPECT_EQ(tensor_name(model->outputs()[0]), "'output' uint8 [4096]");
  EXPECT_EQ(model->outputs()[0].bytes, 4096U);
}

TEST(AiaSynthetic, EveryOutputByteIsTheInputsXorTheKey) {
  const auto model = synthetic_model("synthetic:1000:0:165");
  const Buffers buffers(*model);
  fill_pattern(buffers.input(0));
  ASSERT_EQ(model->run(buffers.in(), buffers.out()), Status::kOk);
  for (std::size_t i = 0; i < 1000; ++i) ASSERT_EQ(buffers.output(0)[i], buffers.input(0)[i] ^ std::byte{165}) << i;
}

TEST(AiaSynthetic, WithoutAKeyItCopies) {
  const auto model = synthetic_model("synthetic:77:0\n");
  const Buffers buffers(*model);
  fill_pattern(buffers.input(0));
  ASSERT_EQ(model->run(buffers.in(), buffers.out()), Status::kOk);
  EXPECT_TRUE(std::equal(buffers.input(0).begin(), buffers.input(0).end(), buffers.output(0).begin()));
}

TEST(AiaSynthetic, EdgesLeaveTheMiddleUntouched) {
  const auto model = synthetic_model("synthetic:4096:0:1:edges");
  const Buffers buffers(*model);
  fill_pattern(buffers.input(0));
  ASSERT_EQ(model->run(buffers.in(), buffers.out()), Status::kOk);
  const auto in = buffers.input(0);
  const auto out = buffers.output(0);
  for (std::size_t i = 0; i < kEdgeBytes; ++i) {
    ASSERT_EQ(out[i], in[i] ^ std::byte{1}) << i;
    ASSERT_EQ(out[4095 - i], in[4095 - i] ^ std::byte{1}) << i;
  }
  EXPECT_THAT(std::vector(out.begin() + kEdgeBytes, out.end() - kEdgeBytes), Each(std::byte{0xcd}));
}

TEST(AiaSynthetic, ARunIsBusyForAtLeastTheDeclaredTime) {
  constexpr std::uint64_t kBusyUs = 2000;
  const auto model = synthetic_model("synthetic:64:2000");
  const Buffers buffers(*model);
  timespec cpu_before{};
  timespec cpu_after{};
  for (int run = 0; run < 3; ++run) {
    const std::uint64_t start_ns = monotonic_ns();
    ASSERT_EQ(::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu_before), 0);
    ASSERT_EQ(model->run(buffers.in(), buffers.out()), Status::kOk);
    ASSERT_EQ(::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu_after), 0);
    EXPECT_GE(monotonic_ns() - start_ns, kBusyUs * kNsPerUs);
    EXPECT_GE(model->cost().last_ns, kBusyUs * kNsPerUs);
  }
  EXPECT_GT(cpu_after.tv_nsec != cpu_before.tv_nsec || cpu_after.tv_sec != cpu_before.tv_sec, 0) << "it spins";
}

TEST(AiaSynthetic, AWrongTextIsToldWithTheForm) {
  const struct {
    const char* text;
    const char* said;
  } cases[] = {
      {"", "'' has another form"},
      {"synthetic", "another form"},
      {"synthetic:64", "another form"},
      {"synthetic:64:1:2:all:5", "another form"},
      {"onnx:64:1", "another form"},
      {"synthetic::1", "BYTES is '', not a number from 1 to"},
      {"synthetic:0:1", "BYTES is '0'"},
      {"synthetic:-4:1", "BYTES is '-4'"},
      {"synthetic:99999999999999999999:1", "BYTES is '99999999999999999999'"},
      {"synthetic:64:10000001", "MICROSECONDS is '10000001', not a number from 0 to 10000000"},
      {"synthetic:64:1us", "MICROSECONDS is '1us'"},
      {"synthetic:64:1:256", "KEY is '256', not a number from 0 to 255"},
      {"synthetic:64:1:2:some", "'some' is neither all nor edges"},
  };
  for (const auto& each : cases) {
    const auto refused = parse(each.text);
    ASSERT_FALSE(refused.ok()) << each.text;
    EXPECT_EQ(refused.status(), Status::kInvalidArgument);
    EXPECT_THAT(refused.error().message, HasSubstr(each.said)) << each.text;
    EXPECT_THAT(refused.error().message, HasSubstr("write synthetic:BYTES:MICROSECONDS[:KEY[:all|edges]]"));
  }
}

TEST(AiaSynthetic, ALongTextIsNotQuoted) {
  const auto refused = parse("synthetic:" + std::string(1000, '1'));
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("a text of 1010 bytes"));
  EXPECT_LT(refused.error().message.size(), 200U);
}

TEST(AiaSynthetic, ASizeForADimensionThatItHasNotIsRefused) {
  const auto engine = std::move(open_engine()).value();
  const auto refused = engine->load(bytes_of("synthetic:64:0"), {.dimensions = {{"batch", 2}}});
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("'batch'"));
}

}  // namespace
}  // namespace npf::aia::synthetic
