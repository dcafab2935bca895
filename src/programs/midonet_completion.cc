#include "programs/midonet_completion.h"

#include <CLI/CLI.hpp>

namespace midonet::programs {

const char* const bash_completion =
#include "midonet_bash.inc"
    ;

namespace {

bool is_flag(const std::string& word) { return word.size() > 1 && word.front() == '-'; }

// A flag of this sub-command or of one that it stands below.
const CLI::Option* find_flag(const CLI::App* app, const std::string& name) {
  for (; app != nullptr; app = app->get_parent()) {
    if (const CLI::Option* option = app->get_option_no_throw(name)) return option;
  }
  return nullptr;
}

const CLI::App* find_subcommand(const CLI::App* app, const std::string& name) {
  for (const CLI::App* sub : app->get_subcommands([](const CLI::App*) { return true; })) {
    if (sub->get_name() == name) return sub;
  }
  return nullptr;
}

std::vector<const CLI::Option*> positionals(const CLI::App* app) {
  std::vector<const CLI::Option*> out;
  for (const CLI::Option* option : app->get_options([](const CLI::Option*) { return true; })) {
    if (option->get_positional()) out.push_back(option);
  }
  return out;
}

// The flags' and arguments' values that the API knows go by these words.
bool is_noun(const std::string& name) {
  return name == "bridge" || name == "port" || name == "host" || name == "interface" || name == "tunnel-zone";
}

void value_of_flag(const std::string& flag, Completion& completion) {
  if (flag == "-o" || flag == "--output") completion.words = {"table", "wide", "json"};
  if (flag == "--bridge") completion.noun = "bridge";
  if (flag == "--move-from") completion.noun = "host";
}

}  // namespace

Completion look_up(const CLI::App& app, const std::vector<std::string>& words) {
  Completion completion;
  if (words.empty()) return completion;
  completion.prefix = words.back();

  const CLI::App* at = &app;
  std::vector<std::string> arguments;  // of the innermost sub-command
  std::string flag_before;             // one that is still without its value
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (!flag_before.empty()) {
      if (word == "=") continue;  // bash makes three words of --flag=value
      if (flag_before == "--api") completion.api = word;
      flag_before.clear();
    } else if (is_flag(word)) {
      const CLI::Option* option = find_flag(at, word);
      if (option != nullptr && option->get_items_expected_max() > 0) flag_before = word;
    } else if (const CLI::App* sub = find_subcommand(at, word)) {
      at = sub;
      arguments.clear();
    } else {
      arguments.push_back(word);
    }
  }

  if (!flag_before.empty()) {
    if (completion.prefix == "=") completion.prefix.clear();
    value_of_flag(flag_before, completion);
    return completion;
  }
  if (is_flag(completion.prefix)) {
    for (const CLI::App* level = at; level != nullptr; level = level->get_parent()) {
      for (const CLI::Option* option : level->get_options([](const CLI::Option*) { return true; })) {
        for (const std::string& name : option->get_lnames()) completion.words.push_back("--" + name);
      }
    }
    return completion;
  }
  for (const CLI::App* sub : at->get_subcommands([](const CLI::App*) { return true; }))
    completion.words.push_back(sub->get_name());
  if (!completion.words.empty()) return completion;

  const auto expected = positionals(at);
  if (expected.empty()) return completion;
  // The last argument may take several words.
  const std::size_t index = std::min(arguments.size(), expected.size() - 1);
  if (index < arguments.size() && expected[index]->get_items_expected_max() == 1) return completion;
  std::string noun = expected[index]->get_name(true, false);
  noun = noun.substr(0, noun.find(','));
  if (is_noun(noun)) completion.noun = noun;
  if (noun == "interface" && index > 0) completion.host = arguments[index - 1];
  return completion;
}

}  // namespace midonet::programs
