// In place of the engine in a build that had no headers of ONNX Runtime.
#include "npu_firmware_shim/aia/onnx/onnx.h"

namespace npf::aia::onnx {

Result<std::unique_ptr<Engine>> open_engine() {
  return Error{Status::kUnsupported,
               "onnxruntime: this build is without it and loads no ONNX model; run scripts/setup --for onnx and build "
               "again"};
}

}  // namespace npf::aia::onnx
