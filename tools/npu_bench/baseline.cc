#include "tools/npu_bench/baseline.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>

#include "tools/npu_bench/baseline_row.h"

namespace npf::npu_bench {

namespace {

constexpr double kMib = 1 << 20;
constexpr double kBytesPerGb = 1e9;
constexpr double kBitsPerByte = 8;

Error wrong(std::size_t line, const std::string& what) {
  return {Status::kInvalidArgument, (line == 0 ? "" : std::to_string(line) + ":") + std::string(" ") + what};
}

Result<double> number(const PerftestRow& row, std::string_view name) {
  const std::string_view text = row.text(name);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
    return wrong(row.line, std::string(name) + " '" + std::string(text) + "' is no number");
  }
  return value;
}

Result<std::uint64_t> size_of(const PerftestRow& row) {
  const std::string_view text = row.text("MsgSize");
  std::uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  if (error != std::errc{} || end != text.data() + text.size() || bytes == 0) {
    return wrong(row.line, "size '" + std::string(text) + "' is no count of bytes");
  }
  return bytes;
}

// perftest's megabyte is 2^20 bytes, whatever it calls it. Its JSON names no unit, but the rate of messages does: the two units
// lie a factor of 119 apart.
Result<double> gb_per_s(const PerftestRow& row, std::uint64_t bytes, double average) {
  const double as_mib = average * kMib / kBytesPerGb;
  const double as_gbit = average / kBitsPerByte;
  if (row.bandwidth_unit == "MB/sec" || row.bandwidth_unit == "MiB/sec") return as_mib;
  if (row.bandwidth_unit == "Gb/sec") return as_gbit;
  if (!row.bandwidth_unit.empty()) {
    return wrong(row.line, "BW average in '" + row.bandwidth_unit + "'; expected MB/sec, MiB/sec or Gb/sec");
  }
  const auto rate = number(row, "MsgRate");
  if (!rate.ok()) return rate.error();
  const double by_rate = *rate * 1e6 * static_cast<double>(bytes) / kBytesPerGb;
  if (!(by_rate > 0)) return as_mib;  // too slow for perftest's six digits
  const auto is_near = [&](double value) { return value > by_rate / 4 && value < by_rate * 4; };
  if (is_near(as_mib)) return as_mib;
  if (is_near(as_gbit)) return as_gbit;
  return wrong(row.line, "BW_average '" + std::string(row.text("BW_average")) +
                             "' is neither MiB/s nor Gb/s of MsgRate '" + std::string(row.text("MsgRate")) +
                             "' and MsgSize " + std::to_string(bytes));
}

Result<void> add(const PerftestRow& row, Test test, std::string_view file, Baseline& baseline) {
  const std::string_view name = test == Test::kLat ? "t_typical" : "BW_average";
  if (row.text(name).empty()) return {};
  const auto bytes = size_of(row);
  if (!bytes.ok()) return bytes.error();
  auto value = number(row, name);
  if (!value.ok()) return value.error();
  if (!std::isfinite(*value) || *value <= 0) {
    baseline.notes.push_back(std::string(file) + ":" + std::to_string(row.line) + ": " + std::string(name) + " of " +
                             std::to_string(*bytes) + " bytes is '" + std::string(row.text(name)) +
                             "', which is no measurement; the size counts as missing");
    return {};
  }
  if (test == Test::kBw) value = gb_per_s(row, *bytes, *value);
  if (!value.ok()) return value.error();
  if (!baseline.value_of_bytes.emplace(*bytes, *value).second) {
    return wrong(row.line, "size " + std::to_string(*bytes) + " stands there twice; expected one row for each size");
  }
  return {};
}

Result<Baseline> collect(std::string_view file, std::string_view text, Test test) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  const bool json = first != std::string_view::npos && text[first] == '{';
  const auto rows = json ? perftest_json_rows(text) : perftest_table_rows(text);
  if (!rows.ok()) return rows.error();
  Baseline baseline;
  for (const PerftestRow& row : *rows) {
    if (const auto added = add(row, test, file, baseline); !added.ok()) return added.error();
  }
  if (baseline.value_of_bytes.empty() && baseline.notes.empty()) {
    return wrong(0, std::string("no row with ") + (test == Test::kLat ? "t_typical" : "BW average") +
                        "; expected what perftest's " +
                        (test == Test::kLat ? "ib_write_lat or ib_send_lat" : "ib_write_bw") +
                        " prints: a table under '#bytes #iterations', or its --out_json_file");
  }
  return baseline;
}

}  // namespace

std::optional<double> Baseline::value(std::uint64_t bytes) const {
  const auto found = value_of_bytes.find(bytes);
  return found == value_of_bytes.end() ? std::nullopt : std::optional<double>(found->second);
}

Result<Baseline> parse_baseline(std::string_view file, std::string_view text, Test test) {
  auto baseline = collect(file, text, test);
  if (baseline.ok()) return baseline;
  return Error{baseline.status(), "--baseline " + std::string(file) + ":" + baseline.error().message};
}

Result<Baseline> read_baseline(const std::string& path, Test test) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return system_error("--baseline: reading '" + path + "'", errno);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) return system_error("--baseline: reading '" + path + "'", errno);
  return parse_baseline(path, text, test);
}

}  // namespace npf::npu_bench
