/* SPDX-License-Identifier: MIT
 * struct_size: takes in a caller's struct of another age. */
#include "struct_size.h"

#include <string.h>

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

    if (!struct_size_room(size, oldest)) return false;
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

void struct_size_answer(void *theirs, const void *answer, size_t ours)
{
    const uint32_t size = size_of(theirs);

    memcpy(theirs, answer, size < ours ? size : ours);
    memcpy(theirs, &size, sizeof(size));
}
