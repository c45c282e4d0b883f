#include "tests/crash/hop_crash.h"

#include <unistd.h>

namespace npf::fabric::crash {

std::string_view step_name(Step step) {
  constexpr std::array<std::string_view, 10> kNames = {"Connected", "Acquired", "Written",  "Committed", "Full",
                                                       "Arrived",   "Taken",    "Released", "Credited",  "Nowhere"};
  return kNames.at(static_cast<std::size_t>(step));
}

std::byte pattern(std::uint64_t sequence, std::size_t index) {
  return static_cast<std::byte>(sequence * 131 + index * 7 + 1);
}

End::~End() {
  producer.reset();
  consumer.reset();
  listener.reset();
  queue.reset();
}

namespace {

constexpr std::uint32_t kQueueDepth = 128;

Result<std::unique_ptr<End>> open_end(const std::string& address) {
  auto end = std::make_unique<End>();
  auto domain = open_domain(address);
  if (!domain.ok()) return domain.error();
  end->domain = std::move(*domain);
  auto queue = end->domain->create_completion_queue(kQueueDepth);
  if (!queue.ok()) return queue.error();
  end->queue = std::move(*queue);
  return end;
}

}  // namespace

Result<std::unique_ptr<End>> open_consumer(const std::string& address) {
  auto end = open_end(address);
  if (!end.ok()) return end.error();
  auto consumer = hop::Consumer::create(*(*end)->domain, {.slots = kSlots, .payload_bytes_max = kPayloadBytes});
  if (!consumer.ok()) return consumer.error();
  (*end)->consumer = std::move(*consumer);
  auto listener = (*end)->domain->listen(address);
  if (!listener.ok()) return listener.error();
  (*end)->listener = std::move(*listener);
  return end;
}

Result<void> accept_producer(End& end) {
  auto request = end.listener->wait_request(kWatchdogNs);
  if (!request.ok()) return request.error();
  auto endpoint = (*request)->accept(end.consumer->endpoint_options(*end.queue));
  if (!endpoint.ok()) return endpoint.error();
  end.consumer->attach(std::move(*endpoint));
  return {};
}

Result<std::unique_ptr<End>> connect_producer(const std::string& address, std::uint64_t progress_timeout_ns) {
  auto end = open_end(address);
  if (!end.ok()) return end.error();
  const hop::ProducerOptions options{.slots_max = kSlots, .progress_timeout_ns = progress_timeout_ns};
  (*end)->producer = std::make_unique<hop::Producer>(*(*end)->domain, options);
  const std::uint64_t deadline_ns = monotonic_ns() + kWatchdogNs;
  for (;;) {
    auto connected =
        (*end)->domain->connect(address, (*end)->producer->endpoint_options(*(*end)->queue, Hello()), kWatchdogNs);
    if (connected.status() == Status::kUnreachable && monotonic_ns() < deadline_ns) {
      ::usleep(1000);  // the consumer is still starting
      continue;
    }
    if (!connected.ok()) return connected.error();
    const auto geometry = hop::decode_geometry(connected->hello);
    if (!geometry.ok()) return geometry.error();
    if (auto attached = (*end)->producer->attach(std::move(connected->endpoint), *geometry); !attached.ok()) {
      return attached.error();
    }
    return end;
  }
}

}  // namespace npf::fabric::crash
