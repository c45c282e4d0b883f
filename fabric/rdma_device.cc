#include "fabric/rdma_device.h"

namespace npf::fabric {

std::string_view gid_type_name(GidType type) {
  switch (type) {
    case GidType::kInfiniband: return "IB";
    case GidType::kRoceV1: return "RoCEv1";
    case GidType::kRoceV2: return "RoCEv2";
  }
  return "unknown";
}

std::string_view rdma_kind_name(RdmaKind kind) {
  switch (kind) {
    case RdmaKind::kHardware: return "hardware";
    case RdmaKind::kVirtual: return "virtual";
    case RdmaKind::kSoftRoce: return "rxe";
    case RdmaKind::kSoftIwarp: return "siw";
  }
  return "unknown";
}

std::string_view transport_name(RdmaTransport transport) {
  switch (transport) {
    case RdmaTransport::kUnknown: break;
    case RdmaTransport::kInfiniband: return "InfiniBand";
    case RdmaTransport::kRoce: return "RoCE";
    case RdmaTransport::kIwarp: return "iWARP";
  }
  return "unknown";
}

namespace {

std::string place_of(const RdmaCandidate& candidate) {
  std::string place = candidate.device;
  if (candidate.port != 0) place += " port " + std::to_string(candidate.port);
  if (candidate.gid) {
    place += " GID " + std::to_string(candidate.gid->index) + " (" + text_of(candidate.gid->value) + ", " +
             std::string(gid_type_name(candidate.gid->type)) + ")";
  }
  return place;
}

}  // namespace

std::string RdmaPath::summary() const {
  if (chosen) return text_of(peer) + ": " + place_of(candidates.front()) + ": " + candidates.front().reason;
  std::string said = text_of(peer) + ": no RDMA device reaches it";
  if (!why_no_route.empty()) return said + ": " + why_no_route;
  if (candidates.empty()) return said + ": there is none";
  if (!route) return said;
  if (route->device.is_loopback) return said + ": RDMA CM does not work over loopback";
  return said + ": the route leaves by " + route->device.name + " from " + text_of(route->source) +
         ", and no active port has its GID there";
}

std::string RdmaPath::text(std::string_view separator) const {
  std::string said = summary();
  for (std::size_t index = chosen ? 1 : 0; index < candidates.size(); ++index) {
    said += std::string(separator) + "not " + place_of(candidates[index]) + ": " + candidates[index].reason;
  }
  return said;
}

}  // namespace npf::fabric
