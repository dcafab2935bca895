// Shared by the files of resources: a handler that answers from one transaction, and reading, listing, creating and changing the
// resource of a table. A resource is a file with its routes; rules that its table cannot express are functions there.
//
// On the loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "api/answer.h"
#include "api/list_source.h"
#include "api/router.h"
#include "base/loop.h"
#include "model/binding.h"
#include "model/entity.h"
#include "model/port.h"
#include "store/store.h"
#include "store/transaction.h"
#include "topology/lookup.h"
#include "topology/removal.h"

namespace midonet::api {

using model::Json;
using model::Table;
using store::Transaction;
using store::View;

class EventFeed;
class Waits;  // the attaches whose clients wait for the kernel (attach_resource.cc)

// The context of handlers; outlives the router's use.
struct Context {
  Loop& loop;
  store::Store& store;
  bool require_tunnel_zone;
  bool gre_means_vxlan;
  std::shared_ptr<Waits> waits{};
  std::shared_ptr<EventFeed> events{};
  PageQueue pages{};
  std::weak_ptr<void> backup{};  // that is being made or sent
};

// Answers with the result of a function of a transaction, after its commit.
void answer(Context& context, std::function<Result<Answer>(Transaction&)> body, Reply reply);

// 200 with the entity or entities, in the media type that the client prefers.
Answer ok_json(const Call& call, const Json& json);

// A UUID of the path; invalid when it is none.
Result<Uuid> id_in_path(const Call& call, std::string_view parameter);

// The body as JSON, checked against a table for a create or an update. Otherwise answers 400, with all that is wrong, and
// returns nothing.
std::shared_ptr<const Json> read_body(const Call& call, const Table& table, model::Writing writing, void* record,
                                      const Reply& reply);

// The entities of ids, without those that went meanwhile, filtered by the query parameters that the table knows. More than a page
// of them is read while it is sent.
Result<Answer> list_answer(Context& context, View& view, const Call& call, const Table& table,
                           const std::vector<std::string>& ids, const Describe& describe);

// The handlers that most collections need.
std::function<void(const Call&, Reply)> lister(Context& context, const Table& table, std::string folder,
                                               Describe describe);
std::function<void(const Call&, Reply)> shower(Context& context, Describe describe);
std::function<void(const Call&, Reply)> remover(Context& context, Status (*remove)(Transaction&, const Uuid&),
                                                int status);
// For objects that are deleted in several commits (topology/removal.h).
std::function<void(const Call&, Reply)> remover(Context& context,
                                                Result<topology::Progress> (*step)(Transaction&, const Uuid&),
                                                int status);

// PUT: the body is checked on a fresh record first, so that it is refused as a whole; then what it names is changed over
// the stored one by `update`.
template <class R>
std::function<void(const Call&, Reply)> updater(
    Context& context, Status (*update)(Transaction&, const Uuid&, const std::function<void(R&)>&), int status) {
  return [&context, update, status](const Call& call, Reply reply) {
    const Result<Uuid> id = id_in_path(call, "id");
    if (!id) return reply(failed(id));
    R scratch{};
    const auto body = read_body(call, model::table<R>(), model::Writing::update, &scratch, reply);
    if (!body) return;
    answer(
        context,
        [update, id = *id, body, status](Transaction& t) -> Result<Answer> {
          const Status done =
              update(t, id, [&body](R& record) { (void)model::read_entity(*body, model::Writing::update, record); });
          if (!done) return failed(done);
          return Answer{.status = status};
        },
        std::move(reply));
  };
}

// The files of resources.
void add_application(Router& router, Context& context);
void add_hosts(Router& router, Context& context);
void add_bindings(Router& router, Context& context);
void add_bridges(Router& router, Context& context);
void add_ports(Router& router, Context& context);
void add_attach(Router& router, Context& context);
void add_tunnel_zones(Router& router, Context& context);
void add_bridge_tables(Router& router, Context& context);
void add_empty_lists(Router& router, Context& context);
void add_tenants(Router& router, Context& context);
void add_events(Router& router, Context& context);
void add_backup(Router& router, Context& context);

// One port with its status; not_found.
Result<Json> describe_port(View& view, const std::string& base_uri, const Uuid& id);
Json port_entity(const model::Port& port, const model::PortStatus& status, const std::string& base_uri);
// The binding of a port on a host with its status; not_found.
Result<Json> describe_binding(View& view, const std::string& base_uri, const Uuid& host, const Uuid& port);

}  // namespace midonet::api
