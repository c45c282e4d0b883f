// What the facts mean: each finding is one thing that is well or not, why it matters, and the command that mends it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/npu_ctl/doctor_facts.h"

namespace npf::npu_ctl {

// kWarning: works, but worse or not in every case. kProblem: something that is there or was asked for does not work.
enum class Severity : unsigned char { kOk, kNote, kWarning, kProblem };
std::string_view severity_name(Severity severity);

struct Finding {
  Severity severity = Severity::kOk;
  std::string what;   // a stable name: "memlock"
  std::string value;  // what was found
  std::string why;    // one sentence: what follows from it
  std::string mend;   // a command to paste, as root where it has to be; empty: nothing to mend
};

std::vector<Finding> findings_of(const Facts& facts);

// Its parts, by subject.
void find_in_build(const Facts& facts, std::vector<Finding>& findings);
void find_in_rdma(const Facts& facts, std::vector<Finding>& findings);
void find_in_ports(const Facts& facts, std::vector<Finding>& findings);
void find_in_memory(const Facts& facts, std::vector<Finding>& findings);
void find_in_addresses(const Facts& facts, std::vector<Finding>& findings);

// The netdev that rxe would be made over: the first that is up, has an address and is not loopback. Empty: none.
std::string netdev_for_rxe(const Facts& facts);

// What the machine as a whole lacks for verbs, and the command that brings it. Empty where a device is there.
Finding missing_rdma(const Facts& facts);

}  // namespace npf::npu_ctl
