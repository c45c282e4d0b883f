#include <boost/json.hpp>

#include "npf_version.h"
#include "tools/npu_ctl/doctor_output.h"

namespace npf::npu_ctl {

namespace {

namespace json = boost::json;
using fabric::RdmaDevice;
using fabric::RdmaGid;
using fabric::RdmaPort;

template <typename Range, typename Make>
json::array array_of(const Range& range, Make&& make) {
  json::array array;
  for (const auto& each : range) array.push_back(make(each));
  return array;
}

json::array array_of(const std::vector<std::string>& texts) {
  return array_of(texts, [](const std::string& text) { return json::value(text); });
}

template <typename T>
json::value or_null(const std::optional<T>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}

json::value or_null(const std::string& text) { return text.empty() ? json::value(nullptr) : json::value(text); }

json::value gid_json(const RdmaGid& gid) {
  return json::object{{"index", gid.index},
                      {"type", fabric::gid_type_name(gid.type)},
                      {"value", text_of(gid.value)},
                      {"netdev", or_null(gid.netdev)}};
}

std::string_view link_layer_name(fabric::LinkLayer layer) {
  if (layer == fabric::LinkLayer::kEthernet) return "ethernet";
  return layer == fabric::LinkLayer::kInfiniband ? "infiniband" : "unknown";
}

json::value port_json(const RdmaPort& port) {
  return json::object{{"number", port.number},
                      {"state", port.state},
                      {"active", port.is_active},
                      {"link_layer", link_layer_name(port.link_layer)},
                      {"mtu_active_bytes", port.mtu_active_bytes},
                      {"mtu_max_bytes", port.mtu_max_bytes},
                      {"message_max_bytes", port.message_bytes_max},
                      {"rate", or_null(port.rate)},
                      {"netdevs", array_of(port.netdevs)},
                      {"gids", array_of(port.gids, gid_json)}};
}

json::value device_json(const RdmaDevice& device) {
  const auto& limits = device.limits;
  return json::object{{"name", device.name},
                      {"problem", or_null(device.problem)},
                      {"kind", fabric::rdma_kind_name(device.kind)},
                      {"transport", fabric::transport_name(device.transport)},
                      {"node_type", device.node_type},
                      {"driver", or_null(device.driver)},
                      {"firmware", or_null(device.firmware)},
                      {"numa_node", device.numa_node < 0 ? json::value(nullptr) : json::value(device.numa_node)},
                      {"numa_distance", or_null(device.numa_distance)},
                      {"limits", json::object{{"qp_max", limits.qp_max},
                                              {"qp_wr_max", limits.qp_wr_max},
                                              {"cq_max", limits.cq_max},
                                              {"cqe_max", limits.cqe_max},
                                              {"mr_max", limits.mr_max},
                                              {"mr_max_bytes", limits.mr_bytes_max},
                                              {"sge_max", limits.sge_max},
                                              {"read_inflight_max", limits.read_inflight_max}}},
                      {"ports", array_of(device.ports, port_json)}};
}

json::value netdev_json(const NetDevice& device) {
  return json::object{
      {"name", device.name},
      {"up", device.is_up},
      {"mtu_bytes", device.mtu_bytes},
      {"addresses", array_of(device.addresses, [](const IpAddress& each) { return json::value(text_of(each)); })}};
}

json::value path_json(const fabric::RdmaPath& path) {
  json::object object;
  if (path.route) {
    object["route"] = json::object{
        {"netdev", path.route->device.name},
        {"source", text_of(path.route->source)},
        {"gateway", path.route->gateway.is_any() ? json::value(nullptr) : json::value(text_of(path.route->gateway))},
        {"local", path.route->is_local}};
  }
  const std::size_t taken = path.chosen ? 1 : 0;
  if (path.chosen) {
    object["chosen"] = json::object{{"device", path.chosen->device},
                                    {"port", path.chosen->port},
                                    {"gid", gid_json(path.chosen->gid)},
                                    {"mtu_active_bytes", path.chosen->mtu_active_bytes}};
  }
  json::array rejected;
  for (std::size_t index = taken; index < path.candidates.size(); ++index) {
    const auto& each = path.candidates[index];
    rejected.push_back(json::object{{"device", each.device},
                                    {"port", each.port == 0 ? json::value(nullptr) : json::value(each.port)},
                                    {"gid", each.gid ? gid_json(*each.gid) : json::value(nullptr)},
                                    {"why", each.reason}});
  }
  object["rejected"] = std::move(rejected);
  return object;
}

json::value answer_json(const fabric::AddressAnswer& answer) {
  json::object object{{"backend", answer.backend},
                      {"usable", answer.is_usable},
                      {"device", or_null(answer.device)},
                      {"why", answer.why}};
  if (answer.rdma) object["rdma"] = path_json(*answer.rdma);
  return object;
}

json::value address_json(const AddressFacts& asked) {
  return json::object{
      {"address", asked.address}, {"usable", asked.is_usable()}, {"answers", array_of(asked.answers, answer_json)}};
}

json::value finding_json(const Finding& finding) {
  return json::object{{"severity", severity_name(finding.severity)},
                      {"what", finding.what},
                      {"value", finding.value},
                      {"why", finding.why},
                      {"mend", or_null(finding.mend)}};
}

json::value numa_json(const NumaNode& node) {
  const auto number = [](int each) { return json::value(each); };
  return json::object{{"id", node.id},
                      {"cores", array_of(node.cores, number)},
                      {"memory_bytes", node.memory_bytes},
                      {"distances", array_of(node.distances, number)}};
}

json::value host_json(const Facts& facts) {
  json::object modules;
  for (const auto& [name, state] : facts.modules) modules[name] = module_state_name(state);
  return json::object{
      {"kernel", facts.kernel},
      {"container", facts.in_container},
      {"network_namespace", or_null(facts.netns)},
      {"modules", std::move(modules)},
      {"device_nodes",
       array_of(
           facts.nodes,
           [](const DeviceNode& node) {
             return json::value(json::object{{"path", node.path}, {"there", node.is_there}, {"opens", node.may_open}});
           })},
      {"cores", array_of(facts.cores, [](int core) { return json::value(core); })},
      {"numa_nodes", array_of(facts.numa, numa_json)},
      {"memory_total_bytes", facts.memory.total_bytes},
      {"memory_available_bytes", facts.memory.available_bytes},
      {"memlock_soft_bytes", or_null(facts.memory.memlock_soft_bytes)},
      {"memlock_hard_bytes", or_null(facts.memory.memlock_hard_bytes)},
      {"memlock_any", facts.memory.may_lock_any},
      {"pinned_bytes", facts.memory.pinned_bytes},
      {"huge_pages", array_of(facts.huge_pages,
                              [](const HugePages& pages) {
                                return json::value(json::object{
                                    {"page_bytes", pages.page_bytes}, {"total", pages.total}, {"free", pages.free}});
                              })},
      {"transparent_huge_pages", or_null(facts.transparent_huge_pages)}};
}

}  // namespace

std::string doctor_json(const Facts& facts, const std::vector<Finding>& findings) {
  const auto& survey = facts.survey;
  const auto backend = [](const auto& each) {
    return json::value(
        json::object{{"scheme", each.scheme}, {"built", each.is_built}, {"package", or_null(each.package)}});
  };
  const auto provider = [](const auto& each) {
    return json::value(
        json::object{{"name", each.name}, {"version", each.version}, {"domains", array_of(each.domains)}});
  };
  const json::object all{{"schema", "npu-ctl-doctor/1"},
                         {"version", NPF_VERSION},
                         {"commit", NPF_COMMIT},
                         {"host", host_json(facts)},
                         {"backends", array_of(survey.backends, backend)},
                         {"rdma_devices", array_of(survey.rdma.devices, device_json)},
                         {"why_no_rdma_devices", or_null(survey.rdma.why_empty)},
                         {"ofi_providers", array_of(survey.ofi.providers, provider)},
                         {"why_no_ofi_providers", or_null(survey.ofi.why_empty)},
                         {"netdevs", array_of(facts.netdevs, netdev_json)},
                         {"addresses", array_of(facts.addresses, address_json)},
                         {"findings", array_of(findings, finding_json)}};
  return json::serialize(all) + "\n";
}

}  // namespace npf::npu_ctl
