#include "base/net_device.h"

#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>

#include "base/fd.h"

namespace npf {

namespace {

// SIOCGIFHWADDR cuts an IPoIB address at 14 bytes; getifaddrs gives all 20 behind a sockaddr_ll that declares 8.
std::vector<std::uint8_t> hardware_address(const sockaddr& address) {
  sockaddr_ll link{};
  std::memcpy(&link, &address, sizeof link);
  std::vector<std::uint8_t> bytes(link.sll_halen);
  std::memcpy(bytes.data(), reinterpret_cast<const char*>(&address) + offsetof(sockaddr_ll, sll_addr), bytes.size());
  return bytes;
}

std::uint32_t mtu_of(int fd, const std::string& name) {
  ifreq request{};
  std::memcpy(request.ifr_name, name.data(), std::min<std::size_t>(name.size(), IFNAMSIZ - 1));
  return ::ioctl(fd, SIOCGIFMTU, &request) == 0 ? static_cast<std::uint32_t>(request.ifr_mtu) : 0;
}

void add(NetDevice& device, const ifaddrs& entry) {
  device.is_up = (entry.ifa_flags & IFF_UP) != 0;
  device.is_loopback = (entry.ifa_flags & IFF_LOOPBACK) != 0;
  if (entry.ifa_addr == nullptr) return;
  if (entry.ifa_addr->sa_family == AF_PACKET) device.hardware_address = hardware_address(*entry.ifa_addr);
  if (entry.ifa_addr->sa_family == AF_INET || entry.ifa_addr->sa_family == AF_INET6) {
    device.addresses.push_back(ip_of(*entry.ifa_addr));
  }
}

std::size_t ip_length(const IpAddress& address) { return address.is_v4() ? 4 : 16; }

// One question and room for its only attributes: the destination, and the interface of a link-local one.
struct RouteQuestion {
  nlmsghdr head;
  rtmsg route;
  std::array<char, 64> attributes;
};

void append(RouteQuestion& question, unsigned short type, const void* value, std::size_t bytes) {
  rtattr attribute{};
  attribute.rta_type = type;
  attribute.rta_len = static_cast<unsigned short>(RTA_LENGTH(bytes));
  char* end = question.attributes.data() + question.head.nlmsg_len - NLMSG_LENGTH(sizeof(rtmsg));
  std::memcpy(end, &attribute, sizeof attribute);
  std::memcpy(end + RTA_LENGTH(0), value, bytes);
  question.head.nlmsg_len += static_cast<std::uint32_t>(RTA_SPACE(bytes));
}

RouteQuestion question_for(const IpAddress& destination) {
  RouteQuestion question{};
  question.head.nlmsg_len = NLMSG_LENGTH(sizeof(rtmsg));
  question.head.nlmsg_type = RTM_GETROUTE;
  question.head.nlmsg_flags = NLM_F_REQUEST;
  const std::size_t bytes = ip_length(destination);
  question.route.rtm_family = destination.is_v4() ? AF_INET : AF_INET6;
  question.route.rtm_dst_len = static_cast<unsigned char>(bytes * 8);
  append(question, RTA_DST, destination.bytes.data() + destination.bytes.size() - bytes, bytes);
  if (destination.scope != 0) append(question, RTA_OIF, &destination.scope, sizeof destination.scope);
  return question;
}

IpAddress address_in(const char* bytes, unsigned char family) {
  IpAddress ip;
  if (family == AF_INET) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    std::memcpy(&v4.sin_addr, bytes, sizeof v4.sin_addr);
    return ip_of(reinterpret_cast<const sockaddr&>(v4));
  }
  std::memcpy(ip.bytes.data(), bytes, ip.bytes.size());
  return ip;
}

struct RouteAnswer {
  unsigned interface = 0;
  unsigned char type = RTN_UNSPEC;
  IpAddress source;
  IpAddress gateway;
};

// Message: head, rtmsg, attributes.
RouteAnswer read_answer(const char* message, std::size_t bytes) {
  rtmsg route{};
  std::memcpy(&route, message + NLMSG_LENGTH(0), sizeof route);
  RouteAnswer answer;
  answer.type = route.rtm_type;
  rtattr attribute{};
  for (std::size_t at = NLMSG_SPACE(sizeof route); at + sizeof attribute <= bytes; at += RTA_ALIGN(attribute.rta_len)) {
    std::memcpy(&attribute, message + at, sizeof attribute);
    if (attribute.rta_len < sizeof attribute || attribute.rta_len > bytes - at) break;
    const char* value = message + at + RTA_LENGTH(0);
    if (attribute.rta_type == RTA_OIF) std::memcpy(&answer.interface, value, sizeof answer.interface);
    if (attribute.rta_type == RTA_PREFSRC) answer.source = address_in(value, route.rtm_family);
    if (attribute.rta_type == RTA_GATEWAY) answer.gateway = address_in(value, route.rtm_family);
  }
  return answer;
}

Error no_route(const IpAddress& destination, const std::string& why) {
  return {Status::kUnreachable, "the kernel has no route to " + text_of(destination) + " (" + why + "); ip route get " +
                                    text_of(destination) + " shows its answer"};
}

std::string type_name(unsigned char type) {
  switch (type) {
    case RTN_BROADCAST: return "it is a broadcast address";
    case RTN_MULTICAST: return "it is a multicast address";
    case RTN_PROHIBIT: return "a route prohibits it";
    case RTN_BLACKHOLE: return "a route drops it";
    default: return "Network is unreachable";
  }
}

Result<RouteAnswer> ask_kernel(const IpAddress& destination) {
  const std::string what = "asking the kernel for its route to " + text_of(destination);
  const ScopedFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd.valid()) return system_error(what, errno);
  const RouteQuestion question = question_for(destination);
  if (::send(fd.get(), &question, question.head.nlmsg_len, 0) < 0) return system_error(what, errno);
  std::array<char, 8192> bytes{};
  const ssize_t got = ::recv(fd.get(), bytes.data(), bytes.size(), 0);
  if (got < 0) return system_error(what, errno);
  nlmsghdr head{};
  if (static_cast<std::size_t>(got) < NLMSG_LENGTH(sizeof(nlmsgerr))) return system_error(what, EBADMSG);
  std::memcpy(&head, bytes.data(), sizeof head);
  if (head.nlmsg_type == NLMSG_ERROR) {
    nlmsgerr error{};
    std::memcpy(&error, bytes.data() + NLMSG_LENGTH(0), sizeof error);
    return no_route(destination, std::strerror(-error.error));
  }
  const RouteAnswer answer = read_answer(bytes.data(), static_cast<std::size_t>(got));
  // Where IPv4 says "unreachable" by an error, IPv6 answers with a route of that type.
  if (answer.type != RTN_UNICAST && answer.type != RTN_LOCAL) return no_route(destination, type_name(answer.type));
  return answer;
}

}  // namespace

