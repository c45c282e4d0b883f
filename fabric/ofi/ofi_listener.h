// Listening for connection requests, each answered once.
#pragma once

#include <rdma/fi_endpoint.h>

#include <memory>
#include <string>

#include "fabric/address.h"
#include "fabric/fabric.h"
#include "fabric/ofi/ofi_events.h"
#include "fabric/ofi/ofi_provider.h"

namespace npf::fabric::ofi {

class OfiDomain;

// A request refers to its passive endpoint until it is answered, so they hold it together.
struct PassiveEndpoint {
  EventQueue events;
  Fid<fid_pep> endpoint;  // closed before events
  std::size_t data_bytes_max = 0;

  void refuse(const fi_info& info, std::string_view reason) const;
};

class OfiListener final : public Listener {
 public:
  static Result<std::unique_ptr<OfiListener>> create(OfiDomain& domain, const Address& address);
  ~OfiListener() override;

  std::string address() const override { return address_; }
  int fd() const override { return passive_->events.fd(); }
  Result<std::unique_ptr<ConnectionRequest>> wait_request(std::uint64_t timeout_ns) override;

 private:
  OfiListener(OfiDomain& domain, std::shared_ptr<PassiveEndpoint> passive, std::string address)
      : domain_(domain), passive_(std::move(passive)), address_(std::move(address)) {}
  std::unique_ptr<ConnectionRequest> take_request(Event event);

  OfiDomain& domain_;
  const std::shared_ptr<PassiveEndpoint> passive_;
  const std::string address_;
};

}  // namespace npf::fabric::ofi
