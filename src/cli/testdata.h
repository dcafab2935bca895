// Answers of an API, for tests of the text that shows them.
#pragma once

#include "cli/listing.h"

namespace midonet::cli::testdata {

// Two hosts, the second of them down; two bridges; four ports in four states, one of them without a binding.
Json hosts();
Json bridges();
Json ports();
Look look(Format format);  // at 2026-03-01T12:00:00Z, without colours

}  // namespace midonet::cli::testdata
