// One RDMA device of this process: its limits, and the control thread that hears what RDMA CM and the device say while
// connections live, and asks idle peers whether they do.
#pragma once

#include <infiniband/verbs.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "fabric/verbs/verbs_cm.h"

namespace npf::fabric::verbs {

class VerbsEndpoint;

// Connections are looked at this often, and one that was idle since the last look is asked whether its peer still answers;
// with the transport's own retries (verbs_endpoint.h) a vanished host is known within 0.7 s.
inline constexpr std::uint64_t kTickNs = 100 * kNsPerMs;

// Whoever hears of its own connection's events. Called on the control thread.
// RDMA CM keeps one context of a device for a process, so all domains on it share this. It begins with the first and
// ends with the last of them.
// Threads: any. Blocks: bounded (its mutex).
class VerbsDevice {
 public:
  // That of the bound identifier, which is kept: it holds the device.
  static Result<std::shared_ptr<VerbsDevice>> of(CmId bound);
  ~VerbsDevice();

  ibv_context* context() const { return context_; }
  std::uint8_t port() const { return port_; }
  std::string name() const { return ibv_get_device_name(context_->device); }
  const ibv_device_attr& limits() const { return limits_; }
  std::uint64_t message_bytes_max() const { return port_limits_.max_msg_sz; }
  std::uint32_t inline_bytes_max() const { return inline_bytes_max_; }
  const std::shared_ptr<CmChannel>& control_channel() const { return control_channel_; }

  // "port 1 is DOWN" and what the device last reported; for the sentence of a failure. Cold.
  std::string condition() const;

  // kResourceLimit when the device has no queue pair left for it.
  Result<void> reserve_queue_pair();
  void release_queue_pair() { --queue_pairs_; }

  // From now on it is watched; until remove returns it may be called.
  void add(VerbsEndpoint& endpoint);
  void remove(VerbsEndpoint& endpoint);

 private:
  explicit VerbsDevice(CmId bound);
  Result<void> start();
  void run();
  void read_cm_events();
  void read_device_events();
  void on_device_event(const ibv_async_event& event);
  void fail_all(const std::string& why);
  void tick();

  const CmId bound_;
  ibv_context* const context_;
  const std::uint8_t port_;
  ibv_device_attr limits_{};
  ibv_port_attr port_limits_{};
  std::uint32_t inline_bytes_max_ = 0;
  std::atomic<int> queue_pairs_{0};
  std::shared_ptr<CmChannel> control_channel_;
  ScopedFd epoll_;
  ScopedFd stop_;
  std::thread thread_;
  std::mutex mutex_;
  std::set<VerbsEndpoint*> endpoints_;   // guarded by mutex_
  mutable std::mutex last_event_mutex_;  // of its own: endpoints ask for the condition while mutex_ is held
  std::string last_event_;               // guarded by last_event_mutex_
};

}  // namespace npf::fabric::verbs
