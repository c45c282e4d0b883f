#include "base/memory_limits.h"

#include <gtest/gtest.h>

#include "tests/fake_tree.h"

namespace npf {
namespace {

constexpr const char* kLimits =
    "Limit                     Soft Limit           Hard Limit           Units     \n"
    "Max locked memory         8388608              unlimited            bytes     \n";

TEST(MemoryLimits, AreThoseOfTheProcess) {
  FakeTree fake;
  fake.file("/proc/self/limits", kLimits)
      .file("/proc/self/status", "Name:\tx\nVmLck:\t       4 kB\nVmPin:\t    1024 kB\nCapEff:\t0000000000004000\n")
      .file("/proc/meminfo", "MemTotal:       16384 kB\nMemFree: 1 kB\nMemAvailable:    8192 kB\n");
  const MemoryLimits limits = memory_limits(fake.tree());
  EXPECT_EQ(limits.memlock_soft_bytes, 8U << 20U);
  EXPECT_EQ(limits.memlock_hard_bytes, std::nullopt);
  EXPECT_TRUE(limits.may_lock_any);
  EXPECT_EQ(limits.pinned_bytes, 1U << 20U);
  EXPECT_EQ(limits.locked_bytes, 4096U);
  EXPECT_EQ(limits.total_bytes, 16U << 20U);
  EXPECT_EQ(limits.available_bytes, 8U << 20U);
  fake.file("/proc/self/status", "CapEff:\t0000000000003fff\n");
  EXPECT_FALSE(memory_limits(fake.tree()).may_lock_any);
}

TEST(MemoryLimits, OfThisProcessHaveTheMachinesMemory) { EXPECT_GT(memory_limits(SystemTree()).total_bytes, 0U); }

TEST(HugePages, AreListedBySize) {
  FakeTree fake;
  const std::string folder = "/sys/kernel/mm/hugepages/";
  fake.file(folder + "hugepages-2048kB/nr_hugepages", "64\n").file(folder + "hugepages-2048kB/free_hugepages", "60\n");
  fake.file(folder + "hugepages-1048576kB/nr_hugepages", "0\n").file(folder + "other", "");
  const auto sizes = huge_pages(fake.tree());
  ASSERT_EQ(sizes.size(), 2U);
  EXPECT_EQ(sizes[0].page_bytes, 2U << 20U);
  EXPECT_EQ(sizes[0].total, 64U);
  EXPECT_EQ(sizes[0].free, 60U);
  EXPECT_EQ(sizes[1].page_bytes, 1U << 30U);
}

TEST(HugePages, TransparentOnesHaveAMode) {
  FakeTree fake;
  EXPECT_EQ(transparent_huge_pages(fake.tree()), "");
  fake.file("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
  EXPECT_EQ(transparent_huge_pages(fake.tree()), "madvise");
}

}  // namespace
}  // namespace npf
