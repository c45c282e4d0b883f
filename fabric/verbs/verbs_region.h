// Memory registered on an RDMA device.
#pragma once

#include <infiniband/verbs.h>

#include <memory>
#include <span>

#include "fabric/arena.h"
#include "fabric/fabric.h"

namespace npf::fabric::verbs {

class VerbsDomain;

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
