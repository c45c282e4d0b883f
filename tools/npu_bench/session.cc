#include "tools/npu_bench/session.h"

#include "fabric/hop/slot.h"
#include "tools/npu_bench/hello.h"
#include "tools/npu_bench/messages.h"

namespace npf::npu_bench {

namespace {

constexpr std::uint64_t kConnectTimeoutNs = 5 * kNsPerSecond;
constexpr std::uint64_t kAnswerTimeoutNs = 5 * kNsPerSecond;
constexpr std::uint64_t kByeTimeoutNs = kNsPerSecond;
constexpr std::uint64_t kRingTimeoutNs = 60 * kNsPerSecond;  // the server faults in its ring first

}  // namespace

Session::Session(std::string address, const Plan& plan, std::unique_ptr<fabric::Domain> domain)
    : address_(std::move(address)), plan_(plan), domain_(std::move(domain)) {}

// Waits for the answer: when we are gone, the server is free for the next.
Session::~Session() {
  if (!control_ || !control_->peer_is_there()) return;
  if (control_->send(bare_message("bye")).ok()) static_cast<void>(control_->receive(kByeTimeoutNs).ok());
}

Result<std::unique_ptr<Session>> Session::open(const std::string& address, const Plan& plan) {
  auto domain = fabric::open_domain(address);
  if (!domain.ok()) return domain.error();
  std::unique_ptr<Session> session(new Session(address, plan, std::move(*domain)));
  if (const auto connected = session->connect_control(); !connected.ok()) return connected.error();
  if (const auto agreed = session->agree(); !agreed.ok()) return agreed.error();
  return session;
}

Result<void> Session::connect_control() {
  auto channel = ControlChannel::create(*domain_);
  if (!channel.ok()) return channel.error();
  auto connected = domain_->connect(address_, (*channel)->endpoint_options(), kConnectTimeoutNs);
  if (!connected.ok()) return connected.error();
  if (const auto ours = check_hello(connected->hello, Purpose::kControl); !ours.ok()) return ours;
  (*channel)->attach(std::move(connected->endpoint));
  control_ = std::move(*channel);
  return {};
}

Result<void> Session::agree() {
  if (const auto sent = control_->send(plan_message(plan_)); !sent.ok()) return explain(sent.error());
  const auto answer = control_->receive(kAnswerTimeoutNs);
  return answer.ok() ? Result<void>{} : answer.error();
}

Result<std::unique_ptr<Lane>> Session::open_lane(std::uint64_t bytes) {
  auto lane = Lane::create(*domain_, plan_, bytes);
  if (!lane.ok()) return lane.error();
  if (const auto added = (*lane)->add_producer(*domain_); !added.ok()) return added.error();
  if (plan_.test == Test::kLat) {
    if (const auto added = (*lane)->add_consumer(*domain_); !added.ok()) return added.error();
  }
  if (const auto sent = control_->send(run_message(bytes)); !sent.ok()) return explain(sent.error());
  if (const auto ready = control_->receive(kRingTimeoutNs); !ready.ok()) return ready.error();
  if (const auto done = connect_lane(**lane); !done.ok()) return explain(done.error());
  return lane;
}

Result<void> Session::connect_lane(Lane& lane) {
  if (lane.shares_connection(*domain_)) return connect_duplex(lane);
  if (const auto connected = connect_producer(lane); !connected.ok()) return connected;
  return lane.consumer() == nullptr ? Result<void>{} : connect_consumer(lane);
}

Result<void> Session::connect_producer(Lane& lane) {
  const auto options = lane.producer()->endpoint_options(lane.queue(), encode_hello(Purpose::kProducer));
  auto connected = domain_->connect(address_, options, kConnectTimeoutNs);
  if (!connected.ok()) return connected.error();
  auto geometry = fabric::hop::decode_geometry(connected->hello);
  if (!geometry.ok()) return geometry.error();
  return lane.producer()->attach(std::move(connected->endpoint), *geometry);
}

// The ring's owner connects here, so that the server needs to know no address of the client.
Result<void> Session::connect_consumer(Lane& lane) {
  auto connected = domain_->connect(address_, lane.consumer()->endpoint_options(lane.queue()), kConnectTimeoutNs);
  if (!connected.ok()) return connected.error();
  lane.consumer()->attach(std::move(connected->endpoint));
  return control_->send(bare_message("connected"));
}

Result<void> Session::connect_duplex(Lane& lane) {
  fabric::hop::Duplex& duplex = lane.duplex();
  auto connected = domain_->connect(address_, duplex.endpoint_options(lane.queue()), kConnectTimeoutNs);
  if (!connected.ok()) return connected.error();
  const auto geometry = fabric::hop::decode_geometry(connected->hello);
  if (!geometry.ok()) return geometry.error();
  if (const auto attached = duplex.attach(std::move(connected->endpoint), *geometry); !attached.ok()) return attached;
  return control_->send(bare_message("connected"));
}

Result<Counts> Session::server_counts() {
  auto message = control_->receive(kAnswerTimeoutNs);
  if (!message.ok()) return message.error();
  return parse_counts(*message);
}

Error Session::explain(const Error& error) {
  constexpr std::uint64_t kLastWordsNs = 20 * kNsPerMs;
  const auto last = control_->receive(kLastWordsNs);
  return last.ok() || last.status() == Status::kTimedOut ? error : last.error();
}

}  // namespace npf::npu_bench
