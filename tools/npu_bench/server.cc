#include "tools/npu_bench/server.h"

#include "base/affinity.h"
#include "fabric/hop/slot.h"
#include "tools/npu_bench/hello.h"
#include "tools/npu_bench/messages.h"

namespace npf::npu_bench {

namespace {

constexpr std::uint64_t kSliceNs = 50 * kNsPerMs;  // how often a wait asks whether it still makes sense
constexpr std::uint64_t kPlanTimeoutNs = 5 * kNsPerSecond;
constexpr std::uint64_t kLaneTimeoutNs = 60 * kNsPerSecond;

Mark mark_of(const InputSlot& slot) { return static_cast<Mark>(slot.header.layout); }

std::string busy_with(const ControlChannel& client) {
  return "npu-bench server: busy with " + client.peer() + "; it serves one client at a time";
}

}  // namespace

Result<std::unique_ptr<Server>> Server::listen(fabric::Domain& domain, const std::string& address,
                                               ServerOptions options) {
  auto listener = domain.listen(address);
  if (!listener.ok()) return listener.error();
  return std::unique_ptr<Server>(new Server(domain, std::move(*listener), std::move(options)));
}

Server::Server(fabric::Domain& domain, std::unique_ptr<fabric::Listener> listener, ServerOptions options)
    : domain_(domain), listener_(std::move(listener)), options_(std::move(options)) {}

bool Server::stopped() const { return options_.stops_by_signal && stop_requested(); }

Result<void> Server::serve_one() {
  auto client = wait_client();
  if (!client.ok()) return client.error();
  auto plan = agree(**client);
  if (plan.ok()) turn_others_away(**client);
  Result<void> served = plan.ok() ? serve_runs(**client, *plan) : plan.error();
  doorman_.reset();
  if (!served.ok() && (*client)->peer_is_there())
    static_cast<void>((*client)->send(failed_message(served.error())).ok());
  return served;
}

// client: the one that is served, whose end ends the wait; null while there is none.
Result<std::unique_ptr<fabric::ConnectionRequest>> Server::wait_request(ControlChannel* client) {
  const std::uint64_t deadline_ns = monotonic_ns() + kLaneTimeoutNs;
  for (;;) {
    auto request = listener_->wait_request(kSliceNs);
    if (request.ok()) return request;
    if (request.status() != Status::kTimedOut && !stop_requested()) return request.error();
    if (stopped()) return Error{Status::kCancelled, "stopped by a signal"};
    if (client == nullptr && options_.still_wanted && !options_.still_wanted()) {
      return Error{Status::kCancelled, "the process that wanted this server is gone"};
    }
    if (client != nullptr && (!client->peer_is_there() || monotonic_ns() > deadline_ns)) {
      return Error{Status::kDisconnected, "the client " + client->peer() + " went away before its hops were connected"};
    }
  }
}

Result<std::unique_ptr<ControlChannel>> Server::wait_client() {
  auto channel = ControlChannel::create(domain_);
  if (!channel.ok()) return channel;
  for (;;) {
    auto request = wait_request(nullptr);
    if (!request.ok()) return request.error();
    if (const auto ours = check_hello((*request)->hello(), Purpose::kControl); !ours.ok()) {
      (*request)->reject("npu-bench server: " + ours.error().message);
      continue;
    }
    auto endpoint = (*request)->accept((*channel)->endpoint_options());
    if (!endpoint.ok()) continue;  // it went away while it was asked in
    (*channel)->attach(std::move(*endpoint));
    return channel;
  }
}

Result<Plan> Server::agree(ControlChannel& client) {
  auto message = client.receive(kPlanTimeoutNs);
  if (!message.ok()) return message.error();
  auto plan = parse_plan(*message);
  if (!plan.ok()) return plan;
  const std::string different = differences(*plan, options_.plan, options_.given);
  if (!different.empty()) {
    return Error{Status::kRefused,
                 "the two sides differ: " + different + "; give the same to both, or leave it out on the server"};
  }
  if (const auto exists = check_core(plan->cores[1]); !exists.ok()) {
    return Error{Status::kRefused, "the server's core: " + exists.error().message};
  }
  if (const auto pinned = pin_this_thread(plan->cores[1]); !pinned.ok()) return pinned.error();
  if (const auto sent = client.send(bare_message("agreed")); !sent.ok()) return sent.error();
  return plan;
}

Result<void> Server::serve_runs(ControlChannel& client, const Plan& plan) {
  for (;;) {
    auto message = client.receive(kSliceNs);
    if (!message.ok() && message.status() == Status::kTimedOut && client.peer_is_there()) {
      if (stopped()) return Error{Status::kCancelled, "the server was stopped by a signal"};
      continue;
    }
    if (!message.ok()) return message.error();
    if (is_message(*message, "bye")) {
      doorman_.reset();
      static_cast<void>(client.send(bare_message("bye")).ok());
      return {};
    }
    auto bytes = parse_run(*message);
    if (!bytes.ok()) return bytes.error();
    if (auto served = serve_run(client, plan, *bytes); !served.ok()) return served;
  }
}

Result<void> Server::serve_run(ControlChannel& client, const Plan& plan, std::uint64_t bytes) {
  auto lane = Lane::create(domain_, plan, bytes);
  if (!lane.ok()) return lane.error();
  if (const auto added = (*lane)->add_consumer(domain_); !added.ok()) return added;
  if (plan.test == Test::kLat) {
    if (const auto added = (*lane)->add_producer(domain_); !added.ok()) return added;
  }
  doorman_.reset();
  if (const auto sent = client.send(bare_message("ready")); !sent.ok()) return sent;
  if (const auto connected = connect_lane(client, **lane); !connected.ok()) return connected;
  turn_others_away(client);
  auto counts = plan.test == Test::kLat ? echo(**lane) : drain(**lane);
  if (!counts.ok()) return counts.error();
  return client.send(counts_message(*counts));
}

void Server::turn_others_away(const ControlChannel& client) {
  if (options_.turns_others_away) doorman_.emplace(*listener_, busy_with(client));
}

// In the order in which the client connects: see Session::connect_lane.
Result<void> Server::connect_lane(ControlChannel& client, Lane& lane) {
  if (lane.shares_connection(domain_)) return accept_duplex(client, lane);
  if (const auto accepted = accept_consumer(client, lane); !accepted.ok()) return accepted;
  return lane.producer() == nullptr ? Result<void>{} : accept_producer(client, lane);
}

// A connection that the served client makes for a lane; others are turned away.
Result<Server::LaneRequest> Server::wait_lane_request(ControlChannel& client, bool with_ring) {
  for (;;) {
    auto request = wait_request(&client);
    if (!request.ok()) return request.error();
    const fabric::Hello& hello = (*request)->hello();
    const auto geometry = fabric::hop::decode_geometry(hello);
    if (with_ring && geometry.ok()) return LaneRequest{std::move(*request), *geometry};
    if (!with_ring && check_hello(hello, Purpose::kProducer).ok()) return LaneRequest{std::move(*request), {}};
    (*request)->reject(busy_with(client));
  }
}

Result<void> Server::accept_consumer(ControlChannel& client, Lane& lane) {
  auto theirs = wait_lane_request(client, false);
  if (!theirs.ok()) return theirs.error();
  auto endpoint = theirs->request->accept(lane.consumer()->endpoint_options(lane.queue()));
  if (!endpoint.ok()) return endpoint.error();
  lane.consumer()->attach(std::move(*endpoint));
  return {};
}

// Here as in a duplex the client's ring is sure to be addressable only when it says that it is connected.
Result<void> Server::accept_producer(ControlChannel& client, Lane& lane) {
  auto theirs = wait_lane_request(client, true);
  if (!theirs.ok()) return theirs.error();
  auto endpoint =
      theirs->request->accept(lane.producer()->endpoint_options(lane.queue(), encode_hello(Purpose::kProducer)));
  if (!endpoint.ok()) return endpoint.error();
  if (const auto told = client.receive(kLaneTimeoutNs); !told.ok()) return told.error();
  return lane.producer()->attach(std::move(*endpoint), theirs->geometry);
}

Result<void> Server::accept_duplex(ControlChannel& client, Lane& lane) {
  auto theirs = wait_lane_request(client, true);
  if (!theirs.ok()) return theirs.error();
  fabric::hop::Duplex& duplex = lane.duplex();
  auto endpoint = theirs->request->accept(duplex.endpoint_options(lane.queue()));
  if (!endpoint.ok()) return endpoint.error();
  if (const auto told = client.receive(kLaneTimeoutNs); !told.ok()) return told.error();
  return duplex.attach(std::move(*endpoint), theirs->geometry);
}

Result<Counts> Server::echo(Lane& lane) {
  std::optional<Audit> audit;  // from kBegin on: made earlier, it would slow down what is timed
  for (;;) {
    InputSlot input;
    OutputSlot output;
    if (const Status status = lane.take(input); !is_ok(status)) return lane.why(status);
    if (const Status status = lane.acquire(output); !is_ok(status)) return lane.why(status);
    const Mark mark = mark_of(input);
    if (mark == Mark::kEnd && audit) audit->stop();
    lane.consume(input);
    lane.produce(output, input.header.payload_bytes);
    if (const Status status = lane.commit(output, mark, input.header.payload_bytes); !is_ok(status)) {
      return lane.why(status);
    }
    lane.release(input);
    if (mark == Mark::kBegin) audit.emplace(lane).start();
    if (mark == Mark::kEnd) return audit ? audit->counts() : Counts{};
    if (stopped()) return Error{Status::kCancelled, "the server was stopped by a signal"};
  }
}

Result<Counts> Server::drain(Lane& lane) {
  std::optional<Audit> audit;  // from kBegin on: made earlier, it would slow down what is timed
  for (;;) {
    InputSlot input;
    if (const Status status = lane.take(input); !is_ok(status)) return lane.why(status);
    const Mark mark = mark_of(input);
    if (mark == Mark::kEnd && audit) audit->stop();
    lane.consume(input);
    lane.release(input);
    if (mark == Mark::kBegin) audit.emplace(lane).start();
    if (mark == Mark::kEnd) return audit ? audit->counts() : Counts{};
    if (stopped()) return Error{Status::kCancelled, "the server was stopped by a signal"};
  }
}

}  // namespace npf::npu_bench
