// How much memory this process may pin, and in pages of which size it comes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/system_tree.h"

namespace npf {

struct MemoryLimits {
  std::optional<std::uint64_t> memlock_soft_bytes;  // RLIMIT_MEMLOCK; none: unlimited
  std::optional<std::uint64_t> memlock_hard_bytes;
  bool may_lock_any = false;       // CAP_IPC_LOCK is effective: the limit does not hold
  std::uint64_t pinned_bytes = 0;  // by this process now (VmPin): what RDMA registered
  std::uint64_t locked_bytes = 0;  // VmLck
  std::uint64_t total_bytes = 0;   // of the machine
  std::uint64_t available_bytes = 0;
};

// Of this process; from /proc/self and /proc/meminfo of the tree.
MemoryLimits memory_limits(const SystemTree& tree);

struct HugePages {
  std::uint64_t page_bytes = 0;
  std::uint64_t total = 0;
  std::uint64_t free = 0;
};

// Ascending by size.
std::vector<HugePages> huge_pages(const SystemTree& tree);

// always, madvise or never; empty on a kernel without.
std::string transparent_huge_pages(const SystemTree& tree);

}  // namespace npf
