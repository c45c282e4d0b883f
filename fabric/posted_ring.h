// What an endpoint handed to its provider and has not got back, in the order of posting. A provider tells only of what
// it was asked to signal; everything before that is done too.
#pragma once

#include <cstdint>
#include <vector>

#include "fabric/fabric.h"

namespace npf::fabric {

struct Posted {
  std::uint64_t id;
  Opcode opcode;
  bool signaled;  // as the caller wanted it, whatever the provider was asked
};

// Threads: the data path's. Blocks: never; no allocation after it is made.
class PostedRing {
 public:
  explicit PostedRing(std::uint32_t depth) : entries_(depth) {}

  std::uint32_t room() const noexcept { return static_cast<std::uint32_t>(entries_.size() - (next_ - oldest_)); }
  bool empty() const noexcept { return next_ == oldest_; }

  // Its place in the order of all that was ever posted; what the provider is to give back.
  std::uint64_t push(const Posted& posted) noexcept {
    entries_[next_slot_] = posted;
    next_slot_ = step(next_slot_);
    return next_++;
  }
  // The provider did not take the latest one.
  void unpush() noexcept {
    --next_;
    next_slot_ = next_slot_ == 0 ? static_cast<std::uint32_t>(entries_.size()) - 1 : next_slot_ - 1;
  }

  // From its low bits, which is what fits beside the rest in a provider's word.
  std::uint64_t place_of(std::uint32_t low) const noexcept {
    return oldest_ + static_cast<std::uint32_t>(low - static_cast<std::uint32_t>(oldest_));
  }

  // Whether it is still in here: a provider's word is checked, too.
  bool holds(std::uint64_t place) const noexcept { return place >= oldest_ && place < next_; }

  // Gives back everything before that place, done without a word, and then it.
  Posted retire(std::uint64_t place) noexcept {
    const std::uint64_t steps = place - oldest_;
    oldest_slot_ = static_cast<std::uint32_t>((oldest_slot_ + steps) % entries_.size());
    const Posted& posted = entries_[oldest_slot_];
    oldest_slot_ = step(oldest_slot_);
    oldest_ = place + 1;
    return posted;
  }
  Posted retire_oldest() noexcept { return retire(oldest_); }

 private:
  std::uint32_t step(std::uint32_t slot) const noexcept { return slot + 1 == entries_.size() ? 0 : slot + 1; }

  std::vector<Posted> entries_;
  std::uint64_t next_ = 0;
  std::uint64_t oldest_ = 0;
  std::uint32_t next_slot_ = 0;  // next_ and oldest_ modulo the ring, without a division each time
  std::uint32_t oldest_slot_ = 0;
};

}  // namespace npf::fabric
