#include "base/memory.h"

#include <malloc.h>

namespace midonet {

void give_memory_back() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

}  // namespace midonet
