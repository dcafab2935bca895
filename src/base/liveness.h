// For callbacks that may come after the object that asked for them is gone: a member of that object makes them do nothing then.
//
//   store_.get(path, liveness_.guard([this](const Result<NodePtr>& node) { ... }));
//
// Neither the loop nor a store drops a callback that it was given, unless its header says so. Where an object lives in a
// shared_ptr anyway, weak_from_this() does the same.
#pragma once

#include <memory>
#include <utility>

namespace midonet {

class Liveness {
 public:
  Liveness() = default;
  Liveness(const Liveness&) = delete;
  Liveness& operator=(const Liveness&) = delete;

  // Whether this still exists, for a call of several steps, any of which may end it.
  std::weak_ptr<const char> token() const { return token_; }

  // `call`, for as long as this exists.
  template <class Call>
  auto guard(Call call) const {
    return [alive = std::weak_ptr(token_), call = std::move(call)]<class... Args>(Args&&... args) mutable {
      if (!alive.expired()) call(std::forward<Args>(args)...);
    };
  }

 private:
  std::shared_ptr<const char> token_ = std::make_shared<const char>();
};

}  // namespace midonet
