// A subcommand of npu-ctl. main.cc has the list.
#pragma once

#include <string_view>

namespace npf::npu_ctl {

// What every subcommand's exit code means.
inline constexpr int kExitFine = 0;
inline constexpr int kExitProblem = 1;
inline constexpr int kExitUsage = 2;

struct Command {
  std::string_view name;
  std::string_view what;                          // one line of npu-ctl --help
  int (*run)(int argc, const char* const* argv);  // argv[0] is the subcommand
};

}  // namespace npf::npu_ctl
