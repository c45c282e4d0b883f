#include "npu_firmware_shim/aia/engine.h"

#include <algorithm>

#include "npu_firmware_shim/aia/onnx/onnx.h"
#include "npu_firmware_shim/aia/synthetic/synthetic.h"

namespace npf::aia {

namespace {

struct Entry {
  std::string_view name;
  Result<std::unique_ptr<Engine>> (*open)();
};

// The registry: an engine is a folder and one line here.
constexpr Entry kEngines[] = {
    {onnx::kEngineName, onnx::open_engine},
    {synthetic::kEngineName, synthetic::open_engine},
};

}  // namespace

Model::Model(std::vector<TensorInfo> inputs, std::vector<TensorInfo> outputs)
    : inputs_(std::move(inputs)), outputs_(std::move(outputs)) {}

RunCost Model::cost() const noexcept {
  return {runs_.load(std::memory_order_relaxed), last_ns_.load(std::memory_order_relaxed),
          ewma_ns_.load(std::memory_order_relaxed)};
}

Result<std::unique_ptr<Engine>> open_engine(std::string_view name) {
  std::string known;
  for (const Entry& entry : kEngines) {
    if (entry.name == name) return entry.open();
    known += (known.empty() ? "" : ", ") + std::string(entry.name);
  }
  return Error{Status::kUnsupported, "aia: engine '" + std::string(name) + "' is unknown; there are: " + known};
}

std::string_view engine_name_of(std::span<const std::byte> bytes) {
  const std::string_view prefix = synthetic::kPrefix;
  const bool is_synthetic =
      bytes.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), bytes.begin(),
                                                  [](char a, std::byte b) { return static_cast<std::byte>(a) == b; });
  return is_synthetic ? synthetic::kEngineName : onnx::kEngineName;
}

}  // namespace npf::aia
