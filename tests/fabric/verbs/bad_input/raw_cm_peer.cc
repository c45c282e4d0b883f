#include "tests/fabric/verbs/bad_input/raw_cm_peer.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>

#include "tests/fabric/verbs/bad_input/guest.h"

namespace npf::fabric::bad_input {

namespace {

constexpr int kPatienceMs = 5'000;

sockaddr_in guest_address(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, kHost.c_str(), &address.sin_addr);
  return address;
}

struct RawEvent {
  RawOutcome outcome;
  rdma_cm_id* id = nullptr;
};

// Nothing in time gives ADDR_ERROR.
RawEvent next_event(rdma_event_channel* channel) {
  RawEvent seen;
  pollfd descriptor{channel->fd, POLLIN, 0};
  rdma_cm_event* event = nullptr;
  if (::poll(&descriptor, 1, kPatienceMs) != 1 || rdma_get_cm_event(channel, &event) != 0) return seen;
  seen.outcome.event = event->event;
  seen.id = event->id;
  const auto* const data = static_cast<const std::byte*>(event->param.conn.private_data);
  if (data != nullptr) seen.outcome.data.assign(data, data + event->param.conn.private_data_len);
  rdma_ack_cm_event(event);
  return seen;
}

}  // namespace

std::vector<std::byte> bytes_of(std::string_view text) {
  std::vector<std::byte> bytes(text.size());
  std::ranges::transform(text, bytes.begin(), [](char c) { return static_cast<std::byte>(c); });
  return bytes;
}

RawId::RawId() : channel_(rdma_create_event_channel()) {
  EXPECT_NE(channel_, nullptr);
  EXPECT_EQ(rdma_create_id(channel_, &id_, nullptr, RDMA_PS_TCP), 0);
}

RawId::~RawId() {
  if (id_->qp != nullptr) {
    rdma_disconnect(id_);
    rdma_destroy_qp(id_);
  }
  rdma_destroy_id(id_);
  if (channel_ != nullptr) rdma_destroy_event_channel(channel_);
}

void RawId::make_queue_pair() {
  ibv_qp_init_attr wanted{};
  wanted.qp_type = IBV_QPT_RC;
  wanted.cap = {.max_send_wr = 4, .max_recv_wr = 4, .max_send_sge = 1, .max_recv_sge = 1, .max_inline_data = 0};
  EXPECT_EQ(rdma_create_qp(id_, nullptr, &wanted), 0);
}

RawServer::RawServer(std::uint16_t port, RawAnswer answer) {
  sockaddr_in address = guest_address(port);
  EXPECT_EQ(rdma_bind_addr(listening_.get(), reinterpret_cast<sockaddr*>(&address)), 0);
  EXPECT_EQ(rdma_listen(listening_.get(), 1), 0);
  thread_ = std::thread([this, answer = std::move(answer)] { serve(answer); });
}

RawServer::~RawServer() { thread_.join(); }

void RawServer::serve(const RawAnswer& answer) {
  const RawEvent asked = next_event(listening_.get()->channel);
  EXPECT_EQ(asked.outcome.event, RDMA_CM_EVENT_CONNECT_REQUEST);
  if (asked.id == nullptr) return;
  connection_ = std::make_unique<RawId>(asked.id);
  if (answer.kind == RawAnswer::Kind::kNone) return;
  const auto length = static_cast<std::uint8_t>(answer.data.size());
  if (answer.kind == RawAnswer::Kind::kReject) {
    EXPECT_EQ(rdma_reject(asked.id, answer.data.data(), length), 0);
    return;
  }
  connection_->make_queue_pair();
  rdma_conn_param parameters{};
  parameters.private_data = answer.data.data();
  parameters.private_data_len = length;
  parameters.responder_resources = parameters.initiator_depth = 1;
  parameters.rnr_retry_count = answer.rnr_retries;
  EXPECT_EQ(rdma_accept(asked.id, &parameters), 0);
}

RawOutcome raw_connect(std::uint16_t port, const RawRequest& request) {
  RawId id;
  sockaddr_in address = guest_address(port);
  rdma_event_channel* const channel = id.get()->channel;
  EXPECT_EQ(rdma_resolve_addr(id.get(), nullptr, reinterpret_cast<sockaddr*>(&address), kPatienceMs), 0);
  EXPECT_EQ(next_event(channel).outcome.event, RDMA_CM_EVENT_ADDR_RESOLVED);
  EXPECT_EQ(rdma_resolve_route(id.get(), kPatienceMs), 0);
  EXPECT_EQ(next_event(channel).outcome.event, RDMA_CM_EVENT_ROUTE_RESOLVED);
  id.make_queue_pair();
  rdma_conn_param parameters{};
  parameters.private_data = request.data.data();
  parameters.private_data_len = static_cast<std::uint8_t>(request.data.size());
  parameters.responder_resources = parameters.initiator_depth = 1;
  parameters.retry_count = request.retries;
  parameters.rnr_retry_count = request.rnr_retries;
  EXPECT_EQ(rdma_connect(id.get(), &parameters), 0);
  return request.waits ? next_event(channel).outcome : RawOutcome{};
}

}  // namespace npf::fabric::bad_input
