#include "npu_firmware_shim/aia/onnx/signature.h"

#include <algorithm>
#include <set>

namespace npf::aia::onnx {

namespace {

const DimensionSize* find(std::span<const DimensionSize> dimensions, const std::string& name) {
  const auto found = std::find_if(dimensions.begin(), dimensions.end(),
                                  [&](const DimensionSize& dimension) { return dimension.name == name; });
  return found == dimensions.end() ? nullptr : &*found;
}

std::set<std::string> open_names(std::span<const Described> tensors) {
  std::set<std::string> names;
  for (const Described& tensor : tensors) names.insert(tensor.dimensions.begin(), tensor.dimensions.end());
  names.erase("");
  return names;
}

std::string joined(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "'" : ", '") + name + "'";
  return text.empty() ? "none" : text;
}

Error still_open(const Described& tensor, std::size_t place) {
  const std::string& name = tensor.dimensions[place];
  const std::string where = "dimension " + std::to_string(place) + " of '" + tensor.name + "'";
  if (!name.empty()) {
    return {Status::kInvalidArgument,
            "onnxruntime: " + where + " is open; give a size for '" + name + "' when loading"};
  }
  return {Status::kInvalidArgument,
          "onnxruntime: " + where + " is open and has no name; export the model with a size or a name there"};
}

}  // namespace

Result<void> check_dimensions(std::span<const Described> tensors, std::span<const DimensionSize> dimensions) {
  const std::set<std::string> names = open_names(tensors);
  std::set<std::string> given;
  for (const DimensionSize& dimension : dimensions) {
    if (dimension.size < 1) {
      return Error{Status::kInvalidArgument, "onnxruntime: size " + std::to_string(dimension.size) +
                                                 " for dimension '" + dimension.name + "'; give 1 or more"};
    }
    if (!names.contains(dimension.name)) {
      return Error{Status::kInvalidArgument,
                   "onnxruntime: the model has no open dimension '" + dimension.name + "'; open are: " + joined(names)};
    }
    if (!given.insert(dimension.name).second) {
      return Error{Status::kInvalidArgument, "onnxruntime: dimension '" + dimension.name + "' has two sizes; give one"};
    }
  }
  return {};
}

Result<std::vector<TensorInfo>> fix_shapes(std::span<const Described> tensors,
                                           std::span<const DimensionSize> dimensions) {
  std::vector<TensorInfo> fixed;
  for (const Described& tensor : tensors) {
    const auto dtype = dtype_of(tensor);
    if (!dtype.ok()) return dtype.error();
    std::vector<std::int64_t> extents = tensor.extents;
    for (std::size_t place = 0; place < extents.size(); ++place) {
      if (extents[place] >= 0) continue;
      const DimensionSize* const given = find(dimensions, tensor.dimensions[place]);
      if (given == nullptr) return still_open(tensor, place);
      extents[place] = given->size;
    }
    const auto shape = Shape::make(extents);
    if (!shape.ok()) return Error{shape.status(), shape.error().message + " ('" + tensor.name + "')"};
    auto info = TensorInfo::make(tensor.name, *dtype, *shape);
    if (!info.ok()) return info.error();
    fixed.push_back(std::move(*info));
  }
  return fixed;
}

}  // namespace npf::aia::onnx
