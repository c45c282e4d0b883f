#include "tests/fabric/conformance/conformance.h"

#include <poll.h>

#include <cstring>
#include <sstream>
#include <thread>

namespace npf::fabric::conformance {

namespace {

constexpr std::uint32_t kQueueDepth = 4096;
constexpr std::uint64_t kFenceId = 0xfe7ce;

std::string describe(const Completion& completion) {
  std::ostringstream text;
  text << "id " << completion.id << " opcode " << static_cast<int>(completion.opcode) << " "
       << status_name(completion.status);
  return text.str();
}

std::string describe(const Side& side) {
  std::ostringstream text;
  text << side.name << ": ";
  if (side.endpoint) {
    text << "state " << static_cast<int>(side.endpoint->state()) << " (" << side.endpoint->first_cause().message
         << ") ";
  }
  text << side.arrived.size() << " completions not taken;";
  for (const Completion& completion : side.arrived) text << " [" << describe(completion) << "]";
  return text.str();
}

}  // namespace

PostResult post(Endpoint& endpoint, const Post& request) {
  const WorkRequest work{.id = request.id,
                         .opcode = request.opcode,
                         .signaled = request.signaled,
                         .inlined = request.inlined,
                         .immediate = request.immediate,
                         .local = request.local,
                         .remote = request.remote};
  return endpoint.post({&work, 1});
}

PostResult post_receive(Endpoint& endpoint, std::uint64_t id, const LocalSpan& local) {
  const ReceiveRequest request{id, local};
  return endpoint.post_receive({&request, 1});
}

std::vector<ReceiveRequest> empty_receives(std::size_t count, std::uint64_t first_id) {
  std::vector<ReceiveRequest> receives(count);
  for (ReceiveRequest& receive : receives) receive.id = first_id++;
  return receives;
}

std::byte pattern_byte(std::uint64_t seed, std::size_t index) {
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;
  return static_cast<std::byte>(((seed + 1) * kOdd + index * (kOdd >> 7U)) >> 40U);
}

void fill_pattern(std::span<std::byte> bytes, std::uint64_t seed) {
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = pattern_byte(seed, i);
}

testing::AssertionResult has_pattern(std::span<const std::byte> bytes, std::uint64_t seed) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != pattern_byte(seed, i)) {
      return testing::AssertionFailure() << "byte " << i << " of " << bytes.size() << " is not that of pattern "
                                         << seed;
    }
  }
  return testing::AssertionSuccess();
}

testing::AssertionResult is_filled(std::span<const std::byte> bytes, std::byte value) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != value) {
      return testing::AssertionFailure() << "byte " << i << " of " << bytes.size() << " is "
                                         << static_cast<int>(bytes[i]) << " instead of " << static_cast<int>(value);
    }
  }
  return testing::AssertionSuccess();
}

std::unique_ptr<Region> Side::allocate(std::uint64_t bytes, Access access) {
  auto region = domain->allocate(bytes, access);
  if (region.ok()) return std::move(region).value();
  ADD_FAILURE() << region.error().message;
  return nullptr;
}

void Side::poll() {
  std::array<Completion, 16> completions;
  const std::size_t count = queue->poll(completions);
  arrived.insert(arrived.end(), completions.begin(), completions.begin() + static_cast<std::ptrdiff_t>(count));
}

bool Side::spin_until_arrival() {
  const std::uint64_t deadline_ns = monotonic_ns() + kWatchdogNs;
  while (arrived.empty()) {
    poll();
    if (arrived.empty()) std::this_thread::yield();
    if (monotonic_ns() > deadline_ns) {
      ADD_FAILURE() << "nothing arrived; " << describe(*this);
      return false;
    }
  }
  return true;
}

bool Side::sleep_until_arrival() {
  const std::uint64_t deadline_ns = monotonic_ns() + 2 * kWatchdogNs;
  while (arrived.empty()) {
    if (!sleep_once(*this) || monotonic_ns() > deadline_ns) {
      ADD_FAILURE() << "slept without being woken; " << describe(*this);
      return false;
    }
  }
  return true;
}

Completion Side::take() {
  const Completion completion = arrived.front();
  arrived.pop_front();
  return completion;
}

bool sleep_once(Side& side) {
  side.queue->arm();
  const std::size_t before = side.arrived.size();
  side.poll();
  bool woken = true;
  if (side.arrived.size() == before) {
    pollfd descriptor{side.queue->fd(), POLLIN, 0};
    constexpr timespec kTimeout{static_cast<time_t>(kWatchdogNs / kNsPerSecond), 0};
    woken = ::ppoll(&descriptor, 1, &kTimeout, nullptr) != 0;
  }
  side.queue->disarm();
  return woken;
}

EndpointOptions endpoint_options(Side& side) {
  EndpointOptions options;
  options.completion_queue = side.queue.get();
  return options;
}

