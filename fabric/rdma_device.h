// RDMA devices as plain values, and the choice among them for one peer. Not a device that is opened.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.h"
#include "base/net_device.h"
#include "base/result.h"

namespace npf::fabric {

enum class GidType : std::uint8_t { kInfiniband, kRoceV1, kRoceV2 };
std::string_view gid_type_name(GidType type);

struct RdmaGid {
  std::uint32_t index = 0;
  GidType type = GidType::kRoceV2;
  IpAddress value;  // sixteen bytes; of RoCE an IP address
  unsigned netdev_index = 0;
  std::string netdev;  // empty: none (InfiniBand), or one of another network namespace
};

enum class LinkLayer : std::uint8_t { kUnknown, kInfiniband, kEthernet };

struct RdmaPort {
  std::uint32_t number = 1;
  std::string state;  // the field's words: ACTIVE, DOWN, INIT, ARMED
  bool is_active = false;
  LinkLayer link_layer = LinkLayer::kUnknown;
  std::uint32_t mtu_active_bytes = 0;
  std::uint32_t mtu_max_bytes = 0;
  std::uint32_t message_bytes_max = 0;
  std::string rate;  // the kernel's words: "100 Gb/sec (4X EDR)"
  std::vector<std::string> netdevs;
  std::vector<RdmaGid> gids;
};

struct RdmaLimits {
  std::uint64_t mr_bytes_max = 0;
  std::uint32_t qp_max = 0;
  std::uint32_t qp_wr_max = 0;
  std::uint32_t cq_max = 0;
  std::uint32_t cqe_max = 0;
  std::uint32_t mr_max = 0;
  std::uint32_t sge_max = 0;
  std::uint32_t read_inflight_max = 0;  // READs a queue pair may have under way as their target
};

// rxe and siw are the kernel's own, over any netdev; kVirtual is neither theirs nor on a bus.
enum class RdmaKind : std::uint8_t { kHardware, kVirtual, kSoftRoce, kSoftIwarp };
std::string_view rdma_kind_name(RdmaKind kind);
enum class RdmaTransport : std::uint8_t { kUnknown, kInfiniband, kRoce, kIwarp };
std::string_view transport_name(RdmaTransport transport);

struct RdmaDevice {
  std::string name;
  std::string problem;  // not empty: why it cannot be used by this process; then only name and kind are known
  std::string node_type;
  std::string firmware;
  std::string driver;  // empty where there is no bus device
  RdmaKind kind = RdmaKind::kHardware;
  RdmaTransport transport = RdmaTransport::kUnknown;
  int numa_node = -1;                // -1: unknown, or everywhere
  std::optional<int> numa_distance;  // to the nearest core that this process may use; 10 is the same node
  RdmaLimits limits;
  std::vector<RdmaPort> ports;
};

// In the order in which RDMA CM tries them: that of their registration. Empty with a reason: no device, and why.
struct RdmaInventory {
  std::vector<RdmaDevice> devices;
  std::string why_empty;
};

// One way that was looked at.
struct RdmaCandidate {
  std::string device;
  std::uint32_t port = 0;      // 0: the device as a whole
  std::optional<RdmaGid> gid;  // none: the port as a whole
  std::string reason;          // why not; of the chosen one, why
};

struct ChosenGid {
  std::string device;
  std::uint32_t port = 0;
  RdmaGid gid;
  std::uint32_t mtu_active_bytes = 0;
};

// Which device, port and GID reach a peer. The same that rdma_resolve_addr takes without a source address.
struct RdmaPath {
  IpAddress peer;
  std::optional<IpRoute> route;
  std::string why_no_route;
  std::optional<ChosenGid> chosen;
  std::vector<RdmaCandidate> candidates;  // the chosen one first, then what was rejected

  // One sentence, without a full stop: what is taken and why, or that nothing is.
  std::string summary() const;
  // The summary, and what was rejected with its reason, each a line of its own or behind another separator.
  std::string text(std::string_view separator = "\n  ") const;
};

}  // namespace npf::fabric
