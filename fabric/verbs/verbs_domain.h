// A protection domain on one RDMA device.
#pragma once

#include <infiniband/verbs.h>

#include <atomic>
#include <memory>

#include "fabric/fabric.h"
#include "fabric/verbs/verbs_device.h"

namespace npf::fabric::verbs {

class VerbsDomain final : public Domain {
 public:
  // On the device that has the address, or else the one by which the kernel reaches it.
  static Result<std::unique_ptr<VerbsDomain>> open(const Address& address);
  ~VerbsDomain() override;

  const Capabilities& capabilities() const override { return capabilities_; }
  Result<std::unique_ptr<CompletionQueue>> create_completion_queue(std::uint32_t depth) override;
  Result<std::unique_ptr<Region>> allocate(std::uint64_t bytes, Access access) override;
  Result<std::unique_ptr<Region>> register_memory(std::span<std::byte> memory, Access access) override;
  Result<std::unique_ptr<Listener>> listen(std::string_view address) override;
  Result<Connected> connect(std::string_view address, const EndpointOptions& options,
                            std::uint64_t timeout_ns) override;

  const std::shared_ptr<VerbsDevice>& device() const { return device_; }
  ibv_pd* get() const { return domain_; }

  // Fails when an identifier was bound to another device than this domain's.
  Result<void> check_device(const rdma_cm_id& id, const std::string& address) const;

 private:
  VerbsDomain(std::shared_ptr<VerbsDevice> device, ibv_pd* domain);

  const std::shared_ptr<VerbsDevice> device_;
  ibv_pd* const domain_;
  const Capabilities capabilities_;
};

}  // namespace npf::fabric::verbs
