/* SPDX-License-Identifier: MIT
 * struct_size: takes in a caller's struct of another age. */
#include "struct_size.h"

#include <string.h>

#define LARGEST 4096u /* no struct of ours will be larger: this size is garbage */

static uint32_t size_of(const void *theirs)
{
    uint32_t size;

    memcpy(&size, theirs, sizeof(size));
    return size;
}

bool struct_size_ok(const void *theirs, size_t oldest, size_t ours)
{
    const unsigned char *bytes = theirs;
    const uint32_t size = size_of(theirs);

    if (size < oldest || size > LARGEST) return false;
    for (size_t i = ours; i < size; i++)
        if (bytes[i] != 0) return false;
    return true;
}

void struct_size_copy(void *to, const void *theirs, size_t ours)
{
    const uint32_t size = size_of(theirs);

    memset(to, 0, ours);
    memcpy(to, theirs, size < ours ? size : ours);
}
