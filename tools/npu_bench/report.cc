#include "tools/npu_bench/report.h"

#include <array>
#include <cstdio>
#include <sstream>

#include "npf_version.h"

namespace npf::npu_bench {

namespace {

std::string text_of(double number) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6g", number);
  return text.data();
}

std::string per_hop(const std::optional<std::uint64_t>& count, double hops) {
  return count && hops > 0 ? text_of(static_cast<double>(*count) / hops) : "null";
}

std::string in_words(const std::string& number, const char* what) {
  return (number == "null" ? "uncounted" : number) + " " + what;
}

// Ours over perftest's: above 1 is slower of a latency, faster of a bandwidth.
std::optional<double> against(const Measured& measured, const std::optional<double>& baseline) {
  if (!baseline) return std::nullopt;
  return (measured.latency ? measured.latency->p50 : measured.bandwidth->gb_per_s) / *baseline;
}

std::string or_else(const std::optional<double>& number, const char* absent) {
  return number ? text_of(*number) : absent;
}

const char* yes_or_no(bool value) { return value ? "true" : "false"; }

std::string share(std::uint64_t part, const fabric::hop::WaitCounters& waits) {
  const std::uint64_t all = waits.spin + waits.yield + waits.sleep;
  return text_of(all == 0 ? 0 : static_cast<double>(part) * 100 / static_cast<double>(all)) + "%";
}

std::string latency_json(const LatencySummary& latency) {
  return "\"one_way_us\":{\"min\":" + text_of(latency.min) + ",\"p50\":" + text_of(latency.p50) +
         ",\"avg\":" + text_of(latency.avg) + ",\"p99\":" + text_of(latency.p99) +
         ",\"p999\":" + text_of(latency.p999) + ",\"max\":" + text_of(latency.max) + "}";
}

std::string bandwidth_json(const BandwidthSummary& bandwidth) {
  return "\"gb_per_s\":" + text_of(bandwidth.gb_per_s) + ",\"gb_per_s_peak\":" + text_of(bandwidth.gb_per_s_peak) +
         ",\"mhops_per_s\":" + text_of(bandwidth.mhops_per_s);
}

}  // namespace

Result<Report> Report::open(const Options& options, std::string backend) {
  Report report(options, std::move(backend));
  report.table_ = options.json_path != "-";
  if (!options.json_path.empty() && options.json_path != "-") {
    report.file_ = std::make_unique<std::ofstream>(options.json_path, std::ios::trunc);
    if (!*report.file_) return system_error("--json: writing '" + options.json_path + "'", errno);
  }
  return report;
}

std::optional<double> Report::baseline_of(const Row& row) const {
  return options_.baseline && row.measured.iterations > 0 ? options_.baseline->value(row.bytes) : std::nullopt;
}

double Report::hops_of(const Row& row) const {
  const double hops_per_iteration = options_.plan.test == Test::kLat ? 2 : 1;
  return static_cast<double>(row.measured.counted) * hops_per_iteration;
}

void Report::print_head(bool in_place) {
  if (!table_ || head_printed_) return;
  head_printed_ = true;
  const Plan& plan = options_.plan;
  const bool lat = plan.test == Test::kLat;
  std::printf("npu-bench %s over %s: %s\n", lat ? "lat" : "bw", backend_.c_str(),
              lat ? "a tensor there and one back; one way = half the round trip" : "one hop, many tensors in flight");
  std::printf("cores %d,%d   wait %s   slots %u   ", plan.cores[0], plan.cores[1],
              std::string(wait_strategy_name(plan.wait)).c_str(), plan.slots);
  if (!lat) std::printf("in flight %u   ", plan.depth_or_slots());
  std::printf("%s   touch %s\n",
              plan.copied ? "sent from a buffer outside the ring"
              : in_place  ? "produced in place"
                          : "produced in a staging ring",
              plan.touch == Touch::kAll ? "all (every byte written and read)"
                                        : "none (from commit to the consumer holding the tensor)");
  if (lat) {
    std::printf("%10s %11s %11s %11s %11s %11s %11s %11s   [usec]", "#bytes", "#iterations", "min", "p50", "avg", "p99",
                "p99.9", "max");
  } else {
    std::printf("%10s %11s %11s %11s [GB/s] %11s [Mhop/s]", "#bytes", "#iterations", "peak", "avg", "rate");
  }
  std::printf("%s\n", options_.baseline ? "    baseline vs baseline" : "");
  std::fflush(stdout);
}

