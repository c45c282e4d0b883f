// npu-ctl doctor: gathers facts, draws findings, prints both. It changes nothing.
#pragma once

namespace npf::npu_ctl {

int run_doctor(int argc, const char* const* argv);

}  // namespace npf::npu_ctl
