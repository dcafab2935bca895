// Releasing the tap that Nova made: libvirt from 9.0 on refuses an interface that exists already («The tap… interface
// already exists») and makes the tap itself, under the same name. The binding is by name, so the agent plugs that one.
//
// The one place of the project that deletes an interface, and only ever a persistent tap that no process has open.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/uuid.h"

namespace midonet::cli {

struct Tap {
  unsigned ifindex = 0;
  bool persistent = false;
  bool open =
      false;  // a process has it open: it has a carrier (drivers/net/tun.c sets it on attach, clears it on detach)
};

// What rtnetlink says of the interface in this network namespace. Code::not_found when there is none, Code::conflict when
// it is no tap.
Result<Tap> find_tap(const std::string& interface_name);

// Deletes it by its number if it is persistent and no process has it open; otherwise, and when it is no tap or gone, nothing
// happens and that is a success.
Status release_tap(const std::string& interface_name);

// "tap" and the first 11 characters of the port's id.
std::string nova_tap_name(const Uuid& port_id);

// True when libvirt 9.0 or later is installed below `root` ("" for this system): by the target of the link libvirt.so.0, which is
// libvirt.so.0.9000.0 for 9.0.0. Nothing is loaded, nothing is run.
bool libvirt_makes_its_taps(const std::string& root);

}  // namespace midonet::cli
