// One domain of a libfabric provider: what its keys reach.
#pragma once

#include <rdma/fi_domain.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <random>

#include "fabric/fabric.h"
#include "fabric/ofi/ofi_control.h"
#include "fabric/ofi/ofi_provider.h"

namespace npf::fabric::ofi {

class OfiDomain final : public Domain {
 public:
  static Result<std::unique_ptr<OfiDomain>> open(const Address& address);
  ~OfiDomain() override;

  const Capabilities& capabilities() const override { return capabilities_; }
  Result<std::unique_ptr<CompletionQueue>> create_completion_queue(std::uint32_t depth) override;
  Result<std::unique_ptr<Region>> allocate(std::uint64_t bytes, Access access) override;
  Result<std::unique_ptr<Region>> register_memory(std::span<std::byte> memory, Access access) override;
  Result<std::unique_ptr<Listener>> listen(std::string_view address) override;
  Result<Connected> connect(std::string_view address, const EndpointOptions& options,
                            std::uint64_t timeout_ns) override;

  const Provider& provider() const { return provider_; }
  fid_fabric* fabric() const { return fabric_.get(); }
  fid_domain* get() const { return domain_.get(); }
  OfiControl& control() { return *control_; }

  // Random, so that nobody guesses it and that it does not soon come again after it was given back. Threads: any.
  std::uint32_t next_key();

 private:
  OfiDomain(Provider provider, Fid<fid_fabric> fabric, Fid<fid_domain> domain, std::unique_ptr<OfiControl> control);

  const Provider provider_;
  const Capabilities capabilities_;
  const Fid<fid_fabric> fabric_;
  const Fid<fid_domain> domain_;
  const std::unique_ptr<OfiControl> control_;
  std::mutex mutex_;
  std::random_device random_;  // guarded by mutex_
};

}  // namespace npf::fabric::ofi
