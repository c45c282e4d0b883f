// The host's network devices and the kernel's own answer to "how is this address reached". Nothing of RDMA is known here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ip_address.h"

namespace npf {

struct NetDevice {
  unsigned index = 0;
  std::string name;
  bool is_up = false;
  bool is_loopback = false;
  std::uint32_t mtu_bytes = 0;
  std::vector<std::uint8_t> hardware_address;  // 6 bytes of Ethernet, 20 of IPoIB
  std::vector<IpAddress> addresses;
};

// Those of this network namespace, by index. Blocks: bounded (netlink).
Result<std::vector<NetDevice>> net_devices();

struct IpRoute {
  IpAddress destination;
  IpAddress source;   // what the kernel puts into packets
  IpAddress gateway;  // ::, when the destination is on the link
  NetDevice device;   // packets leave by it; of an address of this host: the device that has it, not `lo`
  bool is_local = false;
};

// Asks the kernel by RTM_GETROUTE, which is the lookup that RDMA CM makes. kUnreachable where there is no route.
// Blocks: bounded (netlink).
Result<IpRoute> route_to(const IpAddress& destination);

}  // namespace npf
