// The process's heap.
#pragma once

namespace midonet {

// Gives free memory back to the kernel: blocks that are freed after a burst lie among others, and the C library keeps them until it is
// asked. It walks over the whole heap: milliseconds.
void give_memory_back();

// Programs with many clients call this once, at their start: blocks of 128 KiB and more are mapped by themselves from then on, whatever
// was freed before. So the buffer of a large announced body takes only the memory that was written, and goes back when it is freed.
void map_large_blocks();

}  // namespace midonet
