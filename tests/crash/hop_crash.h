// One hop between two processes of which one is killed: what both share, and the part of the one that dies.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "fabric/hop/consumer.h"
#include "fabric/hop/producer.h"

namespace npf::fabric::crash {

inline constexpr std::uint32_t kSlots = 4;
inline constexpr std::uint64_t kPayloadBytes = 1024;
inline constexpr std::uint64_t kWatchdogNs = 10 * kNsPerSecond;

// Where a victim kills itself, in the order of the hot path; kNowhere: it streams until somebody else does.
enum class Step : std::uint8_t {
  kConnected,
  kAcquired,
  kWritten,
  kCommitted,
  kFull,
  kArrived,
  kTaken,
  kReleased,
  kCredited,
  kNowhere
};
inline constexpr std::array kProducerSteps = {Step::kConnected, Step::kAcquired, Step::kWritten, Step::kCommitted,
                                              Step::kFull};
inline constexpr std::array kConsumerSteps = {Step::kConnected, Step::kArrived, Step::kTaken, Step::kReleased,
                                              Step::kCredited};
std::string_view step_name(Step step);

// The victim's last words, through a pipe.
struct LastWords {
  std::uint64_t died_ns = 0;  // monotonic_ns, just before the kill
  std::uint64_t committed = 0;
  std::uint64_t released = 0;
};

// A process's end of a hop: it listens as the consumer, and connects as the producer.
struct End {
  std::unique_ptr<Domain> domain;
  std::unique_ptr<CompletionQueue> queue;
  std::unique_ptr<Listener> listener;
  std::unique_ptr<hop::Consumer> consumer;
  std::unique_ptr<hop::Producer> producer;

  ~End();
};
Result<std::unique_ptr<End>> open_consumer(const std::string& address);
Result<void> accept_producer(End& end);
Result<std::unique_ptr<End>> connect_producer(const std::string& address, std::uint64_t progress_timeout_ns = 0);

std::byte pattern(std::uint64_t sequence, std::size_t index);

// Plays its part for some tensors, up to the step, and kills itself there with SIGKILL. Does not return but on an error.
int run_victim(std::string_view role, std::string_view step, const std::string& address, int last_words_fd);

}  // namespace npf::fabric::crash
