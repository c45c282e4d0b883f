#include "fabric/verbs/verbs_cm.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "fabric/verbs/verbs_reachability.h"

namespace npf::fabric::verbs {

Result<SocketAddress> SocketAddress::resolve(const Address& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(address.host.c_str(), nullptr, &hints, &found);
  if (failed != 0) {
    return Error{Status::kInvalidArgument,
                 "verbs: host '" + address.host + "': " + ::gai_strerror(failed) + "; write an IP address or a name"};
  }
  SocketAddress resolved;
  std::memcpy(&resolved.storage, found->ai_addr, found->ai_addrlen);
  ::freeaddrinfo(found);
  resolved.set_port(address.port);
  return resolved;
}

void SocketAddress::set_port(std::uint16_t port) {
  if (storage.ss_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in*>(&storage)->sin_port = htons(port);
  }
}

std::string to_text(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET6) {
    const auto* const six = reinterpret_cast<const sockaddr_in6*>(address);
    ::inet_ntop(AF_INET6, &six->sin6_addr, text, sizeof text);
    return "[" + std::string(text) + "]:" + std::to_string(ntohs(six->sin6_port));
  }
  const auto* const four = reinterpret_cast<const sockaddr_in*>(address);
  ::inet_ntop(AF_INET, &four->sin_addr, text, sizeof text);
  return std::string(text) + ":" + std::to_string(ntohs(four->sin_port));
}

Result<Address> parse_verbs_address(std::string_view address) {
  auto parsed = parse_address(address);
  if (!parsed.ok()) return parsed;
  if (parsed->scheme != "verbs" || parsed->host.empty() || !parsed->parameters.empty()) {
    return Error{Status::kInvalidArgument,
                 "verbs: '" + std::string(address) + "' is no verbs address; write verbs://host:port"};
  }
  return parsed;
}

Result<std::shared_ptr<CmChannel>> CmChannel::create() {
  rdma_event_channel* const channel = rdma_create_event_channel();
  if (channel == nullptr) return explain_no_rdma(errno);
  auto owner = std::make_shared<CmChannel>(channel);
  if (::fcntl(channel->fd, F_SETFL, ::fcntl(channel->fd, F_GETFL) | O_NONBLOCK) != 0 ||
      ::fcntl(channel->fd, F_SETFD, FD_CLOEXEC) != 0) {
    return system_error("verbs: the event channel of RDMA CM", errno);
  }
  return owner;
}

Result<CmEvent> CmChannel::wait_event(std::uint64_t deadline_ns) const {
  for (;;) {
    rdma_cm_event* raw = nullptr;
    if (rdma_get_cm_event(channel_, &raw) == 0) {
      CmEvent event{.type = raw->event, .status = raw->status, .id = raw->id, .data = {}};
      const auto* const data = static_cast<const std::byte*>(raw->param.conn.private_data);
      if (data != nullptr) event.data.assign(data, data + raw->param.conn.private_data_len);
      rdma_ack_cm_event(raw);
      return event;
    }
    if (errno != EAGAIN && errno != EINTR) return system_error("verbs: reading an event of RDMA CM", errno);
    const std::uint64_t now_ns = monotonic_ns();
    if (now_ns >= deadline_ns) return Error{Status::kTimedOut, "verbs: RDMA CM said nothing in time"};
    constexpr std::uint64_t kSliceNs = 60 * kNsPerSecond;
    const std::uint64_t wait_ms = (std::min(deadline_ns - now_ns, kSliceNs) + kNsPerMs - 1) / kNsPerMs;
    pollfd descriptor{channel_->fd, POLLIN, 0};
    const int ready = ::poll(&descriptor, 1, static_cast<int>(wait_ms));
    // A signal ends the wait early: its handler's owner may want to stop.
    if (ready < 0 && errno == EINTR) return Error{Status::kTimedOut, "verbs: interrupted by a signal"};
  }
}

CmId& CmId::operator=(CmId&& other) noexcept {
  if (this != &other) {
    reset();
    id_ = std::exchange(other.id_, nullptr);
    channel_ = std::move(other.channel_);
  }
  return *this;
}

Result<CmId> CmId::create() {
  auto channel = CmChannel::create();
  if (!channel.ok()) return channel.error();
  rdma_cm_id* id = nullptr;
  if (rdma_create_id((*channel)->get(), &id, nullptr, RDMA_PS_TCP) != 0) return explain_no_rdma(errno);
  return CmId(id, std::move(*channel));
}

void CmId::reset() {
  if (id_ == nullptr) return;
  if (id_->qp != nullptr) rdma_destroy_qp(id_);
  rdma_destroy_id(id_);
  id_ = nullptr;
  channel_.reset();
}

Result<void> CmId::migrate(std::shared_ptr<CmChannel> channel) {
  if (rdma_migrate_id(id_, channel->get()) != 0) return system_error("verbs: rdma_migrate_id", errno);
  channel_ = std::move(channel);
  return {};
}

Result<void> CmId::await(rdma_cm_event_type wanted, const SocketAddress& peer, std::uint64_t deadline_ns) {
  const auto event = channel_->wait_event(deadline_ns);
  const std::string step = wanted == RDMA_CM_EVENT_ADDR_RESOLVED ? "resolving its address" : "resolving the route";
  if (event.status() == Status::kTimedOut) return explain_no_route(peer, step, ETIMEDOUT);
  if (!event.ok()) return event.error();
  if (event->type == wanted) return {};
  return explain_no_route(peer, step, event->status < 0 ? -event->status : EHOSTUNREACH);
}

Result<void> CmId::resolve(const SocketAddress& peer, std::uint64_t deadline_ns) {
  const std::uint64_t now_ns = monotonic_ns();
  const std::uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
  const int left_ms = static_cast<int>(std::min<std::uint64_t>(left_ns / kNsPerMs + 1, INT32_MAX));
  SocketAddress to = peer;
  if (rdma_resolve_addr(id_, nullptr, to.get(), left_ms) != 0)
    return explain_no_route(peer, "rdma_resolve_addr", errno);
  if (auto done = await(RDMA_CM_EVENT_ADDR_RESOLVED, peer, deadline_ns); !done.ok()) return done;
  if (rdma_resolve_route(id_, left_ms) != 0) return explain_no_route(peer, "rdma_resolve_route", errno);
  return await(RDMA_CM_EVENT_ROUTE_RESOLVED, peer, deadline_ns);
}

}  // namespace npf::fabric::verbs
