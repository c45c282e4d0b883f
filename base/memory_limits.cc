#include "base/memory_limits.h"

#include <algorithm>
#include <charconv>
#include <sstream>

namespace npf {

namespace {

constexpr std::uint64_t kKibibyte = 1024;
constexpr unsigned kCapIpcLock = 14;  // linux/capability.h

// The words behind "Name:" in a file of lines.
std::string words_behind(const std::string& text, const std::string& name) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name)) return line.substr(name.size());
  }
  return "";
}

// "   1234 kB"
std::uint64_t kibibytes_behind(const std::string& text, const std::string& name) {
  std::istringstream words(words_behind(text, name));
  std::uint64_t value = 0;
  words >> value;
  return value * kKibibyte;
}

std::optional<std::uint64_t> limit_of(const std::string& word) {
  std::uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), bytes);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return bytes;
}

}  // namespace

MemoryLimits memory_limits(const SystemTree& tree) {
  MemoryLimits limits;
  std::istringstream words(words_behind(tree.text("/proc/self/limits").value_or(""), "Max locked memory"));
  std::string soft;
  std::string hard;
  words >> soft >> hard;
  limits.memlock_soft_bytes = limit_of(soft);
  limits.memlock_hard_bytes = limit_of(hard);
  const std::string status = tree.text("/proc/self/status").value_or("");
  std::istringstream capabilities(words_behind(status, "CapEff:"));
  std::uint64_t effective = 0;
  capabilities >> std::hex >> effective;
  limits.may_lock_any = ((effective >> kCapIpcLock) & 1U) != 0;
  limits.pinned_bytes = kibibytes_behind(status, "VmPin:");
  limits.locked_bytes = kibibytes_behind(status, "VmLck:");
  const std::string machine = tree.text("/proc/meminfo").value_or("");
  limits.total_bytes = kibibytes_behind(machine, "MemTotal:");
  limits.available_bytes = kibibytes_behind(machine, "MemAvailable:");
  return limits;
}

std::vector<HugePages> huge_pages(const SystemTree& tree) {
  constexpr std::string_view kPrefix = "hugepages-";
  const std::string folder = "/sys/kernel/mm/hugepages/";
  std::vector<HugePages> sizes;
  for (const std::string& name : tree.names(folder)) {
    if (!name.starts_with(kPrefix) || !name.ends_with("kB")) continue;
    const auto kibibytes = limit_of(name.substr(kPrefix.size(), name.size() - kPrefix.size() - 2));
    if (!kibibytes) continue;
    const auto count = [&](const char* file) {
      return static_cast<std::uint64_t>(std::max<std::int64_t>(0, tree.number(folder + name + file).value_or(0)));
    };
    sizes.push_back({*kibibytes * kKibibyte, count("/nr_hugepages"), count("/free_hugepages")});
  }
  std::ranges::sort(sizes, {}, &HugePages::page_bytes);
  return sizes;
}

// "always [madvise] never"
std::string transparent_huge_pages(const SystemTree& tree) {
  const std::string modes = tree.text("/sys/kernel/mm/transparent_hugepage/enabled").value_or("");
  const std::size_t start = modes.find('[');
  const std::size_t end = modes.find(']');
  return start == std::string::npos || end == std::string::npos ? "" : modes.substr(start + 1, end - start - 1);
}

}  // namespace npf
