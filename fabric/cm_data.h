// The bytes that a connection manager (RDMA CM, libfabric's) carries for us: a hello, or the reason of a refusal. Such
// a manager pads or tells no length, and connects to anybody; so a preamble says what it is, whose, and how long.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "fabric/fabric.h"

namespace npf::fabric {

inline constexpr std::size_t kCmPreambleBytes = 7;
// RDMA CM carries 56 bytes with a connection request (rdma_connect(3)), of which libfabric's provider verbs keeps one for itself.
inline constexpr std::size_t kCmDataBytes = kCmPreambleBytes + kHelloBytesMax;

using CmHello = std::array<std::byte, kCmDataBytes>;
CmHello encode_cm_hello(const Hello& hello);

// What came may be longer (padding). kProtocol: no hello of ours; kVersionMismatch: of another version.
Result<Hello> decode_cm_hello(std::span<const std::byte> data);

// Cut at a character's end where the manager carries no more than bytes_max (RDMA CM: 148).
std::vector<std::byte> encode_cm_refusal(std::string_view reason, std::size_t bytes_max);

// Empty: no refusal of ours. Bytes of a peer: unprintable ones come out as '?'.
std::string decode_cm_refusal(std::span<const std::byte> data);

}  // namespace npf::fabric
