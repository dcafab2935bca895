// /bridges/<id>/mac_table and /bridges/<id>/arp_table. An entry's name is its two values: "02-00-00-00-00-01_<port>" and
// "192.0.2.1_02-00-00-00-00-01".
#include "topology/bridge_tables.h"

#include <algorithm>

#include "api/resource.h"
#include "base/json.h"

namespace midonet::api {

using model::Ip4Mac;
using model::MacPort;
using model::name_of;
using model::table;

namespace {

// The two sides of an entry's name.
template <class A, class B>
Result<std::pair<A, B>> parse_name(const Call& call) {
  const std::string& name = call.parameter("entry");
  const std::size_t middle = std::min(name.find('_'), name.size());
  const Result<A> a = A::parse(std::string_view(name).substr(0, middle));
  const Result<B> b = B::parse(std::string_view(name).substr(std::min(middle + 1, name.size())));
  if (a && b) return std::pair(*a, *b);
  return failed(Error{Code::invalid, fmt::format("'{}' is not the name of an entry", name.substr(0, 80)), "entry"});
}

Result<MacPort> entry_in_path(const Call& call, const MacPort&) {
  const auto name = parse_name<Mac, Uuid>(call);
  if (!name) return failed(name);
  return MacPort{name->first, name->second};
}
Result<Ip4Mac> entry_in_path(const Call& call, const Ip4Mac&) {
  const auto name = parse_name<Ip, Mac>(call);
  if (!name) return failed(name);
  return Ip4Mac{name->first, name->second};
}

// One of the two tables: its folder in URIs, and its verbs.
template <class Entry, class Listed>
struct Entries {
  const char* folder;
  Result<std::vector<Listed>> (*list)(View&, const Uuid&);
  Status (*add)(Transaction&, const Uuid&, const Entry&);
  Status (*remove)(Transaction&, const Uuid&, const Entry&);

  std::string uri(const std::string& base, const Uuid& bridge, const Entry& entry) const {
    return fmt::format("{}/bridges/{}/{}/{}", base, bridge, folder, name_of(entry));
  }
  Json describe(const std::string& base, const Uuid& bridge, const Entry& entry) const {
    Json json = model::entity(entry, base, Json::object());
    json["uri"] = uri(base, bridge, entry);
    return json;
  }

  void show_all(Context& context, const Call& call, Reply reply) const {
    const Result<Uuid> bridge = id_in_path(call, "id");
    if (!bridge) return reply(failed(bridge));
    answer(
        context,
        [self = *this, bridge = *bridge, call](Transaction& t) -> Result<Answer> {
          const auto all = self.list(t, bridge);
          if (!all) return failed(all);
          Json json = Json::array();
          for (const Entry& entry : *all) json.push_back(self.describe(call.base_uri, bridge, entry));
          return ok_json(call, json);
        },
        std::move(reply));
  }

  void show_one(Context& context, const Call& call, Reply reply) const {
    const Result<Uuid> bridge = id_in_path(call, "id");
    if (!bridge) return reply(failed(bridge));
    const Result<Entry> wanted = entry_in_path(call, Entry());
    if (!wanted) return reply(failed(wanted));
    answer(
        context,
        [self = *this, bridge = *bridge, wanted = *wanted, call](Transaction& t) -> Result<Answer> {
          const auto all = self.list(t, bridge);
          if (!all) return failed(all);
          for (const Entry& entry : *all)
            if (entry == wanted) return ok_json(call, self.describe(call.base_uri, bridge, entry));
          return fail(Code::not_found, "There is no {} with ID {}.", table<Entry>().name, name_of(wanted));
        },
        std::move(reply));
  }

  void create(Context& context, const Call& call, Reply reply) const {
    const Result<Uuid> bridge = id_in_path(call, "id");
    if (!bridge) return reply(failed(bridge));
    Entry entry;
    if (!read_body(call, table<Entry>(), model::Writing::create, &entry, reply)) return;
    answer(
        context,
        [self = *this, bridge = *bridge, entry, base = call.base_uri](Transaction& t) -> Result<Answer> {
          if (const Status added = self.add(t, bridge, entry); !added) return failed(added);
          return created(self.uri(base, bridge, entry));
        },
        std::move(reply));
  }

  void erase(Context& context, const Call& call, Reply reply) const {
    const Result<Uuid> bridge = id_in_path(call, "id");
    if (!bridge) return reply(failed(bridge));
    const Result<Entry> entry = entry_in_path(call, Entry());
    if (!entry) return reply(failed(entry));
    answer(
        context,
        [self = *this, bridge = *bridge, entry = *entry](Transaction& t) -> Result<Answer> {
          if (const Status removed = self.remove(t, bridge, entry); !removed) return failed(removed);
          return no_content();
        },
        std::move(reply));
  }

  void add_to(Router& router, Context& context, const std::string& noun, const std::string& words) const {
    const Table& entries = table<Entry>();
    const std::string all = root + "/bridges/{id}/" + folder;
    router.add({.method = "GET",
                .path = all,
                .name = "list" + noun,
                .summary = "The " + words + " table of a bridge",
                .produces = entries.collection_media_types(),
                .handler = [self = *this, &context](const Call& call, Reply reply) {
                  self.show_all(context, call, std::move(reply));
                }});
    router.add({.method = "POST",
                .path = all,
                .name = "create" + noun,
                .summary = "Set an entry of the " + words + " table of a bridge by hand",
                .consumes = entries.media_types(),
                .handler = [self = *this, &context](const Call& call, Reply reply) {
                  self.create(context, call, std::move(reply));
                }});
    router.add({.method = "GET",
                .path = all + "/{entry}",
                .name = "get" + noun,
                .summary = "One entry of the " + words + " table of a bridge",
                .produces = entries.media_types(),
                .handler = [self = *this, &context](const Call& call, Reply reply) {
                  self.show_one(context, call, std::move(reply));
                }});
    router.add({.method = "DELETE",
                .path = all + "/{entry}",
                .name = "delete" + noun,
                .summary = "Delete an entry of the " + words + " table of a bridge that was set by hand",
                .handler = [self = *this, &context](const Call& call, Reply reply) {
                  self.erase(context, call, std::move(reply));
                }});
  }
};

}  // namespace

void add_bridge_tables(Router& router, Context& context) {
  const Entries<MacPort, topology::MacAtPort> macs{"mac_table", topology::mac_table, topology::add_mac,
                                                   topology::remove_mac};
  macs.add_to(router, context, "MacPort", "MAC");
  const Entries<Ip4Mac, Ip4Mac> neighbours{"arp_table", topology::arp_table, topology::add_neighbour,
                                           topology::remove_neighbour};
  neighbours.add_to(router, context, "Ip4Mac", "ARP");
}

}  // namespace midonet::api
