// What the tests of bad input over verbs share: the guest's RDMA device, changed by `ip` and `rdma`; two sides on it; and
// whether a sentence tells what it has to. Only for a guest of scripts/rxe: on a real machine its device would go.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "fabric/fabric.h"

namespace npf::fabric::bad_input {

inline const std::string kHost = "10.9.0.1";
inline const std::string kDevice = "rxe0";
// A watchdog: what takes that long is broken, not slow.
inline constexpr std::uint64_t kWatchdogNs = 10 * kNsPerSecond;

bool is_guest();
std::uint16_t unique_port();
std::string address_of(const std::string& host, std::uint16_t port);  // verbs://host:port

// Runs it by the shell; a failure of the test when it ends with another code than 0.
void shell(const std::string& command);

// The status, and a sentence that begins with the layer and has all these words. Prints the sentence.
testing::AssertionResult tells(const Error& error, Status status, std::initializer_list<std::string_view> words);

// A domain and a queue. Made anew after the device was gone.
struct Side {
  explicit Side(std::uint32_t queue_depth = 512);
  EndpointOptions options(std::uint32_t depth = 64) const;

  std::unique_ptr<Domain> domain;
  std::unique_ptr<CompletionQueue> queue;
  std::unique_ptr<Endpoint> endpoint;
  std::map<std::uint64_t, unsigned> came_back;  // by the id that was posted
  std::map<Status, unsigned> statuses;
  void poll();
};

// Connects both by a listener of b's. Failures are the test's.
void connect(Side& a, Side& b);

bool wait_until(const std::function<bool()>& ready);

// Each test begins with a new device: what RDMA CM sends over a link that is down breaks rdma_rxe's queue pair for
// management (GSI) for good; the link comes back, and nobody is heard any more. And each runs in a process of its own
// (main.cc): librdmacm keeps a device open that it has used, and the kernel removes none that is open.
class VerbsBadInput : public testing::Test {
 protected:
  void SetUp() override { make_device_anew(); }
  static void make_device_anew();
};

}  // namespace npf::fabric::bad_input
