#include "cli/find.h"

#include <algorithm>

#include "base/uuid.h"

namespace midonet::cli {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string described(const Candidate& candidate) {
  if (candidate.names.empty() || candidate.names.front().empty()) return candidate.id;
  return fmt::format("{} ({})", candidate.id, candidate.names.front());
}

}  // namespace

Result<std::string> find_one(std::string_view noun, std::string_view wanted, const std::vector<Candidate>& candidates) {
  const std::string id = lower(wanted);  // ids compare without case
  std::vector<const Candidate*> matches;
  const auto collect = [&](const auto& matches_it) {
    if (!matches.empty()) return;
    for (const Candidate& candidate : candidates) {
      if (matches_it(candidate)) matches.push_back(&candidate);
    }
  };
  if (!wanted.empty()) {
    collect([&](const Candidate& c) { return c.id == id; });
    collect([&](const Candidate& c) { return std::find(c.names.begin(), c.names.end(), wanted) != c.names.end(); });
  }
  if (wanted.size() >= shortest_id_prefix) collect([&](const Candidate& c) { return c.id.starts_with(id); });

  if (matches.size() == 1) return matches.front()->id;
  if (matches.empty())
    return fail(Code::not_found, "there is no {} '{}': `midonet {} list` shows what there is", noun, wanted, noun);
  constexpr std::size_t most = 5;
  std::string list;
  for (std::size_t i = 0; i < std::min(most, matches.size()); ++i)
    list += (i == 0 ? "" : ", ") + described(*matches[i]);
  if (matches.size() > most) list += fmt::format(" and {} more", matches.size() - most);
  return fail(Code::invalid, "'{}' may be any of {} {}s, give more of the id: {}", wanted, matches.size(), noun, list);
}

}  // namespace midonet::cli
