// Whether a test can run over an address at all. A backend that this build or machine lacks is a loud skip, unless
// NPF_REQUIRE_FABRICS (a comma list of schemes) names it.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "fabric/fabric.h"

namespace npf {

// Whether the list has the scheme; "ofi" stands for "ofi+tcp" too.
inline bool is_required_fabric(std::string_view scheme) {
  const char* const list = std::getenv("NPF_REQUIRE_FABRICS");
  if (list == nullptr) return false;
  const std::string entries = "," + std::string(list) + ",";
  const auto names = [&](std::string_view name) {
    return entries.find("," + std::string(name) + ",") != std::string::npos;
  };
  return names(scheme) || names(scheme.substr(0, scheme.find('+')));
}

// The exit code to end with, already explained on stderr: 77 is ctest's skip. Nothing where the backend is there.
inline std::optional<int> exit_without_fabric(const std::string& address) {
  constexpr int kExitSkipped = 77;
  const auto domain = fabric::open_domain(address);
  if (domain.ok()) return std::nullopt;
  const bool missing = domain.status() == Status::kUnsupported || domain.status() == Status::kNotFound;
  const std::string scheme = address.substr(0, address.find(':'));
  if (!missing || is_required_fabric(scheme)) {
    std::fprintf(stderr, "FAILED: %s: %s\n", address.c_str(), domain.error().message.c_str());
    return EXIT_FAILURE;
  }
  std::fprintf(stderr,
               "SKIPPED: *** nothing was tested over %s: %s ***\n"
               "NPF_REQUIRE_FABRICS=%s makes this a failure.\n",
               address.c_str(), domain.error().message.c_str(), scheme.c_str());
  return kExitSkipped;
}

}  // namespace npf
