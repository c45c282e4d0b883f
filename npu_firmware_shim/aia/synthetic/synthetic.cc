#include "npu_firmware_shim/aia/synthetic/synthetic.h"

#include <charconv>
#include <string>
#include <vector>

#include "npu_firmware_shim/aia/synthetic/synthetic_model.h"

namespace npf::aia::synthetic {

namespace {

constexpr std::string_view kForm = "synthetic:BYTES:MICROSECONDS[:KEY[:all|edges]]";
// A model's text is short; what is longer is not quoted, and not looked at.
constexpr std::size_t kTextBytesMax = 128;

Error wrong(const std::string& what) {
  return {Status::kInvalidArgument, "synthetic: " + what + "; write " + std::string(kForm)};
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::size_t colon = 0; colon != std::string_view::npos; text.remove_prefix(colon + 1)) {
    colon = text.find(':');
    parts.push_back(text.substr(0, colon));
    if (colon == std::string_view::npos) break;
  }
  return parts;
}

Result<std::uint64_t> number(std::string_view name, std::string_view text, std::uint64_t lowest,
                             std::uint64_t highest) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || value < lowest || value > highest) {
    return wrong(std::string(name) + " is '" + std::string(text) + "', not a number from " + std::to_string(lowest) +
                 " to " + std::to_string(highest));
  }
  return value;
}

class SyntheticEngine final : public Engine {
 public:
  std::string_view name() const override { return kEngineName; }

  Result<std::unique_ptr<Model>> load(std::span<const std::byte> bytes, const LoadOptions& options) override {
    const auto description = parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    if (!description.ok()) return description.error();
    if (!options.dimensions.empty()) {
      return Error{Status::kInvalidArgument, "synthetic: a size for dimension '" + options.dimensions[0].name +
                                                 "', but no dimension is open here; leave it out"};
    }
    const std::int64_t extents[] = {static_cast<std::int64_t>(description->bytes)};
    const auto shape = Shape::make(extents);
    if (!shape.ok()) return shape.error();
    auto input = TensorInfo::make("input", kUInt8, *shape);
    auto output = TensorInfo::make("output", kUInt8, *shape);
    if (!input.ok()) return input.error();
    if (!output.ok()) return output.error();
    return std::unique_ptr<Model>(
        std::make_unique<SyntheticModel>(*description, std::move(*input), std::move(*output)));
  }
};

}  // namespace

Result<Description> parse(std::string_view text) {
  if (text.size() > kTextBytesMax) return wrong("a text of " + std::to_string(text.size()) + " bytes");
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);  // a file's last line
  const auto parts = split(text);
  constexpr std::size_t kPartsMin = 3;
  constexpr std::size_t kPartsMax = 5;
  if (parts[0] != kEngineName || parts.size() < kPartsMin || parts.size() > kPartsMax) {
    return wrong("'" + std::string(text) + "' has another form");
  }
  const auto bytes = number("BYTES", parts[1], 1, kBytesMax);
  if (!bytes.ok()) return bytes.error();
  const auto busy_us = number("MICROSECONDS", parts[2], 0, kMicrosecondsMax);
  if (!busy_us.ok()) return busy_us.error();
  const auto key = number("KEY", parts.size() > 3 ? parts[3] : "0", 0, UINT8_MAX);
  if (!key.ok()) return key.error();
  const std::string_view extent = parts.size() > 4 ? parts[4] : "all";
  if (extent != "all" && extent != "edges") return wrong("'" + std::string(extent) + "' is neither all nor edges");
  return Description{*bytes, *busy_us, static_cast<std::uint8_t>(*key),
                     extent == "all" ? Extent::kAll : Extent::kEdges};
}

Result<std::unique_ptr<Engine>> open_engine() { return std::unique_ptr<Engine>(std::make_unique<SyntheticEngine>()); }

}  // namespace npf::aia::synthetic
