#include "programs/config_format.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <iterator>
#include <map>
#include <memory>

#include "base/config_file.h"

namespace midonet::programs {

namespace {

// CLI11's own formats split values at commas and blanks, and know neither lines nor near keys. This one sets the options
// itself and leaves nothing for CLI11 to do.
class ConfigFormat : public CLI::Config {
 public:
  explicit ConfigFormat(CLI::App& app) : app_(app) {}

  std::string to_config(const CLI::App* /*app*/, bool /*defaults*/, bool /*descriptions*/,
                        std::string /*prefix*/) const override {
    return {};
  }

  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    const std::string text{std::istreambuf_iterator<char>(input), {}};
    const std::string file = app_.get_config_ptr()->as<std::string>();
    const auto lines = parse_config(text, file);
    if (!lines) throw CLI::ConfigError(lines.error().message, CLI::ExitCodes::ConfigError);
    std::map<CLI::Option*, int> first;  // the line that gave it a value
    for (const ConfigLine& line : *lines) {
      try {
        set(line, first);
      } catch (const CLI::ParseError& error) {
        throw CLI::ConfigError(file + ":" + std::to_string(line.number) + ": " + error.what(),
                               CLI::ExitCodes::ConfigError);
      }
    }
    return {};
  }

 private:
  [[noreturn]] static void refuse(const std::string& why) { throw CLI::ConfigError(why, CLI::ExitCodes::ConfigError); }

  static std::vector<std::string> keys_of(const CLI::App& app) {
    std::vector<std::string> keys;
    for (const CLI::Option* option : app.get_options()) {
      if (!option->get_configurable() || option == app.get_config_ptr()) continue;
      for (const std::string& name : option->get_lnames()) keys.push_back(name);
    }
    return keys;
  }

  static CLI::Option* find(CLI::App& app, const std::string& key) {
    CLI::Option* option = app.get_option_no_throw("--" + key);
    return option == app.get_config_ptr() || (option && !option->get_configurable()) ? nullptr : option;
  }

  // The part of the app that a section is of.
  CLI::App& part(const std::string& section) const {
    if (section.empty() || section == "default") return app_;
    for (CLI::App* sub : app_.get_subcommands([](const CLI::App*) { return true; })) {
      if (sub->get_name() == section) return *sub;
    }
    refuse("unknown section [" + section + "]");
  }

  void set(const ConfigLine& line, std::map<CLI::Option*, int>& first) const {
    CLI::App& app = part(line.section);
    CLI::Option* option = find(app, line.key);
    if (!option) {
      std::string why = unknown_key(line.key, keys_of(app));
      for (CLI::App* other : app_.get_subcommands([](const CLI::App*) { return true; })) {
        if (other != &app && find(*other, line.key))
          why = "the key '" + line.key + "' belongs below a line [" + other->get_name() + "]";
      }
      if (&app != &app_ && find(app_, line.key)) why = "the key '" + line.key + "' belongs above the first [section]";
      refuse(why);
    }
    const auto [at, fresh] = first.emplace(option, line.number);
    if (fresh && !option->empty()) at->second = 0;  // the command line says otherwise
    if (at->second == 0) return;
    const bool is_switch = option->get_items_expected_max() == 0;
    const bool several = option->get_expected_max() > 1;
    if (!fresh && !several)
      refuse("the key '" + line.key + "' stands in line " + std::to_string(at->second) + " already");
    if (!line.value && !is_switch) refuse("the key '" + line.key + "' needs a value: write `" + line.key + " = …`");
    if (line.value && line.value->empty()) refuse("the key '" + line.key + "' has no value");
    try {
      if (is_switch)
        option->add_result(option->get_flag_value(line.key, line.value.value_or("true")));
      else if (several)
        for (std::string part : CLI::detail::split_up(*line.value, ',')) option->add_result(CLI::detail::trim(part));
      else
        option->add_result(*line.value);
      option->run_callback();
    } catch (const CLI::ParseError& error) {
      // "--log-level: …" of the command line is "log-level: …" here.
      std::string what = error.what();
      if (const std::size_t dashes = what.find("--" + line.key); dashes != std::string::npos) what.erase(dashes, 2);
      refuse(what);
    }
  }

  CLI::App& app_;
};

}  // namespace

void add_config(CLI::App& app, const std::string& default_file, const std::string& help) {
  app.set_config("--config", default_file, help);
  app.config_formatter(std::make_shared<ConfigFormat>(app));
}

Status config_is_readable(CLI::App& app) {
  const std::string file = app.get_config_ptr()->as<std::string>();
  if (::access(file.c_str(), R_OK) == 0 || errno != EACCES) return {};
  return fail_errno(EACCES, "read {}", file);
}

}  // namespace midonet::programs
