#include "fabric/ofi/ofi_failure.h"

#include <rdma/fabric.h>
#include <rdma/fi_errno.h>

namespace npf::fabric::ofi {

namespace {

// prov_errno of provider verbs is a work completion's status (ibv_wc_status in infiniband/verbs.h).
constexpr int kVerbsRemoteAccessError = 10;
constexpr int kVerbsRetriesExceeded = 12;

std::string named(int code) { return std::string(::fi_strerror(code)) + ", fi_errno " + std::to_string(code); }

bool is_end_of_connection(int code) {
  switch (code) {
    case FI_ECANCELED:
    case FI_ECONNRESET:
    case FI_ECONNABORTED:
    case FI_ENOTCONN:
    case FI_ESHUTDOWN:
    case EPIPE: return true;
    default: return false;
  }
}

}  // namespace

Error ofi_error(Status status, const std::string& what, int code, const std::string& next_step) {
  std::string text = what + " (" + named(code) + ")";
  if (!next_step.empty()) text += "; " + next_step;
  return {status, text};
}

Error explain_completion(const fi_cq_err_entry& entry, const std::string& operation, const std::string& provider,
                         const std::string& text) {
  const std::string said = text.empty() ? std::string() : ", provider says: " + text;
  if (provider == "verbs" && entry.prov_errno == kVerbsRemoteAccessError) {
    return ofi_error(Status::kRemoteAccess, operation + ": the peer refused the access" + said, entry.err,
                     "check key, bounds and access rights");
  }
  if (provider == "verbs" && entry.prov_errno == kVerbsRetriesExceeded) {
    return ofi_error(Status::kPeerDied, operation + ": the peer did not acknowledge any of the tries" + said, entry.err,
                     "its host or the path to it is gone");
  }
  if (entry.err == FI_ETRUNC) {
    return ofi_error(Status::kProtocol, operation + ": a message was larger than a SEND may be" + said, entry.err,
                     "does the peer run the same release?");
  }
  if (is_end_of_connection(entry.err)) {
    return ofi_error(Status::kDisconnected,
                     operation + ": provider " + provider +
                         " ended the connection: the peer closed it, its process "
                         "ended, or a remote access was refused",
                     entry.err, "look for the first cause at the peer");
  }
  return ofi_error(Status::kDisconnected, operation + ": provider " + provider + " could not do it" + said, entry.err,
                   "look for the first cause at the peer");
}

Error explain_post(int code, const std::string& operation) {
  return ofi_error(Status::kDisconnected, operation + ": the provider does not take it", code,
                   "connect again; `npu-ctl doctor` shows what is there");
}

}  // namespace npf::fabric::ofi
