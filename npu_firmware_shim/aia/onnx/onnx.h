// ONNX models through ONNX Runtime, which is loaded while the program runs: nothing links it, and a build without its
// headers has this engine too, as a refusal.
#pragma once

#include <memory>
#include <string_view>

#include "npu_firmware_shim/aia/engine.h"

namespace npf::aia::onnx {

inline constexpr std::string_view kEngineName = "onnxruntime";

// kUnsupported where the library cannot be had; the sentence says what was tried and what installs it.
// Threads: any. Blocks: the first time until the library is loaded, about 50 ms. The library stays loaded.
Result<std::unique_ptr<Engine>> open_engine();

}  // namespace npf::aia::onnx
