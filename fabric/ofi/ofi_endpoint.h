// A connected endpoint of libfabric's (FI_EP_MSG), with its own completion queue and event queue.
#pragma once

#include <rdma/fi_endpoint.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "fabric/fabric.h"
#include "fabric/failure_record.h"
#include "fabric/ofi/ofi_completion_queue.h"
#include "fabric/ofi/ofi_domain.h"
#include "fabric/ofi/ofi_events.h"
#include "fabric/ofi/ofi_region.h"
#include "fabric/ofi/ofi_ring.h"
#include "fabric/ofi/ofi_wait.h"

namespace npf::fabric::ofi {

// Bytes that a connection request carries; an error below our hello's.
Result<std::size_t> connection_data_bytes_max(fid& endpoint, const Provider& provider);

// The caller's receives stay here. The provider gets bounce buffers of ours: whether a WRITE_WITH_IMM takes one of a
// provider's receives differs among them, and the seam wants it to take one of the caller's. So a SEND is copied once.
// Order: SYNC failure-recorded, SYNC ofi-seat-taken; that of data is the provider's.
class OfiEndpoint final : public Endpoint {
 public:
  // With the first receives posted. Not connected yet. info: of the peer to reach, or of a connection request.
  static Result<std::unique_ptr<OfiEndpoint>> create(OfiDomain& domain, const fi_info& info,
                                                     const EndpointOptions& options);
  ~OfiEndpoint() override;

  // The connector's half: until accepted, refused, or the deadline. Returns the acceptor's hello.
  Result<Hello> connect(const void* address, std::uint64_t deadline_ns);
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
  std::size_t poll(std::span<Completion> completions) noexcept;
  // False: it must not sleep, something is there. True: the epoll becomes readable when something comes.
  bool prepare_sleep(int epoll) noexcept;
  void end_sleeping(int epoll) noexcept { wait_.unwatch(epoll); }

  // Called by the domain's control thread.
  int events_fd() const { return events_.fd(); }
  void read_events() noexcept;
  void progress_if_idle() noexcept;

 private:
  struct Sent {
    std::uint64_t id;
    Opcode opcode;
    bool signaled;  // as the caller wanted it, whatever the provider was asked
    bool done;      // a READ's; of the others covered_ tells
  };
  // What came, in order, until a receive of the caller's takes it.
  struct Arrival {
    std::uint64_t length_bytes;
    std::uint32_t immediate;
    std::uint32_t bounce;  // which buffer it lies in; a SEND's
    bool is_immediate;
  };
  enum class Found : std::uint8_t { kNothing, kLess, kBatch };
  static constexpr std::size_t kBatch = 16;
  static constexpr std::uint32_t kSilentPolls = 16;
  static constexpr std::uint32_t kPollsSkipped = 7;

  OfiEndpoint(OfiDomain& domain, EventQueue events, const fi_info& info, const EndpointOptions& options);
  Result<void> open(const fi_info& info, const EndpointOptions& options);
  Result<void> open_queue();
  Result<void> go_live();
  Error connect_failure(int code, std::span<const std::byte> data) const;
  Error failed_at(const char* step, int code) const;

  Status hand_over(const WorkRequest& request, std::uint64_t length_bytes) noexcept;
  int post_bounce(std::uint32_t index) noexcept;
  void repost_bounce(std::uint32_t index) noexcept;
  bool is_due() noexcept;
  Found read_provider() noexcept;
  void take(const fi_cq_data_entry& entry) noexcept;
  void take_arrival(const fi_cq_data_entry& entry) noexcept;
  void finish(std::uint32_t place_low) noexcept;
  std::size_t give_sends(std::span<Completion> completions) noexcept;
  std::size_t give_receives(std::span<Completion> completions) noexcept;
  std::size_t give_ready(std::span<Completion> completions) noexcept;
  std::size_t give_flushed(std::span<Completion> completions) noexcept;
  Completion completion_of(std::uint64_t id, Opcode opcode, Status status) const noexcept;

  // Cold: sentences, system calls.
  void note_pending() noexcept;
  bool take_error(int code) noexcept;
  void refuse_wrapped(const WorkRequest& request, std::uint64_t length_bytes) noexcept;
  void refuse_large(std::uint64_t length_bytes, std::uint64_t room_bytes) noexcept;
  void refuse_post(int code, Opcode opcode) noexcept;
  void fail(Error cause) noexcept;
  void stop() noexcept;

  OfiDomain& domain_;
  const Provider& provider_;
  OfiCompletionQueue& queue_;
  void* const context_;
  const Hello hello_;
  const std::uint32_t send_depth_;
  const std::uint32_t receive_depth_;
  const std::uint32_t signal_every_;
  const std::string peer_;

  // Closed in the order from the last one.
  EventQueue events_;
  std::unique_ptr<Region> bounces_;
  Fid<fid_cq> completions_;
  Fid<fid_ep> endpoint_;  // null once stopped: then nothing touches a buffer any more
  OfiWait wait_;
  bool reserved_ = false;
  bool joined_ = false;
  bool connected_ = false;
  std::uint32_t seat_ = 0;

  // The data path's.
  Ring<Sent> sends_;
  Ring<ReceiveRequest> receives_;
  Ring<Arrival> arrivals_;
  std::uint64_t covered_ = 0;     // sends before this place are done, but for READs
  std::uint32_t unsignaled_ = 0;  // posted since the last one that the provider signals
  bool starved_ = false;          // a post found no room
  std::uint32_t silent_ = 0;      // polls since the provider had something
  EndpointCounters counters_;
  FailureRecord failure_;

  std::uint64_t polls_seen_ = 0;  // the control thread's
  // libfabric copies its list of descriptors for who falls asleep without the lock under which it polls and changes it.
  std::mutex progress_or_sleep_;
};

}  // namespace npf::fabric::ofi
