#include "fabric/ofi/ofi_region.h"

#include <rdma/fi_errno.h>

#include <string>

#include "fabric/ofi/ofi_domain.h"
#include "fabric/ofi/ofi_failure.h"

namespace npf::fabric::ofi {

namespace {

Error registration_failure(const OfiDomain& domain, std::uint64_t bytes, int code) {
  const bool limit = code == FI_ENOMEM || code == FI_ENOSPC || code == FI_EPERM;
  return ofi_error(limit ? Status::kResourceLimit : Status::kSystem,
                   domain.provider().backend + ": registering " + std::to_string(bytes) + " bytes (fi_mr_reg)", code,
                   limit ? "register less, or raise the limit on locked memory (ulimit -l; docker run --ulimit "
                           "memlock=-1)"
                         : "is the memory mapped?");
}

}  // namespace

OfiRegion::OfiRegion(Arena arena, std::span<std::byte> bytes, Fid<fid_mr> region)
    : arena_(std::move(arena)),
      bytes_(bytes),
      region_(std::move(region)),
      key_(static_cast<std::uint32_t>(::fi_mr_key(region_.get()))),
      descriptor_(::fi_mr_desc(region_.get())) {}

Result<std::unique_ptr<Region>> OfiRegion::enter(OfiDomain& domain, Arena arena, std::span<std::byte> memory,
                                                 Access access) {
  const std::span<std::byte> bytes = memory.empty() ? arena.bytes() : memory;
  std::uint64_t flags = FI_SEND | FI_RECV | FI_READ | FI_WRITE;
  if (allows(access, Access::kRemoteRead)) flags |= FI_REMOTE_READ;
  if (allows(access, Access::kRemoteWrite)) flags |= FI_REMOTE_WRITE;
  constexpr int kTries = 100;  // for a key that is not taken; the second finds one
  fid_mr* region = nullptr;
  int failed = -FI_ENOKEY;
  for (int i = 0; i < kTries && failed == -FI_ENOKEY; ++i) {
    const std::uint64_t wanted = domain.provider().keys_are_ours ? domain.next_key() : 0;
    failed = ::fi_mr_reg(domain.get(), bytes.data(), bytes.size(), flags, 0, wanted, 0, &region, nullptr);
  }
  if (failed != 0) return registration_failure(domain, bytes.size(), -failed);
  Fid<fid_mr> owner(region);
  if (::fi_mr_key(region) > UINT32_MAX) {
    return Error{Status::kUnsupported, domain.provider().backend +
                                           ": the provider gave out a key of more than 32 bits (" +
                                           std::to_string(::fi_mr_key(region)) + "); choose another provider"};
  }
  return std::unique_ptr<Region>(new OfiRegion(std::move(arena), bytes, std::move(owner)));
}

}  // namespace npf::fabric::ofi
