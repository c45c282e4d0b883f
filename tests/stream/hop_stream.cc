// One end of a hop in a process of its own, so that two hosts can play: a stream of tensors that goes on over lost
// connections, each checked to come once, in order and intact. What is to go wrong is a command, run in the middle.
#include <unistd.h>

#include <boost/program_options.hpp>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <random>
#include <thread>

#include "base/log.h"
#include "fabric/hop/consumer.h"
#include "fabric/hop/producer.h"
#include "fabric/hop/waiter.h"

namespace npf::fabric::stream {

namespace {

constexpr std::uint32_t kSlots = 8;
constexpr std::uint32_t kQueueDepth = 256;
constexpr std::uint64_t kPayloadBytesMax = 64U << 10U;
constexpr std::uint64_t kPatienceNs = 30 * kNsPerSecond;  // a watchdog: for a peer to come, or a tensor
constexpr std::uint64_t kLingerNs = 3 * kNsPerSecond;     // the producer may come back for credits that were lost

struct Options {
  std::string role;
  std::string address;
  std::uint64_t tensors = 0;
  std::optional<std::uint64_t> hold_at;  // produce: send no more than so many, and stay connected
  std::optional<std::uint64_t> at;       // tensors; then `command` is run
  std::string command;
  std::string on_failure;      // another command, run when the connection is lost
  std::string expect_failure;  // the name of the status that ends the program well
  std::uint64_t within_ms = 0;
};

Options parse(int argc, char** argv) {
  namespace po = boost::program_options;
  Options options;
  std::uint64_t at = 0;
  std::uint64_t hold_at = 0;
  po::options_description all("hop_stream produce|consume ADDRESS");
  auto add = all.add_options();
  add("role", po::value(&options.role)->required(), "produce or consume");
  add("address", po::value(&options.address)->required(), "the consumer's");
  add("tensors", po::value(&options.tensors)->default_value(300), "in all");
  add("hold-at", po::value(&hold_at), "produce: send no more than so many, and stay connected");
  add("at", po::value(&at), "so many tensors in, run --command");
  add("command", po::value(&options.command), "for the shell");
  add("on-failure", po::value(&options.on_failure), "for the shell, when the connection is lost");
  add("expect-failure", po::value(&options.expect_failure), "end at the first failure; it has to have this status");
  add("within-ms", po::value(&options.within_ms), "and come so soon after --command");
  po::positional_options_description positional;
  positional.add("role", 1).add("address", 1);
  po::variables_map values;
  po::store(po::command_line_parser(argc, argv).options(all).positional(positional).run(), values);
  po::notify(values);
  if (values.count("at") != 0) options.at = at;
  if (values.count("hold-at") != 0) options.hold_at = hold_at;
  return options;
}

// Bytes and length are told by the sequence alone, so both sides know them.
std::uint64_t length_of(std::uint64_t sequence) { return std::mt19937_64(sequence)() % kPayloadBytesMax + 1; }
std::byte byte_of(std::uint64_t sequence, std::size_t index) {
  return static_cast<std::byte>(sequence * 131 + index * 7 + (index >> 8U));
}

// What both roles share: the connection's failures, and the commands of the test.
class Player {
 public:
  explicit Player(const Options& options) : options_(options) {}
  ~Player() {
    if (command_.joinable()) command_.join();
  }

  void count(std::uint64_t tensors) {
    if (!options_.at || tensors < *options_.at || command_.joinable()) return;
    command_ = std::thread([this] {
      commanded_ns_ = monotonic_ns();
      run(options_.command);
    });
  }

  // Exit code, or nothing: go on with a new connection.
  std::optional<int> on_failure(const Error& cause) {
    const std::uint64_t now_ns = monotonic_ns();
    std::printf("lost: %s: %s\n", std::string(status_name(cause.status)).c_str(), cause.message.c_str());
    ++lost_;
    if (!options_.expect_failure.empty()) return judge(cause.status, now_ns);
    if (lost_ == 1 && !options_.on_failure.empty()) run(options_.on_failure);
    return std::nullopt;
  }
  std::uint64_t lost() const { return lost_; }

 private:
  static void run(const std::string& command) {
    if (std::system(command.c_str()) != 0) std::printf("'%s' failed\n", command.c_str());
  }

  int judge(Status status, std::uint64_t now_ns) const {
    const double noticed_ms = static_cast<double>(now_ns - commanded_ns_) / kNsPerMs;
    std::printf("noticed after %.1f ms\n", noticed_ms);
    const bool as_expected = status_name(status) == options_.expect_failure;
    const bool in_time = options_.within_ms == 0 || noticed_ms <= static_cast<double>(options_.within_ms);
    if (!as_expected) std::printf("FAILED: expected %s\n", options_.expect_failure.c_str());
    if (!in_time) std::printf("FAILED: expected within %llu ms\n", static_cast<unsigned long long>(options_.within_ms));
    return as_expected && in_time ? 0 : 1;
  }

