#include "npu_firmware_shim/aia/onnx/session.h"

#include "npu_firmware_shim/aia/denormals.h"

namespace npf::aia::onnx {

namespace {

using Options = Handle<OrtSessionOptions>;

// Runs the calls in order and keeps the first failure.
class Calls {
 public:
  Calls(const Ort& ort, std::string_view doing) : ort_(ort), doing_(doing) {}
  Calls& then(OrtStatus* status) {
    auto result = checked(ort_, status, doing_);
    if (first_.ok()) first_ = std::move(result);
    return *this;
  }
  const Result<void>& first() const { return first_; }

 private:
  const Ort& ort_;
  std::string_view doing_;
  Result<void> first_;
};

Result<Options> make_options(const Ort& ort, std::span<const DimensionSize> dimensions) {
  const OrtApi& api = *ort.api;
  Calls calls(ort, "session options");
  OrtSessionOptions* raw = nullptr;
  if (const auto& made = calls.then(api.CreateSessionOptions(&raw)).first(); !made.ok()) return made.error();
  Options options(raw, {api.ReleaseSessionOptions});
  calls.then(api.SetIntraOpNumThreads(raw, 1))
      .then(api.SetInterOpNumThreads(raw, 1))
      .then(api.SetSessionExecutionMode(raw, ORT_SEQUENTIAL))
      .then(api.SetSessionGraphOptimizationLevel(raw, ORT_ENABLE_EXTENDED))
      .then(api.SetDeterministicCompute(raw, true))
      .then(api.SetSessionLogSeverityLevel(raw, ORT_LOGGING_LEVEL_ERROR))
      .then(api.AddSessionConfigEntry(raw, "session.set_denormal_as_zero", "1"))
      .then(api.AddSessionConfigEntry(raw, "session.intra_op.allow_spinning", "0"))
      .then(api.AddSessionConfigEntry(raw, "session.inter_op.allow_spinning", "0"));
  for (const DimensionSize& dimension : dimensions) {
    calls.then(api.AddFreeDimensionOverrideByName(raw, dimension.name.c_str(), dimension.size));
  }
  if (!calls.first().ok()) return calls.first().error();
  return options;
}

// The status, and what the library's own words leave out. kSystem is what it calls a plain failure: a version of the
// format that it does not know, say.
Error explained(Error error, std::size_t bytes) {
  if (error.status == Status::kInvalidArgument) {
    error.message += " (" + std::to_string(bytes) + " bytes: truncated, damaged, or no ONNX model; compare its sum)";
  } else {
    error.status = Status::kUnsupported;
    error.message += " (this library cannot run the model; export it for an opset and operators that it has)";
  }
  return error;
}

Result<std::string> name_of(const Ort& ort, OrtSession& session, Side side, std::size_t index) {
  const OrtApi& api = *ort.api;
  OrtAllocator* allocator = nullptr;
  Calls calls(ort, "reading a name");
  calls.then(api.GetAllocatorWithDefaultOptions(&allocator));
  if (!calls.first().ok()) return calls.first().error();
  char* text = nullptr;
  const auto get = side == Side::kInput ? api.SessionGetInputName : api.SessionGetOutputName;
  calls.then(get(&session, index, allocator, &text));
  if (!calls.first().ok()) return calls.first().error();
  std::string name = text;
  calls.then(api.AllocatorFree(allocator, text));
  if (!calls.first().ok()) return calls.first().error();
  return name;
}

Result<Described> read_tensor(const Ort& ort, const OrtTypeInfo& type, std::string name) {
  const OrtApi& api = *ort.api;
  const OrtTensorTypeAndShapeInfo* tensor = nullptr;  // the type info's own
  Calls calls(ort, "reading tensor '" + name + "'");
  calls.then(api.CastTypeInfoToTensorInfo(&type, &tensor));
  if (!calls.first().ok()) return calls.first().error();
  if (tensor == nullptr) {
    return Error{Status::kUnsupported, "onnxruntime: '" + name +
                                           "' is a sequence, a map or an optional; only tensors "
                                           "travel, so export the model with tensors as inputs and outputs"};
  }
  Described described{.name = std::move(name)};
  std::size_t rank = 0;
  calls.then(api.GetTensorElementType(tensor, &described.type)).then(api.GetDimensionsCount(tensor, &rank));
  described.extents.resize(rank);
  std::vector<const char*> names(rank);
  calls.then(api.GetDimensions(tensor, described.extents.data(), rank))
      .then(api.GetSymbolicDimensions(tensor, names.data(), rank));
  if (!calls.first().ok()) return calls.first().error();
  described.dimensions.assign(names.begin(), names.end());
  return described;
}

}  // namespace

Result<Session> open_session(const Ort& ort, std::span<const std::byte> bytes,
                             std::span<const DimensionSize> dimensions) {
  auto options = make_options(ort, dimensions);
  if (!options.ok()) return options.error();
  // A session sets or clears denormals-as-zero on the thread that makes it, which is not the one that runs it.
  const FloatControlKept kept;
  OrtSession* session = nullptr;
  const auto opened = checked(
      ort, ort.api->CreateSessionFromArray(ort.environment, bytes.data(), bytes.size(), options->get(), &session),
      "loading a model");
  if (!opened.ok()) return explained(opened.error(), bytes.size());
  return Session(session, {ort.api->ReleaseSession});
}

Result<std::vector<Described>> describe(const Ort& ort, OrtSession& session, Side side) {
  const OrtApi& api = *ort.api;
  const bool is_input = side == Side::kInput;
  std::size_t count = 0;
  Calls calls(ort, is_input ? "reading the inputs" : "reading the outputs");
  calls.then((is_input ? api.SessionGetInputCount : api.SessionGetOutputCount)(&session, &count));
  std::vector<Described> tensors;
  for (std::size_t i = 0; i < count; ++i) {
    auto name = name_of(ort, session, side, i);
    if (!name.ok()) return name.error();
    OrtTypeInfo* raw = nullptr;
    calls.then((is_input ? api.SessionGetInputTypeInfo : api.SessionGetOutputTypeInfo)(&session, i, &raw));
    if (!calls.first().ok()) return calls.first().error();
    const Handle<OrtTypeInfo> type(raw, {api.ReleaseTypeInfo});
    auto tensor = read_tensor(ort, *type, std::move(*name));
    if (!tensor.ok()) return tensor.error();
    tensors.push_back(std::move(*tensor));
  }
  if (!calls.first().ok()) return calls.first().error();
  return tensors;
}

Result<DType> dtype_of(const Described& tensor) {
  switch (tensor.type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT: return DType{DTypeCode::kFloat, 32};
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE: return DType{DTypeCode::kFloat, 64};
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16: return DType{DTypeCode::kFloat, 16};
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16: return DType{DTypeCode::kBfloat, 16};
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8: return DType{DTypeCode::kUInt, 8};
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16: return DType{DTypeCode::kUInt, 16};
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32: return DType{DTypeCode::kUInt, 32};
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64: return DType{DTypeCode::kUInt, 64};
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8: return DType{DTypeCode::kInt, 8};
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16: return DType{DTypeCode::kInt, 16};
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32: return DType{DTypeCode::kInt, 32};
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64: return DType{DTypeCode::kInt, 64};
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL: return DType{DTypeCode::kBool, 8};
    default: break;
  }
  const bool is_string = tensor.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING;
  return Error{Status::kUnsupported, "onnxruntime: '" + tensor.name + "' has " +
                                         (is_string ? "strings" : "ONNX type " + std::to_string(tensor.type)) +
                                         " as elements, which do not travel; cast them in the model to numbers of 8 to "
                                         "64 bits"};
}

}  // namespace npf::aia::onnx
