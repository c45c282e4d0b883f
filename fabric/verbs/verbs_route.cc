#include "fabric/verbs/verbs_route.h"

#include <algorithm>

namespace npf::fabric {

namespace {

// RDMA CM takes RoCEv2 on a port that has any of it, unless its configfs says otherwise.
bool has_roce_v2(const RdmaPort& port) {
  return std::ranges::any_of(port.gids, [](const RdmaGid& gid) { return gid.type == GidType::kRoceV2; });
}

std::string why_not_on_link(const std::string& netdev, const IpRoute& route) {
  if (netdev.empty()) return "it has no netdev in this network namespace";
  return "its netdev " + netdev + " is not the one that the route to " + text_of(route.destination) + " leaves by, " +
         route.device.name;
}

// Said once of a port that has no GID there, and not of each of its GIDs.
std::string why_not_port(const RdmaDevice& device, const RdmaPort& port, const IpRoute& route) {
  if (!port.is_active) return "the port is " + port.state;
  if (port.gids.empty()) return "the port has no GID";
  if (device.transport == RdmaTransport::kIwarp || port.link_layer == LinkLayer::kInfiniband) return "";
  const auto lies_there = [&](const RdmaGid& gid) { return gid.netdev_index == route.device.index; };
  if (std::ranges::any_of(port.gids, lies_there)) return "";
  return why_not_on_link(port.gids.front().netdev, route);
}

std::string why_not_roce(const RdmaPort& port, const RdmaGid& gid, const IpRoute& route) {
  if (gid.netdev_index != route.device.index) return why_not_on_link(gid.netdev, route);
  if (gid.type == GidType::kRoceV1 && has_roce_v2(port)) return "RoCEv1: not routable, and the port has RoCEv2";
  if (gid.type == GidType::kRoceV1 && !route.gateway.is_any()) {
    return "RoCEv1: not routable, and " + text_of(route.destination) + " is behind the gateway " +
           text_of(route.gateway);
  }
  if (gid.value == route.source) return "";
  if (gid.value.is_link_local()) return "link-local: it reaches link-local peers only";
  return "the kernel sends from " + text_of(route.source) + ", not from " + text_of(gid.value);
}

// The last sixteen of an IPoIB address's twenty bytes are the GID of the port below it.
std::string why_not_infiniband(const RdmaGid& gid, const IpRoute& route) {
  constexpr std::size_t kIpoibBytes = 20;
  const auto& hardware = route.device.hardware_address;
  if (hardware.size() != kIpoibBytes) {
    return "the route to " + text_of(route.destination) + " leaves by " + route.device.name +
           ", which is no IPoIB device";
  }
  if (std::equal(gid.value.bytes.rbegin(), gid.value.bytes.rend(), hardware.rbegin())) return "";
  return "the route to " + text_of(route.destination) + " leaves by " + route.device.name +
         ", which lies over another port or GID";
}

std::string why_not_iwarp(const RdmaPort& port, const IpRoute& route) {
  if (std::ranges::find(port.netdevs, route.device.name) != port.netdevs.end()) return "";
  return "the route to " + text_of(route.destination) + " leaves by " + route.device.name +
         ", which is not this port's netdev";
}

std::string why_not(const RdmaDevice& device, const RdmaPort& port, const RdmaGid& gid, const IpRoute& route) {
  if (device.transport == RdmaTransport::kIwarp) return why_not_iwarp(port, route);
  if (port.link_layer == LinkLayer::kInfiniband) return why_not_infiniband(gid, route);
  return why_not_roce(port, gid, route);
}

std::string why_chosen(const RdmaPort& port, const IpRoute& route) {
  const std::string mtu = ", MTU " + std::to_string(port.mtu_active_bytes);
  if (route.is_local) return text_of(route.destination) + " is this host's own, on " + route.device.name + mtu;
  std::string why = "the route leaves by " + route.device.name;
  if (!route.gateway.is_any()) why += " to the gateway " + text_of(route.gateway);
  return why + " from " + text_of(route.source) + mtu;
}

class Choice {
 public:
  Choice(RdmaPath& path) : path_(path) {}

  void reject(const RdmaDevice& device, std::uint32_t port, std::optional<RdmaGid> gid, std::string reason) {
    rejected_.push_back({device.name, port, std::move(gid), std::move(reason)});
  }

  void judge(const RdmaDevice& device) {
    if (!device.problem.empty()) return reject(device, 0, std::nullopt, device.problem);
    if (!path_.route) return reject(device, 0, std::nullopt, "there is no route");
    // cma.c finds a device over `lo` by its address and then cannot route from it ("No such device").
    if (path_.route->destination.is_loopback() || path_.route->device.is_loopback) {
      return reject(device, 0, std::nullopt, "RDMA CM does not work over loopback; use the address of its netdev");
    }
    for (const RdmaPort& port : device.ports) judge(device, port);
  }

  void finish() {
    path_.candidates = std::move(rejected_);
    if (taken_) path_.candidates.insert(path_.candidates.begin(), std::move(*taken_));
  }

 private:
  void judge(const RdmaDevice& device, const RdmaPort& port) {
    const std::string of_port = why_not_port(device, port, *path_.route);
    if (!of_port.empty()) return reject(device, port.number, std::nullopt, of_port);
    for (const RdmaGid& gid : port.gids) {
      const std::string reason = why_not(device, port, gid, *path_.route);
      if (!reason.empty()) {
        reject(device, port.number, gid, reason);
      } else if (taken_) {
        reject(device, port.number, gid, "it would do, but " + taken_->device + " was registered before it");
      } else {
        taken_ = RdmaCandidate{device.name, port.number, gid, why_chosen(port, *path_.route)};
        path_.chosen = ChosenGid{device.name, port.number, gid, port.mtu_active_bytes};
      }
    }
  }

  RdmaPath& path_;
  std::optional<RdmaCandidate> taken_;
  std::vector<RdmaCandidate> rejected_;
};

}  // namespace

RdmaPath choose_gid(const RdmaInventory& inventory, const IpAddress& peer, const Result<IpRoute>& route) {
  RdmaPath path;
  path.peer = peer;
  if (route.ok()) {
    path.route = *route;
  } else {
    path.why_no_route = route.error().message;
  }
  Choice choice(path);
  for (const RdmaDevice& device : inventory.devices) choice.judge(device);
  choice.finish();
  return path;
}

RdmaPath choose_gid(const RdmaInventory& inventory, const IpAddress& peer) {
  return choose_gid(inventory, peer, route_to(peer));
}

}  // namespace npf::fabric
