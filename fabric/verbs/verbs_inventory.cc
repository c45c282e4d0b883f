#include "fabric/verbs/verbs_inventory.h"

#include <infiniband/verbs.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

#include "base/affinity.h"
#include "base/numa.h"

namespace npf::fabric {

namespace {

// What rxe and siw put where hardware has the vendor's IEEE number.
constexpr std::uint32_t kVendorRxe = 0xffffff;
constexpr std::uint32_t kVendorSiw = 0x626d74;

std::string words_of(int errno_value) { return std::generic_category().message(errno_value); }

std::string state_name(ibv_port_state state) {
  switch (state) {
    case IBV_PORT_NOP: return "NOP";
    case IBV_PORT_DOWN: return "DOWN";
    case IBV_PORT_INIT: return "INIT";
    case IBV_PORT_ARMED: return "ARMED";
    case IBV_PORT_ACTIVE: return "ACTIVE";
    case IBV_PORT_ACTIVE_DEFER: return "ACTIVE_DEFER";
  }
  return "unknown";
}

std::uint32_t mtu_bytes(ibv_mtu mtu) {
  constexpr std::uint32_t kSmallest = 256;
  return mtu >= IBV_MTU_256 && mtu <= IBV_MTU_4096 ? kSmallest << (mtu - IBV_MTU_256) : 0;
}

LinkLayer link_layer_of(std::uint8_t layer) {
  if (layer == IBV_LINK_LAYER_INFINIBAND) return LinkLayer::kInfiniband;
  return layer == IBV_LINK_LAYER_ETHERNET ? LinkLayer::kEthernet : LinkLayer::kUnknown;
}

GidType gid_type_of(std::uint32_t type) {
  if (type == IBV_GID_TYPE_ROCE_V1) return GidType::kRoceV1;
  return type == IBV_GID_TYPE_ROCE_V2 ? GidType::kRoceV2 : GidType::kInfiniband;
}

RdmaTransport transport_of(const ibv_device& device, const RdmaDevice& seen) {
  if (device.transport_type == IBV_TRANSPORT_IWARP) return RdmaTransport::kIwarp;
  if (device.transport_type != IBV_TRANSPORT_IB || seen.ports.empty()) return RdmaTransport::kUnknown;
  const bool ethernet = seen.ports.front().link_layer == LinkLayer::kEthernet;
  return ethernet ? RdmaTransport::kRoce : RdmaTransport::kInfiniband;
}

RdmaGid gid_of(const ibv_gid_entry& entry) {
  RdmaGid gid;
  gid.index = entry.gid_index;
  gid.type = gid_type_of(entry.gid_type);
  std::ranges::copy(entry.gid.raw, gid.value.bytes.begin());
  gid.netdev_index = entry.ndev_ifindex;
  std::array<char, IF_NAMESIZE> name{};
  if (entry.ndev_ifindex != 0 && ::if_indextoname(entry.ndev_ifindex, name.data()) != nullptr) gid.netdev = name.data();
  return gid;
}

// One by one: ibv_query_gid_table takes at most 2047 entries (the length of an attribute is 16 bits), and a device may
// have more.
void read_gids(ibv_context* context, int table_length, RdmaPort& port) {
  for (int index = 0; index < table_length; ++index) {
    ibv_gid_entry entry{};
    // ENODATA: nothing at this index. Anything else of one entry is no reason to lose the others.
    if (::ibv_query_gid_ex(context, port.number, static_cast<std::uint32_t>(index), &entry, 0) != 0) continue;
    port.gids.push_back(gid_of(entry));
    const std::string& netdev = port.gids.back().netdev;
    const bool known = std::ranges::find(port.netdevs, netdev) != port.netdevs.end();
    if (!netdev.empty() && !known) port.netdevs.push_back(netdev);
  }
}

RdmaPort read_port(ibv_context* context, std::uint8_t number) {
  RdmaPort port;
  port.number = number;
  ibv_port_attr attributes{};
  if (const int error = ::ibv_query_port(context, number, &attributes); error != 0) {
    port.state = "unreadable (" + words_of(error) + ")";
    return port;
  }
  port.state = state_name(attributes.state);
  port.is_active = attributes.state == IBV_PORT_ACTIVE;
  port.link_layer = link_layer_of(attributes.link_layer);
  port.mtu_active_bytes = mtu_bytes(attributes.active_mtu);
  port.mtu_max_bytes = mtu_bytes(attributes.max_mtu);
  port.message_bytes_max = attributes.max_msg_sz;
  read_gids(context, attributes.gid_tbl_len, port);
  return port;
}

std::uint32_t positive(int value) { return value > 0 ? static_cast<std::uint32_t>(value) : 0; }

RdmaLimits limits_of(const ibv_device_attr& attributes) {
  return {.mr_bytes_max = attributes.max_mr_size,
          .qp_max = positive(attributes.max_qp),
          .qp_wr_max = positive(attributes.max_qp_wr),
          .cq_max = positive(attributes.max_cq),
          .cqe_max = positive(attributes.max_cqe),
          .mr_max = positive(attributes.max_mr),
          .sge_max = positive(attributes.max_sge),
          .read_inflight_max = positive(attributes.max_qp_rd_atom)};
}

void read_device(ibv_device& handle, RdmaDevice& device) {
  const std::unique_ptr<ibv_context, decltype(&::ibv_close_device)> context(::ibv_open_device(&handle),
                                                                            ::ibv_close_device);
  if (!context) {
    const std::string node = std::string("/dev/infiniband/") + handle.dev_name;
    // Not libibverbs' errno: it tries other ways after the one that tells.
    const std::string why = ::access(node.c_str(), R_OK | W_OK) != 0 ? words_of(errno) : "its driver refuses";
    device.problem = "it cannot be opened: " + node + ": " + why;
    return;
  }
  ibv_device_attr attributes{};
  if (const int error = ::ibv_query_device(context.get(), &attributes); error != 0) {
    device.problem = "it cannot be asked: " + words_of(error);
    return;
  }
  device.firmware = attributes.fw_ver;
  device.limits = limits_of(attributes);
  if (attributes.vendor_id == kVendorRxe) device.kind = RdmaKind::kSoftRoce;
  if (attributes.vendor_id == kVendorSiw) device.kind = RdmaKind::kSoftIwarp;
  for (std::uint8_t number = 1; number <= attributes.phys_port_cnt; ++number) {
    device.ports.push_back(read_port(context.get(), number));
  }
  device.transport = transport_of(handle, device);
}

// Software devices lie on no bus; the netdev below them may.
int numa_node_of(const SystemTree& tree, const std::string& folder, const RdmaDevice& device) {
  constexpr std::int64_t kUnknown = -1;
  if (const auto node = tree.number(folder + "/device/numa_node")) return static_cast<int>(*node);
  for (const RdmaPort& port : device.ports) {
    for (const std::string& netdev : port.netdevs) {
      const auto node = tree.number("/sys/class/net/" + netdev + "/device/numa_node");
      if (node) return static_cast<int>(*node);
    }
  }
  return kUnknown;
}

void add_netdevs(const SystemTree& tree, const std::string& folder, RdmaDevice& device) {
  // rxe tells its netdev in `parent`, also while that has no GID; a bus device lists its netdevs, but not by port.
  const auto parent = tree.text(folder + "/parent");
  const auto below = tree.names(folder + "/device/net");
  for (RdmaPort& port : device.ports) {
    if (!port.netdevs.empty()) continue;
    if (parent) port.netdevs.push_back(*parent);
    if (!parent && device.ports.size() == 1) port.netdevs = below;
  }
}

}  // namespace

void add_sysfs_facts(const SystemTree& tree, const std::vector<int>& cores, RdmaDevice& device) {
  const std::string folder = "/sys/class/infiniband/" + device.name;
  device.driver = tree.link_name(folder + "/device/driver").value_or("");
  if (device.kind == RdmaKind::kHardware && !tree.has(folder + "/device")) {
    device.kind = tree.has(folder + "/parent") ? RdmaKind::kSoftRoce : RdmaKind::kVirtual;
  }
  add_netdevs(tree, folder, device);
  for (RdmaPort& port : device.ports) {
    port.rate = tree.text(folder + "/ports/" + std::to_string(port.number) + "/rate").value_or("");
  }
  device.numa_node = numa_node_of(tree, folder, device);
  device.numa_distance = numa_distance(numa_nodes(tree), device.numa_node, cores);
}

RdmaInventory take_verbs_inventory() {
  RdmaInventory inventory;
  int count = 0;
  const std::unique_ptr<ibv_device*, decltype(&::ibv_free_device_list)> list(::ibv_get_device_list(&count),
                                                                             ::ibv_free_device_list);
  if (!list) {
    inventory.why_empty = "libibverbs cannot list devices: " + words_of(errno) + " (is the module ib_uverbs loaded?)";
    return inventory;
  }
  std::vector<ibv_device*> handles(list.get(), list.get() + count);
  // RDMA CM walks the devices as they were registered, which is the order of the kernel's own numbers.
  std::ranges::stable_sort(handles, {}, ::ibv_get_device_index);
  const std::vector<int> cores = allowed_cores();
  for (ibv_device* handle : handles) {
    RdmaDevice device;
    device.name = ::ibv_get_device_name(handle);
    device.node_type = ::ibv_node_type_str(handle->node_type);
    read_device(*handle, device);
    add_sysfs_facts(SystemTree(), cores, device);
    inventory.devices.push_back(std::move(device));
  }
  if (inventory.devices.empty()) inventory.why_empty = "libibverbs lists no device";
  return inventory;
}

}  // namespace npf::fabric
