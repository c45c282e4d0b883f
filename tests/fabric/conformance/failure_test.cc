// Disconnects and failures: everything posted comes back exactly once, and the first cause stays.
#include <map>

#include "tests/fabric/conformance/conformance.h"

namespace npf::fabric::conformance {

namespace {

constexpr std::uint64_t kFirstReceiveId = 1000;

class Failure : public Conformance {
 protected:
  // Each id in [first, first + count) is among the completions exactly once, in this order.
  void expect_each_once(const std::vector<Completion>& completions, std::uint64_t first, std::size_t count) {
    std::size_t seen = 0;
    for (const Completion& completion : completions) {
      if (completion.id < first || completion.id >= first + count) continue;
      EXPECT_EQ(completion.id, first + seen) << "out of order, or more than once";
      ++seen;
    }
    EXPECT_EQ(seen, count);
  }

  // As a failed endpoint says it: the first cause at most once and first, then kFlushed.
  void expect_one_cause(const std::vector<Completion>& completions) {
    bool failed = false;
    for (const Completion& completion : completions) {
      EXPECT_TRUE(!failed || completion.status == Status::kFlushed)
          << "id " << completion.id << " " << status_name(completion.status);
      failed = failed || is_failure(completion.status);
    }
  }

  // What a test posts on both sides before things go wrong. The receives have no takers.
  void post_a_lot() {
    for (std::uint64_t i = 0; i < kSends; ++i) {
      ASSERT_EQ(post(*client_.endpoint, {.opcode = Opcode::kSend, .id = i, .local = {bytes_->local(0, 64)}}).posted,
                1U);
      ASSERT_EQ(post(*server_.endpoint, {.id = i, .remote = {}}).posted, 1U);
    }
    for (std::uint64_t i = 0; i < kReceives; ++i) {
      ASSERT_EQ(post_receive(*client_.endpoint, kFirstReceiveId + i).posted, 1U);
    }
  }

  void SetUp() override {
    Conformance::SetUp();
    bytes_ = client_.allocate(64);
  }
  void TearDown() override {
    client_.endpoint.reset();
    bytes_.reset();
    Conformance::TearDown();
  }

