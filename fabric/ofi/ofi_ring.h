// A bounded queue whose entries keep their place in the order of all that was ever put in.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace npf::fabric::ofi {

// Threads: the data path's. Blocks: never; no allocation after it is made.
template <typename T>
class Ring {
 public:
  explicit Ring(std::uint32_t depth) : depth_(depth), mask_(std::bit_ceil(depth) - 1), entries_(mask_ + 1) {}

  std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(next_ - oldest_); }
  std::uint32_t room() const noexcept { return depth_ - size(); }
  bool empty() const noexcept { return next_ == oldest_; }
  std::uint64_t oldest_place() const noexcept { return oldest_; }

  std::uint64_t push(const T& entry) noexcept {
    entries_[next_ & mask_] = entry;
    return next_++;
  }
  // The provider did not take the latest one.
  void unpush() noexcept { --next_; }

  T& front() noexcept { return entries_[oldest_ & mask_]; }
  void pop() noexcept { ++oldest_; }

  // From the low bits of a place, which is what fits beside the rest in a provider's word.
  std::uint64_t place_of(std::uint32_t low) const noexcept {
    return oldest_ + static_cast<std::uint32_t>(low - static_cast<std::uint32_t>(oldest_));
  }
  // Whether it is still in here: a provider's word is checked, too.
  bool holds(std::uint64_t place) const noexcept { return place >= oldest_ && place < next_; }
  T& at(std::uint64_t place) noexcept { return entries_[place & mask_]; }

 private:
  const std::uint32_t depth_;
  const std::uint64_t mask_;
  std::vector<T> entries_;
  std::uint64_t next_ = 0;
  std::uint64_t oldest_ = 0;
};

}  // namespace npf::fabric::ofi
