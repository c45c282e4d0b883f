// Buffers for a model's tensors in a test, and their spans in the arrays that a run takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <vector>

#include "npu_firmware_shim/aia/engine.h"

namespace npf::aia {

inline constexpr std::size_t kBufferAlignment = 64;

struct FreeAligned {
  void operator()(std::byte* memory) const { ::operator delete (memory, std::align_val_t{kBufferAlignment}); }
};

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

// One input and one output buffer for each tensor of a model; outputs begin as 0xcd.
class Buffers {
 public:
  explicit Buffers(const Model& model) {
    for (const TensorInfo& tensor : model.inputs()) inputs_.emplace_back(allocate(tensor.bytes, std::byte{0}));
    for (const TensorInfo& tensor : model.outputs()) outputs_.emplace_back(allocate(tensor.bytes, std::byte{0xcd}));
    read_.assign(inputs_.begin(), inputs_.end());
  }

  Inputs in() const { return read_; }
  Outputs out() const { return outputs_; }
  std::span<std::byte> input(std::size_t i) const { return inputs_[i]; }
  std::span<std::byte> output(std::size_t i) const { return outputs_[i]; }

  template <typename T>
  std::span<T> input_as(std::size_t i) const {
    return {reinterpret_cast<T*>(inputs_[i].data()), inputs_[i].size() / sizeof(T)};
  }
  template <typename T>
  std::span<T> output_as(std::size_t i) const {
    return {reinterpret_cast<T*>(outputs_[i].data()), outputs_[i].size() / sizeof(T)};
  }

  // The outputs one after the other, as a copy.
  std::vector<std::byte> result() const {
    std::vector<std::byte> all;
    for (const auto& output : outputs_) all.insert(all.end(), output.begin(), output.end());
    return all;
  }

  // The same figures for the same seed, in [-1, 1).
  void fill_floats(std::uint32_t seed) const {
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      for (float& value : input_as<float>(i)) {
        seed = seed * 1664525U + 1013904223U;
        value = static_cast<float>(seed >> 8U) / static_cast<float>(1U << 23U) - 1.0F;
      }
    }
  }

 private:
  std::span<std::byte> allocate(std::size_t bytes, std::byte fill) {
    auto* memory = static_cast<std::byte*>(::operator new (bytes, std::align_val_t{kBufferAlignment}));
    memory_.emplace_back(memory);
    std::memset(memory, static_cast<int>(fill), bytes);
    return {memory, bytes};
  }

  std::vector<std::unique_ptr<std::byte, FreeAligned>> memory_;
  std::vector<std::span<std::byte>> inputs_;
  std::vector<std::span<std::byte>> outputs_;
  std::vector<std::span<const std::byte>> read_;
};

// A model of the synthetic engine; its text is right, or the test ends.
inline std::unique_ptr<Model> synthetic_model(std::string_view text) {
  return std::move(open_engine("synthetic").value()->load(bytes_of(text))).value();
}

}  // namespace npf::aia
