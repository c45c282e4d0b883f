#include "tests/aia/onnx/onnx_builder.h"

namespace npf::aia::onnx {

namespace {

// Source: the wire format of protocol buffers; the numbers of fields are onnx.proto's.
class Message {
 public:
  Message& add(int field, std::int64_t value) {
    put(static_cast<std::uint64_t>(field) << 3U);
    put(static_cast<std::uint64_t>(value));
    return *this;
  }
  Message& add(int field, const std::string& bytes) {
    put(static_cast<std::uint64_t>(field) << 3U | 2U);
    put(bytes.size());
    bytes_ += bytes;
    return *this;
  }
  Message& add(int field, const Message& message) { return add(field, message.bytes_); }
  const std::string& bytes() const { return bytes_; }

 private:
  void put(std::uint64_t value) {
    constexpr std::uint64_t kMore = 0x80;
    for (; value >= kMore; value >>= 7U) bytes_ += static_cast<char>(value | kMore);
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

Message dimension(const Extent& extent) {
  Message message;
  if (const auto* size = std::get_if<std::int64_t>(&extent)) return message.add(1, *size);
  const auto& name = std::get<std::string>(extent);
  return name.empty() ? message : message.add(2, name);
}

Message value_info(const Value& value) {
  Message shape;
  for (const Extent& extent : value.extents) shape.add(1, dimension(extent));
  Message type;
  type.add(1, Message().add(1, std::int64_t{value.type}).add(2, shape));
  if (value.is_sequence) type = Message().add(4, Message().add(1, type));
  return Message().add(1, value.name).add(2, type);
}

Message node_proto(const Node& node) {
  Message message;
  for (const std::string& input : node.inputs) message.add(1, input);
  for (const std::string& output : node.outputs) message.add(2, output);
  message.add(4, node.op);
  if (!node.domain.empty()) message.add(7, node.domain);
  return message;
}

}  // namespace

std::string build_model(const Graph& graph) {
  Message proto;
  for (const Node& node : graph.nodes) proto.add(1, node_proto(node));
  proto.add(2, std::string("test"));
  for (const Value& input : graph.inputs) proto.add(11, value_info(input));
  for (const Value& output : graph.outputs) proto.add(12, value_info(output));
  constexpr std::int64_t kIrVersion = 8;
  return Message().add(1, kIrVersion).add(8, Message().add(2, graph.opset)).add(7, proto).bytes();
}

}  // namespace npf::aia::onnx
