#include "fabric/verbs/verbs_failure.h"

#include "fabric/work_request.h"

namespace npf::fabric::verbs {

namespace {

struct Meaning {
  Status status;
  const char* sentence;
};

// A device that has to refuse its peer says so to the peer; here only flushed receives show it (rdma_rxe raises no event).
Meaning meaning_for_receiver(ibv_wc_status status) {
  switch (status) {
    case IBV_WC_LOC_LEN_ERR:
    case IBV_WC_LOC_QP_OP_ERR:  // what rdma_rxe says instead
      return {Status::kProtocol, "a SEND was larger than the receive it found; post larger receives"};
    case IBV_WC_WR_FLUSH_ERR:
      return {
          Status::kRemoteAccess,
          "the queue pair went to the error state without a disconnect: the device refused what the peer asked for; "
          "check the peer's key, bounds and access rights"};
    default: return {Status::kProtocol, "a receive failed"};
  }
}

Meaning meaning_for_sender(ibv_wc_status status, Opcode opcode) {
  switch (status) {
    case IBV_WC_REM_ACCESS_ERR:
      return {Status::kRemoteAccess, "the peer's device refused the access; check key, bounds and access rights"};
    case IBV_WC_REM_INV_REQ_ERR:
      if (opcode == Opcode::kSend) return {Status::kProtocol, "the SEND was larger than the receive it found"};
      return {Status::kRemoteAccess, "the peer's device refused the access; check key, bounds and access rights"};
    case IBV_WC_REM_OP_ERR:
      return {Status::kProtocol, "the peer's device could not do it; was a SEND larger than the receive it found?"};
    case IBV_WC_RETRY_EXC_ERR:
      return {Status::kPeerDied,
              "the peer's device did not acknowledge any of the tries; its host or the path to it is gone"};
    case IBV_WC_RNR_RETRY_EXC_ERR:
      return {Status::kProtocol, "the peer had no receive posted at any of the tries; it has to post receives in time"};
    case IBV_WC_LOC_PROT_ERR:
      return {Status::kProtocol,
              "the local memory is not that of a registered region; keep it registered until completed"};
    case IBV_WC_LOC_QP_OP_ERR:
      return {Status::kDisconnected,
              "the local device could not do it: its port is down, its address is gone, or the local memory was "
              "deregistered too early"};
    case IBV_WC_WR_FLUSH_ERR: return {Status::kDisconnected, "the queue pair went to the error state without a word"};
    default: return {Status::kDisconnected, "the device gave up the connection"};
  }
}

}  // namespace

Error explain_work_failure(const ibv_wc& work, bool received, Opcode opcode) {
  const Meaning meaning = received ? meaning_for_receiver(work.status) : meaning_for_sender(work.status, opcode);
  std::string text = std::string(operation_name(opcode)) + ": " + meaning.sentence + " (" +
                     ibv_wc_status_str(work.status) + ", status " + std::to_string(static_cast<int>(work.status));
  if (work.vendor_err != 0) text += ", vendor error " + std::to_string(work.vendor_err);
  return {meaning.status, text + ")"};
}

}  // namespace npf::fabric::verbs
