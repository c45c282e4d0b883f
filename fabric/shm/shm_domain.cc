#include "fabric/shm/shm_domain.h"

#include <algorithm>
#include <random>

#include "base/clock.h"
#include "fabric/shm/shm.h"
#include "fabric/shm/shm_barrier.h"
#include "fabric/shm/shm_region.h"
#include "fabric/shm/shm_socket.h"

namespace npf::fabric {

Result<std::unique_ptr<Domain>> open_shm_domain(const Address& address) {
  if (!address.host.empty() || address.port != 0 || !address.parameters.empty()) {
    return Error{Status::kInvalidArgument, "shm: an address has a path and nothing else, as in shm:/run/npf/npu0"};
  }
  auto domain = shm::ShmDomain::create();
  if (!domain.ok()) return domain.error();
  return std::unique_ptr<Domain>(std::move(*domain));
}

}  // namespace npf::fabric

namespace npf::fabric::shm {

Result<std::unique_ptr<ShmDomain>> ShmDomain::create() {
  auto key_page = SharedMemory::create("npf-keys", sizeof(KeyPage), PeerAccess::kRead);
  if (!key_page.ok()) return key_page.error();
  return std::unique_ptr<ShmDomain>(new ShmDomain(std::move(*key_page)));
}

ShmDomain::ShmDomain(SharedMemory key_page)
    : capabilities_{.backend = "shm",
                    .queue_depth_max = kQueueDepthMax,
                    .gather_max = kGatherMax,
                    .inline_bytes_max = kInlineBytesMax,
                    .send_bytes_max = kSendBytesMax,
                    .message_bytes_max = kMessageBytesMax,
                    .regions_max = kRegionsMax,
                    .direct = true,
                    .remote_access_to_any_memory = false,
                    .tells_death_from_close = true},
      expedited_(register_expedited()),
      key_page_(std::move(key_page)),
      regions_(kRegionsMax, nullptr),
      key_generation_(std::random_device{}()) {}

ShmDomain::~ShmDomain() {
  NPF_ASSERT(std::ranges::all_of(regions_, [](const ShmRegion* region) { return region == nullptr; }));
}

Result<std::unique_ptr<CompletionQueue>> ShmDomain::create_completion_queue(std::uint32_t depth) {
  if (depth == 0) return Error{Status::kInvalidArgument, "shm: a completion queue of depth 0; allowed: 1 or more"};
  // Completions wait in their endpoints' own queues, which have room for all that can be outstanding.
  auto queue = ShmCompletionQueue::create();
  if (!queue.ok()) return queue.error();
  return std::unique_ptr<CompletionQueue>(std::move(*queue));
}

Result<std::unique_ptr<Region>> ShmDomain::allocate(std::uint64_t bytes, Access access) {
  if (bytes == 0) return Error{Status::kInvalidArgument, "shm: a region of 0 bytes; allowed: 1 or more"};
  const PeerAccess peers = allows(access, Access::kRemoteWrite) ? PeerAccess::kReadWrite : PeerAccess::kRead;
  auto arena = SharedMemory::create("npf-region", bytes, peers);
  if (!arena.ok()) return arena.error();
  return enter(std::make_unique<ShmRegion>(*this, std::move(*arena), access));
}

Result<std::unique_ptr<Region>> ShmDomain::register_memory(std::span<std::byte> memory, Access access) {
  if (memory.empty()) return Error{Status::kInvalidArgument, "shm: a region of 0 bytes; allowed: 1 or more"};
  if (access == Access::kLocal) return enter(std::make_unique<ShmRegion>(*this, memory, -1, 0, access));
  std::unique_ptr<ShmRegion> region;
  {
    const std::lock_guard lock(mutex_);
    const ShmRegion* arena = arena_of(memory);
    if (arena == nullptr || !allows(arena->access(), access)) {
      return Error{
          Status::kUnsupported,
          "shm: peers can be let into memory only if allocate() made it with that access; allocate it, or register "
          "it for local access and let the peer's memory be written"};
    }
    const auto offset_bytes = static_cast<std::uint64_t>(memory.data() - arena->bytes().data());
    region = std::make_unique<ShmRegion>(*this, memory, arena->fd(), offset_bytes, access);
  }
  return enter(std::move(region));
}

const ShmRegion* ShmDomain::arena_of(std::span<const std::byte> memory) const {
  for (const ShmRegion* region : regions_) {
    if (region == nullptr || !region->is_arena()) continue;
    const std::span<const std::byte> bytes = region->bytes();
    if (memory.data() >= bytes.data() && memory.data() + memory.size() <= bytes.data() + bytes.size()) return region;
  }
  return nullptr;
}

Result<std::unique_ptr<Region>> ShmDomain::enter(std::unique_ptr<ShmRegion> region) {
  const std::lock_guard lock(mutex_);
  const auto free = std::ranges::find(regions_, nullptr);
  if (free == regions_.end()) {
    return Error{Status::kResourceLimit, "shm: this domain holds its " + std::to_string(kRegionsMax) +
                                             " regions already; register fewer and larger ones"};
  }
  const auto place = static_cast<std::uint32_t>(free - regions_.begin());
  // The generation makes a key of a former region in this place a wrong one, and 0 never a key.
  std::uint32_t key = 0;
  while (key / kRegionsMax == 0) key = key_generation_++ * kRegionsMax + place;
  *free = region.get();
  region->set_key(key);
  KeyPage::Entry& entry = key_page_.as<KeyPage>()->entries[place];
  entry.access = region->access();
  entry.address = region->remote().address;
  entry.length_bytes = region->bytes().size();
  // SYNC region-entered: whoever sees the key sees the bounds and rights that belong to it.
  entry.key.store(key, std::memory_order_release);
  if (region->access() != Access::kLocal) monitor_.announce(region->announcement(), region->fd());
  return std::unique_ptr<Region>(std::move(region));
}

void ShmDomain::deregister(const ShmRegion& region) {
  const std::lock_guard lock(mutex_);
  const std::uint32_t place = region.key() % kRegionsMax;
  key_page_.as<KeyPage>()->entries[place].key.store(0, std::memory_order_release);
  regions_[place] = nullptr;
}

bool ShmDomain::permits(std::uint32_t key, std::uint64_t address, std::uint64_t length_bytes,
                        Access access) const noexcept {
  const KeyPage::Entry& entry = key_page_.as<KeyPage>()->entries[key % kRegionsMax];
  // SYNC region-entered
  if (key == 0 || entry.key.load(std::memory_order_acquire) != key) return false;
  const bool in_bounds = address >= entry.address && length_bytes <= entry.length_bytes &&
                         address - entry.address <= entry.length_bytes - length_bytes;
  return in_bounds && allows(entry.access, access);
}

bool ShmDomain::announce_regions_locked(ShmLink& link) {
  return std::ranges::all_of(regions_, [&](const ShmRegion* region) {
    const bool known_to_peers = region != nullptr && region->access() != Access::kLocal;
    return !known_to_peers || link.announce(region->announcement(), region->fd());
  });
}

void ShmDomain::announce_regions(ShmLink& link) {
  const std::lock_guard lock(mutex_);
  announce_regions_locked(link);
}

Result<void> ShmDomain::add_link(const std::shared_ptr<ShmLink>& link) {
  constexpr std::uint64_t kPatienceNs = kNsPerSecond;
  const std::lock_guard lock(mutex_);
  for (const std::uint64_t deadline_ns = monotonic_ns() + kPatienceNs; !announce_regions_locked(*link);) {
    if (!is_ok(wait_writable(link->socket(), deadline_ns))) {
      return Error{Status::kTimedOut, "shm: " + peer_name(link->socket()) + " did not read its socket for a second"};
    }
  }
  return monitor_.add(link);
}

void ShmDomain::remove_link(const ShmLink& link) { monitor_.remove(link); }

Message ShmRegion::announcement() const {
  Message message = make_message(MessageKind::kRegion);
  message.region_key = key_;
  message.region_access = access_;
  message.region_address = remote().address;
  message.region_bytes = bytes_.size();
  message.region_offset = offset_bytes_;
  return message;
}

}  // namespace npf::fabric::shm
