#include "model/host.h"

namespace midonet::model {

template <>
const Table& table<Host>() {
  static const Table host{
      "Host",
      3,
      "A hypervisor host, registered by the first start of its agent.",
      {
          link("uri", "/hosts/{id}", "This host."),
          field("id", &Host::id, Use::read_only, "The host, as in its host id file.").not_stored(),
          field("name", &Host::name, Use::read_only, "Its host name.").filtered_by("name"),
          derived("addresses", Kind::strings, "The addresses of all its interfaces."),
          derived("hostInterfaces", Kind::objects, "Its interfaces.").of("Interface"),
          derived("alive", Kind::boolean, "Whether its agent has a session with the store."),
          field("floodingProxyWeight", &Host::flooding_proxy_weight, Use::optional, "Kept for clients; not in use.")
              .between(0, UINT16_MAX)
              .refuses_null(),
          field("containerWeight", &Host::container_weight, Use::optional, "Kept for clients; not in use.")
              .between(0, UINT16_MAX)
              .refuses_null(),
          field("containerLimit", &Host::container_limit, Use::optional, "Kept for clients; not in use. -1: none.")
              .between(-1, INT32_MAX),
          field("enforceContainerLimit", &Host::enforce_container_limit, Use::optional,
                "Kept for clients; not in use."),
          link("interfaces", "/hosts/{id}/interfaces", "Its interfaces."),
          link("ports", "/hosts/{id}/ports", "Its bindings."),
      }};
  return host;
}

template <>
const Table& table<Alive>() {
  static const Table alive{"Alive",
                           0,
                           "There while the agent of the host has a session.",
                           {
                               field("pid", &Alive::pid, Use::read_only, "The agent's process."),
                               field("version", &Alive::version, Use::read_only, "The agent's version."),
                               field("started", &Alive::started, Use::read_only, "When the agent started."),
                           }};
  return alive;
}

template <>
const Table& table<Interface>() {
  static const Table interface {
    "Interface", 1, "A network interface of a host, as its agent sees it.", {
      link("uri", "/hosts/{hostId}/interfaces/{name}", "This interface."),
          derived("hostId", Kind::uuid, "The host that has it.").refers_to("Host"),
          field("name", &Interface::name, Use::read_only, "Its name in the kernel."),
          field("mac", &Interface::mac, Use::read_only, "Its MAC address, if it has one.").null_when_empty(),
          field("mtu", &Interface::mtu, Use::read_only, "Its MTU in bytes."),
          field("type", &Interface::type, Use::read_only, "Its kind.")
              .one_of({"Physical", "Virtual", "Tunnel", "Unknown"}),
          field("endpoint", &Interface::endpoint, Use::read_only, "The kind of its other end.")
              .one_of({"PHYSICAL", "TUNTAP", "LOCALHOST", "UNKNOWN"}),
          derived("portType", Kind::string, "Kept for clients; always null.").may_be_null(),
          field("addresses", &Interface::addresses, Use::read_only, "Its IP addresses."),
          field("status", &Interface::status, Use::read_only, "Bit 0: up. Bit 1: has a carrier."),
    }
  };
  return interface;
}

}  // namespace midonet::model
