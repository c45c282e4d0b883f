// A /sys and /proc of a test's own making, gone with it.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "base/system_tree.h"
#include "tests/temp_folder.h"

namespace npf {

class FakeTree {
 public:
  FakeTree& file(const std::string& path, const std::string& text) {
    std::ofstream(made(path)) << text;
    return *this;
  }
  FakeTree& link(const std::string& path, const std::string& target) {
    std::filesystem::create_symlink(target, made(path));
    return *this;
  }
  FakeTree& folder(const std::string& path) {
    std::filesystem::create_directories(made(path));
    return *this;
  }
  SystemTree tree() const { return SystemTree(folder_.file("")); }

 private:
  std::filesystem::path made(const std::string& path) const {
    const std::filesystem::path full = folder_.file(path.substr(1));
    std::filesystem::create_directories(full.parent_path());
    return full;
  }

  TempFolder folder_;
};

}  // namespace npf
