#include "fabric/verbs/verbs_region.h"

#include <sys/resource.h>

#include <cerrno>
#include <string>

#include "fabric/verbs/verbs_domain.h"

namespace npf::fabric::verbs {

namespace {

std::string memlock_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return "unlimited";
  return std::to_string(limit.rlim_cur / 1024) + " KiB";
}

// A region of more than the whole limit cannot be pinned by whoever the limit binds; the kernel decides the rest, since
// it knows what is pinned already and who is exempt.
bool beyond_memlock(std::uint64_t bytes) {
  rlimit limit{};
  const bool limited = ::getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  return limited && bytes > limit.rlim_cur;
}

Error registration_failure(const VerbsDomain& domain, std::uint64_t bytes, int errno_value) {
  Error error =
      system_error("verbs: registering " + std::to_string(bytes) + " bytes on " + domain.device()->name(), errno_value);
  if (errno_value != ENOMEM && errno_value != EPERM) return error;
  error.status = Status::kResourceLimit;
  error.message += beyond_memlock(bytes) ? "; this is more than" : "; together with what is registered it may exceed";
  error.message +=
      " this process's limit on locked memory (RLIMIT_MEMLOCK: " + memlock_limit() +
      "); raise it (ulimit -l unlimited; docker run --ulimit memlock=-1), or register less; the device holds " +
      std::to_string(domain.device()->limits().max_mr) + " regions (max_mr)";
  return error;
}

}  // namespace

Result<std::unique_ptr<Region>> VerbsRegion::enter(VerbsDomain& domain, Arena arena, std::span<std::byte> memory,
                                                   Access access) {
  const std::span<std::byte> bytes = memory.empty() ? arena.bytes() : memory;
  const std::uint64_t limit = domain.device()->limits().max_mr_size;
  if (bytes.size() > limit) {
    return Error{Status::kResourceLimit, "verbs: a region of " + std::to_string(bytes.size()) + " bytes; device " +
                                             domain.device()->name() + " allows " + std::to_string(limit) +
                                             " (max_mr_size); register it in parts"};
  }
  unsigned flags = IBV_ACCESS_LOCAL_WRITE;
  if (allows(access, Access::kRemoteRead)) flags |= IBV_ACCESS_REMOTE_READ;
  if (allows(access, Access::kRemoteWrite)) flags |= IBV_ACCESS_REMOTE_WRITE;
  // The function, not the macro of that name: flags are not known when this is compiled.
  ibv_mr* const region = (ibv_reg_mr)(domain.get(), bytes.data(), bytes.size(), static_cast<int>(flags));
  if (region == nullptr) return registration_failure(domain, bytes.size(), errno);
  return std::unique_ptr<Region>(new VerbsRegion(std::move(arena), bytes, region));
}

VerbsRegion::~VerbsRegion() { ibv_dereg_mr(region_); }

}  // namespace npf::fabric::verbs
