#include "fabric/fake/domain.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "fabric/fake/fake.h"
#include "fabric/fake/listener.h"
#include "fabric/fake/network.h"
#include "fabric/fake/queue.h"

namespace npf::fabric::fake {

namespace {

constexpr std::size_t kPageBytes = 4096;
constexpr std::uint32_t kCompletionQueueDepthMax = 1U << 20U;

Error invalid(std::string sentence) { return {Status::kInvalidArgument, "fake: " + std::move(sentence)}; }

std::string hex(std::uint64_t value) {
  char text[19];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

std::string range(std::uint64_t address, std::uint64_t length_bytes) {
  return std::to_string(length_bytes) + " bytes at " + hex(address);
}

std::uint64_t address_of(const std::byte* data) { return reinterpret_cast<std::uintptr_t>(data); }

std::string_view access_name(Access access) {
  switch (access) {
    case Access::kLocal: return "local access only";
    case Access::kRemoteRead: return "remote reading";
    case Access::kRemoteWrite: return "remote writing";
    case Access::kRemoteReadWrite: return "remote reading and writing";
  }
  return "unknown access";
}

}  // namespace

bool Registration::contains(std::uint64_t address, std::uint64_t length_bytes) const {
  const std::uint64_t begin = remote_begin();
  return address >= begin && length_bytes <= bytes.size() && address - begin <= bytes.size() - length_bytes;
}

FakeRegion::~FakeRegion() {
  const std::lock_guard lock(network().mutex);
  domain_.deregister(this);
}

FakeDomain::FakeDomain(const Script& script) : script_(script) {
  capabilities_.backend = "fake";
  capabilities_.queue_depth_max = 4096;
  capabilities_.gather_max = 8;
  capabilities_.inline_bytes_max = 128;
  capabilities_.send_bytes_max = 64U << 10U;
  capabilities_.message_bytes_max = 1ULL << 30U;
  capabilities_.regions_max = 1024;
  capabilities_.direct = script.direct != 0;
  capabilities_.tells_death_from_close = true;
  capabilities_.remote_access_to_any_memory = true;
}

FakeDomain::~FakeDomain() { NPF_ASSERT(by_region_.empty()); }

Result<std::unique_ptr<CompletionQueue>> FakeDomain::create_completion_queue(std::uint32_t depth) {
  if (depth == 0 || depth > kCompletionQueueDepthMax) {
    return invalid("completion queue of depth " + std::to_string(depth) + "; allowed: 1 to " +
                   std::to_string(kCompletionQueueDepthMax));
  }
  auto event = create_event();
  if (!event.ok()) return event.error();
  return std::unique_ptr<CompletionQueue>(new FakeQueue(*this, script_, std::move(event).value()));
}

Result<std::unique_ptr<Region>> FakeDomain::allocate(std::uint64_t bytes, Access access) {
  const std::uint64_t allocated_bytes = (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
  if (bytes == 0 || allocated_bytes < bytes) return invalid("a region of " + std::to_string(bytes) + " bytes");
  auto* const memory = static_cast<std::byte*>(std::aligned_alloc(kPageBytes, allocated_bytes));
  if (memory == nullptr) {
    return Error{Status::kOutOfMemory, "fake: no memory for a region of " + std::to_string(bytes) + " bytes"};
  }
  std::memset(memory, 0, allocated_bytes);
  Registration registration;
  registration.owned = std::shared_ptr<std::byte>(memory, std::free);
  registration.bytes = {memory, bytes};
  registration.access = access;
  return add_region(std::make_shared<Registration>(std::move(registration)));
}

Result<std::unique_ptr<Region>> FakeDomain::register_memory(std::span<std::byte> memory, Access access) {
  if (memory.empty() || memory.data() == nullptr) return invalid("registering no memory (null or 0 bytes)");
  Registration registration;
  registration.bytes = memory;
  registration.access = access;
  return add_region(std::make_shared<Registration>(std::move(registration)));
}

Result<std::unique_ptr<Region>> FakeDomain::add_region(std::shared_ptr<Registration> registration) {
  const std::lock_guard lock(network().mutex);
  if (by_region_.size() >= capabilities_.regions_max) {
    return Error{Status::kResourceLimit, "fake: the domain has " + std::to_string(by_region_.size()) +
                                             " regions, regions_max; deregister one first"};
  }
  registration->key = network().next_key();
  auto region = std::make_unique<FakeRegion>(*this, registration);
  by_key_[registration->key] = registration;
  by_region_[region.get()] = std::move(registration);
  return std::unique_ptr<Region>(std::move(region));
}

void FakeDomain::deregister(const Region* region) {
  const auto found = by_region_.find(region);
  NPF_ASSERT(found != by_region_.end());
  found->second->registered = false;
  by_key_.erase(found->second->key);
  by_region_.erase(found);
}

Result<std::unique_ptr<Listener>> FakeDomain::listen(std::string_view address) {
  auto parsed = parse_address(address);
  if (!parsed.ok()) return parsed.error();
  auto name = parse_name(*parsed);
  if (!name.ok()) return name.error();
  auto script = parse_connection_script(*parsed, script_);
  if (!script.ok()) return script.error();
  return start_listener(*this, *script, *name);
}

Result<Connected> FakeDomain::connect(std::string_view address, const EndpointOptions& options,
                                      std::uint64_t timeout_ns) {
  auto parsed = parse_address(address);
  if (!parsed.ok()) return parsed.error();
  auto name = parse_name(*parsed);
  if (!name.ok()) return name.error();
  auto script = parse_connection_script(*parsed, script_);
  if (!script.ok()) return script.error();
  return knock_and_wait(*this, *script, *name, options, timeout_ns);
}

Result<HeldSpan> FakeDomain::hold(const LocalSpan& local) const {
  if (local.length_bytes == 0) return HeldSpan{};
  const std::string span = range(address_of(local.data), local.length_bytes);
  const auto found = by_region_.find(local.region);
  if (found == by_region_.end()) {
    return invalid("local span of " + span +
                   (local.region == nullptr ? " has no region" : " has a region of another domain"));
  }
  const auto& registration = found->second;
  if (!registration->contains(address_of(local.data), local.length_bytes)) {
    return invalid("local span of " + span + " does not lie in its region of " +
                   range(address_of(registration->bytes.data()), registration->bytes.size()));
  }
  return HeldSpan{local.data, local.length_bytes, registration};
}

Result<std::shared_ptr<Registration>> FakeDomain::find_remote(const RemoteSpan& remote, Access wanted) const {
  const auto refused = [&](const std::string& why) {
    return Error{Status::kRemoteAccess, "fake: " + std::string(access_name(wanted)) + " of " +
                                            range(remote.address, remote.length_bytes) + " with key " +
                                            hex(remote.key) + " refused: " + why};
  };
  const auto found = by_key_.find(remote.key);
  if (found == by_key_.end()) return refused("no region of that domain has this key (never had, or deregistered)");
  const auto& registration = found->second;
  if (!allows(registration->access, wanted)) {
    return refused("the region grants " + std::string(access_name(registration->access)));
  }
  if (!registration->contains(remote.address, remote.length_bytes)) {
    return refused("the region is " + range(address_of(registration->bytes.data()), registration->bytes.size()));
  }
  return registration;
}

Result<void> FakeDomain::check(const EndpointOptions& options) const {
  const auto* const queue = dynamic_cast<const FakeQueue*>(options.completion_queue);
  if (queue == nullptr || &queue->domain() != this)
    return invalid("an endpoint needs a completion queue of its domain");
  for (const std::uint32_t depth : {options.send_depth, options.receive_depth}) {
    if (depth == 0 || depth > capabilities_.queue_depth_max) {
      return invalid("queue depth " + std::to_string(depth) + "; allowed: 1 to " +
                     std::to_string(capabilities_.queue_depth_max));
    }
  }
  if (options.receives.size() > options.receive_depth) {
    return invalid(std::to_string(options.receives.size()) + " receives do not fit in receive_depth " +
                   std::to_string(options.receive_depth));
  }
  for (const ReceiveRequest& request : options.receives) {
    if (const auto held = hold(request.local); !held.ok()) return held.error();
  }
  return {};
}

}  // namespace npf::fabric::fake

namespace npf::fabric {

Result<std::unique_ptr<Domain>> open_fake_domain(const Address& address) {
  auto script = fake::parse_domain_script(address);
  if (!script.ok()) return script.error();
  return std::unique_ptr<Domain>(new fake::FakeDomain(*script));
}

}  // namespace npf::fabric
