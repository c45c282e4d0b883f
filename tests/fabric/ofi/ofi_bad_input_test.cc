// What comes from outside and is wrong: addresses, and peers that speak something else. Each is one clear sentence, and
// the listener goes on. The sentences have the layer, the provider, the operation, libfabric's text and number.
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <future>
#include <thread>

#include "base/clock.h"
#include "fabric/cm_data.h"
#include "fabric/fabric.h"
#include "tests/fabric/ofi/raw_peer.h"

namespace npf::fabric {

namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr std::uint64_t kWatchdogNs = 10 * kNsPerSecond;

std::uint16_t unique_port() {
  constexpr unsigned kLowest = 17'500;
  constexpr unsigned kCount = 2'000;
  static std::atomic<unsigned> next{static_cast<unsigned>(::getpid()) * 31U};
  return static_cast<std::uint16_t>(kLowest + next++ % kCount);
}

std::string address_of(std::uint16_t port) { return "ofi+tcp://127.0.0.1:" + std::to_string(port); }

class OfiBadInput : public testing::Test {
 protected:
  void SetUp() override {
    auto domain = open_domain(address_of(port_));
    ASSERT_TRUE(domain.ok()) << domain.error().message;
    domain_ = std::move(*domain);
    queue_ = std::move(domain_->create_completion_queue(4096)).value();
  }

  EndpointOptions options() {
    EndpointOptions options;
    options.completion_queue = queue_.get();
    return options;
  }

  std::unique_ptr<Listener> listen() {
    auto listener = domain_->listen(address_of(port_));
    EXPECT_TRUE(listener.ok()) << listener.error().message;
    return listener.ok() ? std::move(*listener) : nullptr;
  }

  // A peer of ours is still served.
  void expect_served(Listener& listener) {
    auto connecting =
        std::async(std::launch::async, [&] { return domain_->connect(listener.address(), options(), kWatchdogNs); });
    auto request = listener.wait_request(kWatchdogNs);
    ASSERT_TRUE(request.ok()) << request.error().message;
    const auto accepted = (*request)->accept(options());
    EXPECT_TRUE(accepted.ok()) << accepted.error().message;
    const auto connected = connecting.get();
    EXPECT_TRUE(connected.ok()) << connected.error().message;
  }