  const Options& options_;
  std::thread command_;
  std::atomic<std::uint64_t> commanded_ns_{0};
  std::uint64_t lost_ = 0;
};

int fail(const Error& error) {
  std::printf("FAILED: %s\n", error.message.c_str());
  return 1;
}

// Checks one tensor; a wrong one ends the test.
bool is_intact(const hop::InputSlot& slot) {
  const std::uint64_t sequence = slot.header.sequence;
  if (slot.payload.size() != length_of(sequence)) return false;
  for (std::size_t i = 0; i < slot.payload.size(); ++i) {
    if (slot.payload[i] != byte_of(sequence, i)) return false;
  }
  return true;
}

// Until all are taken and the producer has gone, or the connection fails: kOk, or the failure.
Status consume(hop::Consumer& consumer, CompletionQueue& queue, const Options& options, Player& player) {
  hop::Waiter waiter(queue, hop::WaitStrategy::kAdaptive);
  for (;;) {
    hop::InputSlot slot;
    Status status = Status::kPending;
    const auto ready = [&] { return (status = consumer.try_take(slot)) != Status::kPending; };
    if (!is_ok(waiter.wait(ready, monotonic_ns() + kPatienceNs))) return Status::kTimedOut;
    if (is_failure(status)) return consumer.taken() == options.tensors ? Status::kOk : status;
    if (!is_intact(slot)) return Status::kCorrupt;
    consumer.release(slot);
    player.count(consumer.taken());
  }
}

int play_consumer(const Options& options, Domain& domain, CompletionQueue& queue) {
  Player player(options);
  auto consumer = hop::Consumer::create(domain, {.slots = kSlots, .payload_bytes_max = kPayloadBytesMax});
  if (!consumer.ok()) return fail(consumer.error());
  auto listener = domain.listen(options.address);
  if (!listener.ok()) return fail(listener.error());
  for (bool all_taken = false;;) {
    auto request = (*listener)->wait_request(all_taken ? kLingerNs : kPatienceNs);
    if (!request.ok() && all_taken) break;
    if (!request.ok()) return fail(request.error());
    auto endpoint = (*request)->accept((*consumer)->endpoint_options(queue));
    if (!endpoint.ok()) continue;  // it went away meanwhile and will come again
    (*consumer)->attach(std::move(*endpoint));
    const Status status = consume(**consumer, queue, options, player);
    all_taken = (*consumer)->taken() == options.tensors;
    if (is_ok(status)) continue;
    Error cause = (*consumer)->endpoint()->first_cause();
    if (status == Status::kTimedOut || status == Status::kCorrupt || status == Status::kProtocol) {
      return fail({status, "tensor " + std::to_string((*consumer)->taken()) + ": " + std::string(status_name(status))});
    }
    if (const auto code = player.on_failure(cause)) return *code;
  }
  std::printf("took %llu tensors, each once, in order and intact; connections lost: %llu\n",
              static_cast<unsigned long long>((*consumer)->taken()), static_cast<unsigned long long>(player.lost()));
  return 0;
}

Status produce(hop::Producer& producer, CompletionQueue& queue, const Options& options, Player& player) {
  hop::Waiter waiter(queue, hop::WaitStrategy::kAdaptive);
  while (producer.committed() < options.hold_at.value_or(options.tensors)) {
    hop::OutputSlot slot;
    Status status = Status::kPending;
    const auto ready = [&] { return (status = producer.try_acquire(slot)) != Status::kPending; };
    if (!is_ok(waiter.wait(ready, monotonic_ns() + kPatienceNs))) return Status::kTimedOut;
    if (is_failure(status)) return status;
    const std::uint64_t length_bytes = length_of(slot.sequence);
    for (std::size_t i = 0; i < length_bytes; ++i) slot.payload[i] = byte_of(slot.sequence, i);
    status = producer.commit(slot, {.payload_bytes = length_bytes});
    if (is_failure(status)) return status;
    player.count(producer.committed());
  }
  const bool holds = options.hold_at.has_value();
  const auto done = [&] { return (producer.undelivered() == 0 && !holds) || is_failure(producer.status()); };
  if (!is_ok(waiter.wait(done, monotonic_ns() + kPatienceNs))) return Status::kTimedOut;
  return producer.undelivered() == 0 ? Status::kOk : producer.status();
}

// Tries until somebody listens there, or the watchdog bites.
Result<void> connect(hop::Producer& producer, Domain& domain, CompletionQueue& queue, const Options& options) {
  const std::uint64_t deadline_ns = monotonic_ns() + kPatienceNs;
  for (;;) {
    auto connected = domain.connect(options.address, producer.endpoint_options(queue, Hello()), 2 * kNsPerSecond);
    if (connected.ok()) {
      const auto geometry = hop::decode_geometry(connected->hello);
      return geometry.ok() ? producer.attach(std::move(connected->endpoint), *geometry) : geometry.error();
    }
    if (monotonic_ns() > deadline_ns) return connected.error();
    ::usleep(50'000);
  }
}

int play_producer(const Options& options, Domain& domain, CompletionQueue& queue) {
  Player player(options);
  hop::Producer producer(domain, {.slots_max = kSlots, .payload_crc = true});
  for (;;) {
    if (const auto connected = connect(producer, domain, queue, options); !connected.ok())
      return fail(connected.error());
    const Status status = produce(producer, queue, options, player);
    if (is_ok(status)) break;
    if (status == Status::kTimedOut)
      return fail({status, "no progress at tensor " + std::to_string(producer.committed())});
    if (const auto code = player.on_failure(producer.failure())) return *code;
  }
  std::printf("sent %llu tensors; connections lost: %llu\n", static_cast<unsigned long long>(producer.committed()),
              static_cast<unsigned long long>(player.lost()));
  return 0;
}

int play(const Options& options) {
  auto domain = open_domain(options.address);
  if (!domain.ok()) return fail(domain.error());
  auto queue = (*domain)->create_completion_queue(kQueueDepth);
  if (!queue.ok()) return fail(queue.error());
  return options.role == "produce" ? play_producer(options, **domain, **queue)
                                   : play_consumer(options, **domain, **queue);
}

}  // namespace

}  // namespace npf::fabric::stream

int main(int argc, char** argv) {
  try {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    npf::set_log_sink([](npf::LogLevel, std::string_view line) { std::cout << line << std::endl; });
    return npf::fabric::stream::play(npf::fabric::stream::parse(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hop_stream: %s\n", error.what());
    return 2;
  }
}
