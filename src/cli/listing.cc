#include "cli/listing.h"

#include <algorithm>
#include <functional>
#include <set>
#include <tuple>

#include "base/json.h"
#include "cli/age.h"
#include "cli/labels.h"
#include "model/bridge.h"
#include "model/field.h"
#include "model/host.h"
#include "model/port.h"
#include "model/tunnel_zone.h"

namespace midonet::cli {

namespace {

// A column with a rule of its own. The other fields of the resource follow by themselves in the wide form.
struct Column {
  std::string heading;
  std::set<std::string> shows;  // the fields that need no column of their own then
  std::function<Cell(const Json&)> cell;
  bool only_if_any = false;  // left out when it would be empty in every row
};

// "adminStateUp" -> "ADMIN STATE UP"
std::string heading_of(std::string_view field) {
  std::string out;
  for (const char c : field) {
    if (c >= 'A' && c <= 'Z') out += ' ';
    out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c == '_' ? ' ' : c;
  }
  return out;
}

std::string plain(const Json& value) {
  if (value.is_null()) return {};
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_array()) {
    std::string out;
    for (const Json& item : value) out += (out.empty() ? "" : " ") + plain(item);
    return out;
  }
  return dump_json(value);
}

bool is_column(const model::Field& field) {
  if (field.use == model::Use::internal) return false;
  // Always empty: there for published clients alone.
  if (field.use == model::Use::derived && field.choices.empty() && !field.refusal.empty()) return false;
  return field.kind != model::Kind::uri && field.kind != model::Kind::object && field.kind != model::Kind::objects;
}

// `note` gives what stands below an entity's row.
std::string listing(const Json& entities, std::vector<Column> columns, const model::Table& table, const Look& look,
                    const std::function<std::string(const Json&)>& note = {}) {
  if (look.format == Format::json) return json_text(entities);
  if (look.format == Format::wide) {
    std::set<std::string> shown;
    for (const Column& column : columns) shown.insert(column.shows.begin(), column.shows.end());
    for (const model::Field& field : table.fields) {
      if (!is_column(field) || shown.contains(field.name)) continue;
      columns.push_back(
          {heading_of(field.name),
           {},
           [name = field.name](const Json& entity) { return Cell(plain(member_of(entity, name.c_str()))); },
           true});
    }
  }
  std::vector<Row> rows(entities.size());
  std::vector<std::string> headings;
  for (const Column& column : columns) {
    std::vector<Cell> cells;
    bool any = false;
    for (const Json& entity : entities) {
      cells.push_back(column.cell(entity));
      any = any || !cells.back().text.empty();
    }
    if (column.only_if_any && !any) continue;
    headings.push_back(column.heading);
    for (std::size_t i = 0; i < cells.size(); ++i) rows[i].push_back(std::move(cells[i]));
  }
  for (std::size_t i = 0; note && i < rows.size(); ++i) rows[i].note = note(entities[i]);
  return text_table(headings, rows, look.colour, look.width());
}

Column field_column(const char* heading, const char* field, bool only_if_any = false) {
  return {heading, {field}, [field](const Json& entity) { return Cell(plain(member_of(entity, field))); }, only_if_any};
}

// Of things by the short form of the id in `field`.
Column id_column(const char* heading, const char* field, const Json& all, const Look& look) {
  return {heading, {field}, [field, ids = ShortIds(all, look)](const Json& entity) {
            return Cell(ids(text_of(entity, field)));
          }};
}

const model::Table& table_of(std::string_view resource) {
  if (resource == "Bridge") return model::table<model::Bridge>();
  if (resource == "Host") return model::table<model::Host>();
  if (resource == "TunnelZone") return model::table<model::TunnelZone>();
  return model::table<model::Port>();
}

std::string when(const Json& port, const Look& look) {
  const std::string since = since_of(port);
  return look.format == Format::table && !since.empty() ? age(since, look.now) : since;
}

Cell alive_cell(const Json& host) {
  return flag_of(host, "alive") ? Cell("alive", Tint::good) : Cell("down", Tint::bad);
}

}  // namespace

std::string state_of(const Json& port) {
  const std::string state = text_of(member_of(port, "status"), "state");
  return state.empty() ? "unbound" : state;
}
std::string since_of(const Json& port) { return text_of(member_of(port, "status"), "since"); }
std::string reason_of(const Json& port) { return text_of(member_of(port, "status"), "reason"); }

Cell state_cell(const Json& port) {
  const std::string state = state_of(port);
  const Tint tint = state == "active"    ? Tint::good
                    : state == "error"   ? Tint::bad
                    : state == "unbound" ? Tint::faint
                                         : Tint::waiting;
  return {state, tint};
}

std::string name_in(const Json& all, const std::string& id) {
  for (const Json& one : all) {
    if (text_of(one, "id") != id) continue;
    const std::string name = text_of(one, "name");
    return name.empty() ? id : name;
  }
  return id;
}

Json sorted_by_name(Json all) {
  std::sort(all.begin(), all.end(), [](const Json& a, const Json& b) {
    return std::make_tuple(text_of(a, "name"), text_of(a, "id")) <
           std::make_tuple(text_of(b, "name"), text_of(b, "id"));
  });
  return all;
}

