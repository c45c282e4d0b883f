#include "fabric/arena.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace npf::fabric {

namespace {

constexpr std::uint64_t kHugePageBytes = 2U << 20U;

std::uint64_t rounded_up(std::uint64_t bytes, std::uint64_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace

Arena::~Arena() {
  if (mapped_bytes_ > 0) ::munmap(bytes_.data(), mapped_bytes_);
}

Result<Arena> Arena::map(std::string_view backend, std::uint64_t bytes) {
  const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
  Arena arena;
  void* memory = MAP_FAILED;
  if (bytes >= kHugePageBytes) {
    arena.mapped_bytes_ = rounded_up(bytes, kHugePageBytes);
    memory = ::mmap(nullptr, arena.mapped_bytes_, PROT_READ | PROT_WRITE, flags | MAP_HUGETLB, -1, 0);
  }
  if (memory == MAP_FAILED) {
    arena.mapped_bytes_ = rounded_up(bytes, page_bytes);
    memory = ::mmap(nullptr, arena.mapped_bytes_, PROT_READ | PROT_WRITE, flags, -1, 0);
  }
  if (memory == MAP_FAILED) {
    arena.mapped_bytes_ = 0;
    return system_error(std::string(backend) + ": allocating " + std::to_string(bytes) + " bytes", errno);
  }
  // A child would share the pages copy-on-write, and the device would go on with those of whoever wrote last.
  ::madvise(memory, arena.mapped_bytes_, MADV_DONTFORK);
  arena.bytes_ = {static_cast<std::byte*>(memory), bytes};
  return arena;
}

}  // namespace npf::fabric
