// Facts that the kernel tells as text files (/sys, /proc), below a root that tests can make themselves. Reading only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace npf {

class SystemTree {
 public:
  SystemTree() = default;
  explicit SystemTree(std::string root) : root_(std::move(root)) {}

  std::string path(std::string_view file) const { return root_ + std::string(file); }
  bool has(std::string_view file) const;
  // Without the newline at the end. Nothing where it cannot be read.
  std::optional<std::string> text(std::string_view file) const;
  std::optional<std::int64_t> number(std::string_view file) const;
  // What a link points to, the last part of it: a device's driver.
  std::optional<std::string> link_name(std::string_view link) const;
  // Names in a folder, sorted; none when it is not there.
  std::vector<std::string> names(std::string_view folder) const;

 private:
  std::string root_;
};

// "0-2,5" as the kernel writes lists of cores and nodes. What is not a number ends it.
std::vector<int> parse_number_list(std::string_view text);

}  // namespace npf
