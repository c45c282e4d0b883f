// The command line of npu-bench, taken apart and checked as far as one side alone can.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "tools/npu_bench/baseline.h"
#include "tools/npu_bench/plan.h"

namespace npf::npu_bench {

enum class Command : std::uint8_t { kMeasure, kServe, kPrint };

struct Options {
  Command command = Command::kPrint;
  std::string text;            // kPrint: help or version
  std::string fabric = "shm";  // where both sides meet: an address, or shm or fake for a place of our own
  std::string host;            // the waiting server's address; empty: both sides run on this machine
  Plan plan;
  std::set<std::string> given;  // settings named on the command line
  std::vector<std::uint64_t> sizes;
  std::uint64_t iterations = 0;  // 0: chosen by size
  std::uint64_t warmup = 0;
  double duration_s = 0;             // 0: iterations decide
  std::string json_path;             // empty: none, "-": standard output
  std::optional<Baseline> baseline;  // what perftest measured, beside which our rows are put
  bool forever = false;              // server: the next client after this one
};

// kInvalidArgument with a sentence that names the value and what is allowed.
Result<Options> parse_command_line(int argc, const char* const* argv);

}  // namespace npf::npu_bench
