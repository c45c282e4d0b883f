// The seam: what every fabric can do, in verbs' own terms. A backend is a folder that implements these classes; it is
// done when tests/fabric/conformance passes over its address. Not here: who may use what (control/), tensors
// (fabric/hop/).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace npf::fabric {

// Bytes that travel with a connection request and with its answer: RDMA CM's 56 on a connect, less what tells the
// receiver that they are a hello, and how long (fabric/cm_data.h).
inline constexpr std::size_t kHelloBytesMax = 48;
class Hello {
 public:
  Hello() = default;
  // More than kHelloBytesMax bytes is our own bug, not a peer's.
  explicit Hello(std::span<const std::byte> bytes);
  std::span<const std::byte> bytes() const { return {bytes_.data(), size_}; }

 private:
  std::array<std::byte, kHelloBytesMax> bytes_{};
  std::uint8_t size_ = 0;
};

// What a remote peer may do with a region. Local access is always there.
enum class Access : std::uint8_t { kLocal = 0, kRemoteRead = 1, kRemoteWrite = 2, kRemoteReadWrite = 3 };
constexpr bool allows(Access granted, Access wanted) {
  return (static_cast<unsigned>(granted) & static_cast<unsigned>(wanted)) == static_cast<unsigned>(wanted);
}

class Region;

// Memory of this process, inside one region. Null: any memory, for posts marked inlined; or what Endpoint::direct gave.
struct LocalSpan {
  std::byte* data = nullptr;
  std::uint64_t length_bytes = 0;
  const Region* region = nullptr;
};

// Memory of the peer: its own virtual address there, and the key it gave out.
struct RemoteSpan {
  std::uint64_t address = 0;
  std::uint64_t length_bytes = 0;
  std::uint32_t key = 0;
};

// Registered memory. Destroying it deregisters: from then on its key is refused, and what a peer posts to it fails.
// Owns: its memory when made by Domain::allocate. Threads: bytes, remote any. Lifetime: within its domain's.
class Region {
 public:
  virtual ~Region() = default;
  virtual std::span<std::byte> bytes() const = 0;
  virtual std::uint32_t key() const = 0;

  RemoteSpan remote() const { return remote(0, bytes().size()); }
  RemoteSpan remote(std::uint64_t offset_bytes, std::uint64_t length_bytes) const {
    return {reinterpret_cast<std::uintptr_t>(bytes().data()) + offset_bytes, length_bytes, key()};
  }
  LocalSpan local(std::uint64_t offset_bytes, std::uint64_t length_bytes) const {
    return {bytes().data() + offset_bytes, length_bytes, this};
  }
};

enum class Opcode : std::uint8_t { kWrite, kWriteWithImm, kSend, kRead, kReceive, kReceiveWithImm };

// One operation. WRITE, WRITE_WITH_IMM and SEND gather the local spans in order; READ scatters into them.
struct WorkRequest {
  std::uint64_t id = 0;  // comes back in the completion
  Opcode opcode = Opcode::kWrite;
  bool signaled = true;  // false: no completion unless it fails
  bool inlined = false;  // data is taken during post; at most Capabilities::inline_bytes_max
  std::uint32_t immediate = 0;
  std::span<const LocalSpan> local;
  RemoteSpan remote;  // its length is not read: the local spans decide. With no bytes to move it is not read at all
};

// A buffer for one SEND; a WRITE_WITH_IMM takes one too and leaves its buffer alone (it may be empty). A message that
// finds none waits; how long is the backend's.
struct ReceiveRequest {
  std::uint64_t id = 0;
  LocalSpan local;
};

// Without initial values, so that a batch to poll into costs nothing.
struct Completion {
  std::uint64_t id;
  void* context;  // EndpointOptions::context of the endpoint
  Opcode opcode;
  Status status;  // on a failed endpoint: the first cause once, then kFlushed
  std::uint32_t immediate;
  std::uint64_t length_bytes;  // received
};

// Limits as values. What lies beyond them is refused when it is set up or posted, with the limit in the sentence.
struct Capabilities {
  std::string_view backend;
  std::uint32_t queue_depth_max = 0;         // per endpoint and direction
  std::uint32_t gather_max = 0;              // local spans in one request
  std::uint32_t inline_bytes_max = 0;        // 0: no inlining
  std::uint64_t send_bytes_max = 0;          // one SEND
  std::uint64_t message_bytes_max = 0;       // one WRITE or READ
  std::uint32_t regions_max = 0;             // per domain
  bool direct = false;                       // Endpoint::direct can answer
  bool remote_access_to_any_memory = false;  // register_memory may grant remote access to memory it did not allocate
  bool names_refusals = true;  // a refused remote operation is kRemoteAccess; else kDisconnected, as if the peer closed
  // What goes the other way over a connection carries its acknowledgements, as over TCP: a ping-pong is cheaper over one
  // connection than over two.
  bool acknowledged_by_traffic = false;
  bool tells_death_from_close = false;  // a killed peer process is kPeerDied; else kDisconnected, as if it had closed
};

// How many work requests were taken, from the front. kPending: the queue is full; a later completion, or a wake-up with
// none, says when to go on. A failure names the first request not taken, and its sentence goes to the log. A failed
// endpoint takes and flushes them as far as its depths allow.
struct PostResult {
  Status status = Status::kOk;
  std::uint32_t posted = 0;
};

