// The link goes down, or the device goes away, in the middle of a stream.
#include <algorithm>
#include <array>

#include "tests/fabric/verbs/bad_input/guest.h"

namespace npf::fabric::bad_input {
namespace {

using VerbsRemovalBadInput = VerbsBadInput;

constexpr std::uint64_t kMessageBytes = 64U << 10U;
constexpr std::uint32_t kDepth = 64;
constexpr std::uint64_t kFirstReceive = 1U << 30U;

// WRITEs from a to b without a pause, and receives posted at both that nothing ever takes.
class Stream {
 public:
  Stream() {
    connect(a_, b_);
    source_ = std::move(a_.domain->allocate(kMessageBytes, Access::kLocal)).value();
    target_ = std::move(b_.domain->allocate(kMessageBytes, Access::kRemoteWrite)).value();
    for (Side* const side : {&a_, &b_}) {
      for (std::uint64_t i = 0; i < kDepth; ++i) {
        const ReceiveRequest receive{.id = kFirstReceive + i, .local = {}};
        EXPECT_EQ(side->endpoint->post_receive({&receive, 1}).posted, 1U);
      }
    }
  }

  // Writes until both ends have failed; true when nothing more is missing.
  bool run_until_failed(const std::function<void()>& disturb) {
    std::thread disturber;
    const bool failed = wait_until([&] {
      fill();
      a_.poll();
      b_.poll();
      if (!disturber.joinable() && a_.statuses[Status::kOk] > kDepth) disturber = std::thread(disturb);
      return a_.endpoint->state() != EndpointState::kConnected && b_.endpoint->state() != EndpointState::kConnected;
    });
    if (disturber.joinable()) disturber.join();
    if (!failed) describe();
    return failed && wait_until([&] {
             a_.poll();
             b_.poll();
             return a_.came_back.size() >= posted_ + kDepth && b_.came_back.size() >= kDepth;
           });
  }

  // Each id once; of those that failed the first has the cause and the others were flushed.
  void expect_exactly_once() {
    for (int i = 0; i < 100; ++i) {
      a_.poll();
      b_.poll();
    }
    EXPECT_EQ(a_.came_back.size(), posted_ + kDepth);
    EXPECT_EQ(b_.came_back.size(), kDepth);
    for (const Side* const side : {&a_, &b_}) {
      for (const auto& [id, times] : side->came_back) EXPECT_EQ(times, 1U) << id;
    }
    EXPECT_EQ(a_.statuses[a_.endpoint->first_cause().status], 1U);
    EXPECT_EQ(a_.statuses[Status::kOk] + 1 + a_.statuses[Status::kFlushed], posted_ + kDepth);
  }

  Endpoint& a() { return *a_.endpoint; }
  Endpoint& b() { return *b_.endpoint; }
  Domain& domain() { return *b_.domain; }

 private:
  void describe() {
    for (const Side* const side : {&a_, &b_}) {
      std::printf("  still state %d: %s\n", static_cast<int>(side->endpoint->state()),
                  side->endpoint->first_cause().message.c_str());
    }
    std::printf("  posted %llu, succeeded %u\n", static_cast<unsigned long long>(posted_), a_.statuses[Status::kOk]);
  }

  void fill() {
    const LocalSpan span = source_->local(0, kMessageBytes);
    const WorkRequest write{.id = posted_,
                            .opcode = Opcode::kWrite,
                            .signaled = true,
                            .inlined = false,
                            .immediate = 0,
                            .local = {&span, 1},
                            .remote = target_->remote()};
    if (posted_ < a_.statuses[Status::kOk] + kDepth / 2) posted_ += a_.endpoint->post({&write, 1}).posted;
  }

  Side a_;
  Side b_;
  std::unique_ptr<Region> source_;
  std::unique_ptr<Region> target_;
  std::uint64_t posted_ = 0;
};

// That the device can be used again is what the next test begins with, in a process of its own: this one's librdmacm keeps
// the device open.
TEST_F(VerbsRemovalBadInput, ALinkThatGoesDownInTheMiddleEndsBothSidesWithItsState) {
  Stream stream;
  ASSERT_TRUE(stream.run_until_failed([] { shell("ip link set rdma0 down"); }));
  stream.expect_exactly_once();
  const Error cause = stream.a().first_cause();
  // Most often the device fails the WRITE. rdma_rxe may flush it before it says why, or forget it, and what asks idle
  // connections ends that after 2 s more.
  EXPECT_TRUE(cause.status == Status::kDisconnected || cause.status == Status::kPeerDied);
  EXPECT_TRUE(tells(cause, cause.status, {kHost, kDevice, "WRITE", "device rxe0, port 1"}));
  const bool says_why = cause.message.find("status 2") != std::string::npos;
  EXPECT_TRUE(!says_why || cause.message.find("its port is down") != std::string::npos) << cause.message;
  EXPECT_NE(stream.b().state(), EndpointState::kConnected);
}

TEST_F(VerbsRemovalBadInput, ADeviceThatIsRemovedInTheMiddleEndsBothSides) {
  Stream stream;
  const auto listener = stream.domain().listen(address_of(kHost, unique_port()));
  ASSERT_TRUE(listener.ok()) << listener.error().message;
  // The command ends when this process has ended.
  ASSERT_TRUE(stream.run_until_failed([] { shell("rdma link del " + kDevice + " &"); }));
  stream.expect_exactly_once();
  // Whichever hears it first tells the other, whose cause may then be that its peer has gone.
  const bool a_first = stream.a().first_cause().message.find("was removed") != std::string::npos;
  EXPECT_TRUE(tells(a_first ? stream.a().first_cause() : stream.b().first_cause(), Status::kDisconnected,
                    {kHost, kDevice, "the device was removed", "npu-ctl doctor"}));
  EXPECT_TRUE(
      tells(a_first ? stream.b().first_cause() : stream.a().first_cause(), Status::kDisconnected, {kHost, kDevice}));
  const auto request = (*listener)->wait_request(kWatchdogNs);
  ASSERT_FALSE(request.ok());
  EXPECT_TRUE(tells(request.error(), Status::kNotFound, {kHost, "was removed", "npu-ctl doctor"}));
}

}  // namespace
}  // namespace npf::fabric::bad_input
