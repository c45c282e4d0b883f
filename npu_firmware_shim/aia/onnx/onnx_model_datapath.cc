#include <utility>

#include "npu_firmware_shim/aia/onnx/onnx_model.h"

namespace npf::aia::onnx {

OrtValue* BoundTensor::bind(std::byte* buffer, OrtStatus*& status) noexcept {
  for (std::size_t looked_at = 0; looked_at < entries_.size(); ++looked_at) {
    const Entry& entry = entries_[expected_];
    expect_next();
    if (entry.buffer == buffer) return entry.value.get();
  }
  const auto extents = info_.shape.extents();
  OrtValue* value = nullptr;
  status = ort_.api->CreateTensorWithDataAsOrtValue(&memory_, buffer, info_.bytes, extents.data(), extents.size(),
                                                    type_, &value);
  if (status != nullptr) return nullptr;
  Entry made{buffer, Handle<OrtValue>(value, {ort_.api->ReleaseValue})};
  if (entries_.size() < entries_.capacity()) {
    entries_.push_back(std::move(made));  // within what was reserved
    expected_ = 0;
  } else {
    entries_[expected_] = std::move(made);
    expect_next();
  }
  return value;
}

Status OnnxModel::execute(Inputs in, Outputs out) noexcept {
  OrtStatus* status = nullptr;
  for (std::size_t i = 0; i < in.size(); ++i) {
    // The API takes inputs as it takes outputs; it does not write them.
    in_.values[i] = in_.tensors[i].bind(const_cast<std::byte*>(in[i].data()), status);
    if (status != nullptr) return failed(status, "binding an input");
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    out_.values[i] = out_.tensors[i].bind(out[i].data(), status);
    if (status != nullptr) return failed(status, "binding an output");
  }
  status = ort_.api->Run(session_.get(), nullptr, in_.names.data(), in_.values.data(), in.size(), out_.names.data(),
                         out.size(), out_.values.data());
  return status == nullptr ? Status::kOk : failed(status, "running a model");
}

Status OnnxModel::failed(OrtStatus* status, const char* doing) noexcept {
  const Handle<OrtStatus> held(status, {ort_.api->ReleaseStatus});
  return fail(status_of(ort_.api->GetErrorCode(status)), "onnxruntime %s: %s: %s", ort_.version.c_str(), doing,
              ort_.api->GetErrorMessage(status));
}

}  // namespace npf::aia::onnx
