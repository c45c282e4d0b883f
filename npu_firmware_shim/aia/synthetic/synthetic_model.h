// The model that a synthetic description stands for.
#pragma once

#include "npu_firmware_shim/aia/synthetic/synthetic.h"

namespace npf::aia::synthetic {

// Threads, Blocks: as Model. Owns: nothing.
class SyntheticModel final : public Model {
 public:
  SyntheticModel(const Description& description, TensorInfo input, TensorInfo output)
      : Model({std::move(input)}, {std::move(output)}), description_(description) {}

 private:
  Status execute(Inputs in, Outputs out) noexcept override;

  const Description description_;
};

}  // namespace npf::aia::synthetic
