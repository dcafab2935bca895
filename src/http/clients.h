// The clients of one server, by their addresses: their connections, the longest unserved one first, and the bytes that the
// server holds for each. It chooses the connection that has to go when there is no room for all: one of the client that takes most.
//
// On the loop's thread. Internal to http/.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <string>

namespace midonet::http {

class Connection;

class Clients {
 public:
  class Member;

 private:
  struct Client {
    std::size_t bytes = 0;
    std::list<Member*> members{};
  };

 public:
  // One connection's membership; leaves when it is destroyed. The Clients outlive it.
  class Member {
   public:
    Member(Clients& all, Connection& connection, const std::string& address);
    ~Member();
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

    const std::string& address() const;
    void hold(std::size_t bytes);  // from now on
    void served();                 // a request was answered: the other connections of this client go first

   private:
    friend class Clients;
    Clients& all_;
    std::map<std::string, Client>::iterator client_;
    std::list<Member*>::iterator place_;
    Connection& connection_;
    std::size_t bytes_ = 0;
  };

  std::size_t bytes() const { return bytes_; }
  std::size_t peak_bytes() const { return peak_bytes_; }
  void forget_peak() { peak_bytes_ = bytes_; }
  // Of the client for which the server holds most.
  std::size_t most_bytes() const;

  // Null: none can go.
  Connection* to_make_room_for_a_connection() const;
  Connection* to_make_room_for_bytes() const;

 private:
  std::map<std::string, Client> clients_;
  std::size_t bytes_ = 0;
  std::size_t peak_bytes_ = 0;
};

}  // namespace midonet::http
