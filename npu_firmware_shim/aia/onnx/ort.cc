#include "npu_firmware_shim/aia/onnx/ort.h"

#include <dlfcn.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <vector>

#include "base/log.h"

namespace npf::aia::onnx {

namespace {

// The version that scripts/setup pins; its folder is named for it.
constexpr std::string_view kFetched = "/npf/onnxruntime/1.26.0/lib/libonnxruntime.so";

std::string environment_or(const char* name, std::string otherwise) {
  const char* const value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : std::move(otherwise);
}

std::vector<std::string> candidates() {
  if (std::string chosen = environment_or("NPF_ONNXRUNTIME", ""); !chosen.empty()) return {std::move(chosen)};
  std::vector<std::string> names{"libonnxruntime.so.1", "libonnxruntime.so"};
  const std::string home = environment_or("HOME", "");
  const std::string cache = environment_or("XDG_CACHE_HOME", home.empty() ? "" : home + "/.cache");
  if (!cache.empty()) names.push_back(cache + std::string(kFetched));
  return names;
}

Error unusable(const std::string& path, const std::string& why) {
  return {Status::kUnsupported, "onnxruntime: " + path + " " + why +
                                    "; set NPF_ONNXRUNTIME to a library of version 1." + std::to_string(kApiVersion) +
                                    " or later, or run scripts/setup --for onnx"};
}

// To our sink: the library would write to stderr. Only errors come; what a caller has to know is in its status too.
void ORT_API_CALL pass_on(void* /*parameter*/, OrtLoggingLevel /*severity*/, const char* /*category*/,
                          const char* /*log_id*/, const char* location, const char* message) noexcept {
  std::array<char, 1024> line{};
  std::snprintf(line.data(), line.size(), "onnxruntime: %s (%s)", message, location);
  log(LogLevel::kError, line.data());
}

Result<Ort> initialise(void* library, const std::string& path) {
  using GetApiBase = const OrtApiBase*(ORT_API_CALL*)() NO_EXCEPTION;
  const auto get_api_base = reinterpret_cast<GetApiBase>(::dlsym(library, "OrtGetApiBase"));
  if (get_api_base == nullptr) return unusable(path, "has no function OrtGetApiBase: it is no ONNX Runtime");
  const OrtApiBase* const base = get_api_base();
  Ort found{base->GetApi(kApiVersion), nullptr, base->GetVersionString(), path};
  if (found.api == nullptr) return unusable(path, "is version " + found.version + ", which is too old");
  // Some builds of later versions report to their maker by default; before the environment is made they can be told.
  ::setenv("ORT_DISABLE_TELEMETRY", "1", 1);
  auto made = checked(
      found, found.api->CreateEnvWithCustomLogger(pass_on, nullptr, ORT_LOGGING_LEVEL_ERROR, "npf", &found.environment),
      "making an environment");
  if (!made.ok()) return made.error();
  return found;
}

Result<Ort> load_library() {
  std::string tried;
  const std::vector<std::string> names = candidates();
  for (const std::string& name : names) {
    void* const library = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library != nullptr) return initialise(library, name);
    const char* const why = ::dlerror();
    tried += (tried.empty() ? "" : "; ") + (why != nullptr ? std::string(why) : name);
  }
  return Error{Status::kUnsupported,
               "onnxruntime: the library is not here, so no ONNX model can be loaded (" + tried +
                   "); run scripts/setup --for onnx, or set NPF_ONNXRUNTIME to the path of libonnxruntime.so"};
}

}  // namespace

Result<const Ort*> ort() {
  static std::mutex mutex;
  static const Ort* loaded = nullptr;
  const std::lock_guard lock(mutex);
  if (loaded == nullptr) {
    auto library = load_library();
    if (!library.ok()) return library.error();
    loaded = new Ort(std::move(*library));  // never deleted: models may outlive static destructors
  }
  return loaded;
}

Status status_of(OrtErrorCode code) noexcept {
  switch (code) {
    case ORT_INVALID_ARGUMENT:
    case ORT_NO_MODEL:
    case ORT_INVALID_PROTOBUF: return Status::kInvalidArgument;
    case ORT_INVALID_GRAPH:
    case ORT_NOT_IMPLEMENTED: return Status::kUnsupported;
    default: return Status::kSystem;
  }
}

Result<void> checked(const Ort& ort, OrtStatus* status, std::string_view doing) {
  if (status == nullptr) return {};
  const Handle<OrtStatus> held(status, {ort.api->ReleaseStatus});
  return Error{status_of(ort.api->GetErrorCode(status)),
               "onnxruntime " + ort.version + ": " + std::string(doing) + ": " + ort.api->GetErrorMessage(status)};
}

}  // namespace npf::aia::onnx
