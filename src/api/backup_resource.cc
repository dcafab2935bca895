// /backup: the file of an embedded store, which stays in use.
#include "api/resource.h"
#include "base/log.h"
#include "http/file_source.h"

namespace midonet::api {

namespace {

// One at a time, until its client has it: each takes as much room on the disk as the store.
void back_up(Context& context, const Call& call, const Reply& reply) {
  if (!context.backup.expired()) return reply(fail(Code::unavailable, "Another backup is being made or sent."));
  const auto under_way = std::make_shared<int>();
  context.backup = under_way;
  context.store.backup([reply, media_type = call.media_type, under_way](Result<UniqueFd> copy) {
    if (!copy) {
      log::warning("back up the store: {}", copy.error().message);
      return reply(failed(copy));
    }
    const auto file = http::file_source(*std::move(copy));
    reply(Answer{.media_type = media_type,
                 .headers = {{"Cache-Control", "no-store"}},
                 .source = {file.get(), [file, under_way](http::BodySource*) {}}});
  });
}

}  // namespace

void add_backup(Router& router, Context& context) {
  router.add(
      {.method = "GET",
       .path = root + "/backup",
       .name = "getBackup",
       .summary =
           "The whole of an embedded store as a file, which `midonet backup` saves; 400 where the store is ZooKeeper",
       .produces = {"application/vnd.sqlite3"},
       .handler = [&context](const Call& call, const Reply& reply) { back_up(context, call, reply); }});
}

}  // namespace midonet::api