Json sorted_ports(Json ports, const Json& bridges, const Json& hosts) {
  // The keys are made once per port, not once per comparison: there may be ten thousand of them.
  std::map<std::string, std::string> names;
  for (const Json* all : {&bridges, &hosts}) {
    for (const Json& one : *all) names.emplace(text_of(one, "id"), text_of(one, "name"));
  }
  std::vector<std::pair<std::array<std::string, 6>, Json>> keyed;
  keyed.reserve(ports.size());
  for (Json& port : ports) {
    const std::string bridge = text_of(port, "deviceId");
    const std::string host = text_of(port, "hostId");
    std::array<std::string, 6> key{names[bridge],      bridge, names[host], host, text_of(port, "interfaceName"),
                                   text_of(port, "id")};
    keyed.emplace_back(std::move(key), std::move(port));
  }
  std::sort(keyed.begin(), keyed.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  Json sorted = Json::array();
  for (auto& [key, port] : keyed) sorted.push_back(std::move(port));
  return sorted;
}

std::string bridge_list(const Json& bridges, const Look& look) {
  return listing(bridges,
                 {id_column("ID", "id", bridges, look), field_column("NAME", "name"),
                  field_column("TENANT", "tenantId"), field_column("VNI", "vni"), field_column("UP", "adminStateUp")},
                 model::table<model::Bridge>(), look);
}

std::string host_list(const Json& hosts, const Look& look) {
  return listing(hosts,
                 {id_column("ID", "id", hosts, look),
                  field_column("NAME", "name"),
                  {"STATE", {"alive"}, alive_cell},
                  field_column("ADDRESSES", "addresses")},
                 model::table<model::Host>(), look);
}

std::string port_list(const Json& ports, const Json& bridges, const Json& hosts, const Look& look) {
  const auto label = [&look](const Json& all, const char* field) {
    return [field, labels = Labels(all, look)](const Json& port) { return Cell(labels(text_of(port, field))); };
  };
  std::vector<Column> columns{
      id_column("ID", "id", ports, look),   {"BRIDGE", {}, label(bridges, "deviceId")},
      {"HOST", {}, label(hosts, "hostId")}, field_column("INTERFACE", "interfaceName"),
      {"STATE", {"status"}, state_cell},    {"SINCE", {}, [&](const Json& port) { return Cell(when(port, look)); }}};
  if (look.width() > 0) return listing(ports, std::move(columns), model::table<model::Port>(), look, reason_of);
  columns.push_back(field_column("MAC", "macAddress", true));
  columns.push_back({"REASON", {}, [](const Json& port) { return Cell(reason_of(port)); }, true});
  return listing(ports, std::move(columns), model::table<model::Port>(), look);
}

std::string tunnel_zone_list(const Json& zones, const Look& look) {
  return listing(zones,
                 {id_column("ID", "id", zones, look), field_column("NAME", "name"), field_column("TYPE", "type")},
                 model::table<model::TunnelZone>(), look);
}

std::string tunnel_zone_host_list(const Json& members, const Json& hosts, const Look& look) {
  const auto host_of = [&hosts](const Json& member) {
    for (const Json& host : hosts)
      if (text_of(host, "id") == text_of(member, "hostId")) return host;
    return Json(Json::object());  // deleted between the two answers
  };
  return listing(members,
                 {id_column("HOST ID", "hostId", hosts, look),
                  {"HOST", {}, [&](const Json& member) { return Cell(text_of(host_of(member), "name")); }},
                  {"STATE", {}, [&](const Json& member) { return alive_cell(host_of(member)); }},
                  field_column("ADDRESS", "ipAddress")},
                 model::table<model::TunnelZoneHost>(), look);
}

std::string interface_list(const Json& interfaces, const Look& look) {
  const auto state = [](const Json& interface) {
    const Json& bits = member_of(interface, "status");
    const auto status = bits.is_number_integer() ? bits.get<std::int64_t>() : 0;
    if ((status & 1) == 0) return Cell("down", Tint::bad);
    return (status & 2) != 0 ? Cell("up", Tint::good) : Cell("no link", Tint::waiting);
  };
  std::vector<Column> columns{field_column("INTERFACE", "name"), {"STATE", {"status"}, state},
                              field_column("MAC", "mac"),        field_column("MTU", "mtu"),
                              field_column("TYPE", "type"),      field_column("ADDRESSES", "addresses")};
  if (look.width() == 0) columns.insert(columns.end() - 1, field_column("ENDPOINT", "endpoint"));
  return listing(interfaces, std::move(columns), model::table<model::Interface>(), look);
}

std::string details(std::string_view resource, const Json& entity, const Look& look) {
  if (look.format == Format::json) return json_text(entity);
  std::vector<Row> rows;
  for (const model::Field* each : table_of(resource).rest_fields()) {
    const model::Field& field = *each;
    if (field.name == "status") {
      rows.push_back({"state", state_cell(entity)});
      if (!reason_of(entity).empty()) rows.push_back({"reason", reason_of(entity)});
      if (!since_of(entity).empty()) rows.push_back({"since", when(entity, look)});
      continue;
    }
    const std::string value = plain(member_of(entity, field.name.c_str()));
    const bool link = field.kind == model::Kind::uri;
    if (look.format == Format::wide ? (!link && !is_column(field)) : (!is_column(field) || value.empty())) continue;
    rows.push_back({field.name, value});
  }
  return text_fields(rows, look.colour, look.width());
}

std::string json_text(const Json& value) { return dump_json(value, 2) + "\n"; }

}  // namespace midonet::cli
