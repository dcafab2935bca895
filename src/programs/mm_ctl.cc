// mm-ctl; see cli/mm_ctl.h.
#include "cli/mm_ctl.h"

int main(int argc, char** argv) {
  // argv may be empty altogether (execve with no arguments); that is wrong usage like any other.
  const int given = argc > 0 ? argc - 1 : 0;
  return midonet::cli::mm_ctl({argv + (argc - given), static_cast<std::size_t>(given)});
}
