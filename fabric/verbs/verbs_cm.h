// RDMA CM's identifiers and event channels as owners, and its events with a deadline of ours: RDMA CM itself waits for
// an answer for minutes, or for ever.
#pragma once

#include <netinet/in.h>
#include <rdma/rdma_cma.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "fabric/address.h"

namespace npf::fabric::verbs {

// An IPv4 or IPv6 address and port.
struct SocketAddress {
  sockaddr_storage storage{};

  static Result<SocketAddress> resolve(const Address& address);
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  void set_port(std::uint16_t port);
};

std::string to_text(const sockaddr* address);  // 10.9.0.1:7472, [fd00::1]:7472

// Parses and checks the scheme, and that there is a host.
Result<Address> parse_verbs_address(std::string_view address);

// An event, copied and acknowledged.
struct CmEvent {
  rdma_cm_event_type type = RDMA_CM_EVENT_ADDR_ERROR;
  int status = 0;
  rdma_cm_id* id = nullptr;
  std::vector<std::byte> data;  // private data; padded by RDMA CM
  std::uint8_t retries = 0;     // of a connection request: what the connector asks for
  std::uint8_t rnr_retries = 0;
};

class CmChannel {
 public:
  // purpose: whom it is for; for the sentence of a failure.
  static Result<std::shared_ptr<CmChannel>> create(const std::string& purpose);
  explicit CmChannel(rdma_event_channel* channel) : channel_(channel) {}
  ~CmChannel() { rdma_destroy_event_channel(channel_); }
  CmChannel(const CmChannel&) = delete;
  CmChannel& operator=(const CmChannel&) = delete;

  rdma_event_channel* get() const { return channel_; }
  int fd() const { return channel_->fd; }

  // Blocks: until an event or the deadline (monotonic_ns): kTimedOut. kSystem: the channel is broken.
  Result<CmEvent> wait_event(std::uint64_t deadline_ns) const;

 private:
  rdma_event_channel* const channel_;
};

// An identifier, its channel kept as long as it needs one.
class CmId {
 public:
  CmId() = default;
  CmId(rdma_cm_id* id, std::shared_ptr<CmChannel> channel) : id_(id), channel_(std::move(channel)) {}
  CmId(CmId&& other) noexcept : id_(std::exchange(other.id_, nullptr)), channel_(std::move(other.channel_)) {}
  CmId& operator=(CmId&& other) noexcept;
  ~CmId() { reset(); }

  // For that address, on a channel of its own; bound to nothing yet.
  static Result<CmId> create(const SocketAddress& address);

  rdma_cm_id* get() const { return id_; }
  rdma_cm_id* operator->() const { return id_; }
  bool valid() const { return id_ != nullptr; }
  const std::shared_ptr<CmChannel>& channel() const { return channel_; }
  void reset();

  // Its events, those not yet read too, come over that channel from now on.
  Result<void> migrate(std::shared_ptr<CmChannel> channel);

  // Binds to a device by the route to the peer; leaves the route resolved.
  // Blocks: until done or the deadline. kUnreachable: there is no such route.
  Result<void> resolve(const SocketAddress& peer, std::uint64_t deadline_ns);

 private:
  Result<void> await(rdma_cm_event_type wanted, const SocketAddress& peer, std::uint64_t deadline_ns);

  rdma_cm_id* id_ = nullptr;
  std::shared_ptr<CmChannel> channel_;
};

}  // namespace npf::fabric::verbs
