// Whose a completion is. Steps are numbered in docs/hot_path.md.
#include "fabric/hop/duplex.h"

namespace npf::fabric::hop {

// Hot path 4 and 7, where both ends share a connection: a credit is for the producer, a tensor for the consumer, a failure for
// both. What was sent and succeeded concerns neither.
void Duplex::on_completion(const Completion& completion) noexcept {
  if (!is_ok(completion.status)) [[unlikely]] {
    producer_.on_completion(completion);
    consumer_.on_completion(completion);
  } else if ((completion.immediate & kImmediateCredit) != 0) {
    producer_.on_completion(completion);
  } else if ((completion.immediate & kImmediateCarries) != 0) {
    producer_.take_carried_credit(completion.immediate);
    Completion tensor = completion;
    tensor.immediate &= ~kCarriedBits;
    consumer_.on_completion(tensor);
  } else {
    consumer_.on_completion(completion);
  }
}

}  // namespace npf::fabric::hop
