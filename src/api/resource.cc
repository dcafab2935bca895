#include "api/resource.h"

#include "base/json.h"
#include "base/log.h"

namespace midonet::api {

void answer(Context& context, std::function<Result<Answer>(Transaction&)> body, Reply reply) {
  store::transact<Answer>(context.store, std::move(body), std::move(reply));
}

Answer ok_json(const Call& call, const Json& json) { return ok(dump_json(json), call.media_type); }

Result<Uuid> id_in_path(const Call& call, std::string_view parameter) {
  Result<Uuid> id = Uuid::parse(call.parameter(parameter));
  if (!id) id.error().property = std::string(parameter);
  return id;
}

std::shared_ptr<const Json> read_body(const Call& call, const Table& table, model::Writing writing, void* record,
                                      const Reply& reply) {
  Result<Json> body = model::parse_object(call.body);
  if (!body) {
    reply(failed(body));
    return nullptr;
  }
  if (const auto violations = model::read_entity(table, *body, writing, record); !violations.empty()) {
    reply(invalid_answer(violations));
    return nullptr;
  }
  return std::make_shared<const Json>(*std::move(body));
}

Result<Answer> list_answer(Context& context, View& view, const Call& call, const Table& table,
                           const std::vector<std::string>& names, const Describe& describe) {
  std::vector<Uuid> ids;
  ids.reserve(names.size());
  for (const std::string& name : names)
    if (const Result<Uuid> id = Uuid::parse(name)) ids.push_back(*id);  // else nothing of this program made the node
  if (ids.size() > list_page)
    return Answer{.media_type = call.media_type,
                  .source = std::make_shared<ListSource>(context, call, table, std::move(ids), describe)};
  const Result<std::string> text = entities_text(view, call, table, ids, describe);
  if (!text) return failed(text);
  return ok("[" + *text + "]", call.media_type);
}

std::function<void(const Call&, Reply)> lister(Context& context, const Table& table, std::string folder,
                                               Describe describe) {
  return [&context, &table, folder, describe](const Call& call, Reply reply) {
    answer(
        context,
        [&context, &table, folder, describe, call](Transaction& t) -> Result<Answer> {
          const auto ids = topology::list_ids(t, folder);
          if (!ids) return failed(ids);
          return list_answer(context, t, call, table, *ids, describe);
        },
        std::move(reply));
  };
}

std::function<void(const Call&, Reply)> shower(Context& context, Describe describe) {
  return [&context, describe](const Call& call, Reply reply) {
    const Result<Uuid> id = id_in_path(call, "id");
    if (!id) return reply(failed(id));
    answer(
        context,
        [describe, id = *id, call](Transaction& t) -> Result<Answer> {
          const Result<Json> entity = describe.entity(t, call.base_uri, id);
          if (!entity) return failed(entity);
          return ok_json(call, *entity);
        },
        std::move(reply));
  };
}

std::function<void(const Call&, Reply)> remover(Context& context, Status (*remove)(Transaction&, const Uuid&),
                                                int status) {
  return [&context, remove, status](const Call& call, Reply reply) {
    const Result<Uuid> id = id_in_path(call, "id");
    if (!id) return reply(failed(id));
    answer(
        context,
        [remove, id = *id, status](Transaction& t) -> Result<Answer> {
          if (const Status removed = remove(t, id); !removed) return failed(removed);
          return Answer{.status = status};
        },
        std::move(reply));
  };
}

std::function<void(const Call&, Reply)> remover(Context& context,
                                                Result<topology::Progress> (*step)(Transaction&, const Uuid&),
                                                int status) {
  return [&context, step, status](const Call& call, Reply reply) {
    const Result<Uuid> id = id_in_path(call, "id");
    if (!id) return reply(failed(id));
    topology::run_steps(
        context.store, [step, id = *id](Transaction& t) { return step(t, id); },
        [reply = std::move(reply), status](const Status& removed) {
          if (!removed) return reply(failed(removed));
          reply(Answer{.status = status});
        });
  };
}

}  // namespace midonet::api
