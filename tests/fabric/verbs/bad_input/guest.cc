#include "tests/fabric/verbs/bad_input/guest.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace npf::fabric::bad_input {

namespace {

bool has_gid() {
  std::ifstream file("/sys/class/infiniband/" + kDevice + "/ports/1/gids/1");
  std::string gid;
  return std::getline(file, gid) && gid.find(":ffff:") != std::string::npos;
}

}  // namespace

// scripts/rxe.d/start puts it there.
bool is_guest() { return ::access("/run/rxe/settings", R_OK) == 0 && ::access("/sys/class/net/rdma0", F_OK) == 0; }

std::uint16_t unique_port() {
  constexpr std::uint16_t kFirst = 21'000;
  static std::atomic<std::uint16_t> next{kFirst};
  return next++;
}

std::string address_of(const std::string& host, std::uint16_t port) {
  return "verbs://" + host + ":" + std::to_string(port);
}

void shell(const std::string& command) { EXPECT_EQ(std::system(command.c_str()), 0) << command; }

testing::AssertionResult tells(const Error& error, Status status, std::initializer_list<std::string_view> words) {
  std::printf("  %s: %s\n", std::string(status_name(error.status)).c_str(), error.message.c_str());
  if (error.status != status) {
    return testing::AssertionFailure() << "expected " << status_name(status) << ", got " << status_name(error.status)
                                       << ": " << error.message;
  }
  if (!error.message.starts_with("verbs: ")) return testing::AssertionFailure() << "no layer: " << error.message;
  for (const std::string_view word : words) {
    if (error.message.find(word) == std::string::npos) {
      return testing::AssertionFailure() << "'" << word << "' is not in: " << error.message;
    }
  }
  return testing::AssertionSuccess();
}

Side::Side(std::uint32_t queue_depth) {
  auto opened = open_domain(address_of(kHost, 1));
  if (!opened.ok()) {
    ADD_FAILURE() << opened.error().message;
    return;
  }
  domain = std::move(*opened);
  auto made = domain->create_completion_queue(queue_depth);
  if (made.ok()) {
    queue = std::move(*made);
  } else {
    ADD_FAILURE() << made.error().message;
  }
}

EndpointOptions Side::options(std::uint32_t depth) const {
  EndpointOptions options;
  options.completion_queue = queue.get();
  options.send_depth = options.receive_depth = depth;
  return options;
}

void Side::poll() {
  std::array<Completion, 16> completions;
  const std::size_t count = queue->poll(completions);
  for (std::size_t i = 0; i < count; ++i) {
    ++came_back[completions[i].id];
    ++statuses[completions[i].status];
  }
}

void connect(Side& a, Side& b) {
  const std::string address = address_of(kHost, unique_port());
  auto listener = b.domain->listen(address);
  ASSERT_TRUE(listener.ok()) << listener.error().message;
  std::thread connector([&] {
    auto connected = a.domain->connect(address, a.options(), kWatchdogNs);
    EXPECT_TRUE(connected.ok()) << connected.error().message;
    if (connected.ok()) a.endpoint = std::move(connected->endpoint);
  });
  auto request = (*listener)->wait_request(kWatchdogNs);
  EXPECT_TRUE(request.ok()) << request.error().message;
  if (request.ok()) {
    auto accepted = (*request)->accept(b.options());
    EXPECT_TRUE(accepted.ok()) << accepted.error().message;
    if (accepted.ok()) b.endpoint = std::move(*accepted);
  }
  connector.join();
  ASSERT_TRUE(a.endpoint && b.endpoint);
}

bool wait_until(const std::function<bool()>& ready) {
  const std::uint64_t deadline_ns = monotonic_ns() + kWatchdogNs;
  while (!ready()) {
    if (monotonic_ns() > deadline_ns) return false;
    std::this_thread::yield();
  }
  return true;
}

void VerbsBadInput::make_device_anew() {
  if (::access(("/sys/class/infiniband/" + kDevice).c_str(), F_OK) == 0) shell("rdma link del " + kDevice);
  shell("ip link set rdma0 up; rdma link add " + kDevice + " type rxe netdev rdma0");
  EXPECT_TRUE(wait_until(has_gid)) << kDevice << " has no GID for its address";
}

}  // namespace npf::fabric::bad_input
