// Memory that a domain allocates for its regions, of this process only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace npf::fabric {

// Zeroed and faulted in; in huge pages where the system has some free and they fit: fewer pages to pin and to translate.
class Arena {
 public:
  Arena() = default;
  Arena(Arena&& other) noexcept
      : bytes_(std::exchange(other.bytes_, {})), mapped_bytes_(std::exchange(other.mapped_bytes_, 0)) {}
  Arena& operator=(Arena&&) = delete;
  ~Arena();

  // backend: whose sentence a failure is.
  static Result<Arena> map(std::string_view backend, std::uint64_t bytes);

  std::span<std::byte> bytes() const { return bytes_; }

 private:
  std::span<std::byte> bytes_;
  std::uint64_t mapped_bytes_ = 0;
};

}  // namespace npf::fabric
