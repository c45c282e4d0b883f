// Memory registered with a libfabric domain.
#pragma once

#include <rdma/fi_domain.h>

#include <memory>
#include <span>

#include "fabric/arena.h"
#include "fabric/fabric.h"
#include "fabric/ofi/ofi_provider.h"

namespace npf::fabric::ofi {

class OfiDomain;

class OfiRegion final : public Region {
 public:
  // Of the arena, or, where that is empty, of the caller's memory.
  static Result<std::unique_ptr<Region>> enter(OfiDomain& domain, Arena arena, std::span<std::byte> memory,
                                               Access access);

  std::span<std::byte> bytes() const override { return bytes_; }
  std::uint32_t key() const override { return key_; }
  void* descriptor() const { return descriptor_; }  // for local use

 private:
  OfiRegion(Arena arena, std::span<std::byte> bytes, Fid<fid_mr> region);

  const Arena arena_;
  const std::span<std::byte> bytes_;
  const Fid<fid_mr> region_;
  const std::uint32_t key_;
  void* const descriptor_;
};

}  // namespace npf::fabric::ofi
