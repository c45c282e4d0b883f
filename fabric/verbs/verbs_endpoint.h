// A reliable connected queue pair, made and connected by RDMA CM.
#pragma once

#include <infiniband/verbs.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "fabric/fabric.h"
#include "fabric/failure_record.h"
#include "fabric/posted_ring.h"
#include "fabric/verbs/verbs_cm.h"
#include "fabric/verbs/verbs_completion_queue.h"
#include "fabric/verbs/verbs_domain.h"

namespace npf::fabric::verbs {

// A lost peer is noticed after at most (retries + 1) x 4.096 us x 2^exponent = 0.47 s (InfiniBand specification 9.7.6.1.3).
// RDMA CM's own choice would be 2.1 s a try.
inline constexpr std::uint8_t kAckTimeoutExponent = 14;
inline constexpr std::uint8_t kRetries = 6;
// 7 means for ever: rnr_retry by the specification, retry_cnt on rdma_rxe too; a dead peer would never be noticed.
inline constexpr std::uint8_t kForEver = 7;
static_assert(kRetries < kForEver);
// A message that finds no receive is tried again every 10.24 ms (code 20, InfiniBand specification 9.7.5.2.8), so often.
inline constexpr std::uint8_t kReceiverNotReadyRetries = 6;
inline constexpr std::uint8_t kReceiverNotReadyTimer = 20;
static_assert(kReceiverNotReadyRetries < kForEver);
inline constexpr std::uint8_t kReadsInFlight = 16;

// Order: SYNC failure-recorded, SYNC seat-taken; that of data is the device's.
class VerbsEndpoint final : public Endpoint {
 public:
  // On a bound identifier: the queue pair, with the first receives posted. Not connected yet. On a failure the identifier
  // is left to the caller, who may have a peer to tell.
  static Result<std::unique_ptr<VerbsEndpoint>> create(VerbsDomain& domain, CmId&& id, const EndpointOptions& options);
  ~VerbsEndpoint() override;

  // The connector's half: until accepted, refused, or the deadline. Returns the acceptor's hello.
  Result<Hello> connect(std::uint64_t deadline_ns);
  // The acceptor's half.
  Result<void> accept(std::uint64_t deadline_ns);

  PostResult post(std::span<const WorkRequest> requests) noexcept override;
  PostResult post_receive(std::span<const ReceiveRequest> requests) noexcept override;
  std::byte* direct(const RemoteSpan& /*remote*/) noexcept override { return nullptr; }
  void close() noexcept override;
  EndpointState state() const noexcept override { return failure_.state(); }
  Error first_cause() const override { return failure_.first_cause(); }
  std::string peer() const override { return peer_; }
  EndpointCounters counters() const noexcept override { return counters_; }

  // Called by the completion queue, on the data path's thread.
  void flush() noexcept;
  bool complete(const ibv_wc& work, const Token& token, Completion& completion) noexcept;

  // Called by the device's control thread.
  void on_cm_event(rdma_cm_event_type type) noexcept;
  void on_queue_pair_event(const std::string& text) noexcept;
  void on_device_failure(const std::string& why) noexcept;
  void probe_if_idle() noexcept;

 private:
  // Requests on their way to one doorbell.
  struct SendBatch;

  VerbsEndpoint(VerbsDomain& domain, CmId id, const EndpointOptions& options);
  Result<void> open(const EndpointOptions& options);
  rdma_conn_param connection_parameters(std::span<const std::byte> data) const;
  Result<void> go_live();
  Error connect_failure(const CmEvent& event) const;

  void append(SendBatch& batch, const WorkRequest& request, std::uint64_t length_bytes) noexcept;
  Status ring_doorbell(SendBatch& batch, std::uint32_t& posted) noexcept;
  PostResult hand_over(std::span<const ReceiveRequest> requests) noexcept;

  void check_probe() noexcept;
  bool complete_probe(const ibv_wc& work) noexcept;
  Status failure_of(const ibv_wc& work, Token::Kind kind, Opcode opcode) noexcept;

  // Cold: sentences, system calls.
  void fail(Error cause) noexcept;
  void disconnect() noexcept;
  void move_to_error() noexcept;

  VerbsDomain& domain_;
  VerbsCompletionQueue& queue_;
  void* const context_;
  const Hello hello_;
  const std::uint32_t send_depth_;
  const std::uint32_t receive_depth_;
  const std::uint32_t signal_every_;
  Token token_;
  bool joined_ = false;
  ibv_qp* pair_ = nullptr;
  PostedRing sends_;
  PostedRing receives_;
  std::uint32_t unsignaled_ = 0;  // posted since the last one that the device signals
  bool flushing_ = false;         // the data path knows of the end
  EndpointCounters counters_;
  FailureRecord failure_;
  std::string peer_;

  // Between data path and control thread.
  std::atomic<std::uint64_t> activity_{0};  // completions seen; the data path's
  std::uint64_t activity_probed_ = 0;       // the control thread's
  std::atomic<bool> probing_{false};
  std::uint32_t probe_ticks_max_ = 0;     // within them the transport has given up
  std::uint32_t probe_ticks_ = 0;         // since the probe was posted; the control thread's
  std::uint64_t drained_at_the_end_ = 0;  // the queue's count when they were over; the control thread's

  std::mutex disconnect_mutex_;
  bool connected_ = false;  // RDMA CM has a connection to end; guarded by disconnect_mutex_
  CmId id_;
};

}  // namespace npf::fabric::verbs
