// Findings about devices, ports, GIDs and the kernel's part of RDMA.
#include <algorithm>

#include "tools/npu_ctl/doctor_findings.h"

namespace npf::npu_ctl {

namespace {

using fabric::LinkLayer;
using fabric::RdmaDevice;
using fabric::RdmaGid;
using fabric::RdmaKind;
using fabric::RdmaPort;

bool is_usable(ModuleState state) { return state == ModuleState::kLoaded || state == ModuleState::kBuiltIn; }

const char* const kGuest = "scripts/rxe run -- COMMAND   # soft-RoCE in a guest, without root; scripts/rxe --help";

std::string add_rxe(const Facts& facts) {
  const std::string netdev = netdev_for_rxe(facts);
  return (facts.has_rdma_tool ? "" : "apt-get install iproute2 && ") +
         std::string("rdma link add rxe0 type rxe netdev ") + (netdev.empty() ? "NETDEV" : netdev);
}

bool is_built(const Facts& facts, std::string_view scheme) {
  return std::ranges::any_of(facts.survey.backends,
                             [&](const auto& each) { return each.scheme == scheme && each.is_built; });
}

// The kernel has devices and libibverbs lists none.
Finding unlisted(const Facts& facts) {
  Finding finding{Severity::kProblem, "rdma-devices", "the kernel has ", "", ""};
  for (const std::string& name : facts.kernel_devices) finding.value += name + " ";
  if (!is_built(facts, "verbs")) {
    finding.severity = Severity::kNote;
    finding.value += "and this build does not look at them";
    finding.why = "it is without verbs";
    return finding;
  }
  finding.value += "and libibverbs lists none";
  const bool has_node = facts.nodes.size() > 1;
  if (!is_usable(facts.module("ib_uverbs"))) {
    finding.why = "without the module ib_uverbs no process may use a device";
    finding.mend = "modprobe ib_uverbs && modprobe rdma_ucm";
  } else if (!has_node && facts.in_container) {
    finding.why = "the device nodes are not in this container";
    finding.mend = "docker run --device=/dev/infiniband ...";
  } else {
    finding.why = "libibverbs has no driver for them, or may not see them from this network namespace";
    finding.mend = "apt-get install ibverbs-providers && ibv_devinfo";
  }
  return finding;
}

void find_nodes(const Facts& facts, std::vector<Finding>& findings) {
  for (const DeviceNode& node : facts.nodes) {
    if (node.may_open) continue;
    Finding finding{Severity::kProblem, node.path, node.is_there ? "no permission" : "not there", "", ""};
    finding.why = node.path.ends_with("rdma_cm") ? "connections are made through it" : "its device is used through it";
    if (node.is_there) {
      finding.mend = "chmod a+rw " + node.path;
    } else if (facts.in_container) {
      finding.mend = "docker run --device=/dev/infiniband ...   # after modprobe rdma_ucm on the host";
    } else {
      finding.mend = "modprobe rdma_ucm";
    }
    findings.push_back(std::move(finding));
  }
}

std::string netdev_of(const RdmaPort& port) { return port.netdevs.empty() ? "NETDEV" : port.netdevs.front(); }

std::string place_of(const RdmaDevice& device, const RdmaPort& port) {
  return device.name + " port " + std::to_string(port.number);
}

void find_state(const RdmaDevice& device, const RdmaPort& port, std::vector<Finding>& findings) {
  if (port.is_active) return;
  const bool infiniband = port.link_layer == LinkLayer::kInfiniband;
  findings.push_back(
      {Severity::kWarning, "port-state", place_of(device, port) + " is " + port.state,
       infiniband ? "an InfiniBand port becomes active when a cable and a subnet manager are there"
                  : "a RoCE port is active while its netdev is up and has a carrier",
       infiniband ? "apt-get install opensm && systemctl start opensm" : "ip link set " + netdev_of(port) + " up"});
}

void find_gids(const RdmaDevice& device, const RdmaPort& port, std::vector<Finding>& findings) {
  if (!port.is_active || port.link_layer != LinkLayer::kEthernet || device.transport != fabric::RdmaTransport::kRoce) {
    return;
  }
  const auto routable = [](const RdmaGid& gid) {
    return gid.type == fabric::GidType::kRoceV2 && !gid.value.is_link_local();
  };
  if (std::ranges::any_of(port.gids, routable)) return;
  findings.push_back({Severity::kWarning, "gids", place_of(device, port) + " has no routable RoCEv2 GID",
                      "a peer is reached by the GID of an IP address, and the netdev has none",
                      "ip addr add ADDRESS/PREFIX dev " + netdev_of(port)});
}

void find_mtu(const RdmaDevice& device, const RdmaPort& port, std::vector<Finding>& findings) {
  // What rxe takes for 4096 bytes and their headers (rxe_param.h: 80 bytes); a RoCE NIC takes less for its headers.
  constexpr std::uint32_t kNetdevMtu = 4200;
  if (!port.is_active || port.link_layer != LinkLayer::kEthernet) return;
  if (port.mtu_active_bytes == 0 || port.mtu_active_bytes >= port.mtu_max_bytes) return;
  findings.push_back({Severity::kNote, "mtu",
                      place_of(device, port) + ": active " + std::to_string(port.mtu_active_bytes) + " of " +
                          std::to_string(port.mtu_max_bytes) + " bytes",
                      "larger packets cost less each; the netdev's MTU bounds them, and every host and switch of the "
                      "link has to take it",
                      "ip link set " + netdev_of(port) + " mtu " + std::to_string(kNetdevMtu)});
}

void find_numa(const RdmaDevice& device, std::vector<Finding>& findings) {
  constexpr int kHere = 10;
  if (device.numa_distance.value_or(kHere) <= kHere) return;
  const std::string node = std::to_string(device.numa_node);
  findings.push_back({Severity::kNote, "numa",
                      device.name + " is on node " + node + ", this process at distance " +
                          std::to_string(*device.numa_distance) + " (10 is the same node)",
                      "each doorbell and each byte crosses between the sockets",
                      "numactl --cpunodebind=" + node + " --membind=" + node + " COMMAND"});
}

}  // namespace

std::string netdev_for_rxe(const Facts& facts) {
  const auto fits = [](const NetDevice& device) {
    return device.is_up && !device.is_loopback && !device.addresses.empty();
  };
  const auto found = std::ranges::find_if(facts.netdevs, fits);
  return found == facts.netdevs.end() ? "" : found->name;
}

Finding missing_rdma(const Facts& facts) {
  if (!facts.survey.rdma.devices.empty()) return {};
  if (!facts.kernel_devices.empty()) return unlisted(facts);
  Finding finding{Severity::kWarning, "rdma-devices", "none",
                  "this machine has no RDMA device: shm and ofi+tcp work without one, verbs does not; ", ""};
  switch (facts.module("rdma_rxe")) {
    case ModuleState::kLoaded:
    case ModuleState::kBuiltIn:
      finding.why += "soft-RoCE is in the kernel and lies over no netdev yet";
      finding.mend = add_rxe(facts);
      break;
    case ModuleState::kLoadable:
      finding.why += "soft-RoCE (rdma_rxe) makes one over any netdev";
      finding.mend = "modprobe rdma_rxe && modprobe rdma_ucm && " + add_rxe(facts);
      break;
    case ModuleState::kUnknown:
      finding.why += "this kernel's modules cannot be seen from here (a container?), so the host has to load soft-RoCE";
      finding.mend = "modprobe rdma_rxe && modprobe rdma_ucm && " + add_rxe(facts) + "   # on the host; or " + kGuest;
      break;
    case ModuleState::kAbsent:
    case ModuleState::kNoModules:
      finding.why +=
          "this kernel has no soft-RoCE (rdma_rxe: " + std::string(module_state_name(facts.module("rdma_rxe"))) +
          "), a guest has it";
      finding.mend = kGuest;
      break;
  }
  return finding;
}

void find_in_rdma(const Facts& facts, std::vector<Finding>& findings) {
  const auto& rdma = facts.survey.rdma;
  if (rdma.devices.empty()) {
    findings.push_back(missing_rdma(facts));
    if (facts.kernel_devices.empty()) return;
  }
  find_nodes(facts, findings);
  const bool all_open = std::ranges::all_of(facts.nodes, &DeviceNode::may_open);
  for (const RdmaDevice& device : rdma.devices) {
    // Behind a node that does not open, it is that node's finding.
    if (device.problem.empty() || !all_open) continue;
    findings.push_back({Severity::kProblem, "rdma-device", device.name + ": " + device.problem,
                        "verbs cannot use this device", "ls -l /dev/infiniband && ibv_devinfo -d " + device.name});
  }
  const bool has_rxe = std::ranges::find(rdma.devices, RdmaKind::kSoftRoce, &RdmaDevice::kind) != rdma.devices.end();
  if (has_rxe && facts.has_own_netns) {
    findings.push_back({Severity::kWarning, "netns", facts.netns,
                        "rxe moves data in the first network namespace only; in another it looks active and is not",
                        "nsenter --net=/proc/1/ns/net COMMAND"});
  }
}

void find_in_ports(const Facts& facts, std::vector<Finding>& findings) {
  std::string active;
  for (const RdmaDevice& device : facts.survey.rdma.devices) {
    for (const RdmaPort& port : device.ports) {
      find_state(device, port, findings);
      find_gids(device, port, findings);
      find_mtu(device, port, findings);
      if (port.is_active) active += (active.empty() ? "" : ", ") + place_of(device, port);
    }
    find_numa(device, findings);
  }
  if (active.empty()) return;
  findings.push_back({Severity::kOk, "rdma-devices", active, "active: verbs can use them", ""});
}

}  // namespace npf::npu_ctl
