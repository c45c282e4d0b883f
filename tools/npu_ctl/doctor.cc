#include "tools/npu_ctl/doctor.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <cstdio>
#include <sstream>

#include "tools/npu_ctl/command.h"
#include "tools/npu_ctl/doctor_output.h"

namespace npf::npu_ctl {

namespace {

namespace po = boost::program_options;

constexpr std::string_view kUsage =
    "npu-ctl doctor [--to ADDRESS]... [--json]\n\n"
    "Shows what this machine has for the fabrics (RDMA devices, ports, GIDs and their limits, libfabric providers, "
    "pinned\n"
    "memory, huge pages, NUMA, kernel modules) and what is missing, why it matters, and the command that mends it.\n"
    "It changes nothing, and it needs neither root nor RDMA.\n\n"
    "ADDRESS is an IP address, or one of a fabric: verbs://10.9.0.1:7472, ofi+tcp://10.9.0.1:7472, shm:/run/npf/npu0.\n"
    "For each: which backend, device and GID would be used and why, and why each other would not.\n\n"
    "Exit code: 0 no problem, 1 a problem (an ADDRESS that cannot be reached, or something that is there and does not\n"
    "work; warnings and notes are none), 2 wrong use.\n";

po::options_description describe_options() {
  po::options_description all("Options");
  auto add = all.add_options();
  add("to", po::value<std::vector<std::string>>()->composing(), "ADDRESS to reach; may be repeated");
  add("json", "one JSON object (schema npu-ctl-doctor/1) in place of the table");
  add("help,h", "this text");
  return all;
}

int usage_error(const std::string& what) {
  std::fprintf(stderr, "npu-ctl doctor: %s\n", what.c_str());
  return kExitUsage;
}

}  // namespace

int run_doctor(int argc, const char* const* argv) {
  const po::options_description options = describe_options();
  po::variables_map values;
  try {
    // No positional argument: an address without --to would look like one that was checked.
    po::store(po::command_line_parser(argc, argv)
                  .options(options)
                  .positional({})
                  .style(po::command_line_style::default_style & ~po::command_line_style::allow_guessing)
                  .run(),
              values);
  } catch (const po::error& error) {
    return usage_error(std::string(error.what()) + "; npu-ctl doctor --help lists what is allowed");
  }
  if (values.count("help") != 0) {
    std::ostringstream text;
    text << kUsage << "\n" << options;
    std::fputs(text.str().c_str(), stdout);
    return kExitFine;
  }
  const auto addresses =
      values.count("to") != 0 ? values["to"].as<std::vector<std::string>>() : std::vector<std::string>();
  const auto facts = gather_facts(SystemTree(), addresses);
  if (!facts.ok()) return usage_error("--to: " + facts.error().message);
  const std::vector<Finding> findings = findings_of(*facts);
  const std::string said = values.count("json") != 0 ? doctor_json(*facts, findings) : doctor_table(*facts, findings);
  std::fputs(said.c_str(), stdout);
  const bool problem = std::ranges::find(findings, Severity::kProblem, &Finding::severity) != findings.end();
  return problem ? kExitProblem : kExitFine;
}

}  // namespace npf::npu_ctl
