#include "tests/fabric/ofi/raw_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <rdma/fi_errno.h>
#include <sys/socket.h>

#include <array>

#include "base/clock.h"
#include "fabric/ofi/ofi_events.h"

namespace npf::fabric {

namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

std::string greet_by_libfabric(std::uint16_t port, std::span<const std::byte> hello) {
  Address address;
  address.host = "127.0.0.1";
  address.port = port;
  auto info = ofi::find_info("tcp", address, ofi::Role::kConnect);
  if (!info.ok()) return "error " + info.error().message;
  fid_fabric* fabric = nullptr;
  if (::fi_fabric((*info)->fabric_attr, &fabric, nullptr) != 0) return "error fi_fabric";
  const ofi::Fid<fid_fabric> fabric_owner(fabric);
  fid_domain* domain = nullptr;
  if (::fi_domain(fabric, info->get(), &domain, nullptr) != 0) return "error fi_domain";
  const ofi::Fid<fid_domain> domain_owner(domain);
  auto events = ofi::EventQueue::create(fabric, "raw peer");
  if (!events.ok()) return "error " + events.error().message;
  fi_cq_attr attributes{};
  attributes.format = FI_CQ_FORMAT_DATA;
  fid_cq* queue = nullptr;
  if (::fi_cq_open(domain, &attributes, &queue, nullptr) != 0) return "error fi_cq_open";
  const ofi::Fid<fid_cq> queue_owner(queue);
  fid_ep* endpoint = nullptr;
  if (::fi_endpoint(domain, info->get(), &endpoint, nullptr) != 0) return "error fi_endpoint";
  const ofi::Fid<fid_ep> endpoint_owner(endpoint);
  ::fi_ep_bind(endpoint, &events->get()->fid, 0);
  ::fi_ep_bind(endpoint, &queue->fid, FI_TRANSMIT | FI_RECV);
  ::fi_enable(endpoint);
  if (::fi_connect(endpoint, (*info)->dest_addr, hello.data(), hello.size()) != 0) return "error fi_connect";
  auto event = events->wait_event(monotonic_ns() + 10 * kNsPerSecond);
  if (!event.ok()) return "error " + event.error().message;
  if (event->error == 0) return {};
  if (event->error != FI_ECONNREFUSED) return "error " + std::to_string(event->error);
  return {reinterpret_cast<const char*>(event->data.data()), event->data.size()};
}

ScopedFd connect_by_tcp(std::uint16_t port) {
  ScopedFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fd.reset();
  return fd;
}

ScopedFd listen_by_tcp(std::uint16_t port) {
  ScopedFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = loopback(port);
  const bool bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  if (!bound || ::listen(fd.get(), 1) != 0) fd.reset();
  return fd;
}

}  // namespace npf::fabric
