#include "base/system_tree.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace npf {

namespace {

std::optional<int> take_number(std::string_view& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

bool take(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

bool SystemTree::has(std::string_view file) const {
  std::error_code ignored;
  return std::filesystem::exists(path(file), ignored);
}

std::optional<std::string> SystemTree::text(std::string_view file) const {
  std::ifstream stream(path(file));
  if (!stream) return std::nullopt;
  std::string all{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (stream.bad()) return std::nullopt;
  while (!all.empty() && (all.back() == '\n' || all.back() == ' ')) all.pop_back();
  return all;
}

std::optional<std::int64_t> SystemTree::number(std::string_view file) const {
  const auto written = text(file);
  if (!written) return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(written->data(), written->data() + written->size(), value);
  if (error != std::errc() || end != written->data() + written->size()) return std::nullopt;
  return value;
}

std::optional<std::string> SystemTree::link_name(std::string_view link) const {
  std::error_code error;
  const auto target = std::filesystem::read_symlink(path(link), error);
  if (error) return std::nullopt;
  return target.filename().string();
}

std::vector<std::string> SystemTree::names(std::string_view folder) const {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path(folder), error)) {
    found.push_back(entry.path().filename().string());
  }
  std::ranges::sort(found);
  return found;
}

std::vector<int> parse_number_list(std::string_view text) {
  std::vector<int> numbers;
  do {
    const auto first = take_number(text);
    if (!first) break;
    const auto last = take(text, '-') ? take_number(text) : first;
    for (int each = *first; last && each <= *last; ++each) numbers.push_back(each);
  } while (take(text, ','));
  return numbers;
}

}  // namespace npf
