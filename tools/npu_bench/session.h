// The client's side of an npu-bench connection: it says what is measured, and makes every connection.
#pragma once

#include <memory>
#include <string>

#include "fabric/fabric.h"
#include "tools/npu_bench/audit.h"
#include "tools/npu_bench/control_channel.h"
#include "tools/npu_bench/lane.h"
#include "tools/npu_bench/plan.h"

namespace npf::npu_bench {

// Threads: one. Blocks: every call, bounded by time-outs. Owns: its domain and connections.
class Session {
 public:
  // Connects to the server and agrees on the plan; fails with its reason when it refuses.
  static Result<std::unique_ptr<Session>> open(const std::string& address, const Plan& plan);
  ~Session();

  // Hops for tensors of this size: one to the server, and for lat one back.
  Result<std::unique_ptr<Lane>> open_lane(std::uint64_t bytes);

  // What the server counted in the lane that just ended.
  Result<Counts> server_counts();

  // The server's own words where it still has some, else the error as it is.
  Error explain(const Error& error);

  std::string_view backend() const { return domain_->capabilities().backend; }
  std::string server() const { return control_->peer(); }

 private:
  Session(std::string address, const Plan& plan, std::unique_ptr<fabric::Domain> domain);
  Result<void> connect_control();
  Result<void> agree();
  Result<void> connect_lane(Lane& lane);
  Result<void> connect_producer(Lane& lane);
  Result<void> connect_consumer(Lane& lane);
  Result<void> connect_duplex(Lane& lane);

  const std::string address_;
  const Plan plan_;
  std::unique_ptr<fabric::Domain> domain_;
  std::unique_ptr<ControlChannel> control_;
};

}  // namespace npf::npu_bench
