#include "fabric/hop/duplex.h"

namespace npf::fabric::hop {

EndpointOptions Duplex::endpoint_options(CompletionQueue& queue) {
  EndpointOptions options = consumer_.endpoint_options(queue);
  const EndpointOptions sending = producer_.endpoint_options(queue, options.hello);
  options.context = static_cast<CompletionHandler*>(this);
  options.send_depth += sending.send_depth;
  options.receive_depth += sending.receive_depth;
  // Which of them a message takes does not matter: none has a buffer, and each end posts one again for each of its own messages.
  receives_.assign(options.receives.begin(), options.receives.end());
  receives_.insert(receives_.end(), sending.receives.begin(), sending.receives.end());
  options.receives = receives_;
  return options;
}

Result<void> Duplex::attach(std::unique_ptr<Endpoint> endpoint, const Geometry& theirs) {
  const std::shared_ptr<Endpoint> shared = std::move(endpoint);
  consumer_.attach(shared);
  return producer_.attach(shared, theirs);
}

}  // namespace npf::fabric::hop
