// Peers that are not of this project: a raw libfabric endpoint, and plain TCP sockets on the loopback.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/fd.h"

namespace npf::fabric {

// Connects with provider tcp, those bytes being the hello. What came back: the refusal's bytes as text, empty if it was
// accepted, "error ..." for anything else.
std::string greet_by_libfabric(std::uint16_t port, std::span<const std::byte> hello);

ScopedFd connect_by_tcp(std::uint16_t port);
ScopedFd listen_by_tcp(std::uint16_t port);

}  // namespace npf::fabric
