#include "tools/npu_ctl/doctor_findings.h"

#include <algorithm>

namespace npf::npu_ctl {

namespace {

constexpr std::uint64_t kMebibyte = 1U << 20U;
// 16 slots of 64 MiB, the largest ring that `npu-bench lat --all` registers on a side.
constexpr std::uint64_t kMemlockWantedBytes = 1024 * kMebibyte;

std::string mebibytes(std::uint64_t bytes) { return std::to_string(bytes / kMebibyte) + " MiB"; }

std::string mend_build(const fabric::BackendPresence& backend) {
  std::string packages = backend.package;
  constexpr std::string_view kAnd = " and ";
  if (const auto found = packages.find(kAnd); found != std::string::npos) packages.replace(found, kAnd.size(), " ");
  return "apt-get install pkg-config " + packages + " && cmake --workflow --preset release";
}

std::string mend_memlock(const Facts& facts) {
  if (facts.in_container) return "docker run --ulimit memlock=-1 ...";
  if (!facts.memory.memlock_hard_bytes) return "ulimit -l unlimited";
  return "echo '* - memlock unlimited' > /etc/security/limits.d/90-npf.conf   # then log in again; of a systemd unit: "
         "LimitMEMLOCK=infinity";
}

void find_memlock(const Facts& facts, std::vector<Finding>& findings) {
  const auto& limit = facts.memory.memlock_soft_bytes;
  if (facts.memory.may_lock_any || !limit) {
    const char* value = limit ? "unlimited (CAP_IPC_LOCK; the limit would be " : "unlimited";
    findings.push_back({Severity::kOk, "memlock", value + (limit ? mebibytes(*limit) + ")" : std::string()),
                        "registered memory is pinned, and no limit holds for that here", ""});
    return;
  }
  const bool enough = *limit >= kMemlockWantedBytes;
  // Shared memory and TCP pin nothing.
  const bool matters = !facts.survey.rdma.devices.empty();
  findings.push_back({enough    ? Severity::kOk
                      : matters ? Severity::kWarning
                                : Severity::kNote,
                      "memlock", mebibytes(*limit) + ", " + mebibytes(facts.memory.pinned_bytes) + " of them pinned",
                      "RDMA pins what it registers, each registration anew; beyond the limit registering fails with "
                      "'Cannot allocate memory'",
                      enough ? "" : mend_memlock(facts)});
}

void find_huge_pages(const Facts& facts, std::vector<Finding>& findings) {
  constexpr std::uint64_t kSmall = 2 * kMebibyte;
  const auto pages = std::ranges::find(facts.huge_pages, kSmall, &HugePages::page_bytes);
  if (pages == facts.huge_pages.end()) return;
  const std::string value =
      "2 MiB: " + std::to_string(pages->free) + " free of " + std::to_string(pages->total) +
      "; transparent: " + (facts.transparent_huge_pages.empty() ? "not in this kernel" : facts.transparent_huge_pages);
  const std::string why =
      "verbs takes its regions of 2 MiB and more from free huge pages: fewer pages to pin and for a NIC to translate; "
      "without them it takes ordinary ones";
  const bool matters = !facts.survey.rdma.devices.empty() && pages->free == 0;
  findings.push_back(
      {matters ? Severity::kNote : Severity::kOk, "huge-pages", value, why,
       matters ? "sysctl vm.nr_hugepages=" + std::to_string(pages->total + kMemlockWantedBytes / kSmall) : ""});
}

}  // namespace

std::string_view severity_name(Severity severity) {
  switch (severity) {
    case Severity::kOk: return "ok";
    case Severity::kNote: return "note";
    case Severity::kWarning: return "warning";
    case Severity::kProblem: return "problem";
  }
  return "unknown";
}

void find_in_build(const Facts& facts, std::vector<Finding>& findings) {
  std::string built;
  for (const auto& backend : facts.survey.backends) {
    if (backend.is_built) {
      built += (built.empty() ? "" : ", ") + backend.scheme;
      continue;
    }
    findings.push_back(
        {Severity::kWarning, "backend-" + backend.scheme, "not in this build",
         "addresses of " + backend.scheme + " cannot be opened until it is built with " + backend.package,
         mend_build(backend)});
  }
  findings.push_back({Severity::kOk, "backends", built, "addresses of these can be opened by this build", ""});
  const auto& ofi = facts.survey.ofi;
  const auto is_tcp = [](const auto& provider) { return provider.name == "tcp"; };
  const bool is_built = std::ranges::any_of(facts.survey.backends,
                                            [](const auto& each) { return each.scheme == "ofi" && each.is_built; });
  if (is_built && !std::ranges::any_of(ofi.providers, is_tcp)) {
    findings.push_back({Severity::kWarning, "provider-tcp", ofi.why_empty.empty() ? "not there" : ofi.why_empty,
                        "ofi+tcp, the way between hosts without RDMA, needs libfabric's provider tcp",
                        "apt-get install --reinstall libfabric1 && unset FI_PROVIDER && fi_info -p tcp"});
  }
}

void find_in_memory(const Facts& facts, std::vector<Finding>& findings) {
  find_memlock(facts, findings);
  find_huge_pages(facts, findings);
}

namespace {

// A netdev that the route leaves by and that no RDMA device lies over can have a soft one.
std::string mend_path(const Facts& facts, const fabric::AddressAnswer& answer) {
  const auto& devices = facts.survey.rdma.devices;
  const auto scheme = answer.backend.substr(0, answer.backend.find('+'));
  const auto backend = std::ranges::find(facts.survey.backends, scheme, &fabric::BackendPresence::scheme);
  if (backend != facts.survey.backends.end() && !backend->is_built) return mend_build(*backend);
  if (answer.backend != "verbs") return "";
  if (devices.empty()) return missing_rdma(facts).mend;
  // A device that cannot be used may be the very one: its own finding says what to do.
  if (std::ranges::any_of(devices, [](const auto& device) { return !device.problem.empty(); })) return "";
  if (!answer.rdma || !answer.rdma->route) return "";
  const NetDevice& netdev = answer.rdma->route->device;
  const auto lies_over_it = [&](const fabric::RdmaPort& port) {
    return std::ranges::find(port.netdevs, netdev.name) != port.netdevs.end();
  };
  const auto has_it = [&](const auto& device) { return std::ranges::any_of(device.ports, lies_over_it); };
  if (netdev.is_loopback || std::ranges::any_of(devices, has_it)) return "";
  return "rdma link add rxe_" + netdev.name + " type rxe netdev " + netdev.name;
}

Finding no_way_to(const Facts& facts, const AddressFacts& asked) {
  Finding finding{.severity = Severity::kProblem, .what = "to " + asked.address, .value = "no way there"};
  for (const auto& each : asked.answers) {
    finding.why += (finding.why.empty() ? "" : "; ") + each.backend + ": " + each.why;
  }
  finding.mend = mend_path(facts, asked.answers.front());
  return finding;
}

}  // namespace

void find_in_addresses(const Facts& facts, std::vector<Finding>& findings) {
  for (const AddressFacts& asked : facts.addresses) {
    const auto used = std::ranges::find_if(asked.answers, &fabric::AddressAnswer::is_usable);
    if (used == asked.answers.end()) {
      findings.push_back(no_way_to(facts, asked));
      continue;
    }
    Finding finding{.what = "to " + asked.address, .value = used->backend + " by " + used->device, .why = used->why};
    const auto& best = asked.answers.front();
    if (used->backend != best.backend) {
      // Without any device that is how this machine is; with one somebody expects it to serve.
      finding.severity = facts.survey.rdma.devices.empty() ? Severity::kOk : Severity::kWarning;
      finding.why += "; not " + best.backend + ": " + best.why;
      finding.mend = finding.severity == Severity::kOk ? "" : mend_path(facts, best);
    }
    findings.push_back(std::move(finding));
  }
}

std::vector<Finding> findings_of(const Facts& facts) {
  std::vector<Finding> findings;
  for (const auto find : {find_in_build, find_in_rdma, find_in_ports, find_in_memory, find_in_addresses}) {
    find(facts, findings);
  }
  // The worst last would be off the screen: it comes first.
  std::ranges::stable_sort(findings, std::ranges::greater(), &Finding::severity);
  return findings;
}

}  // namespace npf::npu_ctl
