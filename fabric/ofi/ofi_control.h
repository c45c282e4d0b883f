// The control thread of a domain: hears when a connection ends, for whoever sleeps or is not polled; and has the provider
// get on where its owner is busy elsewhere. Provider tcp moves data only while it is asked, but a WRITE to memory, or a
// READ of it, is to need nobody there.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "base/fd.h"
#include "base/result.h"

namespace npf::fabric::ofi {

class OfiEndpoint;

// Threads: any. Blocks: bounded (its mutex).
class OfiControl {
 public:
  static Result<std::unique_ptr<OfiControl>> start(const std::string& backend);
  ~OfiControl();

  // From now on its event queue is read here; until remove returns it may be called.
  Result<void> add(OfiEndpoint& endpoint);
  void remove(OfiEndpoint& endpoint);

 private:
  OfiControl() = default;
  void run();
  void nudge() const;
  bool tick();

  ScopedFd epoll_;
  ScopedFd nudge_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
  std::mutex mutex_;
  std::set<OfiEndpoint*> endpoints_;  // guarded by mutex_
};

}  // namespace npf::fabric::ofi
