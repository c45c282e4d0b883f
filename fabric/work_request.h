// What the backends of NICs ask of a work request before it goes to the provider, and how they speak of it.
#pragma once

#include <string_view>

#include "fabric/fabric.h"

namespace npf::fabric {

// kInvalidArgument: too many spans, one that is not registered, or too long. length_bytes: of all spans together.
inline Status check_shape(const WorkRequest& request, const Capabilities& limits,
                          std::uint64_t& length_bytes) noexcept {
  if (request.local.size() > limits.gather_max) return Status::kInvalidArgument;
  bool registered = true;
  for (const LocalSpan& span : request.local) {
    length_bytes += span.length_bytes;
    registered = registered && (span.region != nullptr || span.length_bytes == 0);
  }
  const std::uint64_t most = request.opcode == Opcode::kSend ? limits.send_bytes_max : limits.message_bytes_max;
  const bool fits = length_bytes <= most && (!request.inlined || length_bytes <= limits.inline_bytes_max);
  return fits && (registered || request.inlined) ? Status::kOk : Status::kInvalidArgument;
}

// Says what is allowed. Cold.
void log_refused(std::string_view backend, std::string_view peer, const WorkRequest& request,
                 const Capabilities& limits);

const char* operation_name(Opcode opcode);  // in the terms of verbs: "WRITE_WITH_IMM"

}  // namespace npf::fabric
