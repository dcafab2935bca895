// The process's heap.
#pragma once

namespace midonet {

// Gives the kernel back what is free: what is thrown away after a burst lies among what stays, and the C library keeps it unless it
// is asked. Walks over the whole heap: milliseconds.
void give_memory_back();

// Programs that serve many call this once, at their start: blocks of 128 KiB and more are mapped by themselves from now on, whatever
// was freed before. So a large body that was announced takes only what was written to it, and goes back as soon as it is freed.
void map_large_blocks();

}  // namespace midonet
