// Two hops, one each way, over one connection: a requester and the NPU that answers it.
#pragma once

#include <memory>
#include <vector>

#include "fabric/hop/consumer.h"
#include "fabric/hop/producer.h"

namespace npf::fabric::hop {

// One queue pair where two hops of their own would take two; and where a provider's transport acknowledges what goes one way
// (TCP), the answers carry that. They carry each other's credits, too: a ping-pong sends no message but its tensors.
// Threads, blocking: those of the two ends. Owns: nothing; both ends outlive it, and hold the endpoint together.
//   1. each side: Duplex duplex(producer, consumer), the two ends of this side
//   2. domain.connect(address, duplex.endpoint_options(queue), timeout), and request->accept(duplex.endpoint_options(queue)):
//      each hello is the geometry of that side's ring
//   3. each side: duplex.attach(endpoint, geometry from the other's hello)
// After a failure, which is always that of both hops, steps 2 and 3 again resume both.
class Duplex final : public CompletionHandler {
 public:
  Duplex(Producer& producer, Consumer& consumer) : producer_(producer), consumer_(consumer) {
    producer_.carry_for(&consumer_);
  }
  ~Duplex() { producer_.carry_for(nullptr); }
  Duplex(const Duplex&) = delete;
  Duplex& operator=(const Duplex&) = delete;

  // As those of Producer and Consumer, together.
  EndpointOptions endpoint_options(CompletionQueue& queue);
  Result<void> attach(std::unique_ptr<Endpoint> endpoint, const Geometry& theirs);

  void on_completion(const Completion& completion) noexcept override;

 private:
  Producer& producer_;
  Consumer& consumer_;
  std::vector<ReceiveRequest> receives_;  // the first ones of both
};

}  // namespace npf::fabric::hop
