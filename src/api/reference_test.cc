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

* The root is `/midonet-api` on port 8181. URIs in answers are absolute; clients follow them.
* Requests and answers are JSON. Each resource has a media type of its own; `application/json` works everywhere. A list is an array.
* `POST` answers 201 with an absolute `Location` and no body, `PUT` and `DELETE` 204; `PUT` and `DELETE` of a host 200. A `POST` may
  give the `id`.
* `PUT` changes the properties that the body names. `null` means the default. Properties that are unknown, read-only or derived are
  ignored. A value is refused if a client would expect an effect that does not exist (another `type` of a port, a `vlanId`, mirrors).
* Numbers and booleans may be sent as strings (`"7"`, `"true"`); answers have numbers and booleans.
* `DELETE` of a binding whose port is unbound, and of an entry that a table does not have, is a success.
* A list of more than 64 entities is chunked and read from the store while it is sent. It is no snapshot. If the store goes away in the
  middle, the connection breaks off.
* `Accept-Encoding: gzip` is honoured for answers from 4 KiB on, but not for events.
* Outside of the root, without a login: `GET /metrics` for Prometheus, `GET /healthz` (200 while the process answers), `GET /readyz`
  (200, or 503 while the store does not answer). `GET /midonet-api/system_state` has the same for clients.

## Errors

Errors are `{"message": …, "code": …}`, of media type `application/vnd.org.midonet.Error-v1+json`. A 400 also has `violations`, an array of
`{"property": …, "message": …}`.

| status | when |
|---|---|
| 400 | an ill-formed id, parameter or body, or a value that a property does not take |
| 401 | a login is needed: the token is missing, not valid or over. `WWW-Authenticate` says how |
| 403 | the user lacks the role; a page of another site, or a name that this server does not have ([operating](operating.md#browsers-and-names)); a host that is alive or has bindings cannot be deleted |
| 404 | the resource, or an object that the request refers to, does not exist |
| 405, 406, 415 | a method that the resource does not have; an `Accept` that cannot be met; a `Content-Type` that is not understood |
| 408, 413, 431 | a request that comes too slowly, a body of more than 1 MiB, a header of more than 16 KiB |
| 409 | the present state does not allow it: a used id, a port or interface that is taken, a lost race. The message names the holder |
| 503 | the store or Keystone does not answer, or the server is too busy. `Retry-After` says when to try again |

## Logins

With `--auth users` or `keystone` ([operating](operating.md#who-may-use-the-api)), `POST` or `GET /midonet-api/login` with
`Authorization: Basic …` gives a token: in the body's `key` and as the cookie `sessionId`. For Keystone, `X-Auth-Project` may name the
project (a name or an id). Every other request carries the token as `X-Auth-Token` or as that cookie, except `GET /metrics`, `/healthz`
and `/readyz`. A stream of events goes on when its token ends.

## Attach

`POST <attach_interface>` with `{"hostId": …, "interface": …}` binds a port; each Port names its `attach_interface` URI.

| answer | when |
|---|---|
| 200 and the port with its `status` | the binding is durable. The same binding again is a success, and nothing is written |
| 200, with `?wait=SECONDS` or `Prefer: wait=SECONDS` | the port is `active`, or its host's agent reports an `error` for this binding |
| 202, with `wait` | the time is over (at most 300 s); the `status` says how far the binding has come |
| 404 | the port or the host does not exist. A host that is down, or an interface that does not exist yet, is no error |
| 409 | the port is bound elsewhere, or the interface carries another port. With `previousHostId` the port moves from that host in one commit, or the answer is 409 |

`POST /midonet-api/hosts/{id}/ports` has stricter rules. In this order: 404 if the host does not exist; 409 if it is in no tunnel zone (and
`--require-tunnel-zone`); 404 if the port does not exist; 409 if the port is bound, or the interface is taken.

)";

constexpr std::string_view events = R"(
## Events

`GET /midonet-api/events` with `Accept: text/event-stream` stays open and sends the changes of bindings and hosts, as
server-sent events: no polling, and one connection for any number of ports.

```
id: 5764607523034234881
event: port
data: {"portId": "…", "hostId": "…", "host": "cmp1", "interfaceName": "tap0", "state": "active", "reason": "", "revision": 42, "since": "…"}
```

| event | data | when |
|---|---|---|
| `port` | as above; `state` as in the port's `status`, `revision` that of the binding; `since` is null if it is not known | the status of a port on a host has changed. `unbound`, with `interfaceName` null: it is no longer bound there |
| `host` | `hostId`, `host`, `alive` | a host was registered, renamed or deleted (`alive` false), or its agent came or went |
| `reset` | `{}` | the present state follows, of each host and of each bound port. Forget the state of before |
| `synced` | `{}` | the present state, or all missed events, were sent; from here on events come as they happen |

* A port that moves, or is bound in two places in turn, has events of both hosts; each event is about one port on one host.
* To go on after a broken connection, send the last `id` as `Last-Event-ID` (or `?lastEventId=`). The server keeps 32768 events, until a
  minute after its last listener has gone. If it has all events after the `id`, it sends these, then `synced`. Otherwise, also at another
  server, the stream begins with `reset`. An `id` has no other meaning. Events between `reset` and `synced` have no `id`: after a break
  there the stream begins with `reset` again.
* A stream without events carries the comment `: keep-alive` every 15 seconds.
* While the server cannot reach its store, streams stay open; afterwards it sends the differences.
* A client that falls behind by more than 32768 events, or takes nothing for 30 seconds, is cut off. When the server ends, it ends its
  streams in good order, with the last chunk.
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
  out += "\nA media type is `application/vnd.org.midonet.`, then the name in this table, then `+json`.\n";
  out += events;
  for (const Table* table : rest_tables()) {
    out += fmt::format("\n## {}\n\n{}", table->name, table->doc);
    if (table->version != 0) out += fmt::format("\n\nMedia type `{}`.", table->media_type());
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
