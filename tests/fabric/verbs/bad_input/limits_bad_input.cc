// More than the system, the device or a queue has room for.
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "tests/fabric/verbs/bad_input/guest.h"

namespace npf::fabric::bad_input {
namespace {

using VerbsLimitsBadInput = VerbsBadInput;

constexpr std::uint64_t kMiB = 1U << 20U;

// What `make` fails with in a child that is nobody and may lock so much memory: root is exempt from the limit.
Error error_of_unprivileged(std::uint64_t memlock_bytes, const std::function<Error()>& make) {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe(ends.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr uid_t kNobody = 65'534;
    const rlimit limit{memlock_bytes, memlock_bytes};
    if (::setrlimit(RLIMIT_MEMLOCK, &limit) != 0 || ::setgid(kNobody) != 0 || ::setuid(kNobody) != 0) ::_exit(1);
    const Error error = make();
    const auto status = static_cast<std::int32_t>(error.status);
    bool written = ::write(ends[1], &status, sizeof status) == sizeof status;
    written = written && ::write(ends[1], error.message.data(), error.message.size()) > 0;
    ::_exit(written ? 0 : 1);
  }
  ::close(ends[1]);
  std::int32_t status = 0;
  EXPECT_EQ(::read(ends[0], &status, sizeof status), static_cast<ssize_t>(sizeof status));
  std::array<char, 4096> text{};
  const ssize_t length = ::read(ends[0], text.data(), text.size());
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return {static_cast<Status>(status), std::string(text.data(), length > 0 ? static_cast<std::size_t>(length) : 0)};
}

TEST_F(VerbsLimitsBadInput, MoreMemoryThanTheProcessMayLockNamesTheLimitAndItsValue) {
  const Error error = error_of_unprivileged(kMiB, [] {
    auto domain = open_domain(address_of(kHost, 1));
    if (!domain.ok()) return domain.error();
    return (*domain)->allocate(4 * kMiB, Access::kRemoteWrite).error();
  });
  EXPECT_TRUE(tells(
      error, Status::kResourceLimit,
      {"4194304 bytes", kDevice, "Cannot allocate memory", "RLIMIT_MEMLOCK: 1024 KiB", "more than", "ulimit -l"}));
}

TEST_F(VerbsLimitsBadInput, RegionsThatTogetherExceedTheLimitSaySo) {
  const Error error = error_of_unprivileged(4 * kMiB, [] {
    auto domain = open_domain(address_of(kHost, 1));
    if (!domain.ok()) return domain.error();
    const auto first = (*domain)->allocate(3 * kMiB, Access::kRemoteWrite);
    if (!first.ok()) return Error{first.status(), "the first: " + first.error().message};
    return (*domain)->allocate(3 * kMiB, Access::kRemoteWrite).error();
  });
  EXPECT_TRUE(tells(error, Status::kResourceLimit, {kDevice, "RLIMIT_MEMLOCK: 4096 KiB", "together with"}));
}

TEST_F(VerbsLimitsBadInput, MoreMemoryThanThereIsNamesTheSize) {
  const Side side;
  const auto region = side.domain->allocate(kMiB << 24U, Access::kLocal);
  ASSERT_FALSE(region.ok());
  EXPECT_TRUE(
      tells(region.error(), Status::kOutOfMemory, {"allocating 17592186044416 bytes", "Cannot allocate memory"}));
}

TEST_F(VerbsLimitsBadInput, MemoryThatIsNotMappedCannotBeRegistered) {
  const Side side;
  void* const memory = ::mmap(nullptr, kMiB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  ::munmap(memory, kMiB);
  const auto region = side.domain->register_memory({static_cast<std::byte*>(memory), kMiB}, Access::kRemoteWrite);
  ASSERT_FALSE(region.ok());
  EXPECT_TRUE(tells(region.error(), Status::kInvalidArgument,
                    {"1048576 bytes", kDevice, "Bad address", "mapped and writable"}));
}

TEST_F(VerbsLimitsBadInput, AQueueDeeperThanTheDeviceHasNamesItsLimit) {
  const Side side;
  const auto queue = side.domain->create_completion_queue(1U << 20U);
  ASSERT_FALSE(queue.ok());
  EXPECT_TRUE(tells(queue.error(), Status::kInvalidArgument, {"depth 1048576", "32767", "max_cqe of rxe0"}));
}

TEST_F(VerbsLimitsBadInput, AnEndpointDeeperThanTheDeviceHasNamesWhatIsAllowed) {
  const Side side;
  const auto connected = side.domain->connect(address_of(kHost, unique_port()), side.options(1U << 20U), kWatchdogNs);
  ASSERT_FALSE(connected.ok());
  EXPECT_TRUE(tells(connected.error(), Status::kInvalidArgument, {"send depth 1048576", "allowed: 1 to"}));
}

// On both sides; the connector hears the acceptor's reason.
TEST_F(VerbsLimitsBadInput, ACompletionQueueTooShallowForAnEndpointIsToldToBothSides) {
  Side deep;
  const Side shallow(64);
  const std::string address = address_of(kHost, unique_port());
  const auto listener = shallow.domain->listen(address);
  ASSERT_TRUE(listener.ok()) << listener.error().message;
  const auto own = shallow.domain->connect(address, shallow.options(64), kWatchdogNs);
  ASSERT_FALSE(own.ok());
  EXPECT_TRUE(tells(own.error(), Status::kResourceLimit, {"depths of 128", "queue of depth 64", "create it deeper"}));

  std::thread connector([&] {
    const auto connected = deep.domain->connect(address, deep.options(64), kWatchdogNs);
    ASSERT_FALSE(connected.ok());
    EXPECT_TRUE(tells(connected.error(), Status::kRefused, {kHost, kDevice, "queue of depth 64", "REJECTED"}));
  });
  auto request = (*listener)->wait_request(kWatchdogNs);
  ASSERT_TRUE(request.ok()) << request.error().message;
  const auto accepted = (*request)->accept(shallow.options(64));
  EXPECT_FALSE(accepted.ok());
  connector.join();
}

}  // namespace
}  // namespace npf::fabric::bad_input
