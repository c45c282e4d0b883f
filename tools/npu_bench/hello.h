// The first bytes of every npu-bench connection, and the version of all that follows.
#pragma once

#include "fabric/fabric.h"

namespace npf::npu_bench {

inline constexpr std::uint16_t kProtocolVersion = 3;

// What a client connects for. A connection that brings a ring of its own says hello with the ring's geometry instead.
enum class Purpose : std::uint16_t { kControl = 1, kProducer = 2 };

fabric::Hello encode_hello(Purpose purpose);

// kProtocol: the peer is no npu-bench, or wants something else. kVersionMismatch: it is of another version.
Result<void> check_hello(const fabric::Hello& hello, Purpose expected);

}  // namespace npf::npu_bench
