#include "fabric/endpoint_options.h"

#include <string>

namespace npf::fabric {

Result<void> check_options(const Domain& domain, const EndpointOptions& options) {
  const Capabilities& limits = domain.capabilities();
  const auto refuse = [&](const std::string& what, std::uint64_t value, std::uint64_t allowed) {
    return Error{Status::kInvalidArgument, std::string(limits.backend) + ": " + what + " " + std::to_string(value) +
                                               "; allowed: 1 to " + std::to_string(allowed)};
  };
  if (options.completion_queue == nullptr) {
    return Error{Status::kInvalidArgument, std::string(limits.backend) + ": an endpoint needs a completion queue"};
  }
  if (options.send_depth == 0 || options.send_depth > limits.queue_depth_max) {
    return refuse("send depth", options.send_depth, limits.queue_depth_max);
  }
  if (options.receive_depth == 0 || options.receive_depth > limits.queue_depth_max) {
    return refuse("receive depth", options.receive_depth, limits.queue_depth_max);
  }
  if (options.receives.size() > options.receive_depth) {
    return refuse("first receives", options.receives.size(), options.receive_depth);
  }
  return {};
}

}  // namespace npf::fabric
