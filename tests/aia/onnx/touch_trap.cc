#include "tests/aia/onnx/touch_trap.h"

#include <dlfcn.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdlib>

namespace npf::aia::onnx {

namespace {

// What the handler works on. It runs on the thread that faults, in the middle of an instruction.
std::span<std::byte> trapped;
volatile sig_atomic_t touches = 0;
volatile bool touch_is_write = false;
volatile std::uintptr_t touch_instruction = 0;

void on_fault(int signal, siginfo_t* info, void* context) {
  const auto* const address = static_cast<std::byte*>(info->si_addr);
  if (address < trapped.data() || address >= trapped.data() + trapped.size()) {
    ::signal(signal, SIG_DFL);  // another fault: it comes again, and ends the test
    return;
  }
#if defined(__x86_64__)
  constexpr greg_t kWriteBit = 2;
  const auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  touch_is_write = (registers[REG_ERR] & kWriteBit) != 0;
  touch_instruction = static_cast<std::uintptr_t>(registers[REG_RIP]);
#else
  static_cast<void>(context);
#endif
  touches = touches + 1;
  ::mprotect(trapped.data(), trapped.size(), PROT_READ | PROT_WRITE);
}

std::size_t whole_pages(std::size_t bytes) {
  const auto page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (bytes + page_bytes - 1) / page_bytes * page_bytes;
}

}  // namespace

Pages::Pages(std::size_t bytes)
    : mapped_bytes_(whole_pages(bytes)),
      memory_(::mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
  if (memory_ == MAP_FAILED) std::abort();
}

TouchTrap::TouchTrap(std::span<std::byte> pages) {
  trapped = pages;
  touches = 0;
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  if (::sigaction(SIGSEGV, &action, &before_) != 0) std::abort();
  if (::mprotect(trapped.data(), trapped.size(), PROT_NONE) != 0) std::abort();
}

TouchTrap::~TouchTrap() {
  ::mprotect(trapped.data(), trapped.size(), PROT_READ | PROT_WRITE);
  ::sigaction(SIGSEGV, &before_, nullptr);
}

Touch TouchTrap::first_touch() const { return {touches, touch_is_write, touch_instruction}; }

std::string module_of(std::uintptr_t instruction) {
  Dl_info found{};
  // NOLINTNEXTLINE(performance-no-int-to-ptr): a register holds a number
  const bool is_known = ::dladdr(reinterpret_cast<void*>(instruction), &found) != 0;
  return is_known && found.dli_fname != nullptr ? found.dli_fname : "unknown";
}

}  // namespace npf::aia::onnx
