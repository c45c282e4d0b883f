// Two hops over one connection: each way carries its own tensors, and what ends the connection ends and resumes both.
#include "fabric/hop/duplex.h"

#include <random>
#include <thread>

#include "tests/fabric/conformance/hop_rig.h"

namespace npf::fabric::conformance {

namespace {

constexpr std::uint32_t kSlots = 4;
constexpr std::uint64_t kPayloadBytesMax = 300;
constexpr std::uint64_t kTensorsEachWay = 300;

// One side: both of its ends, and how far each has come.
struct End {
  explicit End(const char* name) : side{.name = name} {
    side.domain = open_domain(unique_address()).value();
    side.queue = side.domain->create_completion_queue(1024).value();
    producer = std::make_unique<hop::Producer>(*side.domain, hop::ProducerOptions{.slots_max = kSlots});
    consumer = hop::Consumer::create(*side.domain, {.slots = kSlots, .payload_bytes_max = kPayloadBytesMax}).value();
    duplex = std::make_unique<hop::Duplex>(*producer, *consumer);
  }
  ~End() {
    duplex.reset();
    producer.reset();
    consumer.reset();
    side.queue.reset();
    side.domain.reset();
  }

  bool failed() const { return is_failure(producer->status()) || is_failure(consumer->status()); }

  void send(std::uint64_t bytes) {
    if (producer->committed() < kTensorsEachWay) static_cast<void>(commit_pattern(*producer, bytes));
  }

  void take() {
    hop::InputSlot slot;
    if (!is_ok(consumer->try_take(slot))) return;
    EXPECT_EQ(slot.header.sequence, taken) << side.name << ": in order, once";
    EXPECT_TRUE(has_pattern(slot.payload, taken)) << side.name;
    ++taken;
    consumer->release(slot);
  }

  Side side;
  std::unique_ptr<hop::Producer> producer;
  std::unique_ptr<hop::Consumer> consumer;
  std::unique_ptr<hop::Duplex> duplex;
  std::uint64_t taken = 0;
};

class DuplexTest : public testing::Test {
 protected:
  void connect() {
    const EndpointOptions asking = a_.duplex->endpoint_options(*a_.side.queue);
    const EndpointOptions answering = b_.duplex->endpoint_options(*b_.side.queue);
    auto listener = b_.side.domain->listen(unique_address());
    ASSERT_TRUE(listener.ok()) << listener.error().message;
    Result<Connected> connected = Error{Status::kTimedOut, "not connected yet"};
    std::thread connector(
        [&, address = (*listener)->address()] { connected = a_.side.domain->connect(address, asking, kWatchdogNs); });
    auto request = (*listener)->wait_request(kWatchdogNs);
    Result<std::unique_ptr<Endpoint>> accepted = Error{Status::kTimedOut, "nobody asked"};
    if (request.ok()) accepted = (*request)->accept(answering);
    connector.join();
    ASSERT_TRUE(connected.ok()) << connected.error().message;
    ASSERT_TRUE(accepted.ok()) << accepted.error().message;
    const auto of_a = hop::decode_geometry((*request)->hello());
    const auto of_b = hop::decode_geometry(connected->hello);
    ASSERT_TRUE(of_a.ok() && of_b.ok());
    const auto attached_a = a_.duplex->attach(std::move(connected->endpoint), *of_b);
    const auto attached_b = b_.duplex->attach(std::move(*accepted), *of_a);
    ASSERT_TRUE(attached_a.ok()) << attached_a.error().message;
    ASSERT_TRUE(attached_b.ok()) << attached_b.error().message;
  }

  // One thread plays both sides in a random order, until each has all that the other sent.
  void exchange(std::uint64_t seed, std::uint64_t cut_one_in) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const auto one_in = [&](std::uint64_t times) { return random() % times == 0; };
    std::uint64_t bytes = 8;
    const std::uint64_t deadline_ns = monotonic_ns() + 3 * kWatchdogNs;
    while (a_.taken < kTensorsEachWay || b_.taken < kTensorsEachWay) {
      ASSERT_LT(monotonic_ns(), deadline_ns) << "a took " << a_.taken << ", b took " << b_.taken;
      for (End* const end : {&a_, &b_}) {
        if (one_in(2)) dispatch_completions(*end->side.queue);
        if (one_in(4)) bytes = random() % (kPayloadBytesMax + 1);
        if (one_in(2)) end->send(bytes);
        if (one_in(2)) end->take();
      }
      if (cut_one_in > 0 && one_in(cut_one_in)) (one_in(2) ? a_ : b_).producer->endpoint()->close();
      if (a_.failed() || b_.failed()) {
        ASSERT_GT(cut_one_in, 0U);
        connect();
        if (HasFatalFailure()) return;
      }
    }
  }

  End a_{"a"};
  End b_{"b"};
};

TEST_F(DuplexTest, EachWayCarriesItsOwnTensors) {
  connect();
  ASSERT_FALSE(HasFatalFailure());

  exchange(1, 0);

  EXPECT_EQ(a_.producer->endpoint(), a_.consumer->endpoint()) << "one connection";
  EXPECT_EQ(a_.producer->committed(), kTensorsEachWay);
}

TEST_F(DuplexTest, APingPongSendsNothingButItsTensors) {
  constexpr std::uint64_t kRoundTrips = 10 * kSlots;
  connect();
  ASSERT_FALSE(HasFatalFailure());
  const auto carry = [](End& from, End& to) {
    const std::uint64_t before = to.taken;
    from.send(8);
    for (const std::uint64_t end_ns = monotonic_ns() + kWatchdogNs; to.taken == before && monotonic_ns() < end_ns;) {
      dispatch_completions(*from.side.queue);
      dispatch_completions(*to.side.queue);
      to.take();
    }
  };

  for (std::uint64_t i = 0; i < kRoundTrips; ++i) {
    carry(a_, b_);
    carry(b_, a_);
  }

  EXPECT_EQ(a_.taken, kRoundTrips);
  EXPECT_EQ(a_.producer->endpoint()->counters().posted, kRoundTrips) << "credits ride on tensors";
  EXPECT_EQ(b_.producer->endpoint()->counters().posted, kRoundTrips);
}

TEST_F(DuplexTest, WhatEndsTheConnectionEndsBothHopsAndBothResume) {
  connect();
  ASSERT_FALSE(HasFatalFailure());

  exchange(2, 40);
}

TEST_F(DuplexTest, AFailureOfOneHopIsToldByBoth) {
  connect();
  ASSERT_FALSE(HasFatalFailure());
  // A slot that is not the next one: no producer sends it.
  const hop::Geometry& ring = a_.producer->geometry();
  ASSERT_EQ(post(*a_.producer->endpoint(), {.opcode = Opcode::kWriteWithImm,
                                            .remote = {ring.address, 0, ring.key},
                                            .immediate = kSlots - 1,
                                            .signaled = false})
                .status,
            Status::kOk);

  const std::uint64_t deadline_ns = monotonic_ns() + kWatchdogNs;
  const auto all_failed = [&] {
    return is_failure(b_.consumer->status()) && is_failure(b_.producer->status()) &&
           is_failure(a_.producer->status()) && is_failure(a_.consumer->status());
  };
  while (!all_failed() && monotonic_ns() < deadline_ns) {
    dispatch_completions(*a_.side.queue);
    dispatch_completions(*b_.side.queue);
  }

  EXPECT_TRUE(all_failed());
  EXPECT_EQ(b_.consumer->status(), Status::kProtocol);
}

}  // namespace

}  // namespace npf::fabric::conformance
