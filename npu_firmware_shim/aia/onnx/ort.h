// ONNX Runtime's C API as this project uses it: the library, its handles, its errors.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#define ORT_API_MANUAL_INIT  // NOLINT(readability-identifier-naming): the header's name; no symbol of it is linked
#include <onnxruntime_c_api.h>

#include "base/result.h"

namespace npf::aia::onnx {

// The version that first had all we call. The table of functions only grows, so any later library serves it, and one
// build runs with all of them.
inline constexpr std::uint32_t kApiVersion = 17;
static_assert(ORT_API_VERSION >= kApiVersion, "these headers of ONNX Runtime are too old; 1.17 or later is needed");

// The loaded library. Lifetime: of the process; the library's own threads and tables do not survive being unloaded.
struct Ort {
  const OrtApi* api = nullptr;
  OrtEnv* environment = nullptr;
  std::string version;
  std::string path;  // as it was found
};

// Loads it at the first call that succeeds; until then each call tries anew. Tried are, in this order:
//   $NPF_ONNXRUNTIME, which is then the only one; the system's; what scripts/setup fetched.
// Threads: any. Blocks: about 50 ms for the loading.
Result<const Ort*> ort();

template <typename T>
struct Release {
  void(ORT_API_CALL* function)(T*) = nullptr;
  void operator()(T* handle) const noexcept { function(handle); }
};
template <typename T>
using Handle = std::unique_ptr<T, Release<T>>;

// Takes what a call of the API returned. A failure has the library's version and text, and "doing".
Result<void> checked(const Ort& ort, OrtStatus* status, std::string_view doing);

// What our caller has to make of the library's code.
Status status_of(OrtErrorCode code) noexcept;

}  // namespace npf::aia::onnx
