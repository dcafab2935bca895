#include "base/memory.h"

#include <malloc.h>

namespace midonet {

void give_memory_back() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

void map_large_blocks() {
#ifdef __GLIBC__
  constexpr int large = 128 * 1024;
  ::mallopt(M_MMAP_THRESHOLD, large);  // which also ends its growing
#endif
}

}  // namespace midonet
