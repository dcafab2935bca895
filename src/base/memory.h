// The process's heap.
#pragma once

namespace midonet {

// Gives the kernel back what is free: what is thrown away after a burst lies among what stays, and the C library keeps it unless it
// is asked. Walks over the whole heap: milliseconds.
void give_memory_back();

}  // namespace midonet
