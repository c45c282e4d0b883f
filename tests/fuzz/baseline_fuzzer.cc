// What perftest printed, as somebody kept it: npu-bench --baseline.
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "tools/npu_bench/baseline.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t size) {
  using namespace npf::npu_bench;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  for (const Test test : {Test::kLat, Test::kBw}) {
    const auto baseline = parse_baseline("file", text, test);
    if (!baseline.ok()) continue;
    // What was accepted can be divided by.
    for (const auto& [length, value] : baseline->value_of_bytes) {
      if (length == 0 || !std::isfinite(value) || !(value > 0)) std::abort();
    }
  }
  return 0;
}
