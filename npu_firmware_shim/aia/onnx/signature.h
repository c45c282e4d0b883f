// The fixed inputs and outputs of a model: what the library describes, with the open dimensions closed.
#pragma once

#include <span>
#include <vector>

#include "npu_firmware_shim/aia/onnx/session.h"

namespace npf::aia::onnx {

// Each size is 1 or more, each name given once, and one that some tensor of the model leaves open.
Result<void> check_dimensions(std::span<const Described> tensors, std::span<const DimensionSize> dimensions);

// kInvalidArgument names the dimension that is still open. kUnsupported: what does not travel.
Result<std::vector<TensorInfo>> fix_shapes(std::span<const Described> tensors,
                                           std::span<const DimensionSize> dimensions);

}  // namespace npf::aia::onnx
