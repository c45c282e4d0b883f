// The doctor's two ways of saying the same: a table for people, JSON for programs.
#pragma once

#include <string>
#include <vector>

#include "tools/npu_ctl/doctor_facts.h"
#include "tools/npu_ctl/doctor_findings.h"

namespace npf::npu_ctl {

std::string doctor_table(const Facts& facts, const std::vector<Finding>& findings);

// One object, schema "npu-ctl-doctor/1"; units are in the names, null is unlimited or unknown.
std::string doctor_json(const Facts& facts, const std::vector<Finding>& findings);

}  // namespace npf::npu_ctl
