#include "base/ip_address.h"

#include <gtest/gtest.h>

namespace npf {
namespace {

TEST(IpAddress, IsWrittenAsItWasRead) {
  for (const char* text : {"10.9.0.1", "127.0.0.1", "fd00::2", "::1", "fe80::1", "fe80::1%lo"}) {
    const auto parsed = parse_ip(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(text_of(*parsed), text);
  }
}

TEST(IpAddress, OfVersion4IsTheMappedOneOfVersion6) { EXPECT_EQ(*parse_ip("10.9.0.1"), *parse_ip("::ffff:10.9.0.1")); }

TEST(IpAddress, RefusesWhatIsNone) {
  for (const char* text : {"", "10.9.0", "10.9.0.256", "host", "fe80::1%", "fe80::1%no-such-device", "1.2.3.4%lo"}) {
    const auto parsed = parse_ip(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.status(), Status::kInvalidArgument);
    EXPECT_NE(parsed.error().message.find(text), std::string::npos);
  }
}

TEST(IpAddress, KnowsWhatItIsFor) {
  const struct {
    const char* text;
    bool v4, loopback, link_local, any;
  } cases[] = {
      {"10.9.0.1", true, false, false, false},   {"127.3.0.1", true, true, false, false},
      {"169.254.1.1", true, false, true, false}, {"0.0.0.0", true, false, false, true},
      {"::1", false, true, false, false},        {"fe80::1", false, false, true, false},
      {"fec0::1", false, false, false, false},   {"::", false, false, false, true},
  };
  for (const auto& each : cases) {
    const IpAddress address = parse_ip(each.text).value();
    EXPECT_EQ(address.is_v4(), each.v4) << each.text;
    EXPECT_EQ(address.is_loopback(), each.loopback) << each.text;
    EXPECT_EQ(address.is_link_local(), each.link_local) << each.text;
    EXPECT_EQ(address.is_any(), each.any) << each.text;
  }
}

}  // namespace
}  // namespace npf
