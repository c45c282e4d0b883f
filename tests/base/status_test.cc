#include "base/status.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace npf {
namespace {

struct StatusCase {
  Status status;
  std::string_view name;
  BlastRadius radius;
};

constexpr StatusCase kCases[] = {
    {Status::kOk, "ok", BlastRadius::kNone},
    {Status::kPending, "pending", BlastRadius::kNone},
    {Status::kInvalidArgument, "invalid_argument", BlastRadius::kCall},
    {Status::kUnsupported, "unsupported", BlastRadius::kCall},
    {Status::kOutOfMemory, "out_of_memory", BlastRadius::kCall},
    {Status::kAddressInUse, "address_in_use", BlastRadius::kCall},
    {Status::kNotFound, "not_found", BlastRadius::kCall},
    {Status::kPermissionDenied, "permission_denied", BlastRadius::kCall},
    {Status::kTimedOut, "timed_out", BlastRadius::kCall},
    {Status::kResourceLimit, "resource_limit", BlastRadius::kCall},
    {Status::kSystem, "system", BlastRadius::kCall},
    {Status::kDeadlineExceeded, "deadline_exceeded", BlastRadius::kRequest},
    {Status::kCancelled, "cancelled", BlastRadius::kRequest},
    {Status::kCorrupt, "corrupt", BlastRadius::kRequest},
    {Status::kDisconnected, "disconnected", BlastRadius::kSession},
    {Status::kPeerDied, "peer_died", BlastRadius::kSession},
    {Status::kFlushed, "flushed", BlastRadius::kSession},
    {Status::kRemoteAccess, "remote_access", BlastRadius::kSession},
    {Status::kProtocol, "protocol", BlastRadius::kSession},
    {Status::kRefused, "refused", BlastRadius::kSession},
    {Status::kVersionMismatch, "version_mismatch", BlastRadius::kSession},
    {Status::kUnreachable, "unreachable", BlastRadius::kSession},
    {Status::kStalled, "stalled", BlastRadius::kSession},
};

TEST(Status, HasAStableNameAndABlastRadius) {
  for (const StatusCase& each : kCases) {
    EXPECT_EQ(status_name(each.status), each.name);
    EXPECT_EQ(blast_radius(each.status), each.radius) << each.name;
  }
}

TEST(Status, NamesAreDistinct) {
  std::set<std::string_view> names;
  for (const StatusCase& each : kCases) EXPECT_TRUE(names.insert(status_name(each.status)).second) << each.name;
}

TEST(Status, OkAndPendingAreNoFailures) {
  EXPECT_TRUE(is_ok(Status::kOk));
  EXPECT_FALSE(is_ok(Status::kPending));
  for (const StatusCase& each : kCases) {
    EXPECT_EQ(is_failure(each.status), each.radius != BlastRadius::kNone) << each.name;
  }
}

TEST(Status, ItsHundredDecidesTheRadiusAlsoOfNumbersNotYetNamed) {
  struct RangeCase {
    std::int32_t value;
    BlastRadius radius;
  };
  constexpr RangeCase kRanges[] = {
      {-1, BlastRadius::kCall},          {-99, BlastRadius::kCall},
      {-100, BlastRadius::kRequest},     {-199, BlastRadius::kRequest},
      {-200, BlastRadius::kSession},     {-299, BlastRadius::kSession},
      {-300, BlastRadius::kAllocation},  {-399, BlastRadius::kAllocation},
      {-400, BlastRadius::kClient},      {INT32_MIN + 1, BlastRadius::kClient},
      {INT32_MIN, BlastRadius::kClient},
  };
  for (const RangeCase& each : kRanges) {
    EXPECT_EQ(blast_radius(static_cast<Status>(each.value)), each.radius) << each.value;
  }
}

TEST(Status, AnUnknownNumberIsNamedUnknown) { EXPECT_EQ(status_name(static_cast<Status>(-4711)), "unknown"); }

}  // namespace
}  // namespace npf