  static constexpr std::size_t kSends = 20;
  static constexpr std::size_t kReceives = 30;
  std::unique_ptr<Region> bytes_;
};

TEST_F(Failure, ClosingBringsEverythingBackExactlyOnceOnBothSides) {
  // The server has no receives: the client's SENDs are on their way when it closes.
  connect();
  post_a_lot();

  client_.endpoint->close();

  const auto at_client = next(client_, kSends + kReceives);
  const auto at_server = next(server_, kSends);
  expect_each_once(at_client, 0, kSends);
  expect_each_once(at_client, kFirstReceiveId, kReceives);
  expect_each_once(at_server, 0, kSends);
  for (const Completion& completion : at_client) {
    EXPECT_TRUE(completion.status == Status::kFlushed || (completion.id < kSends && is_ok(completion.status)));
  }
  expect_no_more();
  EXPECT_EQ(client_.endpoint->state(), EndpointState::kClosed);
}

TEST_F(Failure, ThePeerOfWhoClosesSeesADisconnectAndGetsEverythingBackOnce) {
  int context = 0;
  connect({.server_receives = empty_receives(kReceives), .server_context = &context});

  client_.endpoint->close();

  const auto at_server = next(server_, kReceives);
  expect_each_once(at_server, 0, kReceives);
  expect_one_cause(at_server);
  for (const Completion& completion : at_server) {
    EXPECT_TRUE(completion.status == Status::kDisconnected || completion.status == Status::kFlushed);
    EXPECT_EQ(completion.context, &context);
  }
  expect_no_more();
  EXPECT_EQ(server_.endpoint->state(), EndpointState::kFailed);
  EXPECT_EQ(server_.endpoint->first_cause().status, Status::kDisconnected);
  EXPECT_FALSE(server_.endpoint->first_cause().message.empty());
}

TEST_F(Failure, DestroyingAnEndpointIsADisconnectForItsPeer) {
  connect({.server_receives = empty_receives(kReceives)});

  client_.endpoint.reset();

  const auto at_server = next(server_, kReceives);
  expect_each_once(at_server, 0, kReceives);
  expect_one_cause(at_server);
  EXPECT_EQ(server_.endpoint->state(), EndpointState::kFailed);
  EXPECT_EQ(server_.endpoint->first_cause().status, Status::kDisconnected);
}

TEST_F(Failure, APeerWithNothingPostedSeesADisconnectToo) {
  connect();

  client_.endpoint->close();

  EXPECT_TRUE(poll_until([&] { return server_.endpoint->state() == EndpointState::kFailed; }));
  EXPECT_EQ(server_.endpoint->first_cause().status, Status::kDisconnected);
  expect_no_more();
}

TEST_F(Failure, WhatArrivedBeforeADisconnectIsStillDelivered) {
  connect({.server_receives = empty_receives(5)});
  for (std::uint64_t i = 0; i < 3; ++i) post(*client_.endpoint, {.opcode = Opcode::kWriteWithImm, .id = i});
  EXPECT_TRUE(poll_until([&] { return client_.arrived.size() == 3; }));

  client_.endpoint->close();

  const auto at_server = next(server_, 5);
  ASSERT_EQ(at_server.size(), 5U);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(at_server[i].id, i);
    EXPECT_EQ(is_ok(at_server[i].status), i < 3);
  }
}

TEST_F(Failure, BothSidesMayCloseAndTwice) {
  connect({.client_receives = empty_receives(2), .server_receives = empty_receives(2)});

  client_.endpoint->close();
  server_.endpoint->close();
  client_.endpoint->close();

  EXPECT_EQ(next(client_, 2).size(), 2U);
  EXPECT_EQ(next(server_, 2).size(), 2U);
  expect_no_more();
  EXPECT_EQ(client_.endpoint->state(), EndpointState::kClosed);
  EXPECT_EQ(server_.endpoint->state(), EndpointState::kClosed);
}

TEST_F(Failure, WhatIsPostedAfterClosingComesBackFlushed) {
  connect();
  client_.endpoint->close();

  EXPECT_EQ(post(*client_.endpoint, {.opcode = Opcode::kSend, .id = 1}).posted, 1U);
  EXPECT_EQ(post(*client_.endpoint, {.opcode = Opcode::kSend, .id = 2, .signaled = false}).posted, 1U);
  EXPECT_EQ(post(*client_.endpoint, {.id = 3, .local = {bytes_->local(0, 64)}, .remote = bytes_->remote()}).posted, 1U);
  EXPECT_EQ(post_receive(*client_.endpoint, kFirstReceiveId).posted, 1U);

  const auto flushed = next(client_, 4);
  expect_each_once(flushed, 1, 3);
  expect_each_once(flushed, kFirstReceiveId, 1);
  for (const Completion& completion : flushed) EXPECT_EQ(completion.status, Status::kFlushed);
  expect_no_more();
}

TEST_F(Failure, WhatIsPostedToAFailedEndpointComesBackFlushed) {
  connect({.server_receives = empty_receives(1)});
  client_.endpoint->close();
  EXPECT_TRUE(is_failure(next(server_).status));

  post(*server_.endpoint, {.opcode = Opcode::kSend, .id = 1});
  post(*server_.endpoint, {.opcode = Opcode::kRead, .id = 2, .signaled = false});
  post_receive(*server_.endpoint, kFirstReceiveId);

  const auto flushed = next(server_, 3);
  expect_each_once(flushed, 1, 2);
  expect_each_once(flushed, kFirstReceiveId, 1);
  for (const Completion& completion : flushed) EXPECT_EQ(completion.status, Status::kFlushed);
  expect_no_more();
}

TEST_F(Failure, TheFirstCauseStaysWhateverComesLater) {
  auto target = server_.allocate(64);
  connect({.client_receives = empty_receives(kReceives), .server_receives = empty_receives(1)});
  RemoteSpan wrong = target->remote();
  wrong.key = ~wrong.key;

  post(*client_.endpoint, {.id = 500, .local = {bytes_->local(0, 64)}, .remote = wrong});
  const auto at_client = next(client_, 1 + kReceives);
  EXPECT_TRUE(is_failure(next(server_).status));
  const Error cause = client_.endpoint->first_cause();
  const Error cause_at_server = server_.endpoint->first_cause();
  server_.endpoint->close();
  server_.endpoint.reset();
  post(*client_.endpoint, {.id = 501, .local = {bytes_->local(0, 64)}, .remote = wrong});
  EXPECT_EQ(next(client_).status, Status::kFlushed);
  client_.endpoint->close();

  expect_each_once(at_client, 500, 1);
  expect_each_once(at_client, 0, kReceives);
  EXPECT_TRUE(is_refusal(cause.status));
  EXPECT_TRUE(is_failure(cause_at_server.status));
  EXPECT_TRUE(is_refusal(client_.endpoint->first_cause().status));
  EXPECT_EQ(client_.endpoint->first_cause().message, cause.message);
  expect_no_more();
}

TEST_F(Failure, AConnectedEndpointHasNoCause) {
  connect();

  EXPECT_EQ(client_.endpoint->state(), EndpointState::kConnected);
  EXPECT_EQ(client_.endpoint->first_cause().status, Status::kOk);
  EXPECT_FALSE(client_.endpoint->peer().empty());
  EXPECT_FALSE(server_.endpoint->peer().empty());
}

TEST_F(Failure, CompletionsNotPolledGoWithTheirEndpoint) {
  connect({.server_receives = empty_receives(8)});
  Pair survivor = connect_pair(client_, server_, {.server_receives = empty_receives(1, 77)});
  for (std::uint64_t i = 0; i < 8; ++i) post(*client_.endpoint, {.opcode = Opcode::kWriteWithImm, .id = i});

  client_.endpoint.reset();
  server_.endpoint.reset();

  expect_no_more();
  post(*survivor.client, {.opcode = Opcode::kWriteWithImm, .id = 66});
  expect_next(client_, 66, Opcode::kWriteWithImm);
  expect_next(server_, 77, Opcode::kReceiveWithImm);
}

}  // namespace

}  // namespace npf::fabric::conformance
