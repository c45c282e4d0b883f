#include "fabric/ofi/ofi_events.h"

#include <poll.h>
#include <rdma/fi_errno.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "fabric/ofi/ofi_failure.h"

namespace npf::fabric::ofi {

namespace {

constexpr std::size_t kDataBytesMax = 512;  // more than any provider carries

Error timed_out(const char* why) { return {Status::kTimedOut, std::string("ofi: ") + why}; }

Result<Event> read_error(fid_eq* queue) {
  std::array<std::byte, kDataBytesMax> data;
  fi_eq_err_entry entry{};
  entry.err_data = data.data();
  entry.err_data_size = data.size();
  if (const ssize_t bytes = ::fi_eq_readerr(queue, &entry, 0); bytes < 0) {
    return bytes == -FI_EAGAIN ? timed_out("no event")
                               : ofi_error(Status::kSystem, "ofi: reading an error event", static_cast<int>(-bytes));
  }
  Event event;
  event.error = entry.err == 0 ? FI_EOTHER : entry.err;
  if (entry.err_data != nullptr) {
    const auto* const bytes = static_cast<const std::byte*>(entry.err_data);
    event.data.assign(bytes, bytes + std::min(entry.err_data_size, kDataBytesMax));
  }
  return event;
}

}  // namespace

Result<EventQueue> EventQueue::create(fid_fabric* fabric, const std::string& who) {
  fi_eq_attr attributes{};
  attributes.wait_obj = FI_WAIT_FD;
  fid_eq* queue = nullptr;
  if (const int failed = ::fi_eq_open(fabric, &attributes, &queue, nullptr); failed != 0) {
    return ofi_error(Status::kSystem, who + ": fi_eq_open", -failed, "are there too many open files (ulimit -n)?");
  }
  Fid<fid_eq> owner(queue);
  int fd = -1;
  if (const int failed = ::fi_control(&queue->fid, FI_GETWAIT, &fd); failed != 0) {
    return ofi_error(Status::kUnsupported, who + ": the provider's event queue has no descriptor to wait on", -failed);
  }
  return EventQueue(fabric, std::move(owner), fd);
}

Result<Event> EventQueue::read() const {
  struct alignas(fi_eq_cm_entry) Buffer {
    std::array<std::byte, sizeof(fi_eq_cm_entry) + kDataBytesMax> bytes;
  } buffer;
  std::uint32_t type = 0;
  // Provider tcp of 1.17 takes a short read of a stranger's greeting for the error that errno last held, and would wait
  // for ever after an EAGAIN.
  errno = 0;
  const ssize_t bytes = ::fi_eq_read(queue_.get(), &type, &buffer, sizeof buffer, 0);
  if (bytes == -FI_EAVAIL) return read_error(queue_.get());
  if (bytes == -FI_EAGAIN || bytes == -FI_EINTR) return timed_out("no event");
  if (bytes < 0) return ofi_error(Status::kSystem, "ofi: reading an event", static_cast<int>(-bytes));
  Event event;
  event.type = type;
  if (bytes < static_cast<ssize_t>(sizeof(fi_eq_cm_entry))) return event;
  fi_eq_cm_entry entry{};
  std::memcpy(&entry, &buffer, sizeof entry);
  if (type == FI_CONNREQ) event.info.reset(entry.info);
  event.data.assign(buffer.bytes.data() + sizeof entry, buffer.bytes.data() + bytes);
  return event;
}

Result<Event> EventQueue::wait_event(std::uint64_t deadline_ns) const {
  for (;;) {
    // Clears what made the descriptor readable; so it comes before the read, and an event between them is not lost.
    fid* object = &queue_->fid;
    ::fi_trywait(fabric_, &object, 1);
    auto event = read();
    if (event.status() != Status::kTimedOut) return event;
    const std::uint64_t now_ns = monotonic_ns();
    if (now_ns >= deadline_ns) return event;
    constexpr std::uint64_t kSliceNs = kNsPerSecond;
    const std::uint64_t wait_ms = (std::min(deadline_ns - now_ns, kSliceNs) + kNsPerMs - 1) / kNsPerMs;
    pollfd descriptor{fd_, POLLIN, 0};
    const int ready = ::poll(&descriptor, 1, static_cast<int>(wait_ms));
    // A signal ends the wait early: its handler's owner may want to stop.
    if (ready < 0 && errno == EINTR) return timed_out("interrupted by a signal");
  }
}

}  // namespace npf::fabric::ofi
