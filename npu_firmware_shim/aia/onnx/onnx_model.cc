#include "npu_firmware_shim/aia/onnx/onnx_model.h"

#include "npu_firmware_shim/aia/onnx/onnx.h"
#include "npu_firmware_shim/aia/onnx/signature.h"

namespace npf::aia::onnx {

namespace {

struct Signature {
  std::vector<Described> inputs;
  std::vector<Described> outputs;
};

Result<Signature> describe_both(const Ort& ort, OrtSession& session) {
  auto inputs = describe(ort, session, Side::kInput);
  if (!inputs.ok()) return inputs.error();
  auto outputs = describe(ort, session, Side::kOutput);
  if (!outputs.ok()) return outputs.error();
  return Signature{std::move(*inputs), std::move(*outputs)};
}

// Sizes that are given vanish from what the library then describes, so the names are looked at in a session without.
Result<Signature> describe_open(const Ort& ort, std::span<const std::byte> bytes,
                                std::span<const DimensionSize> dimensions) {
  auto session = open_session(ort, bytes, {});
  if (!session.ok()) return session.error();
  auto open = describe_both(ort, **session);
  if (!open.ok()) return open.error();
  std::vector<Described> all = open->inputs;
  all.insert(all.end(), open->outputs.begin(), open->outputs.end());
  if (auto checked = check_dimensions(all, dimensions); !checked.ok()) return checked.error();
  return open;
}

std::vector<ONNXTensorElementDataType> types_of(std::span<const Described> tensors) {
  std::vector<ONNXTensorElementDataType> types;
  for (const Described& tensor : tensors) types.push_back(tensor.type);
  return types;
}

class OnnxEngine final : public Engine {
 public:
  explicit OnnxEngine(const Ort& ort) : ort_(ort) {}
  std::string_view name() const override { return kEngineName; }
  Result<std::unique_ptr<Model>> load(std::span<const std::byte> bytes, const LoadOptions& options) override {
    return OnnxModel::load(ort_, bytes, options);
  }

 private:
  const Ort& ort_;
};

}  // namespace

Result<std::unique_ptr<Engine>> open_engine() {
  const auto library = ort();
  if (!library.ok()) return library.error();
  return std::unique_ptr<Engine>(std::make_unique<OnnxEngine>(**library));
}

Result<OnnxModel::Parts> OnnxModel::open(const Ort& ort, std::span<const std::byte> bytes, const LoadOptions& options) {
  if (!options.dimensions.empty()) {
    if (auto open = describe_open(ort, bytes, options.dimensions); !open.ok()) return open.error();
  }
  auto session = open_session(ort, bytes, options.dimensions);
  if (!session.ok()) return session.error();
  const auto described = describe_both(ort, **session);
  if (!described.ok()) return described.error();
  auto inputs = fix_shapes(described->inputs, options.dimensions);
  if (!inputs.ok()) return inputs.error();
  auto outputs = fix_shapes(described->outputs, options.dimensions);
  if (!outputs.ok()) return outputs.error();
  OrtMemoryInfo* memory = nullptr;
  const auto made = checked(ort, ort.api->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &memory),
                            "describing the host's memory");
  if (!made.ok()) return made.error();
  return Parts{std::move(*session),         Handle<OrtMemoryInfo>(memory, {ort.api->ReleaseMemoryInfo}),
               std::move(*inputs),          std::move(*outputs),
               types_of(described->inputs), types_of(described->outputs)};
}

Result<std::unique_ptr<Model>> OnnxModel::load(const Ort& ort, std::span<const std::byte> bytes,
                                               const LoadOptions& options) {
  if (bytes.empty()) {
    return Error{Status::kInvalidArgument, "onnxruntime: 0 bytes are no model; give the bytes of an ONNX file"};
  }
  if (options.buffers_max == 0) {
    return Error{Status::kInvalidArgument, "onnxruntime: buffers_max is 0; give the number of slots of the ring"};
  }
  auto parts = open(ort, bytes, options);
  if (!parts.ok()) return parts.error();
  return std::unique_ptr<Model>(new OnnxModel(ort, std::move(*parts), options.buffers_max));
}

OnnxModel::OnnxModel(const Ort& ort, Parts parts, std::size_t buffers_max)
    : Model(std::move(parts.inputs), std::move(parts.outputs)),
      ort_(ort),
      session_(std::move(parts.session)),
      memory_(std::move(parts.memory)),
      in_(make_bindings(inputs(), parts.input_types, buffers_max)),
      out_(make_bindings(outputs(), parts.output_types, buffers_max)) {}

OnnxModel::Bindings OnnxModel::make_bindings(std::span<const TensorInfo> tensors,
                                             std::span<const ONNXTensorElementDataType> types,
                                             std::size_t buffers_max) const {
  Bindings bindings;
  bindings.tensors.reserve(tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    bindings.tensors.emplace_back(ort_, *memory_, tensors[i], types[i], buffers_max);
    bindings.names.push_back(tensors[i].name.c_str());
  }
  bindings.values.resize(tensors.size());
  return bindings;
}

}  // namespace npf::aia::onnx
