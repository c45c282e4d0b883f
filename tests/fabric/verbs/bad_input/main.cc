// verbs_bad_input_test: what verbs says to bad input of every kind, each test in a process of its own. Exit code 77: no guest,
// nothing was tested.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "tests/fabric/verbs/bad_input/guest.h"
#include "tests/fabric_availability.h"

namespace {

// The device is taken away by the next test, and a process that hangs must not take the others' time.
constexpr unsigned kSecondsPerTest = 60;

// Its sentences stay unseen unless it fails: those of all would hide them where only the end of a long output is shown.
bool passes(const char* program, const std::string& name) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> output(std::tmpfile(), std::fclose);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(kSecondsPerTest);
    ::dup2(::fileno(output.get()), STDOUT_FILENO);
    ::dup2(::fileno(output.get()), STDERR_FILENO);
    const std::string filter = "--gtest_filter=" + name;
    ::execl(program, program, filter.c_str(), "--gtest_brief=1", static_cast<char*>(nullptr));
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    std::printf("ok     %s\n", name.c_str());
    return true;
  }
  std::rewind(output.get());
  for (int c = std::fgetc(output.get()); c != EOF; c = std::fgetc(output.get())) std::putchar(c);
  std::printf("FAILED %s (%s %d)\n", name.c_str(), WIFSIGNALED(status) ? "signal" : "exit code",
              WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  return false;
}

int run_each(const char* program) {
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  std::vector<std::string> failed;
  for (int i = 0; i < all.total_test_suite_count(); ++i) {
    const testing::TestSuite& suite = *all.GetTestSuite(i);
    for (int k = 0; k < suite.total_test_count(); ++k) {
      const std::string name = std::string(suite.name()) + "." + suite.GetTestInfo(k)->name();
      if (!passes(program, name)) failed.push_back(name);
      std::fflush(stdout);
    }
  }
  std::printf("%zu of %d failed\n", failed.size(), all.total_test_count());
  for (const std::string& name : failed) std::printf("  %s\n", name.c_str());
  return failed.empty() ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
  const bool has_arguments = argc > 1;
  testing::InitGoogleTest(&argc, argv);
  if (npf::fabric::bad_input::is_guest() || testing::GTEST_FLAG(list_tests)) {
    return has_arguments ? RUN_ALL_TESTS() : run_each("/proc/self/exe");
  }
  constexpr int kExitSkipped = 77;
  std::fprintf(stderr, "SKIPPED: *** removes RDMA devices, so it runs in a guest of scripts/rxe only ***\n");
  return npf::is_required_fabric("verbs") ? EXIT_FAILURE : kExitSkipped;
}
