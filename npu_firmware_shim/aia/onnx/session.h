// A session of ONNX Runtime over one model, and what its tensors are. Not how it is run: onnx_model.h.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "npu_firmware_shim/aia/engine.h"
#include "npu_firmware_shim/aia/onnx/ort.h"

namespace npf::aia::onnx {

using Session = Handle<OrtSession>;

// One thread, deterministic, denormals as zero. The level of optimisation is the highest at which a model that is cut
// into stages gives the same bits as the whole.
Result<Session> open_session(const Ort& ort, std::span<const std::byte> bytes,
                             std::span<const DimensionSize> dimensions);

enum class Side : std::uint8_t { kInput, kOutput };

// One tensor as the library tells it.
struct Described {
  std::string name;
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  std::vector<std::int64_t> extents;    // -1 where open
  std::vector<std::string> dimensions;  // names of the open ones; empty for fixed and for nameless ones
};

// kUnsupported: an input or output that is no tensor, or of more than Shape::kRankMax dimensions.
Result<std::vector<Described>> describe(const Ort& ort, OrtSession& session, Side side);

// The element type that both sides know; kUnsupported for strings and for types of less than a byte.
Result<DType> dtype_of(const Described& tensor);

}  // namespace npf::aia::onnx
