// A witness of who touches a range of pages first: it takes their access away and notes the instruction that faults.
#pragma once

#include <sys/mman.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace npf::aia::onnx {

// Pages of their own, so that nothing else lies on them.
class Pages {
 public:
  explicit Pages(std::size_t bytes);
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  ~Pages() { ::munmap(memory_, mapped_bytes_); }

  std::span<std::byte> first(std::size_t bytes) const { return {static_cast<std::byte*>(memory_), bytes}; }
  std::span<std::byte> all() const { return first(mapped_bytes_); }

 private:
  std::size_t mapped_bytes_;
  void* memory_;
};

struct Touch {
  int count = 0;  // faults; 0: nobody touched it
  bool is_write = false;
  std::uintptr_t instruction = 0;
};

// Threads: one trap at a time in the process. Lifetime: access comes back at the first touch, or when it goes.
class TouchTrap {
 public:
  explicit TouchTrap(std::span<std::byte> pages);
  TouchTrap(const TouchTrap&) = delete;
  TouchTrap& operator=(const TouchTrap&) = delete;
  ~TouchTrap();

  Touch first_touch() const;

 private:
  struct sigaction before_ {};
};

// The file that the instruction lies in, such as "/lib/libc.so.6".
std::string module_of(std::uintptr_t instruction);

}  // namespace npf::aia::onnx
