#include "tools/npu_bench/baseline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace npf::npu_bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr double kMib = 1 << 20;

// What perftest 4.5 (Version 6.06) printed in a guest of scripts/rxe.
std::string fixture(const std::string& name) {
  std::ifstream file(NPF_FIXTURES "/" + name);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

Baseline parsed(const std::string& text, npu_bench::Test test) {
  auto baseline = parse_baseline("file", text, test);
  EXPECT_TRUE(baseline.ok()) << baseline.error().message;
  return baseline.ok() ? *baseline : Baseline{};
}

std::string refusal(const std::string& text, npu_bench::Test test) {
  const auto baseline = parse_baseline("file", text, test);
  EXPECT_FALSE(baseline.ok());
  return baseline.ok() ? "" : baseline.error().message;
}

TEST(Baseline, TakesTheTypicalTimeOfALatencyTable) {
  const Baseline write = parsed(fixture("ib_write_lat.txt"), npu_bench::Test::kLat);
  EXPECT_EQ(write.value(64), 7981.40);
  EXPECT_EQ(write.value(128), std::nullopt);
  EXPECT_EQ(parsed(fixture("ib_send_lat.txt"), npu_bench::Test::kLat).value(4096), 55.86);
}

TEST(Baseline, TakesMegabytesOfTwoToTheTwentyAndGigabits) {
  EXPECT_DOUBLE_EQ(*parsed(fixture("ib_write_bw.txt"), npu_bench::Test::kBw).value(65536), 17.25 * kMib / 1e9);
  EXPECT_DOUBLE_EQ(*parsed(fixture("ib_write_bw_gbits.txt"), npu_bench::Test::kBw).value(65536), 0.26 / 8);
}

TEST(Baseline, TakesJsonThatIsNotQuiteJson) {
  EXPECT_EQ(parsed(fixture("ib_write_lat.json"), npu_bench::Test::kLat).value(64), 4897.14);
  EXPECT_DOUBLE_EQ(*parsed(fixture("ib_write_bw.json"), npu_bench::Test::kBw).value(32768), 6.85 * kMib / 1e9);
}

TEST(Baseline, TellsTheUnitOfJsonByItsRateOfMessages) {
  EXPECT_DOUBLE_EQ(*parsed(fixture("ib_write_bw_gbits.json"), npu_bench::Test::kBw).value(65536), 0.24 / 8);
  EXPECT_THAT(refusal("{results: {\nMsgSize: 65536,\nBW_average: 100,\nMsgRate: 0.000251,\n}}", npu_bench::Test::kBw),
              HasSubstr("file:1: BW_average '100' is neither MiB/s nor Gb/s of MsgRate '0.000251'"));
}

// Client and server that were given the same --out_json_file wrote over each other.
TEST(Baseline, RefusesJsonThatTwoWrote) {
  EXPECT_THAT(refusal(fixture("ib_write_lat_torn.json"), npu_bench::Test::kLat),
              HasSubstr("file:28: expected ':' behind 'percentile_99.9'"));
}

TEST(Baseline, TakesAllSizesOfOneTable) {
  const Baseline all = parsed(fixture("ib_write_bw_all.txt"), npu_bench::Test::kBw);
  EXPECT_EQ(all.value(2), std::nullopt);
  EXPECT_THAT(all.notes, ElementsAre(HasSubstr("BW_average of 2 bytes is '0.00', which is no measurement")));
  EXPECT_DOUBLE_EQ(*all.value(4096), 19.56 * kMib / 1e9);
  EXPECT_EQ(all.value_of_bytes.size(), 14U);
}

TEST(Baseline, TakesProperJsonWithListsToo) {
  const Baseline both = parsed(
      R"({"results": [{"MsgSize": 64, "t_typical": 9.5}, {"MsgSize": 128, "BW_average": 1.5, "MsgRate": 0.0123}]})",
      npu_bench::Test::kLat);
  EXPECT_EQ(both.value(64), 9.5);
  EXPECT_EQ(both.value(128), std::nullopt);
}

TEST(Baseline, TakesTheRowsOfItsTestFromSeveralTablesInOneFile) {
  const std::string all = fixture("ib_write_lat.txt") + fixture("ib_send_lat.txt") + fixture("ib_write_bw.txt");
  const Baseline lat = parsed(all, npu_bench::Test::kLat);
  EXPECT_EQ(lat.value_of_bytes.size(), 2U);
  EXPECT_EQ(lat.value(4096), 55.86);
  EXPECT_EQ(parsed(all, npu_bench::Test::kBw).value_of_bytes.size(), 1U);
}

TEST(Baseline, SkipsWarningsBetweenHeaderAndRow) {
  EXPECT_EQ(parsed(" #bytes #iterations t_min[usec] t_typical[usec] 99% percentile[usec]\n"
                   "Conflicting CPU frequency values detected: 2400.000000 != 3000.000000.\n"
                   " 64 1000 1.0 2.5 3.0\n",
                   npu_bench::Test::kLat)
                .value(64),
            2.5);
}

TEST(Baseline, TakesWhatIsNoNumberOfTimeForMissingAndSaysSo) {
  for (const char* text : {"inf", "-nan", "0.00"}) {
    const Baseline baseline =
        parsed(" #bytes #iterations t_typical[usec]\n 64 1000 " + std::string(text) + "\n 128 1000 2.5\n",
               npu_bench::Test::kLat);
    EXPECT_EQ(baseline.value(64), std::nullopt) << text;
    EXPECT_EQ(baseline.value(128), 2.5) << text;
    EXPECT_THAT(baseline.notes, ElementsAre(HasSubstr("file:2: t_typical of 64 bytes is '" + std::string(text) + "'")));
  }
  EXPECT_THAT(parsed(fixture("ib_write_lat.txt"), npu_bench::Test::kLat).notes, IsEmpty());
}

TEST(Baseline, NamesFileLineAndWhatWasExpected) {
  const std::string header = " #bytes #iterations t_min[usec] t_typical[usec]\n";
  struct Case {
    std::string text;
    const char* says;
  };
  for (const Case& each : {
           Case{"", "file: no row with t_typical; expected what perftest's ib_write_lat or ib_send_lat prints"},
           Case{fixture("ib_write_bw.txt"), "no row with t_typical"},
           Case{" 64 1000 1.0 2.0\n", "no row with t_typical"},
           Case{header + " 64 1000 1.0\n", "file:2: 3 values in a row; expected 4"},
           Case{header + " 64 1000 1.0 2.0usec\n", "file:2: t_typical '2.0usec' is no number"},
           Case{header + " 64 1000 1.0 2.0\n 64 1000 1.0 2.0\n", "file:3: size 64 stands there twice"},
           Case{header + " 0 1000 1.0 2.0\n", "file:2: size '0' is no count of bytes"},
           Case{header + " 99999999999999999999 1000 1.0 2.0\n", "is no count of bytes"},
           Case{"{\nresults: {\nMsgSize 64", "file:3: expected ':' behind 'MsgSize'"},
           Case{"{\nresults: {\nMsgSize: 64", "file:3: expected ',' or '}' behind 'MsgSize'"},
           Case{"{\nresults:\n", "file:3: expected a value, '{' or '[', and the file ends"},
           Case{"{}\n}", "file:2: '}' behind the end of the object"},
           Case{"{a: \"x\n\"}", "file:1: expected a value"},
           Case{std::string(100, '[') + "{", "no row"},
           Case{"{a:" + std::string(100, '['), "braces deeper than perftest writes them"},
       }) {
    EXPECT_THAT(refusal(each.text, npu_bench::Test::kLat), HasSubstr(each.says)) << each.text;
  }
  EXPECT_THAT(refusal(" #bytes #iterations BW average[KB/sec]\n 64 10 1.0\n", npu_bench::Test::kBw),
              HasSubstr("file:2: BW average in 'KB/sec'; expected MB/sec, MiB/sec or Gb/sec"));
  const auto missing = read_baseline("/no/such/file", npu_bench::Test::kLat);
  ASSERT_FALSE(missing.ok());
  EXPECT_THAT(missing.error().message, HasSubstr("/no/such/file"));
}

}  // namespace
}  // namespace npf::npu_bench
