#include <gmock/gmock.h>

#include "fabric/fabric.h"

namespace npf::fabric {

namespace {

using testing::HasSubstr;

TEST(OpenDomain, OpensTheBackendThatTheAddressNames) {
  for (const std::string scheme : {"fake", "shm"}) {
    auto domain = open_domain(scheme + ":name");
    ASSERT_TRUE(domain.ok()) << domain.error().message;
    EXPECT_EQ((*domain)->capabilities().backend, scheme);
  }
}

TEST(OpenDomain, OfAnUnknownBackendListsThoseThereAre) {
  const auto domain = open_domain("foo:name");

  EXPECT_EQ(domain.status(), Status::kUnsupported);
  EXPECT_THAT(domain.error().message, HasSubstr("backend 'foo' is unknown; this build has: fake, "));
  EXPECT_THAT(domain.error().message, HasSubstr(", shm"));
}

TEST(OpenDomain, OfAMalformedAddressSaysSo) {
  EXPECT_EQ(open_domain("").status(), Status::kInvalidArgument);
  EXPECT_EQ(open_domain("no scheme").status(), Status::kInvalidArgument);
}

TEST(HelloBytes, AreKeptUpToTheLimit) {
  std::array<std::byte, kHelloBytesMax + 1> bytes;
  bytes.fill(std::byte{7});

  EXPECT_EQ(Hello().bytes().size(), 0U);
  const std::span<const std::byte> most(bytes.data(), kHelloBytesMax);
  const Hello full(most);
  EXPECT_TRUE(std::ranges::equal(full.bytes(), most));
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // the sanitizers have threads
  EXPECT_DEATH(Hello{bytes}, "kHelloBytesMax");
}

}  // namespace

}  // namespace npf::fabric
