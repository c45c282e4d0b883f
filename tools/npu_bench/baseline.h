// What perftest printed (ib_write_lat, ib_send_lat, ib_write_bw and their kin), read as the raw verbs beside our hop.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tools/npu_bench/plan.h"

namespace npf::npu_bench {

// Of each size one number: lat, the typical one-way time in microseconds (perftest's median); bw, the average in GB/s.
struct Baseline {
  std::map<std::uint64_t, double> value_of_bytes;
  std::vector<std::string> notes;  // what stands there and is no measurement, such as perftest's "inf"

  std::optional<double> value(std::uint64_t bytes) const;
};

// Takes the table, under its '#bytes' line, and the file of --out_json, whose form is JSON's but for bare names and commas too
// many. Rows of the other test are left out. kInvalidArgument with file, line and what was expected.
Result<Baseline> parse_baseline(std::string_view file, std::string_view text, Test test);
Result<Baseline> read_baseline(const std::string& path, Test test);

}  // namespace npf::npu_bench