void Report::print(const Row& row) {
  if (row.measured.iterations == 0) return;
  if (table_) print_table_row(row);
  if (!options_.json_path.empty()) write_json(row);
  std::fflush(stdout);
  if (row.counted) {
    total_ = any_row_ ? (total_ += row.counts) : row.counts;
    hops_total_ += hops_of(row);
    any_row_ = true;
  }
}

void Report::print_table_row(const Row& row) {
  const auto bytes = static_cast<unsigned long long>(row.bytes);
  const auto iterations = static_cast<unsigned long long>(row.measured.iterations);
  if (const auto& latency = row.measured.latency) {
    std::printf("%10llu %11llu %11.3f %11.3f %11.3f %11.3f %11.3f %11.3f", bytes, iterations, latency->min,
                latency->p50, latency->avg, latency->p99, latency->p999, latency->max);
  }
  if (const auto& bandwidth = row.measured.bandwidth) {
    std::printf("%10llu %11llu %11.3f %11.3f        %11.3f", bytes, iterations, bandwidth->gb_per_s_peak,
                bandwidth->gb_per_s, bandwidth->mhops_per_s);
  }
  if (options_.baseline) {
    const auto baseline = baseline_of(row);
    std::printf("%21s %11s", or_else(baseline, "-").c_str(), or_else(against(row.measured, baseline), "-").c_str());
  }
  std::printf("\n");
}

void Report::write_json(const Row& row) {
  const Plan& plan = options_.plan;
  const Counts& counts = row.counts;
  const double hops = row.counted ? hops_of(row) : 0;
  const double bytes_per_copy = static_cast<double>(row.bytes);
  std::ostringstream line;
  line << R"({"schema":"npu-bench/1","test":")" << (plan.test == Test::kLat ? "hop_lat" : "hop_bw") << R"(","fabric":")"
       << backend_ << R"(","bytes":)" << row.bytes << R"(,"iterations":)" << row.measured.iterations << ',';
  if (row.measured.latency) line << latency_json(*row.measured.latency);
  if (row.measured.bandwidth) line << bandwidth_json(*row.measured.bandwidth);
  if (options_.baseline) {
    const auto baseline = baseline_of(row);
    line << (row.measured.latency ? R"(,"baseline_us":)" : R"(,"baseline_gb_per_s":)") << or_else(baseline, "null")
         << R"(,"vs_baseline":)" << or_else(against(row.measured, baseline), "null");
  }
  line << R"(,"per_hop":{"copies":)" << per_hop(counts.bytes_copied, hops * bytes_per_copy) << R"(,"allocations":)"
       << per_hop(counts.allocations, hops) << R"(,"syscalls":)" << per_hop(counts.syscalls, hops) << R"(,"wakeups":)"
       << per_hop(counts.wakeups, hops) << R"(},"wait":")" << wait_strategy_name(plan.wait)
       << R"(","waits_ended_by":{"spin":)" << counts.waits.spin << R"(,"yield":)" << counts.waits.yield
       << R"(,"sleep":)" << counts.waits.sleep << R"(},"cores":[)" << plan.cores[0] << ',' << plan.cores[1]
       << R"(],"slots":)" << plan.slots << R"(,"in_flight":)" << (plan.test == Test::kLat ? 1 : plan.depth_or_slots())
       << R"(,"touch":")" << touch_name(plan.touch) << R"(","in_place":)"
       << yes_or_no(row.counts.in_place && !plan.copied) << R"(,"payload_crc":false,"complete":)"
       << yes_or_no(!row.measured.failed) << R"(,"commit":")" << NPF_COMMIT << "\"}\n";
  if (file_) {
    *file_ << line.str() << std::flush;
  } else {
    std::fputs(line.str().c_str(), stdout);
  }
}

void Report::print_foot() {
  if (!total_.why_absent.empty()) std::fprintf(stderr, "npu-bench: %s\n", total_.why_absent.c_str());
  for (const std::string& note : options_.baseline ? options_.baseline->notes : std::vector<std::string>{}) {
    std::fprintf(stderr, "npu-bench: --baseline %s\n", note.c_str());
  }
  if (!table_ || !any_row_) return;
  const auto& waits = total_.waits;
  std::printf("per hop, counted on both sides: %s, %s, %s\n",
              in_words(per_hop(total_.bytes_copied, hops_total_), "bytes copied").c_str(),
              in_words(per_hop(total_.allocations, hops_total_), "allocations").c_str(),
              in_words(per_hop(total_.syscalls, hops_total_), "system calls").c_str());
  std::printf("waits ended by: spin %s, yield %s, sleep %s\n", share(waits.spin, waits).c_str(),
              share(waits.yield, waits).c_str(), share(waits.sleep, waits).c_str());
}

}  // namespace npf::npu_bench