Result<std::vector<NetDevice>> net_devices() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return system_error("listing the network devices (getifaddrs)", errno);
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> list(first, ::freeifaddrs);
  const ScopedFd any_socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  std::map<unsigned, NetDevice> by_index;
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    const unsigned index = ::if_nametoindex(entry->ifa_name);
    if (index == 0) continue;  // a label such as eth0:1 has none of its own
    NetDevice& device = by_index[index];
    if (device.index == 0) {
      device.index = index;
      device.name = entry->ifa_name;
      device.mtu_bytes = mtu_of(any_socket.get(), device.name);
    }
    add(device, *entry);
  }
  std::vector<NetDevice> devices;
  devices.reserve(by_index.size());
  for (auto& [index, device] : by_index) devices.push_back(std::move(device));
  return devices;
}

Result<IpRoute> route_to(const IpAddress& destination) {
  const auto answer = ask_kernel(destination);
  if (!answer.ok()) return answer.error();
  auto devices = net_devices();
  if (!devices.ok()) return devices.error();
  const bool is_local = answer->type == RTN_LOCAL;
  const auto carries = [&](const NetDevice& device) {
    // What goes to this host's own address never leaves `lo`; RDMA CM asks the device that has the address instead.
    return is_local ? std::ranges::find(device.addresses, destination) != device.addresses.end()
                    : device.index == answer->interface;
  };
  auto found = std::ranges::find_if(*devices, carries);
  // Of a whole local network, such as 127.0.0.0/8, no device has each address.
  if (found == devices->end()) found = std::ranges::find(*devices, answer->interface, &NetDevice::index);
  if (found == devices->end()) {
    return Error{Status::kUnreachable, "the route to " + text_of(destination) + " leaves by interface " +
                                           std::to_string(answer->interface) +
                                           ", which is not in this network namespace"};
  }
  return IpRoute{destination, answer->source, answer->gateway, std::move(*found), is_local};
}

}  // namespace npf
