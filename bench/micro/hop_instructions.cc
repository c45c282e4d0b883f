// Both ends of a hop in one thread, for a counter of instructions: bench/instructions runs this under callgrind, which collects
// only inside the functions named collected_*. No clock: what is counted does not depend on when something arrives.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "bench/micro/hop_pair.h"

namespace {

using npf::bench::HopPair;
using npf::bench::Place;
using npf::fabric::dispatch_completions;
using npf::fabric::hop::Consumer;
using npf::fabric::hop::InputSlot;
using npf::fabric::hop::OutputSlot;
using npf::fabric::hop::Producer;

constexpr std::uint32_t kSlots = 16;
constexpr std::uint32_t kWarmup = 2 * kSlots;
constexpr std::uint32_t kPatienceUs = 500;       // between two looks, in which a small message crosses
constexpr std::uint64_t kBytesPerUs = 20;        // of a slow device under emulation
constexpr std::uint32_t kPollsAfterMessage = 1;  // at the producer: its send's completion, now and then a credit

struct Bench {
  Place source;
  Place sink;
  HopPair hop;
  std::uint64_t bytes;
  std::uint64_t polls_empty = 0;
};

}  // namespace

// Outside the unnamed namespace, so that callgrind knows them by these names.
extern "C" {

[[gnu::noinline]] void collected_send(Producer& producer, std::uint64_t bytes) {
  npf::bench::send_one(producer, bytes);
}

[[gnu::noinline]] std::uint32_t collected_poll(Place& place) {
  return static_cast<std::uint32_t>(dispatch_completions(place.queue()));
}

[[gnu::noinline]] bool collected_take(Consumer& consumer) {
  InputSlot slot;
  if (!npf::is_ok(consumer.try_take(slot))) return false;
  consumer.release(slot);
  return true;
}

// callgrind writes a part of its own whenever this returns.
[[gnu::noinline]] void part_ended(const char* name, std::uint64_t messages, std::uint64_t polls_empty) {
  std::printf("%s %llu %llu\n", name, static_cast<unsigned long long>(messages),
              static_cast<unsigned long long>(polls_empty));
  std::fflush(stdout);
}
}

namespace {

void wait_a_while(std::uint64_t bytes) { ::usleep(kPatienceUs + static_cast<std::uint32_t>(bytes / kBytesPerUs)); }

void poll_until_something(Bench& bench, Place& place) {
  while (collected_poll(place) == 0) {
    ++bench.polls_empty;
    wait_a_while(bench.bytes);
  }
}

// A message, its arrival, its release, and what that brings back to the producer.
void one_message(Bench& bench) {
  collected_send(*bench.hop.producer, bench.bytes);
  wait_a_while(bench.bytes);
  // Completions of credits that were sent lie in the same queue.
  do {
    poll_until_something(bench, bench.sink);
  } while (!collected_take(*bench.hop.consumer));
  wait_a_while(0);
  for (std::uint32_t i = 0; i < kPollsAfterMessage; ++i) {
    if (collected_poll(bench.source) == 0) ++bench.polls_empty;
  }
  while (bench.hop.producer->undelivered() >= kSlots) poll_until_something(bench, bench.source);
}

void measure(const std::string& source, const std::string& sink, std::uint64_t bytes, std::uint32_t messages) {
  Bench bench{.source = Place(source), .sink = Place(sink), .hop = {}, .bytes = bytes};
  bench.hop = npf::bench::connect_hop(bench.source, bench.sink, kSlots, bytes);
  const std::string name = std::to_string(bytes);
  for (std::uint32_t i = 0; i < kWarmup; ++i) one_message(bench);
  part_ended("warmup", kWarmup, bench.polls_empty);
  bench.polls_empty = 0;
  for (std::uint32_t i = 0; i < messages; ++i) one_message(bench);
  part_ended(name.c_str(), messages, bench.polls_empty);
  for (std::uint32_t i = 0; i < kWarmup; ++i) {
    wait_a_while(0);
    dispatch_completions(bench.source.queue());
  }
  for (std::uint32_t i = 0; i < messages; ++i) collected_poll(bench.source);
  part_ended("empty", messages, messages);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "hop_instructions SOURCE-ADDRESS SINK-ADDRESS MESSAGES BYTES...\n");
    return 2;
  }
  for (int i = 4; i < argc; ++i) {
    measure(argv[1], argv[2], std::strtoull(argv[i], nullptr, 10),
            static_cast<std::uint32_t>(std::strtoul(argv[3], nullptr, 10)));
  }
  return 0;
}
