// What libfabric offers for an address: the provider's attributes, checked against what the backend needs of it.
#pragma once

#include <rdma/fabric.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "fabric/address.h"
#include "fabric/fabric.h"

namespace npf::fabric::ofi {

inline constexpr std::uint32_t kGatherMax = 8;

struct InfoDeleter {
  void operator()(fi_info* info) const { ::fi_freeinfo(info); }
};
using Info = std::unique_ptr<fi_info, InfoDeleter>;

// An object of libfabric, closed when its owner goes. What was made of it has to be closed before.
template <typename T>
struct FidDeleter {
  void operator()(T* object) const { ::fi_close(&object->fid); }
};
template <typename T>
using Fid = std::unique_ptr<T, FidDeleter<T>>;

enum class Role : std::uint8_t { kListen, kConnect };

// To be called before the first call of fi_getinfo. Threads: any.
void forbid_registration_cache();

// The first provider info of that name that can serve the address in that role, as far as is known without trying.
// kNotFound: there is no such provider, or it does not serve the address; the sentence lists those there are.
Result<Info> find_info(const std::string& provider, const Address& address, Role role);

// Names, limits and habits of one provider, from its info.
struct Provider {
  std::string name;                      // tcp
  std::string backend;                   // ofi+tcp
  bool keys_are_ours = true;             // else the provider chooses them
  bool immediate_takes_receive = false;  // a WRITE_WITH_IMM consumes a receive of the provider's
  bool data_is_wide = true;              // 64 bits travel with a WRITE_WITH_IMM: the length fits beside the immediate
  Capabilities capabilities;

  static Result<Provider> of(const std::string& name, const fi_info& info);
};

// "ofi+tcp" -> "tcp"; empty when it is no scheme of this backend.
std::string provider_of(std::string_view scheme);

// Parses and checks the scheme, and that there is a host.
Result<Address> parse_ofi_address(std::string_view address, const Provider& provider);

std::string to_text(const void* socket_address, std::size_t length_bytes);  // 10.9.0.1:7472, [fd00::1]:7472

}  // namespace npf::fabric::ofi
