#include "fabric/ofi/ofi_survey.h"

#include <rdma/fabric.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_errno.h>

#include <algorithm>
#include <memory>

#include "fabric/ofi/ofi_provider.h"

namespace npf::fabric {

namespace {

using InfoList = std::unique_ptr<fi_info, decltype(&::fi_freeinfo)>;

std::string version_text(std::uint32_t version) {
  return std::to_string(FI_MAJOR(version)) + "." + std::to_string(FI_MINOR(version));
}

void add(std::vector<FabricProvider>& providers, const fi_info& info) {
  const std::string name = info.fabric_attr->prov_name;
  auto provider = std::ranges::find(providers, name, &FabricProvider::name);
  if (provider == providers.end()) {
    providers.push_back({name, version_text(info.fabric_attr->prov_version), {}});
    provider = std::prev(providers.end());
  }
  if (info.domain_attr == nullptr || info.domain_attr->name == nullptr) return;
  const std::string domain = info.domain_attr->name;
  auto& domains = provider->domains;
  if (std::ranges::find(domains, domain) == domains.end()) domains.push_back(domain);
}

}  // namespace

ProviderList list_ofi_providers() {
  ProviderList list;
  const InfoList hints(::fi_allocinfo(), ::fi_freeinfo);
  if (!hints) {
    list.why_empty = "libfabric has no memory";
    return list;
  }
  hints->caps = FI_MSG | FI_RMA;
  hints->ep_attr->type = FI_EP_MSG;
  hints->domain_attr->mr_mode = FI_MR_LOCAL | FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY;
  fi_info* found = nullptr;
  ofi::forbid_registration_cache();
  const int failed = ::fi_getinfo(FI_VERSION(1, 17), nullptr, nullptr, 0, hints.get(), &found);
  const InfoList infos(found, ::fi_freeinfo);
  if (failed != 0) {
    list.why_empty = std::string("libfabric finds no provider of FI_EP_MSG: ") + ::fi_strerror(-failed);
    return list;
  }
  for (const fi_info* info = infos.get(); info != nullptr; info = info->next) add(list.providers, *info);
  return list;
}

}  // namespace npf::fabric
