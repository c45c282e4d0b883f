#include "fabric/verbs/verbs_device.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <map>

#include "base/clock.h"
#include "base/log.h"
#include "fabric/verbs/verbs_endpoint.h"

namespace npf::fabric::verbs {

namespace {

struct Registry {
  std::mutex mutex;
  std::map<ibv_context*, std::weak_ptr<VerbsDevice>> devices;  // guarded by mutex
};
Registry& registry() {
  static Registry the_registry;
  return the_registry;
}

void make_nonblocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

// No attribute tells what a device inlines, so it is asked with a queue pair that nobody uses.
std::uint32_t probe_inline_bytes(ibv_context* context) {
  ibv_pd* const domain = ibv_alloc_pd(context);
  ibv_cq* const queue = ibv_create_cq(context, 1, nullptr, nullptr, 0);
  std::uint32_t most = 0;
  for (const std::uint32_t bytes : {256U, 128U, 64U}) {
    ibv_qp_init_attr wanted{};
    wanted.send_cq = wanted.recv_cq = queue;
    wanted.qp_type = IBV_QPT_RC;
    wanted.cap = {.max_send_wr = 1, .max_recv_wr = 1, .max_send_sge = 1, .max_recv_sge = 1, .max_inline_data = bytes};
    ibv_qp* const pair = domain != nullptr && queue != nullptr ? ibv_create_qp(domain, &wanted) : nullptr;
    if (pair == nullptr) continue;
    ibv_destroy_qp(pair);
    most = bytes;
    break;
  }
  if (queue != nullptr) ibv_destroy_cq(queue);
  if (domain != nullptr) ibv_dealloc_pd(domain);
  return most;
}

}  // namespace

Result<std::shared_ptr<VerbsDevice>> VerbsDevice::of(CmId bound) {
  const std::lock_guard lock(registry().mutex);
  std::weak_ptr<VerbsDevice>& known = registry().devices[bound->verbs];
  if (auto device = known.lock()) return device;
  std::shared_ptr<VerbsDevice> device(new VerbsDevice(std::move(bound)));
  if (auto started = device->start(); !started.ok()) return started.error();
  known = device;
  return device;
}

VerbsDevice::VerbsDevice(CmId bound)
    : bound_(std::move(bound)), context_(bound_->verbs), port_(bound_->port_num == 0 ? 1 : bound_->port_num) {}

Result<void> VerbsDevice::start() {
  if (const int failed = ibv_query_device(context_, &limits_); failed != 0) {
    return system_error("verbs: querying device " + name(), failed);
  }
  if (const int failed = ibv_query_port(context_, port_, &port_limits_); failed != 0) {
    return system_error("verbs: querying port " + std::to_string(port_) + " of " + name(), failed);
  }
  inline_bytes_max_ = probe_inline_bytes(context_);
  auto channel = CmChannel::create("the control thread of " + name());
  if (!channel.ok()) return channel.error();
  control_channel_ = std::move(*channel);
  make_nonblocking(context_->async_fd);
  epoll_ = ScopedFd(::epoll_create1(EPOLL_CLOEXEC));
  stop_ = ScopedFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  for (const int fd : {control_channel_->fd(), context_->async_fd, stop_.get()}) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      return system_error("verbs: epoll of the control thread of " + name(), errno);
    }
  }
  thread_ = std::thread([this] { run(); });
  return {};
}

VerbsDevice::~VerbsDevice() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t bytes = ::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

void VerbsDevice::run() {
  std::uint64_t next_tick_ns = monotonic_ns() + kTickNs;
  for (;;) {
    const std::uint64_t now_ns = monotonic_ns();
    if (now_ns >= next_tick_ns) {
      tick();
      next_tick_ns = now_ns + kTickNs;
    }
    std::array<epoll_event, 3> events;
    const std::uint64_t left_ns = next_tick_ns > now_ns ? next_tick_ns - now_ns : 0;
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), events.size(), static_cast<int>(left_ns / kNsPerMs + 1));
    for (int i = 0; i < count; ++i) {
      const int fd = events.at(static_cast<std::size_t>(i)).data.fd;
      if (fd == stop_.get()) return;
      if (fd == context_->async_fd) read_device_events();
      if (fd == control_channel_->fd()) read_cm_events();
    }
  }
}

// An event is acknowledged only after its endpoint has heard it: rdma_destroy_id waits for that, so the endpoint lives.
void VerbsDevice::read_cm_events() {
  rdma_cm_event* event = nullptr;
  while (rdma_get_cm_event(control_channel_->get(), &event) == 0) {
    if (event->id->context != nullptr) static_cast<VerbsEndpoint*>(event->id->context)->on_cm_event(event->event);
    rdma_ack_cm_event(event);
  }
}

void VerbsDevice::read_device_events() {
  ibv_async_event event{};
  while (ibv_get_async_event(context_, &event) == 0) {
    on_device_event(event);
    ibv_ack_async_event(&event);
  }
}

void VerbsDevice::on_device_event(const ibv_async_event& event) {
  const std::string text = ibv_event_type_str(event.event_type);
  log(LogLevel::kWarning, "verbs: device " + name() + " reports: " + text);
  {
    const std::lock_guard lock(last_event_mutex_);
    last_event_ = text;
  }
  switch (event.event_type) {
    case IBV_EVENT_QP_FATAL:
    case IBV_EVENT_QP_REQ_ERR:
    case IBV_EVENT_QP_ACCESS_ERR:
      // As with RDMA CM's events: ibv_destroy_qp waits for the acknowledgement.
      static_cast<VerbsEndpoint*>(event.element.qp->qp_context)->on_queue_pair_event(text);
      break;
    case IBV_EVENT_DEVICE_FATAL: fail_all("the device failed (" + text + ")"); break;
    case IBV_EVENT_CQ_ERR: fail_all("a completion queue overran; create it deeper (" + text + ")"); break;
    default: break;  // a port that went down may come back: the transport's retries decide
  }
}

void VerbsDevice::fail_all(const std::string& why) {
  const std::lock_guard lock(mutex_);
  for (VerbsEndpoint* const endpoint : endpoints_) endpoint->on_device_failure(why);
}

void VerbsDevice::tick() {
  const std::lock_guard lock(mutex_);
  for (VerbsEndpoint* const endpoint : endpoints_) endpoint->probe_if_idle();
}

std::string VerbsDevice::condition() const {
  ibv_port_attr now{};
  std::string text = "device " + name() + ", port " + std::to_string(port_) + " ";
  text += ibv_query_port(context_, port_, &now) == 0 ? ibv_port_state_str(now.state) : "does not answer";
  const std::lock_guard lock(last_event_mutex_);
  if (!last_event_.empty()) text += ", last reported: " + last_event_;
  return text;
}

Result<void> VerbsDevice::reserve_queue_pair() {
  if (++queue_pairs_ <= limits_.max_qp) return {};
  --queue_pairs_;
  return Error{Status::kResourceLimit, "verbs: device " + name() + " has " + std::to_string(limits_.max_qp) +
                                           " queue pairs (max_qp), and this process uses them all; close connections"};
}

void VerbsDevice::add(VerbsEndpoint& endpoint) {
  const std::lock_guard lock(mutex_);
  endpoints_.insert(&endpoint);
}

void VerbsDevice::remove(VerbsEndpoint& endpoint) {
  const std::lock_guard lock(mutex_);
  endpoints_.erase(&endpoint);
}

}  // namespace npf::fabric::verbs
