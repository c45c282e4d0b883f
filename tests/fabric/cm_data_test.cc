#include "fabric/cm_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace npf::fabric {

namespace {

Hello hello_of(std::size_t length_bytes) {
  std::vector<std::byte> bytes(length_bytes, std::byte{0x5a});
  return Hello(bytes);
}

TEST(CmHello, KeepsItsLengthThroughTheManagersPadding) {
  for (const std::size_t length_bytes : {std::size_t{0}, std::size_t{1}, kHelloBytesMax}) {
    const CmHello data = encode_cm_hello(hello_of(length_bytes));
    std::vector<std::byte> padded(data.begin(), data.end());
    padded.resize(196);  // what RDMA CM shows of an answer

    const auto hello = decode_cm_hello(padded);

    ASSERT_TRUE(hello.ok()) << hello.error().message;
    EXPECT_EQ(hello->bytes().size(), length_bytes);
    EXPECT_TRUE(std::ranges::all_of(hello->bytes(), [](std::byte byte) { return byte == std::byte{0x5a}; }));
  }
}

TEST(CmHello, OfAnotherProgramIsToldApartFromOneOfAnotherVersion) {
  CmHello other_version = encode_cm_hello(hello_of(3));
  other_version[4] = std::byte{9};

  EXPECT_EQ(decode_cm_hello({}).status(), Status::kProtocol);
  EXPECT_EQ(decode_cm_hello(std::vector<std::byte>(56)).status(), Status::kProtocol);
  const auto refused = decode_cm_hello(other_version);
  EXPECT_EQ(refused.status(), Status::kVersionMismatch);
  EXPECT_THAT(refused.error().message, testing::HasSubstr("version 9"));
}

TEST(CmHello, LongerThanWhatCameIsRefused) {
  const CmHello data = encode_cm_hello(hello_of(kHelloBytesMax));
  EXPECT_EQ(decode_cm_hello(std::span(data).first(kCmDataBytes - 1)).status(), Status::kProtocol);
}

TEST(CmRefusal, BringsItsReason) {
  EXPECT_EQ(decode_cm_refusal(encode_cm_refusal("allocation 17 has expired", 148)), "allocation 17 has expired");
}

TEST(CmRefusal, IsCutToWhatTheManagerCarriesAtTheEndOfACharacter) {
  const std::string reason = std::string(138, 'x') + "\u00fc\u00fc\u00fc";  // two bytes each

  const auto data = encode_cm_refusal(reason, 148);

  EXPECT_LE(data.size(), 148U);
  EXPECT_EQ(decode_cm_refusal(data), reason.substr(0, 140));
}

TEST(CmRefusal, WithoutOursIsEmptyAndUnprintableBytesDoNotReachATerminal) {
  EXPECT_EQ(decode_cm_refusal(std::vector<std::byte>(148)), "");
  EXPECT_EQ(decode_cm_refusal(encode_cm_hello(hello_of(4))), "");
  EXPECT_EQ(decode_cm_refusal(encode_cm_refusal("a\x1b[2Jb", 148)), "a?[2Jb");
}

}  // namespace

}  // namespace npf::fabric