// Counted by the backend, per endpoint, by its data-path thread.
struct EndpointCounters {
  std::uint64_t posted = 0;
  std::uint64_t received = 0;
  std::uint64_t bytes_copied = 0;  // by a processor, ours: on shm what did not lie in place; on a NIC nothing
  std::uint64_t wakeups = 0;       // system calls made to wake a sleeping peer
};

enum class EndpointState : std::uint8_t { kConnected, kFailed, kClosed };

// A reliable, connected, ordered queue pair.
// Threads: the one that polls its completion queue; state() and first_cause() any. Blocks: never. It may be made on
//   another thread, that of control: its completions can then come before it has been handed over.
// Order: a WRITE_WITH_IMM or SEND completes at the receiver after its data and that of all earlier WRITEs is visible;
//   completions of one endpoint come in the order of posting, sends and receives each.
// Errors: the first one moves it to kFailed and is kept; every posted request, receives too, comes back exactly once. A
//   refused remote operation fails both ends: the initiator's with kRemoteAccess (Capabilities::names_refusals), the
//   target's where a receive is posted at the latest. So does a SEND larger than its receive. A failure wakes a sleeper
//   also when nothing was posted.
// Lifetime: within its domain's and its completion queue's; completions not polled when it is destroyed are dropped.
class Endpoint {
 public:
  virtual ~Endpoint() = default;
  virtual PostResult post(std::span<const WorkRequest> requests) noexcept = 0;
  virtual PostResult post_receive(std::span<const ReceiveRequest> requests) noexcept = 0;

  // Where the peer's memory is addressable here, or null: then it has to be written by post. Null unless the peer
  // grants writing there. Stays valid until the endpoint is destroyed; writing there after the peer deregistered it
  // reaches nobody.
  virtual std::byte* direct(const RemoteSpan& remote) noexcept = 0;

  // Disconnects; what is posted comes back as kFlushed. The peer sees kDisconnected; so does first_cause, if it is the
  // first.
  virtual void close() noexcept = 0;

  virtual EndpointState state() const noexcept = 0;
  virtual Error first_cause() const = 0;  // kOk while connected
  virtual std::string peer() const = 0;   // for people: address or pid
  virtual EndpointCounters counters() const noexcept = 0;
};

// Completions of any number of endpoints. Threads: one data-path thread. Blocks: never.
class CompletionQueue {
 public:
  virtual ~CompletionQueue() = default;
  virtual std::size_t poll(std::span<Completion> completions) noexcept = 0;

  // Sleeping without a lost wake-up: arm(); poll() once more; if that is empty, wait until fd() is readable; disarm().
  // Who waits for room in a send queue posts once more instead. Wake-ups may be spurious. Order: SYNC consumer-armed.
  virtual void arm() noexcept = 0;
  virtual void disarm() noexcept = 0;
  virtual bool armed() const noexcept = 0;  // whoever looks now is about to sleep
  virtual int fd() const noexcept = 0;
};

struct EndpointOptions {
  CompletionQueue* completion_queue = nullptr;  // must be of the same domain
  void* context = nullptr;                      // returned in each completion
  std::uint32_t send_depth = 256;
  std::uint32_t receive_depth = 256;
  std::span<const ReceiveRequest> receives;  // posted before the peer can send
  Hello hello;                               // travels to the peer
};

// Somebody who wants to connect. Destroying it unanswered refuses it.
// Threads: control. Blocks: accept, reject bounded (one message to the peer).
class ConnectionRequest {
 public:
  virtual ~ConnectionRequest() = default;
  virtual const Hello& hello() const = 0;
  virtual std::string peer() const = 0;
  virtual Result<std::unique_ptr<Endpoint>> accept(const EndpointOptions& options) = 0;
  virtual void reject(std::string_view reason) = 0;
};

// Threads: control. Lifetime: within its domain's; closing it leaves accepted endpoints alone.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual std::string address() const = 0;  // what a peer on this host passes to connect
  virtual int fd() const = 0;               // readable: wait_request(0) may have something

  // Blocks: until a request or the timeout (kTimedOut). A peer that speaks another protocol or version is answered,
  //   logged and not returned.
  virtual Result<std::unique_ptr<ConnectionRequest>> wait_request(std::uint64_t timeout_ns) = 0;
};

struct Connected {
  std::unique_ptr<Endpoint> endpoint;
  Hello hello;  // the acceptor's
};

// A protection domain: keys of one reach nothing of another. Outlives all made by it. Threads: any one at a time.
class Domain {
 public:
  virtual ~Domain() = default;
  virtual const Capabilities& capabilities() const = 0;
  // depth: at least the send and receive depths of all its endpoints together.
  virtual Result<std::unique_ptr<CompletionQueue>> create_completion_queue(std::uint32_t depth) = 0;

  // Memory the backend can share best, zeroed and faulted in.
  virtual Result<std::unique_ptr<Region>> allocate(std::uint64_t bytes, Access access) = 0;
  // The caller's memory, which must outlive the region. Refused where the backend cannot grant that access to it.
  virtual Result<std::unique_ptr<Region>> register_memory(std::span<std::byte> memory, Access access) = 0;

  virtual Result<std::unique_ptr<Listener>> listen(std::string_view address) = 0;
  // Blocks: until accepted, refused (kRefused with the peer's reason) or the timeout.
  virtual Result<Connected> connect(std::string_view address, const EndpointOptions& options,
                                    std::uint64_t timeout_ns) = 0;
};

// Opens a domain of the backend that the address names ("shm:...", "fake:...").
// An unknown backend is an error that lists those there are.
Result<std::unique_ptr<Domain>> open_domain(std::string_view address);

}  // namespace npf::fabric
