// The shm protection domain: its regions, the key page that peers see, and the monitor of its connections.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "fabric/fabric.h"
#include "fabric/shm/shm_layout.h"
#include "fabric/shm/shm_link.h"
#include "fabric/shm/shm_memory.h"

namespace npf::fabric::shm {

class ShmRegion;
class ShmEndpoint;

class ShmDomain final : public Domain {
 public:
  static Result<std::unique_ptr<ShmDomain>> create();
  ~ShmDomain() override;

  const Capabilities& capabilities() const override { return capabilities_; }
  Result<std::unique_ptr<CompletionQueue>> create_completion_queue(std::uint32_t depth) override;
  Result<std::unique_ptr<Region>> allocate(std::uint64_t bytes, Access access) override;
  Result<std::unique_ptr<Region>> register_memory(std::span<std::byte> memory, Access access) override;
  Result<std::unique_ptr<Listener>> listen(std::string_view address) override;
  Result<Connected> connect(std::string_view address, const EndpointOptions& options,
                            std::uint64_t timeout_ns) override;

  // Whether [address, address + length) lies in the region of that key and the region grants the access.
  // Threads: any. Blocks: never.
  bool permits(std::uint32_t key, std::uint64_t address, std::uint64_t length_bytes, Access access) const noexcept;

  int key_page_fd() const { return key_page_.fd(); }
  bool expedited() const { return expedited_; }

  // Tells the peer of the regions there are, as many as its socket holds.
  void announce_regions(ShmLink& link);
  // Tells it of the others; from then on the monitor tells it of each new one.
  Result<void> add_link(const std::shared_ptr<ShmLink>& link);
  void remove_link(const ShmLink& link);
  void deregister(const ShmRegion& region);

 private:
  explicit ShmDomain(SharedMemory key_page);
  bool announce_regions_locked(ShmLink& link);
  Result<std::unique_ptr<Region>> enter(std::unique_ptr<ShmRegion> region);
  const ShmRegion* arena_of(std::span<const std::byte> memory) const;

  const Capabilities capabilities_;
  const bool expedited_;
  SharedMemory key_page_;
  std::mutex mutex_;
  std::vector<ShmRegion*> regions_;  // by place; null: free. Guarded by mutex_
  std::uint32_t key_generation_;     // guarded by mutex_
  ShmMonitor monitor_;
};

}  // namespace npf::fabric::shm
