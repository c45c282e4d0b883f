// Every way in which an endpoint's data path meets a failure: sentences, and never in a hurry.
#include <rdma/fi_errno.h>

#include <array>
#include <cstdlib>

#include "base/log.h"
#include "fabric/ofi/ofi_endpoint.h"
#include "fabric/ofi/ofi_failure.h"
#include "fabric/ofi/ofi_token.h"
#include "fabric/work_request.h"

namespace npf::fabric::ofi {

void OfiEndpoint::fail(Error cause) noexcept {
  cause.message = provider_.backend + ": " + peer_ + ": " + cause.message;
  if (failure_.fail(std::move(cause))) queue_.wake();
}

void OfiEndpoint::note_pending() noexcept {
  starved_ = true;
  // Whoever waits for room sleeps without another poll.
  if (queue_.armed()) queue_.prepare_sleep();
}

// False: there was none after all, or the queue itself is broken.
bool OfiEndpoint::take_error(int code) noexcept {
  if (code != -FI_EAVAIL) {
    if (code != -FI_EINTR) {
      fail(ofi_error(Status::kSystem, "reading the completion queue", std::abs(code), "connect again"));
    }
    return false;
  }
  fi_cq_err_entry entry{};
  if (::fi_cq_readerr(completions_.get(), &entry, 0) < 1) return false;
  if (!failure_.connected()) return true;
  const Token token = Token::of(entry.op_context);
  const bool received = (entry.flags & (FI_RECV | FI_REMOTE_WRITE)) != 0;
  const std::uint64_t place = sends_.place_of(token.low);
  const Opcode opcode = !received && sends_.holds(place) ? sends_.at(place).opcode : Opcode::kReceive;
  std::array<char, 128> text{};
  const char* const said =
      ::fi_cq_strerror(completions_.get(), entry.prov_errno, entry.err_data, text.data(), text.size());
  fail(explain_completion(entry, operation_name(opcode), provider_.name, said == nullptr ? std::string() : said));
  return true;
}

// Provider tcp of 1.17 checks bounds in 64 bits without regard to an overflow, and a READ that passes so is never
// answered. It cannot be granted anywhere, so it is refused here.
void OfiEndpoint::refuse_wrapped(const WorkRequest& request, std::uint64_t length_bytes) noexcept {
  fail({Status::kRemoteAccess, std::string(operation_name(request.opcode)) + ": " + std::to_string(length_bytes) +
                                   " bytes at remote address " + std::to_string(request.remote.address) +
                                   " lie beyond the end of the address space; check the peer's address"});
}

void OfiEndpoint::refuse_large(std::uint64_t length_bytes, std::uint64_t room_bytes) noexcept {
  fail({Status::kProtocol, "a SEND of " + std::to_string(length_bytes) + " bytes was larger than the receive of " +
                               std::to_string(room_bytes) + " that it found; post larger receives"});
}

void OfiEndpoint::refuse_post(int code, Opcode opcode) noexcept {
  fail(explain_post(std::abs(code), operation_name(opcode)));
}

}  // namespace npf::fabric::ofi
