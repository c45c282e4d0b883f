// The process that dies.
#include <signal.h>
#include <unistd.h>

#include <cstdio>

#include "fabric/hop/waiter.h"
#include "tests/crash/hop_crash.h"

namespace npf::fabric::crash {

namespace {

constexpr std::uint64_t kTensorsBefore = 9;  // more than two laps of the ring
constexpr std::uint64_t kArrivalNsMax = 20 * kNsPerMs;

struct Victim {
  Step step;
  int last_words_fd;
  End& end;

  void die_at(Step here) const {
    if (here != step) return;
    LastWords words;
    if (end.producer) words.committed = end.producer->committed();
    if (end.consumer) words.released = end.consumer->taken();
    words.died_ns = monotonic_ns();
    if (::write(last_words_fd, &words, sizeof words) == sizeof words) ::kill(::getpid(), SIGKILL);
  }
};

void produce(const Victim& victim) {
  hop::Producer& producer = *victim.end.producer;
  hop::Waiter waiter(*victim.end.queue, hop::WaitStrategy::kAdaptive);
  victim.die_at(Step::kConnected);
  for (std::uint64_t i = 0; victim.step == Step::kNowhere || i <= kTensorsBefore; ++i) {
    const bool last = i == kTensorsBefore;
    hop::OutputSlot slot;
    Status status = Status::kPending;
    waiter.wait([&] { return (status = producer.try_acquire(slot)) != Status::kPending; });
    if (!is_ok(status)) return;
    if (last) victim.die_at(Step::kAcquired);
    for (std::size_t k = 0; k < kPayloadBytes; ++k) {
      slot.payload[k] = pattern(slot.sequence, k);
      if (last && k == kPayloadBytes / 2) victim.die_at(Step::kWritten);
    }
    if (!is_ok(producer.commit(slot, {.payload_bytes = kPayloadBytes}))) return;
    if (last) victim.die_at(Step::kCommitted);
  }
  hop::OutputSlot slot;
  // kFull: the survivor was told to release nothing more.
  while (is_ok(producer.try_acquire(slot))) {
    for (std::size_t k = 0; k < kPayloadBytes; ++k) slot.payload[k] = pattern(slot.sequence, k);
    if (!is_ok(producer.commit(slot, {.payload_bytes = kPayloadBytes}))) return;
  }
  victim.die_at(Step::kFull);
}

void consume(const Victim& victim) {
  hop::Consumer& consumer = *victim.end.consumer;
  hop::Waiter waiter(*victim.end.queue, hop::WaitStrategy::kAdaptive);
  victim.die_at(Step::kConnected);
  for (std::uint64_t i = 0; victim.step == Step::kNowhere || i <= kTensorsBefore; ++i) {
    const bool last = i == kTensorsBefore;
    if (last && victim.step == Step::kArrived) {
      // It may have come together with those before it.
      const std::uint64_t end_ns = monotonic_ns() + kArrivalNsMax;
      while (dispatch_completions(*victim.end.queue) == 0 && monotonic_ns() < end_ns) continue;
      victim.die_at(Step::kArrived);
    }
    hop::InputSlot slot;
    Status status = Status::kPending;
    waiter.wait([&] { return (status = consumer.try_take(slot)) != Status::kPending; });
    if (!is_ok(status)) return;
    if (last) victim.die_at(Step::kTaken);
    consumer.release(slot);
    if (last) victim.die_at(Step::kReleased);
  }
  constexpr int kLooks = 3;  // an idle ring returns its credits
  for (int look = 0; look < kLooks; ++look) {
    dispatch_completions(*victim.end.queue);
    hop::InputSlot slot;
    if (is_ok(consumer.try_take(slot))) consumer.release(slot);
  }
  victim.die_at(Step::kCredited);
}

}  // namespace

int run_victim(std::string_view role, std::string_view step, const std::string& address, int last_words_fd) {
  const auto fail = [](const Error& error) {
    std::fprintf(stderr, "victim: %s\n", error.message.c_str());
    return 1;
  };
  Step here = Step::kConnected;
  while (step_name(here) != step) here = static_cast<Step>(static_cast<std::uint8_t>(here) + 1);
  if (role == "producer") {
    auto end = connect_producer(address);
    if (!end.ok()) return fail(end.error());
    produce({here, last_words_fd, **end});
    return 1;
  }
  auto end = open_consumer(address);
  if (!end.ok()) return fail(end.error());
  if (auto accepted = accept_producer(**end); !accepted.ok()) return fail(accepted.error());
  consume({here, last_words_fd, **end});
  return 1;
}

}  // namespace npf::fabric::crash
