// What a connection manager brings from a peer: a hello, or a reason of refusal.
#include <algorithm>
#include <cstdlib>

#include "fabric/cm_data.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t size) {
  using namespace npf::fabric;
  const auto data = std::as_bytes(std::span(bytes, size));
  const auto hello = decode_cm_hello(data);
  if (hello.ok()) {
    const auto again = decode_cm_hello(encode_cm_hello(*hello));
    if (!again.ok() || !std::ranges::equal(again->bytes(), hello->bytes())) std::abort();
  }
  const std::string reason = decode_cm_refusal(data);
  const bool printable = std::ranges::all_of(reason, [](char c) { return static_cast<unsigned char>(c) >= 0x20; });
  if (reason.size() > size || !printable) std::abort();
  return 0;
}
