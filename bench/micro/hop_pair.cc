#include "bench/micro/hop_pair.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/clock.h"

namespace npf::bench {

namespace {

constexpr std::uint64_t kTimeoutNs = 60 * kNsPerSecond;  // under valgrind in an emulated guest

[[noreturn]] void exit_with(const std::string& reason) {
  std::fprintf(stderr, "bench: %s\n", reason.c_str());
  std::exit(1);
}

template <typename T>
T value_or_exit(Result<T> result) {
  if (!result.ok()) exit_with(result.error().message);
  return std::move(result).value();
}

}  // namespace

Place::Place(const std::string& address)
    : domain_(value_or_exit(fabric::open_domain(address))), listener_(value_or_exit(domain_->listen(address))) {
  constexpr std::uint32_t kQueueDepth = 4096;
  queue_ = value_or_exit(domain_->create_completion_queue(kQueueDepth));
}

// Connecting waits for the acceptor, so set-up takes two threads.
HopPair connect_hop(Place& from, Place& to, std::uint32_t slots, std::uint64_t payload_bytes_max) {
  using fabric::hop::Consumer;
  using fabric::hop::Producer;
  HopPair hop;
  hop.consumer = value_or_exit(Consumer::create(to.domain(), {.slots = slots, .payload_bytes_max = payload_bytes_max}));
  hop.producer = std::make_unique<Producer>(from.domain(), fabric::hop::ProducerOptions{.slots_max = slots});
  std::thread acceptor([&] {
    auto request = value_or_exit(to.listener().wait_request(kTimeoutNs));
    hop.consumer->attach(value_or_exit(request->accept(hop.consumer->endpoint_options(to.queue()))));
  });
  auto connected = value_or_exit(
      from.domain().connect(to.listener().address(), hop.producer->endpoint_options(from.queue(), {}), kTimeoutNs));
  acceptor.join();
  const auto geometry = value_or_exit(fabric::hop::decode_geometry(connected.hello));
  if (const auto attached = hop.producer->attach(std::move(connected.endpoint), geometry); !attached.ok()) {
    exit_with(attached.error().message);
  }
  return hop;
}

SocketFolder::SocketFolder() : path_(std::filesystem::temp_directory_path() / "npf-micro-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) exit_with("cannot make a folder like " + path_);
}

SocketFolder::~SocketFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void send_one(fabric::hop::Producer& producer, std::uint64_t payload_bytes) {
  fabric::hop::OutputSlot slot;
  NPF_ASSERT(is_ok(producer.try_acquire(slot)));
  NPF_ASSERT(is_ok(producer.commit(slot, {.request_id = 0, .payload_bytes = payload_bytes, .completion = {}})));
}

std::uint64_t take_all(Place& place, fabric::hop::Consumer& consumer) {
  std::uint64_t count = 0;
  fabric::hop::InputSlot slot;
  while (fabric::dispatch_completions(place.queue()) > 0) {
  }
  while (is_ok(consumer.try_take(slot))) {
    consumer.release(slot);
    ++count;
  }
  return count;
}

}  // namespace npf::bench
