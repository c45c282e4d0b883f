#include "fabric/posted_ring.h"

#include <gtest/gtest.h>

namespace npf::fabric {

namespace {

Posted posted(std::uint64_t id) { return {.id = id, .opcode = Opcode::kWrite, .signaled = true}; }

TEST(PostedRing, GivesBackInTheOrderOfPostingOverManyLaps) {
  PostedRing ring(3);
  for (std::uint64_t id = 0; id < 20; ++id) {
    const std::uint64_t place = ring.push(posted(id));
    EXPECT_EQ(place, id);
    EXPECT_EQ(ring.retire(place).id, id);
  }
  EXPECT_TRUE(ring.empty());
}

TEST(PostedRing, RetiringOneRetiresWhatWasPostedBeforeIt) {
  PostedRing ring(4);
  for (std::uint64_t id = 0; id < 4; ++id) ring.push(posted(id));
  EXPECT_EQ(ring.room(), 0U);

  EXPECT_EQ(ring.retire(2).id, 2U);

  EXPECT_EQ(ring.room(), 3U);
  EXPECT_FALSE(ring.holds(2)) << "given back already";
  EXPECT_TRUE(ring.holds(3));
  EXPECT_FALSE(ring.holds(4)) << "never posted";
  EXPECT_EQ(ring.retire_oldest().id, 3U);
}

TEST(PostedRing, ForgetsWhatTheProviderDidNotTake) {
  PostedRing ring(2);
  ring.push(posted(1));
  ring.push(posted(2));
  ring.unpush();

  EXPECT_EQ(ring.push(posted(3)), 1U);

  EXPECT_EQ(ring.retire(1).id, 3U);
  EXPECT_TRUE(ring.empty());
}

}  // namespace

}  // namespace npf::fabric
