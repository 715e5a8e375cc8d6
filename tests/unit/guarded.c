/* SPDX-License-Identifier: MIT
 * Arrays between two pages that nobody may touch. */
#include "guarded.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t page(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

guarded guarded_new(size_t n)
{
    const size_t inside = (n * sizeof(double) / page() + 1) * page();
    guarded g = {.room = inside / sizeof(double), .bytes = inside + 2 * page()};
    char *all = mmap(NULL, g.bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (all == MAP_FAILED || mprotect(all + page(), inside, PROT_READ | PROT_WRITE) != 0) abort();
    g.low = (double *)(void *)(all + page());
    g.high = g.low + g.room - n;
    return g;
}

void guarded_read_only(const guarded *g)
{
    if (mprotect(g->low, g->room * sizeof(double), PROT_READ) != 0) abort();
}

void guarded_free(const guarded *g)
{
    munmap((char *)(void *)g->low - page(), g->bytes);
}
