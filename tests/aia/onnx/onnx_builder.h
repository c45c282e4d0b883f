// Writes small ONNX models for tests: the few fields of onnx.proto that a graph needs, in protobuf's wire format.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace npf::aia::onnx {

// Numbers of TensorProto.DataType.
inline constexpr int kOnnxFloat = 1;
inline constexpr int kOnnxUInt8 = 2;
inline constexpr int kOnnxInt64 = 7;
inline constexpr int kOnnxString = 8;
inline constexpr int kOnnxDouble = 11;
inline constexpr int kOnnxInt4 = 22;

// A size, a name for an open one, or "" for an open one without a name.
using Extent = std::variant<std::int64_t, std::string>;

struct Value {
  std::string name;
  int type = kOnnxFloat;
  std::vector<Extent> extents;
  bool is_sequence = false;
};

struct Node {
  std::string op;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::string domain = {};
};

struct Graph {
  std::vector<Node> nodes;
  std::vector<Value> inputs;
  std::vector<Value> outputs;
  std::int64_t opset = 17;
};

// The bytes of a ModelProto.
std::string build_model(const Graph& graph);

}  // namespace npf::aia::onnx
