// An IPv4 or IPv6 address as the sixteen bytes that a RoCE GID has. Not a socket's address: no port.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

struct sockaddr;

namespace npf {

// IPv4 is kept in its mapped form, ::ffff:a.b.c.d; that is how RoCEv2 writes it into a GID.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};
  std::uint32_t scope = 0;  // the interface of a link-local IPv6 address; no part of what is compared

  bool is_v4() const;
  bool is_loopback() const;
  bool is_link_local() const;  // fe80::/10 or 169.254.0.0/16
  bool is_any() const;
  friend bool operator==(const IpAddress& a, const IpAddress& b) { return a.bytes == b.bytes; }
};

// "10.9.0.1", "fd00::2", "fe80::1%eth0". Names are not looked up.
Result<IpAddress> parse_ip(std::string_view text);
std::string text_of(const IpAddress& address);

// Of AF_INET or AF_INET6; anything else gives ::.
IpAddress ip_of(const sockaddr& address);

}  // namespace npf
