#include "base/ip_address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace npf {

namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::size_t kV4Start = kMappedPrefix.size();

IpAddress from_v4(const in_addr& address) {
  IpAddress ip;
  std::ranges::copy(kMappedPrefix, ip.bytes.begin());
  std::memcpy(&ip.bytes[kV4Start], &address, sizeof address);
  return ip;
}

// By name or by number, as inet's own tools take it.
std::uint32_t scope_of(const std::string& text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  return ::if_nametoindex(text.c_str());
}

}  // namespace

bool IpAddress::is_v4() const { return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin()); }

bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes[kV4Start] == 127;
  return bytes.back() == 1 && std::all_of(bytes.begin(), bytes.end() - 1, [](auto byte) { return byte == 0; });
}

bool IpAddress::is_link_local() const {
  if (is_v4()) return bytes[kV4Start] == 169 && bytes[kV4Start + 1] == 254;
  return bytes[0] == 0xfe && (bytes[1] & 0xc0U) == 0x80;
}

bool IpAddress::is_any() const {
  const auto start = bytes.begin() + (is_v4() ? kV4Start : 0);
  return std::all_of(start, bytes.end(), [](auto byte) { return byte == 0; });
}

Result<IpAddress> parse_ip(std::string_view text) {
  const std::size_t percent = text.find('%');
  const std::string number(text.substr(0, percent));
  in_addr v4{};
  if (percent == std::string_view::npos && ::inet_pton(AF_INET, number.c_str(), &v4) == 1) return from_v4(v4);
  IpAddress ip;
  if (::inet_pton(AF_INET6, number.c_str(), ip.bytes.data()) != 1) {
    return Error{Status::kInvalidArgument, "'" + std::string(text) +
                                               "' is not an IP address; write it as 10.9.0.1, fd00::2 or "
                                               "fe80::1%eth0"};
  }
  if (percent == std::string_view::npos) return ip;
  const std::string scope(text.substr(percent + 1));
  ip.scope = scope_of(scope);
  if (ip.scope == 0)
    return Error{Status::kInvalidArgument, "'" + std::string(text) + "': no interface '" + scope + "'"};
  return ip;
}

std::string text_of(const IpAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.is_v4()) return ::inet_ntop(AF_INET, &address.bytes[kV4Start], text.data(), text.size());
  std::string written = ::inet_ntop(AF_INET6, address.bytes.data(), text.data(), text.size());
  if (address.scope == 0) return written;
  std::array<char, IF_NAMESIZE> name{};
  const bool named = ::if_indextoname(address.scope, name.data()) != nullptr;
  return written + "%" + (named ? std::string(name.data()) : std::to_string(address.scope));
}

IpAddress ip_of(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    return from_v4(v4.sin_addr);
  }
  IpAddress ip;
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    std::memcpy(ip.bytes.data(), &v6.sin6_addr, ip.bytes.size());
    ip.scope = v6.sin6_scope_id;
  }
  return ip;
}

}  // namespace npf
