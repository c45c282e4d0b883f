// Listening for connection requests, each answered once.
#pragma once

#include <memory>
#include <string>

#include "fabric/address.h"
#include "fabric/fabric.h"
#include "fabric/verbs/verbs_cm.h"
#include "fabric/verbs/verbs_domain.h"

namespace npf::fabric::verbs {

class VerbsListener final : public Listener {
 public:
  static Result<std::unique_ptr<VerbsListener>> create(VerbsDomain& domain, const Address& address);
  ~VerbsListener() override;

  std::string address() const override { return address_; }
  int fd() const override { return id_.channel()->fd(); }
  Result<std::unique_ptr<ConnectionRequest>> wait_request(std::uint64_t timeout_ns) override;

 private:
  VerbsListener(VerbsDomain& domain, CmId id);
  std::unique_ptr<ConnectionRequest> take_request(const CmEvent& event);

  VerbsDomain& domain_;
  CmId id_;
  const std::string address_;
};

}  // namespace npf::fabric::verbs