Pair connect_pair(Side& client, Side& server, const PairOptions& options) {
  auto listener = server.domain->listen(unique_address());
  if (!listener.ok()) {
    ADD_FAILURE() << listener.error().message;
    return {};
  }
  EndpointOptions connecting = endpoint_options(client);
  connecting.context = options.client_context;
  connecting.receives = options.client_receives;
  connecting.hello = options.client_hello;
  EndpointOptions accepting = endpoint_options(server);
  accepting.context = options.server_context;
  accepting.receives = options.server_receives;
  accepting.hello = options.server_hello;
  connecting.send_depth = accepting.send_depth = options.send_depth;
  connecting.receive_depth = accepting.receive_depth = options.receive_depth;

  Pair pair;
  std::thread connector([&, address = (*listener)->address()] {
    auto connected = client.domain->connect(address, connecting, kWatchdogNs);
    if (!connected.ok()) {
      ADD_FAILURE() << connected.error().message;
      return;
    }
    pair.client = std::move(connected->endpoint);
    pair.seen_by_client = connected->hello;
  });
  auto request = (*listener)->wait_request(kWatchdogNs);
  if (request.ok()) {
    pair.seen_by_server = (*request)->hello();
    auto accepted = (*request)->accept(accepting);
    if (accepted.ok()) {
      pair.server = std::move(accepted).value();
    } else {
      ADD_FAILURE() << accepted.error().message;
    }
  } else {
    ADD_FAILURE() << request.error().message;
  }
  connector.join();
  return pair;
}

void Conformance::SetUp() {
  for (Side* const side : {&client_, &server_}) {
    auto domain = open_domain(unique_address());
    ASSERT_TRUE(domain.ok()) << domain.error().message;
    side->domain = std::move(domain).value();
    auto queue = side->domain->create_completion_queue(kQueueDepth);
    ASSERT_TRUE(queue.ok()) << queue.error().message;
    side->queue = std::move(queue).value();
  }
}

void Conformance::TearDown() {
  for (Side* const side : {&client_, &server_}) {
    side->endpoint.reset();
    side->queue.reset();
    side->domain.reset();
  }
}

void Conformance::connect(const PairOptions& options) {
  Pair pair = connect_pair(client_, server_, options);
  client_.endpoint = std::move(pair.client);
  client_.peer_hello = pair.seen_by_client;
  server_.endpoint = std::move(pair.server);
  server_.peer_hello = pair.seen_by_server;
  ASSERT_TRUE(client_.endpoint && server_.endpoint);
}

testing::AssertionResult Conformance::is_refusal(Status status) const {
  if (status == Status::kRemoteAccess || (status == Status::kDisconnected && !limits().names_refusals)) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << status_name(status) << " is no refusal";
}

bool Conformance::poll_until(const std::function<bool()>& ready) {
  const std::uint64_t deadline_ns = monotonic_ns() + kWatchdogNs;
  while (!ready()) {
    client_.poll();
    server_.poll();
    if (monotonic_ns() > deadline_ns) {
      ADD_FAILURE() << "waited in vain; " << describe(client_) << "; " << describe(server_);
      return false;
    }
  }
  return true;
}

Completion Conformance::next(Side& side) {
  if (!poll_until([&] { return !side.arrived.empty(); })) {
    Completion none;
    none.status = Status::kTimedOut;
    return none;
  }
  return side.take();
}

std::vector<Completion> Conformance::next(Side& side, std::size_t count) {
  std::vector<Completion> completions;
  if (!poll_until([&] { return side.arrived.size() >= count; })) return completions;
  while (completions.size() < count) completions.push_back(side.take());
  return completions;
}

void Conformance::expect_next(Side& side, std::uint64_t id, Opcode opcode) {
  const Completion completion = next(side);
  EXPECT_EQ(completion.status, Status::kOk) << describe(completion) << "; " << describe(side);
  EXPECT_EQ(completion.id, id);
  EXPECT_EQ(completion.opcode, opcode);
}

void Conformance::expect_no_more() {
  constexpr int kPolls = 1000;
  for (int i = 0; i < kPolls; ++i) {
    client_.poll();
    server_.poll();
  }
  EXPECT_TRUE(client_.arrived.empty()) << describe(client_);
  EXPECT_TRUE(server_.arrived.empty()) << describe(server_);
}

void Conformance::fence(Side& sender, Side& receiver) {
  ASSERT_EQ(post(*sender.endpoint, {.opcode = Opcode::kWriteWithImm, .id = kFenceId}).status, Status::kOk);
  expect_next(sender, kFenceId, Opcode::kWriteWithImm);
  const Completion arrived = next(receiver);
  ASSERT_EQ(arrived.opcode, Opcode::kReceiveWithImm) << describe(arrived);
  ASSERT_EQ(arrived.status, Status::kOk) << describe(arrived);
}

}  // namespace npf::fabric::conformance
