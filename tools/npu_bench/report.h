// What npu-bench prints: the table, or JSON objects, one a row.
#pragma once

#include <fstream>
#include <memory>
#include <string>

#include "base/result.h"
#include "tools/npu_bench/measure.h"
#include "tools/npu_bench/options.h"

namespace npf::npu_bench {

struct Row {
  std::uint64_t bytes = 0;
  Measured measured;
  Counts counts;         // of both sides
  bool counted = false;  // false: the other side's counts never came, so neither is shown
};

class Report {
 public:
  // Fails when the JSON file cannot be written.
  static Result<Report> open(const Options& options, std::string backend);

  // Once, before the first measurement, so that it says what one waits for.
  void print_head(bool in_place);
  void print(const Row& row);
  void print_foot();

 private:
  Report(const Options& options, std::string backend) : options_(options), backend_(std::move(backend)) {}
  void print_table_row(const Row& row);
  void write_json(const Row& row);
  std::optional<double> baseline_of(const Row& row) const;
  double hops_of(const Row& row) const;

  Options options_;
  std::string backend_;
  bool table_ = true;
  bool head_printed_ = false;
  std::unique_ptr<std::ofstream> file_;
  Counts total_;
  double hops_total_ = 0;
  bool any_row_ = false;
};

}  // namespace npf::npu_bench
