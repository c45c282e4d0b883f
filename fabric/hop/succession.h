// The tensors of a stream are mostly alike: what the next header will say, from the two before it.
#pragma once

#include <cstdint>

#include "fabric/hop/slot.h"

namespace npf::fabric::hop {

// Producer and consumer each keep one; both see the same headers in the same order, so that a header which the two before it
// foretell need not travel over a network (ADR 0009). Foretold is: the same as the last one, but for the sequence, which is the
// next, and the request id, which has moved on as far as it did the last time.
// Source of the idea: RFC 1144 (TCP/IP header compression), differences that repeat.
class Succession {
 public:
  // The producer, on a new connection: what the consumer holds of a former one is not to be relied on.
  void forget() noexcept { seen_ = 0; }

  bool foretells() const noexcept { return seen_ >= kSeenMin; }

  bool foretells(const SlotHeader& next) const noexcept {
    return foretells() && next.request_id == last_.request_id + step_ && next.payload_bytes == last_.payload_bytes &&
           next.deadline_ns == last_.deadline_ns && next.completion_address == last_.completion_address &&
           next.completion_key == last_.completion_key && next.layout == last_.layout && next.flags == last_.flags &&
           next.epoch == last_.epoch && (next.flags & kFlagPayloadCrc) == 0;
  }

  // Its checksum is that of another header.
  SlotHeader next() const noexcept {
    SlotHeader header = last_;
    ++header.sequence;
    header.request_id += step_;
    return header;
  }

  void note(const SlotHeader& header) noexcept {
    step_ = header.request_id - last_.request_id;
    last_ = header;
    seen_ += seen_ < kSeenMin ? 1U : 0U;
  }

 private:
  static constexpr std::uint32_t kSeenMin = 2;

  SlotHeader last_{};
  std::uint64_t step_ = 0;
  std::uint32_t seen_ = 0;
};

}  // namespace npf::fabric::hop
