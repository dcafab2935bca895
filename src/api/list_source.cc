#include "api/list_source.h"

#include <algorithm>
#include <utility>

#include "api/resource.h"
#include "base/json.h"
#include "base/log.h"

namespace midonet::api {

namespace {

// The filters of the table that the query names.
std::vector<std::pair<std::string, std::string>> filters_of(const Call& call, const Table& table) {
  std::vector<std::pair<std::string, std::string>> filters;
  for (const model::Field& field : table.fields)
    if (const auto wanted = field.filter.empty() ? std::nullopt : call.query_parameter(field.filter))
      filters.emplace_back(field.name, *wanted);
  return filters;
}

Call without_work(Call call) {
  call.work.reset();
  return call;
}

}  // namespace

Result<std::string> entities_text(View& view, const Call& call, const Table& table, const std::vector<Uuid>& ids,
                                  const Describe& describe) {
  const auto filters = filters_of(call, table);
  // Empty: it is left out.
  const auto entity_text = [&](const Uuid& id) -> Result<std::string> {
    if (describe.text && filters.empty()) return describe.text(view, call.base_uri, id);
    const Result<Json> entity = describe.entity(view, call.base_uri, id);
    if (!entity) return failed(entity);
    const bool wanted = std::all_of(filters.begin(), filters.end(), [&entity](const auto& filter) {
      return entity->at(filter.first) == filter.second;
    });
    return wanted ? dump_json(*entity) : std::string();
  };
  topology::Steps steps;
  std::vector<std::string> damaged;
  std::string all;
  for (const Uuid& id : ids) {
    const Result<std::string> text = entity_text(id);
    if (!text && text.error().code == Code::not_found) continue;
    if (!text && text.error().code == Code::internal) {  // one bad record does not hide all others
      damaged.push_back(text.error().message);
      continue;
    }
    if (!steps.add(text) || text->empty()) continue;
    if (!all.empty()) all += ',';
    all += *text;
  }
  if (!steps.outcome()) return failed(steps.outcome());
  for (const std::string& message : damaged) log::error("api {}: left out of the list: {}", call.path, message);
  return all;
}

void PageQueue::ask(const std::string& client, const std::shared_ptr<ListSource>& list) {
  (void)waiting_.push(client, list);
  next();
}

void PageQueue::done() {
  --reading_;
  next();
}

void PageQueue::next() {
  while (reading_ < at_once) {
    const auto waiting = waiting_.pop();
    if (!waiting) return;
    const auto list = waiting->lock();
    if (!list) continue;  // its client has gone
    ++reading_;
    list->read_page();
  }
}

ListSource::ListSource(Context& context, Call call, const Table& table, std::vector<Uuid> ids, Describe describe)
    : context_(context),
      call_(without_work(std::move(call))),
      table_(table),
      describe_(std::move(describe)),
      ids_(std::move(ids)) {}

http::BodySource::More ListSource::take(std::size_t, std::string& out) {
  if (failed_) return More::cut_off;
  if (!text_.empty()) {
    out += begun_ ? ',' : '[';
    begun_ = true;
    out += std::exchange(text_, {});
  }
  if (reading_) return More::later;
  if (next_ == ids_.size()) {
    out += begun_ ? "]" : "[]";
    return More::end;
  }
  reading_ = true;
  context_.pages.ask(call_.visit.client, shared_from_this());
  return More::later;
}

void ListSource::read_page() {
  const std::size_t end = std::min(next_ + list_page, ids_.size());
  const auto page = std::make_shared<const std::vector<Uuid>>(ids_.begin() + static_cast<std::ptrdiff_t>(next_),
                                                              ids_.begin() + static_cast<std::ptrdiff_t>(end));
  next_ = end;
  store::transact<std::string>(
      context_.store,
      [weak = weak_from_this(), page](Transaction& t) -> Result<std::string> {
        const auto self = weak.lock();
        if (!self) return std::string();  // its client has gone
        return entities_text(t, self->call_, self->table_, *page, self->describe_);
      },
      [weak = weak_from_this(), &context = context_](Result<std::string> text) {
        if (const auto self = weak.lock()) self->have_read(std::move(text));
        context.pages.done();
      });
}

void ListSource::have_read(Result<std::string> text) {
  reading_ = false;
  failed_ = !text;
  if (text)
    text_ = *std::move(text);
  else
    log::warning("api {}: the list ends in the middle: {}", call_.path, text.error().message);
  if (more_) more_();
}

}  // namespace midonet::api
