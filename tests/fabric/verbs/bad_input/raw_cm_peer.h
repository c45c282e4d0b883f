// A peer that speaks RDMA CM but not our protocol: written with librdmacm alone, so that it can do what we never would.
#pragma once

#include <rdma/rdma_cma.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace npf::fabric::bad_input {

struct RawAnswer {
  enum class Kind : std::uint8_t { kAccept, kReject, kNone } kind = Kind::kAccept;
  std::vector<std::byte> data;
  std::uint8_t rnr_retries = 6;
};

std::vector<std::byte> bytes_of(std::string_view text);

// Owns an identifier and its channel.
class RawId {
 public:
  RawId();
  explicit RawId(rdma_cm_id* accepted) : id_(accepted) {}
  ~RawId();
  RawId(const RawId&) = delete;
  RawId& operator=(const RawId&) = delete;
  rdma_cm_id* get() const { return id_; }
  void make_queue_pair();

 private:
  rdma_event_channel* channel_ = nullptr;  // null: the listener's
  rdma_cm_id* id_ = nullptr;
};

// Answers the first connection request, in a thread of its own, and stays until it is destroyed.
class RawServer {
 public:
  RawServer(std::uint16_t port, RawAnswer answer);
  ~RawServer();

 private:
  void serve(const RawAnswer& answer);

  RawId listening_;
  std::unique_ptr<RawId> connection_;
  std::thread thread_;
};

struct RawRequest {
  std::vector<std::byte> data;
  std::uint8_t retries = 6;
  std::uint8_t rnr_retries = 6;
  bool waits = true;  // false: gone as soon as it has asked
};

struct RawOutcome {
  rdma_cm_event_type event = RDMA_CM_EVENT_ADDR_ERROR;
  std::vector<std::byte> data;
};

// Asks for a connection at 10.9.0.1 and says what came of it. Blocks: until an answer.
RawOutcome raw_connect(std::uint16_t port, const RawRequest& request);

}  // namespace npf::fabric::bad_input
