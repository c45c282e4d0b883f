#include "tools/npu_ctl/doctor_findings.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/fake_tree.h"
#include "tools/npu_ctl/doctor_output.h"

namespace npf::npu_ctl {
namespace {

using fabric::AddressAnswer;
using fabric::GidType;
using fabric::RdmaDevice;
using testing::HasSubstr;

IpAddress ip(std::string_view text) { return parse_ip(text).value(); }

// A Debian machine with eth0 and nothing of RDMA; soft-RoCE can be loaded.
FakeTree& plain_machine(FakeTree& fake) {
  return fake.file("/proc/sys/kernel/osrelease", "6.1.0\n")
      .file("/proc/modules", "")
      .file("/lib/modules/6.1.0/modules.dep", "k/rdma_rxe.ko: k/ib_uverbs.ko\nk/ib_uverbs.ko:\nk/rdma_ucm.ko:\n")
      .file("/proc/self/limits", "Max locked memory         8388608              8388608              bytes\n")
      .file("/proc/self/status", "CapEff:\t0000000000000000\nVmPin:\t       0 kB\n")
      .file("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0\n")
      .file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "0\n")
      .file("/usr/bin/rdma", "");
}

Facts facts_of(const FakeTree& fake) {
  Facts facts = read_facts(fake.tree());
  NetDevice lo{.index = 1, .name = "lo", .is_up = true, .is_loopback = true, .addresses = {ip("127.0.0.1")}};
  NetDevice bare{.index = 2, .name = "eth9", .is_up = true};
  NetDevice eth{.index = 3, .name = "eth0", .is_up = true, .mtu_bytes = 1500, .addresses = {ip("10.8.0.1")}};
  facts.netdevs = {lo, bare, eth};
  facts.survey.backends = {{"fake", true, ""}, {"ofi", true, "libfabric-dev"}, {"shm", true, ""}, {"verbs", true, ""}};
  facts.survey.ofi.providers = {{"tcp", "117.0", {"eth0"}}};
  return facts;
}

RdmaDevice active_rxe() {
  RdmaDevice device{.name = "rxe0", .kind = fabric::RdmaKind::kSoftRoce, .transport = fabric::RdmaTransport::kRoce};
  device.ports = {{.number = 1,
                   .state = "ACTIVE",
                   .is_active = true,
                   .link_layer = fabric::LinkLayer::kEthernet,
                   .mtu_active_bytes = 4096,
                   .mtu_max_bytes = 4096,
                   .netdevs = {"eth0"},
                   .gids = {{1, GidType::kRoceV2, ip("10.8.0.1"), 3, "eth0"}}}};
  return device;
}

// A machine with rxe0 over eth0, all of it in order.
Facts rxe_machine(FakeTree& fake) {
  plain_machine(fake).file("/dev/infiniband/rdma_cm", "").file("/dev/infiniband/uverbs0", "");
  fake.folder("/sys/module/ib_uverbs").folder("/sys/module/rdma_rxe").folder("/sys/class/infiniband/rxe0");
  fake.file("/proc/self/limits", "Max locked memory         unlimited            unlimited            bytes\n");
  Facts facts = facts_of(fake);
  facts.survey.rdma.devices = {active_rxe()};
  return facts;
}

Finding finding(const Facts& facts, std::string_view what) {
  for (const Finding& each : findings_of(facts)) {
    if (each.what == what) return each;
  }
  return {Severity::kOk, "none of that name", "", "", ""};
}

bool has_problem(const Facts& facts) {
  const auto findings = findings_of(facts);
  return std::ranges::find(findings, Severity::kProblem, &Finding::severity) != findings.end();
}

TEST(DoctorFindings, WithoutRdmaSayPlainlyWhatWorksAndHowToGetIt) {
  const struct {
    const char* name;
    void (*change)(FakeTree& fake);
    const char* mend;
  } cases[] = {
      {"loadable", [](FakeTree&) {},
       "modprobe rdma_rxe && modprobe rdma_ucm && rdma link add rxe0 type rxe netdev eth0"},
      {"loaded", [](FakeTree& fake) { fake.folder("/sys/module/rdma_rxe"); },
       "rdma link add rxe0 type rxe netdev eth0"},
      {"not in this kernel", [](FakeTree& fake) { fake.file("/lib/modules/6.1.0/modules.dep", ""); },
       "scripts/rxe run -- COMMAND"},
      {"another kernel", [](FakeTree& fake) { fake.file("/proc/sys/kernel/osrelease", "6.9\n"); }, "# on the host"},
  };
  for (const auto& each : cases) {
    FakeTree fake;
    each.change(plain_machine(fake));
    const Facts facts = facts_of(fake);
    const Finding found = finding(facts, "rdma-devices");
    EXPECT_EQ(found.severity, Severity::kWarning) << each.name;
    EXPECT_THAT(found.why, HasSubstr("shm and ofi+tcp work without one, verbs does not")) << each.name;
    EXPECT_THAT(found.mend, HasSubstr(each.mend)) << each.name;
    EXPECT_FALSE(has_problem(facts)) << each.name;
  }
}

TEST(DoctorFindings, NameTheToolThatMakesADeviceWhereItIsMissing) {
  FakeTree fake;
  plain_machine(fake);
  Facts facts = facts_of(fake);
  facts.has_rdma_tool = false;
  EXPECT_THAT(finding(facts, "rdma-devices").mend, HasSubstr("apt-get install iproute2 && rdma link add"));
}

TEST(DoctorFindings, OfAMachineInOrderHaveNoProblem) {
  FakeTree fake;
  const Facts facts = rxe_machine(fake);
  for (const Finding& each : findings_of(facts)) EXPECT_LE(each.severity, Severity::kNote) << each.what << each.value;
  EXPECT_EQ(finding(facts, "rdma-devices").value, "rxe0 port 1");
}

TEST(DoctorFindings, SeeDevicesThatLibibverbsDoesNotList) {
  FakeTree fake;
  Facts facts = rxe_machine(fake);
  facts.survey.rdma.devices.clear();
  EXPECT_THAT(finding(facts, "rdma-devices").mend, HasSubstr("apt-get install ibverbs-providers"));
  facts.modules["ib_uverbs"] = ModuleState::kLoadable;
  EXPECT_THAT(finding(facts, "rdma-devices").mend, HasSubstr("modprobe ib_uverbs"));
  EXPECT_TRUE(has_problem(facts));
}

TEST(DoctorFindings, SeeNodesThatDoNotOpen) {
  FakeTree fake;
  Facts facts = rxe_machine(fake);
  facts.nodes = {{"/dev/infiniband/rdma_cm", false, false}, {"/dev/infiniband/uverbs0", true, false}};
  EXPECT_EQ(finding(facts, "/dev/infiniband/rdma_cm").mend, "modprobe rdma_ucm");
  EXPECT_EQ(finding(facts, "/dev/infiniband/uverbs0").mend, "chmod a+rw /dev/infiniband/uverbs0");
  facts.in_container = true;
  EXPECT_THAT(finding(facts, "/dev/infiniband/rdma_cm").mend, HasSubstr("docker run --device=/dev/infiniband"));
}

TEST(DoctorFindings, MendPorts) {
  const struct {
    const char* what;
    void (*change)(RdmaDevice& device);
    const char* mend;
  } cases[] = {
      {"port-state", [](RdmaDevice& device) { device.ports[0].is_active = false; }, "ip link set eth0 up"},
      {"port-state",
       [](RdmaDevice& device) {
         device.ports[0].is_active = false;
         device.ports[0].link_layer = fabric::LinkLayer::kInfiniband;
       },
       "apt-get install opensm && systemctl start opensm"},
      {"mtu", [](RdmaDevice& device) { device.ports[0].mtu_active_bytes = 1024; }, "ip link set eth0 mtu 4200"},
      {"gids", [](RdmaDevice& device) { device.ports[0].gids[0].value = ip("fe80::1"); },
       "ip addr add ADDRESS/PREFIX dev eth0"},
      {"numa",
       [](RdmaDevice& device) {
         device.numa_node = 1;
         device.numa_distance = 21;
       },
       "numactl --cpunodebind=1 --membind=1 COMMAND"},
  };
  for (const auto& each : cases) {
    FakeTree fake;
    Facts facts = rxe_machine(fake);
    each.change(facts.survey.rdma.devices[0]);
    EXPECT_EQ(finding(facts, each.what).mend, each.mend) << each.what;
    EXPECT_FALSE(has_problem(facts)) << each.what;
  }
}

TEST(DoctorFindings, WarnOfRxeInANetworkNamespace) {
  FakeTree fake;
  Facts facts = rxe_machine(fake);
  facts.has_own_netns = true;
  EXPECT_EQ(finding(facts, "netns").severity, Severity::kWarning);
}

TEST(DoctorFindings, WeighTheMemlockLimitByWhetherAnythingPins) {
  FakeTree fake;
  plain_machine(fake);
  Facts facts = facts_of(fake);
  EXPECT_EQ(finding(facts, "memlock").severity, Severity::kNote);
  facts.survey.rdma.devices = {active_rxe()};
  EXPECT_EQ(finding(facts, "memlock").severity, Severity::kWarning);
  EXPECT_THAT(finding(facts, "memlock").mend, HasSubstr("/etc/security/limits.d"));
  facts.memory.memlock_hard_bytes = std::nullopt;
  EXPECT_EQ(finding(facts, "memlock").mend, "ulimit -l unlimited");
  facts.in_container = true;
  EXPECT_THAT(finding(facts, "memlock").mend, HasSubstr("docker run --ulimit memlock=-1"));
  facts.memory.may_lock_any = true;
  EXPECT_EQ(finding(facts, "memlock").severity, Severity::kOk);
}

TEST(DoctorFindings, AddToTheHugePagesThatThereAre) {
  FakeTree fake;
  Facts facts = rxe_machine(fake);
  facts.huge_pages = {{2U << 20U, 8, 0}};
  EXPECT_EQ(finding(facts, "huge-pages").mend, "sysctl vm.nr_hugepages=520");
}

TEST(DoctorFindings, NameThePackagesThatABuildLacks) {
  FakeTree fake;
  plain_machine(fake);
  Facts facts = facts_of(fake);
  facts.survey.backends[3] = {"verbs", false, "libibverbs-dev and librdmacm-dev"};
  EXPECT_THAT(finding(facts, "backend-verbs").mend,
              HasSubstr("apt-get install pkg-config libibverbs-dev librdmacm-dev && "));
  facts.survey.ofi.providers.clear();
  EXPECT_EQ(finding(facts, "provider-tcp").severity, Severity::kWarning);
  // It may be that there is a device, which such a build does not see.
  facts.kernel_devices = {"rxe0"};
  EXPECT_EQ(finding(facts, "rdma-devices").severity, Severity::kNote);
  facts.addresses = {{"verbs://10.8.0.2:1", {{.backend = "verbs", .why = "this build is without verbs"}}}};
  EXPECT_THAT(finding(facts, "to verbs://10.8.0.2:1").mend, HasSubstr("apt-get install pkg-config libibverbs-dev"));
}

TEST(DoctorFindings, AnAddressThatNothingReachesIsAProblem) {
  FakeTree fake;
  Facts facts = rxe_machine(fake);
  const fabric::RdmaPath path{.route = IpRoute{.destination = ip("10.7.0.1"), .device = {.name = "eth5"}}};
  const AddressAnswer rdma{.backend = "verbs", .why = "no GID lies there", .rdma = path};
  const AddressAnswer tcp{.backend = "ofi+tcp", .is_usable = true, .device = "eth5", .why = "by eth5"};
  facts.addresses = {{"10.7.0.1", {rdma, tcp}}};
  EXPECT_EQ(finding(facts, "to 10.7.0.1").severity, Severity::kWarning);
  EXPECT_EQ(finding(facts, "to 10.7.0.1").value, "ofi+tcp by eth5");
  facts.addresses[0].answers.pop_back();
  EXPECT_EQ(finding(facts, "to 10.7.0.1").severity, Severity::kProblem);
  EXPECT_EQ(finding(facts, "to 10.7.0.1").mend, "rdma link add rxe_eth5 type rxe netdev eth5");
  EXPECT_EQ(findings_of(facts).front().what, "to 10.7.0.1");
}

TEST(DoctorOutput, SaysTheSameAsTableAndAsJson) {
  FakeTree fake;
  Facts facts = rxe_machine(fake);
  facts.addresses = {
      {"10.8.0.9", {{.backend = "verbs", .is_usable = true, .device = "rxe0 port 1 GID 1", .why = "w"}}}};
  facts.memory.memlock_soft_bytes = std::nullopt;
  const auto findings = findings_of(facts);
  EXPECT_THAT(doctor_table(facts, findings), HasSubstr("verbs: yes, by rxe0 port 1 GID 1"));
  const std::string json = doctor_json(facts, findings);
  EXPECT_THAT(json, HasSubstr(R"("schema":"npu-ctl-doctor/1")"));
  EXPECT_THAT(json, HasSubstr(R"("memlock_soft_bytes":null)"));
  EXPECT_THAT(json, HasSubstr(R"("device":"rxe0 port 1 GID 1")"));
  for (const Finding& each : findings) EXPECT_THAT(json, HasSubstr("\"what\":\"" + each.what));
}

}  // namespace
}  // namespace npf::npu_ctl
