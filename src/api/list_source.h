// A long list while it is sent: it is read and written page by page, when the client has taken the page before. So a list costs the
// memory of a page, however long it is and however slowly its client reads. It is no snapshot: each page shows the store at the time of
// its own read. A few pages are read at a time, for the clients in turn.
//
// On the loop's thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "api/router.h"
#include "base/uuid.h"
#include "http/fair_queue.h"
#include "http/message.h"
#include "model/entity.h"
#include "store/store.h"

namespace midonet::api {

struct Context;

// Reads one resource of a collection and writes it out. not_found when it does not exist.
struct Describe {
  std::function<Result<model::Json>(store::View&, const std::string& base_uri, const Uuid& id)> entity;
  // The same as text, for what there are many of; may be empty.
  std::function<Result<std::string>(store::View&, const std::string& base_uri, const Uuid& id)> text{};
};

inline constexpr std::size_t list_page = 64;  // entities; a list of no more is answered as a whole

// The entities of ids as JSON, with commas between them; without those that went meanwhile, filtered by the query parameters that
// the table knows.
Result<std::string> entities_text(store::View& view, const Call& call, const model::Table& table,
                                  const std::vector<Uuid>& ids, const Describe& describe);

class ListSource;

// Chooses the lists that read a page now.
class PageQueue {
 public:
  void ask(const std::string& client, const std::shared_ptr<ListSource>& list);
  void done();  // one page was read

 private:
  void next();
  static constexpr std::size_t at_once = 2;
  static constexpr std::size_t most = 100'000;  // more than there are connections
  http::FairQueue<std::weak_ptr<ListSource>> waiting_{most, most};
  std::size_t reading_ = 0;
};

class ListSource final : public http::BodySource, public std::enable_shared_from_this<ListSource> {
 public:
  // The context and the table outlive it.
  ListSource(Context& context, Call call, const model::Table& table, std::vector<Uuid> ids, Describe describe);

  More take(std::size_t room, std::string& out) override;
  void on_more(std::function<void()> more) override { more_ = std::move(more); }
  void read_page();  // its turn has come

 private:
  void have_read(Result<std::string> text);

  Context& context_;
  const Call call_;
  const model::Table& table_;
  const Describe describe_;
  std::vector<Uuid> ids_;
  std::size_t next_ = 0;  // of ids_
  std::string text_;      // read, not taken yet
  bool begun_ = false;    // an entity was written
  bool reading_ = false;  // or waits for its turn to
  bool failed_ = false;
  std::function<void()> more_;
};

}  // namespace midonet::api
