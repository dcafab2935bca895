// Completes a command line of `midonet` from its own table of flags and sub-commands, so that it is never out of date. The shell's
// part (midonet.bash) passes its words to `midonet __complete` and shows the printed ones.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace midonet::programs {

struct Completion {
  std::string prefix;              // the typed part of the word
  std::vector<std::string> words;  // sub-commands, flags, or a flag's values
  std::string noun;                // instead of words: "bridge", "port", "host" or "interface", to be asked of the API
  std::string host;                // whose interfaces
  std::string api;                 // of --api, if it was typed
};

// The words after the program's name; the last one is being typed, and may be empty.
Completion look_up(const CLI::App& app, const std::vector<std::string>& words);

// The text of midonet.bash.
extern const char* const bash_completion;

}  // namespace midonet::programs
