// Hops whose two ends live in one thread, so that each step can be timed alone.
#pragma once

#include <memory>
#include <string>

#include "fabric/fabric.h"
#include "fabric/hop/consumer.h"
#include "fabric/hop/producer.h"

namespace npf::bench {

// A domain of this process that others can connect to, and the queue that all its hops share.
// All of this folder exits with the reason when something cannot be set up: a bench has no other way to go on.
class Place {
 public:
  explicit Place(const std::string& address);

  fabric::Domain& domain() { return *domain_; }
  fabric::Listener& listener() { return *listener_; }
  fabric::CompletionQueue& queue() { return *queue_; }

 private:
  std::unique_ptr<fabric::Domain> domain_;
  std::unique_ptr<fabric::Listener> listener_;
  std::unique_ptr<fabric::CompletionQueue> queue_;
};

struct HopPair {
  std::unique_ptr<fabric::hop::Producer> producer;
  std::unique_ptr<fabric::hop::Consumer> consumer;
};

HopPair connect_hop(Place& from, Place& to, std::uint32_t slots, std::uint64_t payload_bytes_max);

// A folder for sockets, removed at the end.
class SocketFolder {
 public:
  SocketFolder();
  ~SocketFolder();
  SocketFolder(const SocketFolder&) = delete;
  SocketFolder& operator=(const SocketFolder&) = delete;

  std::string address(const std::string& name) const { return "shm:" + path_ + "/" + name; }

 private:
  std::string path_;
};

// Sends one tensor, whose payload nobody wrote; a full ring is a bug of the bench.
void send_one(fabric::hop::Producer& producer, std::uint64_t payload_bytes);

// Takes and releases what has arrived; returns how many there were.
std::uint64_t take_all(Place& place, fabric::hop::Consumer& consumer);

}  // namespace npf::bench
