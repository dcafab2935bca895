#include "http/clients.h"

#include <algorithm>

#include "http/connection.h"

namespace midonet::http {

namespace {
// Of those that hold as many, the one that has waited for its client the longest goes first: an honest upload is over soon.
constexpr std::size_t worthwhile_bytes = 4096;
}  // namespace

Clients::Member::Member(Clients& all, Connection& connection, const std::string& address)
    : all_(all), client_(all.clients_.try_emplace(address).first), connection_(connection) {
  auto& members = client_->second.members;
  place_ = members.insert(members.end(), this);
}

Clients::Member::~Member() {
  hold(0);
  client_->second.members.erase(place_);
  if (client_->second.members.empty()) all_.clients_.erase(client_);
}

const std::string& Clients::Member::address() const { return client_->first; }

void Clients::Member::hold(std::size_t bytes) {
  all_.bytes_ = all_.bytes_ - bytes_ + bytes;
  all_.peak_bytes_ = std::max(all_.peak_bytes_, all_.bytes_);
  client_->second.bytes = client_->second.bytes - bytes_ + bytes;
  bytes_ = bytes;
}

void Clients::Member::served() {
  auto& members = client_->second.members;
  members.splice(members.end(), members, place_);
}

std::size_t Clients::most_bytes() const {
  std::size_t most = 0;
  for (const auto& [address, client] : clients_) most = std::max(most, client.bytes);
  return most;
}

Connection* Clients::to_make_room_for_a_connection() const {
  const Client* most = nullptr;
  for (const auto& [address, client] : clients_)
    if (most == nullptr || client.members.size() > most->members.size()) most = &client;
  if (most == nullptr) return nullptr;
  for (const Connection::Spare spare : {Connection::Spare::waits, Connection::Spare::streams})
    for (const Member* member : most->members)
      if (member->connection_.spare() == spare) return &member->connection_;
  return nullptr;
}

Connection* Clients::to_make_room_for_bytes() const {
  const Client* most = nullptr;
  for (const auto& [address, client] : clients_)
    if (most == nullptr || client.bytes > most->bytes) most = &client;
  if (most == nullptr) return nullptr;
  const Member* largest = nullptr;
  for (const Member* member : most->members) {
    if (member->connection_.spare() == Connection::Spare::works) continue;
    if (member->bytes_ >= worthwhile_bytes) return &member->connection_;
    if (member->bytes_ > 0 && (largest == nullptr || member->bytes_ > largest->bytes_)) largest = member;
  }
  return largest == nullptr ? nullptr : &largest->connection_;
}

}  // namespace midonet::http
