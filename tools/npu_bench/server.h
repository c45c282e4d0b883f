// The waiting side of an npu-bench connection.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "fabric/fabric.h"
#include "tools/npu_bench/audit.h"
#include "tools/npu_bench/control_channel.h"
#include "tools/npu_bench/doorman.h"
#include "tools/npu_bench/lane.h"
#include "tools/npu_bench/plan.h"

namespace npf::npu_bench {

struct ServerOptions {
  Plan plan;
  std::set<std::string> given;         // settings in which the client has to agree with the plan
  bool turns_others_away = false;      // while it serves a client; costs a sleeping thread
  bool stops_by_signal = false;        // else it ends with its client
  std::function<bool()> still_wanted;  // asked while nobody has connected
};

// Threads: one. Blocks: serve_one, until its client is done, gone, or a stop. Lifetime: within its domain's.
class Server {
 public:
  static Result<std::unique_ptr<Server>> listen(fabric::Domain& domain, const std::string& address,
                                                ServerOptions options);

  std::string address() const { return listener_->address(); }

  // One client from connect to bye. kCancelled: stopped before one came.
  Result<void> serve_one();

 private:
  struct LaneRequest {
    std::unique_ptr<fabric::ConnectionRequest> request;
    fabric::hop::Geometry geometry;  // of the client's ring, where it comes with one
  };

  Server(fabric::Domain& domain, std::unique_ptr<fabric::Listener> listener, ServerOptions options);

  bool stopped() const;
  Result<std::unique_ptr<fabric::ConnectionRequest>> wait_request(ControlChannel* client);
  Result<std::unique_ptr<ControlChannel>> wait_client();
  Result<Plan> agree(ControlChannel& client);
  Result<void> serve_runs(ControlChannel& client, const Plan& plan);
  Result<void> serve_run(ControlChannel& client, const Plan& plan, std::uint64_t bytes);
  Result<void> connect_lane(ControlChannel& client, Lane& lane);
  Result<LaneRequest> wait_lane_request(ControlChannel& client, bool with_ring);
  Result<void> accept_consumer(ControlChannel& client, Lane& lane);
  Result<void> accept_producer(ControlChannel& client, Lane& lane);
  Result<void> accept_duplex(ControlChannel& client, Lane& lane);
  void turn_others_away(const ControlChannel& client);
  Result<Counts> echo(Lane& lane);
  Result<Counts> drain(Lane& lane);

  fabric::Domain& domain_;
  std::unique_ptr<fabric::Listener> listener_;
  const ServerOptions options_;
  std::optional<Doorman> doorman_;  // present whenever a client is served and nobody is expected
};

}  // namespace npf::npu_bench
