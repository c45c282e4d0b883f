#include "fabric/work_request.h"

#include <string>

#include "base/log.h"

namespace npf::fabric {

void log_refused(std::string_view backend, std::string_view peer, const WorkRequest& request,
                 const Capabilities& limits) {
  std::uint64_t length_bytes = 0;
  for (const LocalSpan& span : request.local) length_bytes += span.length_bytes;
  log(LogLevel::kWarning,
      std::string(backend) + ": " + std::string(peer) + ": request " + std::to_string(request.id) + " of " +
          std::to_string(length_bytes) + " bytes in " + std::to_string(request.local.size()) +
          " spans is refused; allowed: " + std::to_string(limits.gather_max) + " registered spans, " +
          std::to_string(limits.inline_bytes_max) + " bytes inlined, " + std::to_string(limits.send_bytes_max) +
          " in a SEND, " + std::to_string(limits.message_bytes_max) + " in all");
}

const char* operation_name(Opcode opcode) {
  switch (opcode) {
    case Opcode::kWrite: return "WRITE";
    case Opcode::kWriteWithImm: return "WRITE_WITH_IMM";
    case Opcode::kSend: return "SEND";
    case Opcode::kRead: return "READ";
    case Opcode::kReceive:
    case Opcode::kReceiveWithImm: return "receive";
  }
  return "operation";
}

}  // namespace npf::fabric
