/* SPDX-License-Identifier: MIT
 * faults_memory: preloaded into a daemon under test, lets its allocations fail.
 *
 * FAULTS_MEMORY names a file that holds a `memory_page`, mapped and shared with the test. While
 * `armed`, the fail_at-th allocation from then on (the first is 0) fails, and with `for_ever` every
 * one after it. Whoever asks: the daemon, its libraries, the C library. `caller` then names who
 * asked: the object and how far in. In a library of its own because a sanitizer has a malloc of its
 * own. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096

typedef struct memory_page {
    _Atomic int64_t armed, fail_at, for_ever;
    _Atomic int64_t seen, failed; /* since it was armed */
    char caller[200];             /* of the first that failed */
} memory_page;

static memory_page *page; /* NULL: nothing is asked for */

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t n);
void *__libc_realloc(void *block, size_t n);
void *__libc_memalign(size_t alignment, size_t n);

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("FAULTS_MEMORY");
    void *mapped;
    int fd;

    if (path == NULL) return;
    fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (fd < 0) abort();
    mapped = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped == MAP_FAILED) abort();
    page = mapped;
}

/* Neither this nor what it calls allocates. */
static void note_caller(const void *address)
{
    Dl_info info = {0};
    const char *name = "?";

    if (dladdr(address, &info) != 0 && info.dli_fname != NULL) name = info.dli_fname;
    if (strrchr(name, '/') != NULL) name = strrchr(name, '/') + 1;
    snprintf(page->caller, sizeof(page->caller), "%.60s+0x%zx %.100s", name,
             (size_t)((const char *)address - (const char *)info.dli_fbase),
             info.dli_sname != NULL ? info.dli_sname : "");
}

static int granted(const void *caller)
{
    int64_t n;

    if (page == NULL || !atomic_load_explicit(&page->armed, memory_order_relaxed)) return 1;
    n = atomic_fetch_add(&page->seen, 1);
    if (atomic_load(&page->for_ever) ? n < page->fail_at : n != page->fail_at) return 1;
    if (atomic_fetch_add(&page->failed, 1) == 0) note_caller(caller);
    errno = ENOMEM;
    return 0;
}

#define CALLER __builtin_return_address(0)

void *malloc(size_t n)
{
    return granted(CALLER) ? __libc_malloc(n) : NULL;
}

void *calloc(size_t count, size_t n)
{
    return granted(CALLER) ? __libc_calloc(count, n) : NULL;
}

void *realloc(void *block, size_t n)
{
    return granted(CALLER) ? __libc_realloc(block, n) : NULL;
}

void *aligned_alloc(size_t alignment, size_t n)
{
    return granted(CALLER) ? __libc_memalign(alignment, n) : NULL;
}

void *memalign(size_t alignment, size_t n);
void *memalign(size_t alignment, size_t n)
{
    return granted(CALLER) ? __libc_memalign(alignment, n) : NULL;
}

int posix_memalign(void **out, size_t alignment, size_t n)
{
    void *block = granted(CALLER) ? __libc_memalign(alignment, n) : NULL;

    if (block == NULL) return ENOMEM;
    *out = block;
    return 0;
}
