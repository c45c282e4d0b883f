#include "fabric/verbs/verbs_listener.h"

#include <cerrno>

#include "base/clock.h"
#include "base/log.h"
#include "fabric/cm_data.h"
#include "fabric/endpoint_options.h"
#include "fabric/verbs/verbs_endpoint.h"
#include "fabric/verbs/verbs_reachability.h"

namespace npf::fabric::verbs {

namespace {

constexpr int kBacklog = 64;
constexpr std::size_t kRefusalBytesMax = 148;                 // rdma_reject(3): private data of a rejection
constexpr std::uint64_t kAcceptTimeoutNs = 2 * kNsPerSecond;  // from our answer to the connector's confirmation

void refuse(rdma_cm_id* id, std::string_view reason) {
  const auto data = encode_cm_refusal(reason, kRefusalBytesMax);
  rdma_reject(id, data.data(), static_cast<std::uint8_t>(data.size()));
}

class VerbsConnectionRequest final : public ConnectionRequest {
 public:
  VerbsConnectionRequest(VerbsDomain& domain, CmId id, const Hello& hello)
      : domain_(domain), id_(std::move(id)), hello_(hello), peer_(to_text(rdma_get_peer_addr(id_.get()))) {}
  ~VerbsConnectionRequest() override { reject("the listener gave no answer"); }

  const Hello& hello() const override { return hello_; }
  std::string peer() const override { return peer_; }

  Result<std::unique_ptr<Endpoint>> accept(const EndpointOptions& options) override {
    if (!id_.valid()) return Error{Status::kInvalidArgument, "verbs: this connection request is answered already"};
    // Its events are its own from here on: the listener may go.
    auto channel = CmChannel::create();
    if (!channel.ok()) return channel.error();
    if (auto moved = id_.migrate(std::move(*channel)); !moved.ok()) return moved.error();
    if (auto ours = domain_.check_device(*id_.get(), "the address that " + peer_ + " connected to"); !ours.ok()) {
      reject(ours.error().message);
      return ours.error();
    }
    if (auto checked = check_options(domain_, options); !checked.ok()) {
      reject(checked.error().message);
      return checked.error();
    }
    auto endpoint = VerbsEndpoint::create(domain_, std::move(id_), options);
    if (!endpoint.ok()) return endpoint.error();
    if (auto live = (*endpoint)->accept(monotonic_ns() + kAcceptTimeoutNs); !live.ok()) return live.error();
    return std::unique_ptr<Endpoint>(std::move(*endpoint));
  }

  void reject(std::string_view reason) override {
    if (!id_.valid()) return;
    refuse(id_.get(), reason);
    id_.reset();
  }

 private:
  VerbsDomain& domain_;
  CmId id_;
  const Hello hello_;
  const std::string peer_;
};

Error listen_failure(const std::string& address, const char* step, int errno_value) {
  const std::string operation = "listening at " + address + " (" + step + ")";
  if (errno_value == EADDRNOTAVAIL || errno_value == ENODEV) return explain_no_local_device(operation, errno_value);
  Error error = system_error("verbs: " + operation, errno_value);
  if (errno_value == EADDRINUSE) error.message += "; another process listens there: choose another port";
  return error;
}

std::string text_of(rdma_cm_id* id) { return "verbs://" + to_text(rdma_get_local_addr(id)); }

}  // namespace

Result<std::unique_ptr<VerbsListener>> VerbsListener::create(VerbsDomain& domain, const Address& address) {
  auto local = SocketAddress::resolve(address);
  if (!local.ok()) return local.error();
  auto id = CmId::create();
  if (!id.ok()) return id.error();
  const std::string text = to_text(local->get());
  if (rdma_bind_addr(id->get(), local->get()) != 0) return listen_failure(text, "rdma_bind_addr", errno);
  // RDMA CM binds to loopback and to :: without any device.
  if ((*id)->verbs == nullptr) return listen_failure(text, "rdma_bind_addr found no device", EADDRNOTAVAIL);
  if (auto ours = domain.check_device(*id->get(), text); !ours.ok()) return ours.error();
  if (rdma_listen(id->get(), kBacklog) != 0) return listen_failure(text, "rdma_listen", errno);
  return std::unique_ptr<VerbsListener>(new VerbsListener(domain, std::move(*id)));
}

VerbsListener::VerbsListener(VerbsDomain& domain, CmId id)
    : domain_(domain), id_(std::move(id)), address_(text_of(id_.get())) {}

// Who asked and got no answer is refused; so is who asks meanwhile.
VerbsListener::~VerbsListener() {
  while (wait_request(0).ok()) continue;
}

Result<std::unique_ptr<ConnectionRequest>> VerbsListener::wait_request(std::uint64_t timeout_ns) {
  const std::uint64_t now_ns = monotonic_ns();
  const std::uint64_t deadline_ns = timeout_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + timeout_ns;
  for (;;) {
    const auto event = id_.channel()->wait_event(deadline_ns);
    if (event.status() == Status::kTimedOut) {
      return Error{Status::kTimedOut, "verbs: nobody asked for a connection at " + address_ + " in time"};
    }
    if (!event.ok()) return event.error();
    if (event->type == RDMA_CM_EVENT_DEVICE_REMOVAL) {
      return Error{Status::kNotFound, "verbs: the device of " + address_ + " was removed"};
    }
    // Of who asked and gave up nothing needs to be done here: its request says so when it is accepted.
    if (event->type != RDMA_CM_EVENT_CONNECT_REQUEST) continue;
    if (auto request = take_request(*event)) return request;
  }
}

std::unique_ptr<ConnectionRequest> VerbsListener::take_request(const CmEvent& event) {
  CmId id(event.id, id_.channel());
  auto hello = decode_cm_hello(event.data);
  if (hello.ok()) return std::make_unique<VerbsConnectionRequest>(domain_, std::move(id), *hello);
  log(LogLevel::kWarning,
      "verbs: refused " + to_text(rdma_get_peer_addr(id.get())) + " at " + address_ + ": " + hello.error().message);
  refuse(id.get(), hello.error().message);
  return nullptr;
}

}  // namespace npf::fabric::verbs
