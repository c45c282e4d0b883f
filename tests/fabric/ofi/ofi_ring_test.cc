#include "fabric/ofi/ofi_ring.h"

#include <gtest/gtest.h>

namespace npf::fabric::ofi {

namespace {

TEST(OfiRing, HoldsNoMoreThanItsDepth) {
  Ring<int> ring(3);

  for (int i = 0; i < 3; ++i) ring.push(i);

  EXPECT_EQ(ring.room(), 0U);
  EXPECT_EQ(ring.size(), 3U);
  EXPECT_EQ(ring.front(), 0);
}

TEST(OfiRing, GivesBackInOrderOverManyLaps) {
  Ring<int> ring(3);
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t place = ring.push(i);
    EXPECT_EQ(place, static_cast<std::uint64_t>(i));
    if (i % 3 == 2) {
      for (int j = i - 2; j <= i; ++j) {
        EXPECT_EQ(ring.front(), j);
        EXPECT_EQ(ring.at(static_cast<std::uint64_t>(j)), j);
        ring.pop();
      }
    }
  }
  EXPECT_EQ(ring.size(), 1U);
}

TEST(OfiRing, ForgetsWhatTheProviderDidNotTake) {
  Ring<int> ring(1);
  ring.push(1);
  ring.unpush();

  EXPECT_TRUE(ring.empty());
  EXPECT_EQ(ring.push(2), 0U);
  EXPECT_EQ(ring.front(), 2);
}

TEST(OfiRing, TellsAPlaceFromItsLowBits) {
  Ring<int> ring(2);
  const std::uint64_t place = ring.push(7);

  EXPECT_EQ(ring.place_of(static_cast<std::uint32_t>(place)), place);
  EXPECT_TRUE(ring.holds(place));
  EXPECT_FALSE(ring.holds(place + 1));
  EXPECT_FALSE(ring.holds(ring.place_of(static_cast<std::uint32_t>(place) - 1)));
}

}  // namespace

}  // namespace npf::fabric::ofi
