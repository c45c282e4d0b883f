// One row of perftest before it is a number of ours: names and texts, from a table or from JSON.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace npf::npu_bench {

// Names are those of --out_json: MsgSize, t_typical, BW_average, MsgRate. A table tells the unit of its bandwidth, JSON does not.
struct PerftestRow {
  std::size_t line = 0;
  std::string bandwidth_unit;  // "MB/sec", "MiB/sec", "Gb/sec"; empty: not told
  std::vector<std::pair<std::string_view, std::string_view>> fields;

  // Empty where there is none.
  std::string_view text(std::string_view name) const;
};

// Errors are sentences with their line, without the file's name.
Result<std::vector<PerftestRow>> perftest_table_rows(std::string_view text);
Result<std::vector<PerftestRow>> perftest_json_rows(std::string_view text);

}  // namespace npf::npu_bench
