#include "fabric/cm_data.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace npf::fabric {

namespace {

constexpr std::array kMagic = {'N', 'P', 'C', 'F'};
constexpr std::uint8_t kVersion = 1;

enum class Kind : std::uint8_t { kHello = 1, kRefusal = 2 };

// magic and version stay where they are in every version, so that any two can tell each other why not.
struct Preamble {
  std::array<char, 4> magic = kMagic;
  std::uint8_t version = kVersion;
  Kind kind = Kind::kHello;
  std::uint8_t length_bytes = 0;
};
static_assert(sizeof(Preamble) == kCmPreambleBytes && kCmDataBytes <= 55);

Preamble read_preamble(std::span<const std::byte> data) {
  Preamble preamble{.magic = {}};
  if (data.size() >= sizeof preamble) std::memcpy(&preamble, data.data(), sizeof preamble);
  return preamble;
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; }

}  // namespace

CmHello encode_cm_hello(const Hello& hello) {
  const Preamble preamble{.length_bytes = static_cast<std::uint8_t>(hello.bytes().size())};
  CmHello data{};
  std::memcpy(data.data(), &preamble, sizeof preamble);
  std::ranges::copy(hello.bytes(), data.begin() + sizeof preamble);
  return data;
}

Result<Hello> decode_cm_hello(std::span<const std::byte> data) {
  const Preamble preamble = read_preamble(data);
  if (preamble.magic != kMagic) {
    return Error{Status::kProtocol, "the peer's hello is not one of NPU Fabric; is another program at that address?"};
  }
  if (preamble.version != kVersion) {
    return Error{Status::kVersionMismatch, "the peer speaks version " + std::to_string(preamble.version) +
                                               " of the connection protocol, this side version " +
                                               std::to_string(kVersion) + "; run the same release on both"};
  }
  if (preamble.kind != Kind::kHello || preamble.length_bytes > kHelloBytesMax ||
      preamble.length_bytes > data.size() - sizeof preamble) {
    return Error{Status::kProtocol, "the peer's hello of " + std::to_string(preamble.length_bytes) +
                                        " bytes is malformed; allowed: 0 to " + std::to_string(kHelloBytesMax)};
  }
  return Hello(data.subspan(sizeof preamble, preamble.length_bytes));
}

std::vector<std::byte> encode_cm_refusal(std::string_view reason, std::size_t bytes_max) {
  const std::size_t room = std::min<std::size_t>(bytes_max - sizeof(Preamble), UINT8_MAX);
  if (reason.size() > room) {
    std::size_t end = room;
    while (end > 0 && is_continuation(reason[end])) --end;
    reason = reason.substr(0, end);
  }
  const Preamble preamble{.kind = Kind::kRefusal, .length_bytes = static_cast<std::uint8_t>(reason.size())};
  std::vector<std::byte> data(sizeof preamble + reason.size());
  std::memcpy(data.data(), &preamble, sizeof preamble);
  std::ranges::transform(reason, data.begin() + sizeof preamble, [](char c) { return static_cast<std::byte>(c); });
  return data;
}

std::string decode_cm_refusal(std::span<const std::byte> data) {
  const Preamble preamble = read_preamble(data);
  if (preamble.magic != kMagic || preamble.kind != Kind::kRefusal) return {};
  const auto text = data.subspan(sizeof preamble);
  std::string reason(std::min<std::size_t>(preamble.length_bytes, text.size()), '\0');
  std::ranges::transform(text.first(reason.size()), reason.begin(), [](std::byte byte) {
    const auto value = std::to_integer<unsigned char>(byte);
    constexpr unsigned char kFirstPrintable = 0x20;
    constexpr unsigned char kDelete = 0x7f;
    return value < kFirstPrintable || value == kDelete ? '?' : static_cast<char>(value);
  });
  return reason;
}

}  // namespace npf::fabric
