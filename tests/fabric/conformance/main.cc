// fabric_conformance --address URI: the suite over one backend. Exit code 77: the backend is not there.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "tests/fabric/conformance/conformance.h"
#include "tests/fabric_availability.h"
#include "tests/temp_folder.h"

namespace npf::fabric::conformance {

namespace {

constexpr int kExitUsage = 2;

std::string address_template;
std::unique_ptr<TempFolder> folder;

void replace_all(std::string& text, std::string_view from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

}  // namespace

// A number that also serves as a port: backends whose names are ports take {unique} there.
std::string unique_address() {
  constexpr unsigned kLowest = 20'000;
  constexpr unsigned kCount = 12'000;  // below the usual range of ports given out by the kernel
  static std::atomic<unsigned> next{static_cast<unsigned>(::getpid()) * 127U};
  std::string address = address_template;
  replace_all(address, "{unique}", std::to_string(kLowest + next++ % kCount));
  if (folder) replace_all(address, "{tmp}", std::filesystem::path(folder->file("any")).parent_path().string());
  return address;
}

}  // namespace npf::fabric::conformance

int main(int argc, char** argv) {
  using namespace npf::fabric::conformance;
  testing::InitGoogleTest(&argc, argv);
  const bool lists_only = testing::GTEST_FLAG(list_tests);
  if (argc == 3 && std::string_view(argv[1]) == "--address") address_template = argv[2];
  if (address_template.empty() && !lists_only) {
    std::fprintf(
        stderr,
        "usage: %s --address URI [--gtest_...]\n"
        "  {unique} in the URI becomes another number for each listener, {tmp} a folder that is removed at the end,\n"
        "  as in shm:{tmp}/{unique}.sock\n",
        argv[0]);
    return kExitUsage;
  }
  if (lists_only) return RUN_ALL_TESTS();
  if (address_template.find("{tmp}") != std::string::npos) folder = std::make_unique<npf::TempFolder>();
  const auto without = npf::exit_without_fabric(unique_address());
  const int exit_code = without ? *without : RUN_ALL_TESTS();
  folder.reset();
  return exit_code;
}
