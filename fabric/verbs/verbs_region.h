// Registered memory, and the arenas that a domain allocates for it.
#pragma once

#include <infiniband/verbs.h>

#include <memory>
#include <span>
#include <utility>

#include "fabric/fabric.h"

namespace npf::fabric::verbs {

class VerbsDomain;

// Zeroed and faulted in; in huge pages where the system has some free and they fit: fewer pages to pin and to translate.
class Arena {
 public:
  Arena() = default;
  Arena(Arena&& other) noexcept
      : bytes_(std::exchange(other.bytes_, {})), mapped_bytes_(std::exchange(other.mapped_bytes_, 0)) {}
  Arena& operator=(Arena&&) = delete;
  ~Arena();

  static Result<Arena> map(std::uint64_t bytes);

  std::span<std::byte> bytes() const { return bytes_; }

 private:
  std::span<std::byte> bytes_;
  std::uint64_t mapped_bytes_ = 0;
};

class VerbsRegion final : public Region {
 public:
  // Of the arena, or, where that is empty, of the caller's memory.
  static Result<std::unique_ptr<Region>> enter(VerbsDomain& domain, Arena arena, std::span<std::byte> memory,
                                               Access access);
  ~VerbsRegion() override;

  std::span<std::byte> bytes() const override { return bytes_; }
  std::uint32_t key() const override { return region_->rkey; }
  std::uint32_t local_key() const { return region_->lkey; }

 private:
  VerbsRegion(Arena arena, std::span<std::byte> bytes, ibv_mr* region)
      : arena_(std::move(arena)), bytes_(bytes), region_(region) {}

  const Arena arena_;
  const std::span<std::byte> bytes_;
  ibv_mr* const region_;
};

}  // namespace npf::fabric::verbs
