// A loaded ONNX model.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "npu_firmware_shim/aia/onnx/bound_tensor.h"
#include "npu_firmware_shim/aia/onnx/session.h"

namespace npf::aia::onnx {

// Threads, Blocks: as Model. Owns: the session. The library allocates while it runs: about twenty small pieces a run.
class OnnxModel final : public Model {
 public:
  // Engine::load, over a given library.
  static Result<std::unique_ptr<Model>> load(const Ort& ort, std::span<const std::byte> bytes,
                                             const LoadOptions& options);

 private:
  struct Parts {
    Session session;
    Handle<OrtMemoryInfo> memory;
    std::vector<TensorInfo> inputs;
    std::vector<TensorInfo> outputs;
    std::vector<ONNXTensorElementDataType> input_types;
    std::vector<ONNXTensorElementDataType> output_types;
  };
  // All that run() hands over for one side, in arrays as the C API wants them.
  struct Bindings {
    std::vector<BoundTensor> tensors;
    std::vector<const char*> names;
    std::vector<OrtValue*> values;
  };

  static Result<Parts> open(const Ort& ort, std::span<const std::byte> bytes, const LoadOptions& options);

  OnnxModel(const Ort& ort, Parts parts, std::size_t buffers_max);
  Bindings make_bindings(std::span<const TensorInfo> tensors, std::span<const ONNXTensorElementDataType> types,
                         std::size_t buffers_max) const;
  Status execute(Inputs in, Outputs out) noexcept override;
  Status failed(OrtStatus* status, const char* doing) noexcept;

  const Ort& ort_;
  const Session session_;
  const Handle<OrtMemoryInfo> memory_;
  Bindings in_;
  Bindings out_;
};

}  // namespace npf::aia::onnx
