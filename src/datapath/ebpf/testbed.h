// What the datapath's tests with a real kernel stand on: a network namespace and a BPF file system of their own, taps
// that the test holds as a hypervisor would, and frames. Everything goes when the Testbed goes, also after a failure.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/loop.h"
#include "base/mac.h"
#include "base/unique_fd.h"
#include "datapath/datapath.h"
#include "datapath/ebpf/ebpf_datapath.h"

namespace midonet::datapath::testing {

using Frame = std::vector<std::uint8_t>;

// A tap that this process holds open: what is written to it comes "from the guest".
class Tap {
 public:
  enum class Headers { plain, virtio };  // virtio: each frame is preceded by a struct virtio_net_hdr (10 bytes)
  Tap(const std::string& name, Headers headers = Headers::plain);

  const std::string& name() const { return name_; }
  std::uint32_t ifindex() const { return ifindex_; }
  int fd() const { return fd_.get(); }
  void send(const Frame& frame) const;  // aborts the test when the kernel refuses it
  // The next frame for the guest; waits at most this long for it.
  std::optional<Frame> receive(std::chrono::milliseconds wait = std::chrono::seconds(5)) const;
  // What is there for the guest now.
  std::vector<Frame> drain() const;
  // Leaves the interface to the end of its namespace, where thousands go at once; one by one each costs the kernel a
  // grace period.
  void leave() const;

 private:
  UniqueFd fd_;
  std::string name_;
  std::uint32_t ifindex_ = 0;
};

class Testbed {
 public:
  // Moves the calling thread into the new namespaces, and back at the end.
  Testbed();
  ~Testbed();
  Testbed(const Testbed&) = delete;
  Testbed& operator=(const Testbed&) = delete;

  // Why this can't run here; empty when it can.
  static std::string impossible();

  const std::string& bpffs() const { return bpffs_; }
  EbpfOptions options() const;
  void run(const std::string& command) const;  // a shell command within the namespace; aborts when it fails
  std::string output(const std::string& command) const;
  // One end of a veth pair, as a container has; its ifindex. The other end is called NAME-peer. Both are up.
  std::uint32_t veth(const std::string& name) const;

 private:
  UniqueFd net_before_;
  UniqueFd mount_before_;
  std::string bpffs_;
};

// Another network namespace: a host, connected to the one that the thread is in, which is the underlay's switch. That is a Linux bridge
// with `eth0` of each host (through `uNUMBER`), with the addresses 192.0.2.NUMBER and 2001:db8::NUMBER.
class Host {
 public:
  Host(const Testbed& bed, int number);

  // The thread is in the host while this lives.
  class Inside {
   public:
    explicit Inside(const Host& host);
    ~Inside();
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

   private:
    UniqueFd before_;
  };
  Tap tap(const std::string& name, Tap::Headers headers = Tap::Headers::plain) const;
  void run(const std::string& command) const;
  std::string output(const std::string& command) const;
  std::string underlay() const { return "u" + std::to_string(number_); }  // the switch's port
  Ip address(int family) const;
  EbpfOptions options() const;  // with pins of its own

 private:
  const Testbed& bed_;
  int number_;
  UniqueFd namespace_;
};

// What passes at an interface of the present namespace, from now on.
class Capture {
 public:
  explicit Capture(const std::string& interface);
  // Frames that go out of it or come in, as they are there: GSO frames whole.
  std::vector<Frame> drain() const;

 private:
  UniqueFd fd_;
};

// A Desired that is easy to write down.
class Wanted {
 public:
  Wanted& bridge(std::uint32_t vni);
  // The port of the interface; ids are made from the name, so that the same name is the same port.
  Wanted& port(std::uint32_t vni, const std::string& name, std::uint32_t ifindex, std::optional<Mac> mac = {});
  Wanted& port(std::uint32_t vni, const Tap& tap, std::optional<Mac> mac = {}) {
    return port(vni, tap.name(), tap.ifindex(), mac);
  }
  Desired desired;
};

Uuid id_named(const std::string& name);
Mac mac(const char* text);
Mac mac_number(std::uint32_t number);  // 02:00:…, locally administered
Ip ip(const char* text);
Vni vni(std::uint32_t number);
inline const Mac mac_a({0x02, 0, 0, 0, 0, 0x0a});  // of two guests
inline const Mac mac_b({0x02, 0, 0, 0, 0, 0x0b});
inline const Mac broadcast({0xff, 0xff, 0xff, 0xff, 0xff, 0xff});

// An Ethernet frame with some payload that contains `mark`; 60 bytes at least, as a network card would send.
Frame ethernet(const Mac& to, const Mac& from, std::uint8_t mark = 0, std::uint16_t type = 0x88b5,
               std::size_t length = 60);
// What a guest writes to a tap with virtio headers: TCP over IPv4 of 64,000 bytes with a partial checksum, for segments with
// so much payload each.
// Its VLAN tags have the types in `tags`, the outer one first.
Frame gso_frame(const Mac& to, const Mac& from, std::uint16_t segment_bytes,
                const std::vector<std::uint16_t>& tags = {});
Frame arp(std::uint16_t operation, const Mac& sender, const Ip& sender_ip, const Mac& target, const Ip& target_ip,
          std::optional<Mac> to = {});

}  // namespace midonet::datapath::testing