  const std::uint16_t port_ = unique_port();
  std::unique_ptr<Domain> domain_;
  std::unique_ptr<CompletionQueue> queue_;
};

TEST(OfiAddress, OfAProviderThatIsNotThereListsThoseThereAre) {
  const auto domain = open_domain("ofi+nosuch://127.0.0.1:7000");

  EXPECT_EQ(domain.status(), Status::kNotFound);
  EXPECT_THAT(domain.error().message,
              AllOf(HasSubstr("no provider 'nosuch'"), HasSubstr("fi_errno"), HasSubstr("tcp")));
}

TEST(OfiAddress, WithoutAProviderOrAHostSaysHowToWriteIt) {
  for (const char* const address : {"ofi://127.0.0.1:7000", "ofi+tcp:/path", "ofi+tcp://127.0.0.1:7000?x=1"}) {
    const auto domain = open_domain(address);

    EXPECT_EQ(domain.status(), Status::kInvalidArgument) << address;
    EXPECT_THAT(domain.error().message, HasSubstr("ofi+tcp://10.9.0.1:7472")) << address;
  }
}

TEST_F(OfiBadInput, APortInUseIsToldWithItsNumber) {
  const auto other = listen_by_tcp(port_);
  ASSERT_TRUE(other.valid());

  const auto listener = domain_->listen(address_of(port_));

  EXPECT_EQ(listener.status(), Status::kAddressInUse);
  EXPECT_THAT(listener.error().message,
              AllOf(HasSubstr("ofi+tcp: listening at 127.0.0.1:" + std::to_string(port_)),
                    HasSubstr("Address already in use, fi_errno 98"), HasSubstr("choose another port")));
}

TEST_F(OfiBadInput, AnAddressOfAnotherHostIsNotListenedAt) {
  const auto listener = domain_->listen("ofi+tcp://192.0.2.77:" + std::to_string(port_));

  EXPECT_EQ(listener.status(), Status::kNotFound) << listener.error().message;
  EXPECT_THAT(listener.error().message, AllOf(HasSubstr("192.0.2.77"), HasSubstr("fi_errno")));
}

TEST_F(OfiBadInput, ConnectingToNobodyTellsWhoWasAsked) {
  const auto connected = domain_->connect(address_of(port_), options(), kWatchdogNs);

  EXPECT_EQ(connected.status(), Status::kUnreachable);
  EXPECT_THAT(connected.error().message,
              AllOf(HasSubstr("ofi+tcp: 127.0.0.1:" + std::to_string(port_)),
                    HasSubstr("Connection refused, fi_errno 111"), HasSubstr("is the peer running?")));
}

TEST_F(OfiBadInput, AHelloOfAnotherVersionIsAnsweredAndNotReturned) {
  auto listener = listen();
  CmHello hello = encode_cm_hello(Hello());
  hello[4] = std::byte{99};  // the version, after the magic
  auto greeting = std::async(std::launch::async, [&] { return greet_by_libfabric(port_, hello); });

  EXPECT_EQ(listener->wait_request(500 * kNsPerMs).status(), Status::kTimedOut);

  EXPECT_THAT(greeting.get(), HasSubstr("speaks version 99"));
  expect_served(*listener);
}

TEST_F(OfiBadInput, AHelloOfAnotherProgramIsAnsweredAndNotReturned) {
  auto listener = listen();
  const std::array<std::byte, 5> hello{};
  auto greeting = std::async(std::launch::async, [&] { return greet_by_libfabric(port_, hello); });

  EXPECT_EQ(listener->wait_request(500 * kNsPerMs).status(), Status::kTimedOut);

  EXPECT_THAT(greeting.get(), HasSubstr("not one of NPU Fabric"));
  expect_served(*listener);
}

TEST_F(OfiBadInput, StrangersNeitherEndNorHoldUpAListener) {
  auto listener = listen();
  const ScopedFd silent = connect_by_tcp(port_);
  const ScopedFd noisy = connect_by_tcp(port_);
  const ScopedFd brief = connect_by_tcp(port_);
  { const ScopedFd gone = connect_by_tcp(port_); }
  ASSERT_TRUE(silent.valid() && noisy.valid() && brief.valid());
  const std::string garbage(100'000, 'x');
  EXPECT_GT(::send(noisy.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL | MSG_DONTWAIT), 0);
  EXPECT_EQ(::send(brief.get(), garbage.data(), 3, MSG_NOSIGNAL), 3);

  EXPECT_EQ(listener->wait_request(100 * kNsPerMs).status(), Status::kTimedOut);

  expect_served(*listener);
  EXPECT_EQ(listener->wait_request(10 * kNsPerMs).status(), Status::kTimedOut);
}

TEST_F(OfiBadInput, AServerOfAnotherProtocolIsNoPeer) {
  const auto server = listen_by_tcp(port_);
  ASSERT_TRUE(server.valid());
  std::thread answering([&] {
    const ScopedFd fd(::accept(server.get(), nullptr, nullptr));
    const std::string banner = "SSH-2.0-OpenSSH_9.2p1 and more than a header of libfabric's\r\n";
    EXPECT_GT(::send(fd.get(), banner.data(), banner.size(), MSG_NOSIGNAL), 0);
    std::array<char, 64> rest;
    while (::recv(fd.get(), rest.data(), rest.size(), 0) > 0) continue;
  });

  const auto connected = domain_->connect(address_of(port_), options(), kWatchdogNs);
  answering.join();

  EXPECT_EQ(connected.status(), Status::kProtocol) << connected.error().message;
  EXPECT_THAT(connected.error().message, AllOf(HasSubstr("another protocol"), HasSubstr("fi_errno")));
}

TEST_F(OfiBadInput, AServerThatHangsUpIsUnreachable) {
  const auto server = listen_by_tcp(port_);
  ASSERT_TRUE(server.valid());
  std::thread answering([&] { const ScopedFd fd(::accept(server.get(), nullptr, nullptr)); });

  const auto connected = domain_->connect(address_of(port_), options(), kWatchdogNs);
  answering.join();

  EXPECT_EQ(connected.status(), Status::kUnreachable) << connected.error().message;
  EXPECT_THAT(connected.error().message, HasSubstr("fi_errno"));
}

TEST_F(OfiBadInput, AServerThatSaysNothingIsWaitedForUntilTheDeadline) {
  const auto server = listen_by_tcp(port_);
  ASSERT_TRUE(server.valid());

  const auto connected = domain_->connect(address_of(port_), options(), 100 * kNsPerMs);

  EXPECT_EQ(connected.status(), Status::kTimedOut) << connected.error().message;
}

}  // namespace

}  // namespace npf::fabric
