// docs/rest.md is made from the tables and the routes; this test says when it is out of date. MIDONET_WRITE_GOLDEN=1 writes it.
#include <gtest/gtest.h>

#include <fstream>

#include "api/login.h"
#include "api/openapi.h"
#include "api/resources.h"
#include "store/uri.h"

namespace midonet::api::reference_test {
namespace {

using model::Field;
using model::Kind;
using model::Table;
using model::Use;

constexpr std::string_view preface = R"(# REST reference

This page is made from the tables of fields (`src/model`) and the routes (`src/api`) by `src/api/reference_test.cc`. The same
facts for machines: `GET /midonet-api/openapi.json`. Whole conversations, with every refusal: `tests/wire/rest`.

* Requests and answers are JSON. Each resource has a media type of its own; `application/json` works everywhere.
* `POST` answers 201 with an absolute `Location` and no body, `PUT` and `DELETE` 204; `PUT` and `DELETE` of a host 200.
* `PUT` changes what the body names. `null` means the default. Properties that are unknown, read-only or derived are ignored, but
  a value that would have no effect where a client may expect one is refused (another `type` of a port, a `vlanId`, mirrors).
* Numbers and booleans may be sent as strings (`"7"`, `"true"`); they are answered as what they are.
* `DELETE` of a binding whose port is unbound, and of an entry that a table does not have, is a success.
* Errors are `{"message": …, "code": …}`; a 400 also says in `violations` what is wrong with which property.
* Where a login is asked for (`--auth`, [operating](operating.md#who-may-use-the-api)): `POST` or `GET /midonet-api/login` with
  `Authorization: Basic …` and, for Keystone, `X-Auth-Project` (a name or an id) gives a token, in the body's `key` and as the cookie
  `sessionId`. Every other request but `GET /metrics`, `/healthz` and `/readyz` carries it as `X-Auth-Token` or as that cookie.
  401: it is missing or not good; 403: its user lacks the role; 503: the server that knows the users does not answer. A stream of events that was begun goes on when its
  token is over.
* A page of another site is answered 403 unless its origin is configured ([operating](operating.md#browsers-and-names)).
* A list of more than 64 entities is chunked and read from the store while it is sent. It is no snapshot, and the connection breaks
  off where the store goes away in the middle.
* `Accept-Encoding: gzip` is honoured for answers from 4 KiB on, but not for events.
* Outside of the root, without a login: `GET /metrics` for Prometheus, `GET /healthz` (200 while the process answers), `GET /readyz`
  (200, or 503 while the store does not answer). `GET /system_state` says the same to clients.
* A race that is lost answers 409, a store that cannot be reached 503 with `Retry-After`.

)";

constexpr std::string_view events = R"(
## Events

`GET /midonet-api/events` with `Accept: text/event-stream` stays open and tells what becomes of bindings and of hosts, as
server-sent events: no polling, one connection for any number of ports.

```
id: 5764607523034234881
event: port
data: {"portId": "…", "hostId": "…", "host": "cmp1", "interfaceName": "tap0", "state": "active", "reason": "", "revision": 42, "since": "…"}
```

| event | data | when |
|---|---|---|
| `port` | as above; `state` as in the port's `status`, `revision` that of the binding; `since` null where it is not known | the status of a port on a host has changed. `unbound`, with `interfaceName` null: it is no longer bound there |
| `host` | `hostId`, `host`, `alive` | a host came, was renamed, was deleted (`alive` false), its agent came or went |
| `reset` | `{}` | now comes the present state: of each host, and of each port that is bound. Forget what was known |
| `synced` | `{}` | that was the present state, or all that was missed; from here on events come as they happen |

* A port that moves, or is bound in two places in turn, has events of both hosts; each is about one port on one host.
* To go on after a broken connection, send the last `id` as `Last-Event-ID` (or `?lastEventId=`). If this server still has all
  that came after it (it keeps 32768 events, and forgets them a minute after its last listener has gone), that is told,
  then `synced`; else, also at another server, the stream begins with `reset`. An `id` means nothing else. What stands between
  `reset` and `synced` has none: one that breaks off there begins again.
* A listener that hears nothing else hears the comment `: keep-alive` every 15 seconds.
* While the server cannot reach its store, streams stay open; afterwards they are told the differences.
* A client that reads so slowly that it falls behind those 32768 events, or takes nothing for 30 seconds, is cut off. The
  end of the server ends its streams in good order, with the last chunk.
)";

std::string type_of(const Field& field) {
  switch (field.kind) {
    case Kind::boolean: return "boolean";
    case Kind::integer: return "integer";
    case Kind::string: return "string";
    case Kind::uuid: return "UUID";
    case Kind::mac: return "MAC address";
    case Kind::ip: return "IP address";
    case Kind::time: return "time";
    case Kind::uri: return "URI";
    case Kind::strings: return "array of strings";
    case Kind::object: return field.item;
    case Kind::uuids: return "array of UUIDs";
    case Kind::objects: return "array of " + field.item;
  }
  return "";
}

std::string use_of(Use use) {
  switch (use) {
    case Use::required: return "required";
    case Use::optional: return "optional";
    case Use::create_only: return "at creation";
    case Use::read_only: return "read-only";
    case Use::derived: return "derived";
    case Use::internal: break;
  }
  return "";
}

std::string rules_of(const Field& field) {
  std::string out = field.doc;
  if (field.min && field.max)
    out += fmt::format(" {}{} to {}{}.", field.kind == Kind::integer ? "From " : "", *field.min, *field.max,
                       field.kind == Kind::integer  ? ""
                       : field.kind == Kind::string ? " characters"
                                                    : " elements");
  if (!field.choices.empty()) out += fmt::format(" `{}`.", fmt::join(field.choices, "`, `"));
  if (!field.refers.empty()) out += fmt::format(" A {}'s id.", field.refers);
  if (!field.filter.empty()) out += fmt::format(" Lists take `?{}=`.", field.filter);
  return out;
}

std::string reference(const std::vector<Route>& routes) {
  std::string out(preface);
  out += "## Requests\n\n| request | what it does | body | answer |\n|---|---|---|---|\n";
  const auto short_type = [](const std::vector<std::string>& types) {
    if (types.empty()) return std::string("–");
    const std::string prefix = "application/vnd.org.midonet.";
    std::string type = types.front();
    if (type.starts_with(prefix)) type = type.substr(prefix.size(), type.size() - prefix.size() - 5);
    return "`" + type + "`";
  };
  for (const Route& route : routes)
    out += fmt::format("| `{} {}` | {} | {} | {} |\n", route.method, route.path, route.summary,
                       short_type(route.consumes), short_type(route.produces));
  out += "\nA media type is `application/vnd.org.midonet.` + what stands here + `+json`.\n";
  out += events;
  for (const Table* table : rest_tables()) {
    out += fmt::format("\n## {}\n\n{}", table->name, table->doc);
    if (table->version != 0) out += fmt::format(" Media type `{}`.", table->media_type());
    out += "\n\n| property | type | use | |\n|---|---|---|---|\n";
    for (const Field* field : table->rest_fields())
      out +=
          fmt::format("| `{}` | {} | {} | {} |\n", field->name, type_of(*field), use_of(field->use), rules_of(*field));
  }
  return out;
}

TEST(Reference, DocsRestMdIsWhatTablesAndRoutesSay) {
  Loop loop;
  const auto store = *store::open(loop, "embedded::memory:", {.patience = std::chrono::seconds(1)});
  Router router{{.base_uri = "", .authority = "a"}};
  Resources resources(loop, *store, {});
  const auto open = without_login();
  add_login(router, loop, open);
  resources.add_to(router);
  const std::string made = reference(router.routes());
  if (std::getenv("MIDONET_WRITE_GOLDEN") != nullptr) std::ofstream(MIDONET_REFERENCE) << made;
  std::ifstream file(MIDONET_REFERENCE);
  const std::string kept{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(kept, made) << "run api_test with MIDONET_WRITE_GOLDEN=1";
}

}  // namespace
}  // namespace midonet::api::reference_test
