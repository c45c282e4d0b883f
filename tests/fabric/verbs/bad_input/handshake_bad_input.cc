// Peers that speak RDMA CM and not our protocol, or that do not speak at all.
#include "fabric/cm_data.h"
#include "tests/fabric/verbs/bad_input/guest.h"
#include "tests/fabric/verbs/bad_input/raw_cm_peer.h"

namespace npf::fabric::bad_input {
namespace {

using VerbsHandshakeBadInput = VerbsBadInput;

// Of the preamble (fabric/cm_data.cc).
constexpr std::size_t kVersionAt = 4;
constexpr std::size_t kLengthAt = 6;

std::vector<std::byte> hello_with(std::size_t at, std::byte value) {
  const CmHello good = encode_cm_hello(Hello());
  std::vector<std::byte> data(good.begin(), good.end());
  data.at(at) = value;
  return data;
}
std::vector<std::byte> good_hello() { return hello_with(kVersionAt, std::byte{1}); }

struct WrongHello {
  const char* name;
  std::vector<std::byte> data;
  Status status;
  const char* words;
};
std::vector<WrongHello> wrong_hellos() {
  return {{"nothing", {}, Status::kProtocol, "not one of NPU Fabric"},
          {"garbage", bytes_of("GET / HTTP/1.1\r\n"), Status::kProtocol, "not one of NPU Fabric"},
          {"another version", hello_with(kVersionAt, std::byte{9}), Status::kVersionMismatch, "speaks version 9"},
          {"too long", hello_with(kLengthAt, std::byte{200}), Status::kProtocol, "hello of 200 bytes is malformed"}};
}

Error error_from(const RawAnswer& answer, std::uint64_t timeout_ns = kWatchdogNs) {
  const Side side;
  const std::uint16_t port = unique_port();
  const RawServer server(port, answer);
  const auto connected = side.domain->connect(address_of(kHost, port), side.options(), timeout_ns);
  return connected.error();
}

TEST_F(VerbsHandshakeBadInput, AnAcceptorThatAnswersWithAnotherHelloIsLeft) {
  for (const WrongHello& wrong : wrong_hellos()) {
    SCOPED_TRACE(wrong.name);
    EXPECT_TRUE(tells(error_from({.data = wrong.data}), wrong.status, {kHost, kDevice, wrong.words}));
  }
}

TEST_F(VerbsHandshakeBadInput, AnAcceptorThatAsksForEndlessRetriesIsLeft) {
  EXPECT_TRUE(tells(error_from({.data = good_hello(), .rnr_retries = 7}), Status::kProtocol,
                    {kHost, kDevice, "endless retries", "rnr_retry 7", "never be noticed"}));
}

TEST_F(VerbsHandshakeBadInput, AnAcceptorThatNeverAnswersTimesOut) {
  EXPECT_TRUE(tells(error_from({.kind = RawAnswer::Kind::kNone, .data = {}}, kNsPerSecond), Status::kTimedOut,
                    {kHost, kDevice, "did not answer in time", "stopped or busy, or its host gone?"}));
}

TEST_F(VerbsHandshakeBadInput, ARejectionWithoutOurFramingHasNoReason) {
  for (const std::string_view data : {"", "no", "\x7f\x45LF and more than a preamble"}) {
    EXPECT_TRUE(tells(error_from({.kind = RawAnswer::Kind::kReject, .data = bytes_of(data)}), Status::kRefused,
                      {kHost, kDevice, "refused the connection", "no reason given", "REJECTED, status 28"}));
  }
}

TEST_F(VerbsHandshakeBadInput, ARefusalComesWithItsReasonCutWhereItIsTooLong) {
  Side side;
  const std::string address = address_of(kHost, unique_port());
  const auto listener = side.domain->listen(address);
  ASSERT_TRUE(listener.ok()) << listener.error().message;
  for (const std::string& reason : {std::string("no slots left"), std::string(500, 'x')}) {
    std::thread connector([&] {
      const auto connected = side.domain->connect(address, side.options(), kWatchdogNs);
      ASSERT_FALSE(connected.ok());
      EXPECT_TRUE(tells(connected.error(), Status::kRefused, {kHost, kDevice, reason.substr(0, 140), "REJECTED"}));
    });
    auto request = (*listener)->wait_request(kWatchdogNs);
    EXPECT_TRUE(request.ok()) << request.error().message;
    if (request.ok()) (*request)->reject(reason);
    connector.join();
  }
}

// A listener, and whoever comes through to it.
class Host {
 public:
  Host() : listener_(std::move(side_.domain->listen(address_of(kHost, port_))).value()) {
    thread_ = std::thread([this] {
      auto request = listener_->wait_request(kWatchdogNs);
      ASSERT_TRUE(request.ok()) << request.error().message;
      auto accepted = (*request)->accept(side_.options());
      ASSERT_TRUE(accepted.ok()) << accepted.error().message;
      side_.endpoint = std::move(*accepted);
    });
  }
  ~Host() { thread_.join(); }
  std::uint16_t port() const { return port_; }

 private:
  Side side_;
  const std::uint16_t port_ = unique_port();
  std::unique_ptr<Listener> listener_;
  std::thread thread_;
};

void expect_refused(const RawOutcome& outcome, std::string_view words) {
  EXPECT_EQ(outcome.event, RDMA_CM_EVENT_REJECTED) << rdma_event_str(outcome.event);
  const std::string reason = decode_cm_refusal(outcome.data);
  EXPECT_NE(reason.find(words), std::string::npos) << reason;
}

TEST_F(VerbsHandshakeBadInput, AConnectorWithAnotherHelloIsRefusedAndTheListenerGoesOn) {
  const Host host;
  for (const WrongHello& wrong : wrong_hellos()) {
    SCOPED_TRACE(wrong.name);
    expect_refused(raw_connect(host.port(), {.data = wrong.data}), wrong.words);
  }
  const Side good;
  const auto connected = good.domain->connect(address_of(kHost, host.port()), good.options(), kWatchdogNs);
  EXPECT_TRUE(connected.ok()) << connected.error().message;
}

TEST_F(VerbsHandshakeBadInput, AConnectorThatAsksForEndlessRetriesIsRefusedAndTheListenerGoesOn) {
  const Host host;
  expect_refused(raw_connect(host.port(), {.data = good_hello(), .retries = 7}), "endless retries (retry_count 7");
  expect_refused(raw_connect(host.port(), {.data = good_hello(), .rnr_retries = 7}), "rnr_retry_count 7");
  const Side good;
  const auto connected = good.domain->connect(address_of(kHost, host.port()), good.options(), kWatchdogNs);
  EXPECT_TRUE(connected.ok()) << connected.error().message;
}

TEST_F(VerbsHandshakeBadInput, AConnectorThatLeavesBeforeTheAnswerIsSaidToHaveGone) {
  const Side side;
  const std::uint16_t port = unique_port();
  const auto listener = side.domain->listen(address_of(kHost, port));
  ASSERT_TRUE(listener.ok()) << listener.error().message;
  raw_connect(port, {.data = good_hello(), .waits = false});
  auto request = (*listener)->wait_request(kWatchdogNs);
  ASSERT_TRUE(request.ok()) << request.error().message;
  const auto accepted = (*request)->accept(side.options());
  ASSERT_FALSE(accepted.ok());
  EXPECT_TRUE(tells(accepted.error(), Status::kDisconnected, {kHost, kDevice, "went away before it was accepted"}));
}

}  // namespace
}  // namespace npf::fabric::bad_input
