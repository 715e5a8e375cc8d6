/* SPDX-License-Identifier: MIT
 * crash_trace: preloaded into a daemon under test, writes down in order what a disk may still lose.
 *
 * CRASH_TRACE names the file that it appends to, CRASH_PATH the file that is watched: with those
 * beside it whose names begin with its own, and the folder they are in. Each change of them and
 * each flush is one event, noted once it has succeeded; each answer on a socket is one, noted
 * before it leaves. So a flush that stands behind an answer came behind it, and what could have
 * been told before it was safe is seen. crash_disk.py reads the events, of the layout `event`. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PATH_SIZE 4096
#define NS_PER_S INT64_C(1000000000)

typedef enum event_kind {
    EVENT_MADE = 1,    /* a file came to be; data: its name */
    EVENT_WRITTEN = 2, /* data, at `at` */
    EVENT_SIZED = 3,   /* its size is `at` now */
    EVENT_FLUSHED = 4, /* all before the event number `at` */
    EVENT_REMOVED = 5, /* data: its name */
    EVENT_FOLDER = 6,  /* the folder is flushed, as EVENT_FLUSHED */
    EVENT_SENT = 7,    /* data leave on a socket */
    EVENT_STRANGE = 8  /* data: what happened, and these events do not tell */
} event_kind;

typedef struct event {
    uint32_t kind, size; /* of the data behind it */
    uint64_t file;       /* its inode; of no file: 0 */
    int64_t at, steady_ns;
} event;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* around the two below */
static int trace_fd = -1;                                /* nothing is watched */
static int64_t events;
static char watched[PATH_SIZE], folder[PATH_SIZE];

__attribute__((constructor)) static void start(void)
{
    const char *trace = getenv("CRASH_TRACE"), *path = getenv("CRASH_PATH");
    char *end;

    if (trace == NULL || path == NULL) return;
    snprintf(watched, sizeof(watched), "%s", path);
    snprintf(folder, sizeof(folder), "%s", path);
    end = strrchr(folder, '/');
    if (end == NULL) abort();
    *end = '\0';
    trace_fd = (int)syscall(SYS_openat, AT_FDCWD, trace, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (trace_fd < 0) abort();
}

/* ---- events ----------------------------------------------------------------- */

/* A trace with a hole says nothing: rather none at all. */
static void note(event_kind kind, uint64_t file, int64_t at, const void *data, size_t size)
{
    event e = {.kind = kind, .size = (uint32_t)size, .file = file, .at = at};
    const struct iovec parts[] = {{&e, sizeof(e)}, {(void *)(uintptr_t)data, size}};
    const int before = errno;
    struct timespec now;

    pthread_mutex_lock(&lock);
    clock_gettime(CLOCK_MONOTONIC, &now);
    e.steady_ns = (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
    if (syscall(SYS_writev, trace_fd, parts, 2) != (ssize_t)(sizeof(e) + size)) abort();
    events++;
    pthread_mutex_unlock(&lock);
    errno = before;
}

static int64_t events_now(void)
{
    int64_t n;

    pthread_mutex_lock(&lock);
    n = events;
    pthread_mutex_unlock(&lock);
    return n;
}

static bool is_watched(const char *path)
{
    return trace_fd >= 0 && strncmp(path, watched, strlen(watched)) == 0;
}

static void note_strange(const char *what)
{
    note(EVENT_STRANGE, 0, 0, what, strlen(what));
}

static void note_name(event_kind kind, uint64_t file, const char *path)
{
    const char *name = path + strlen(folder) + 1;

    note(kind, file, 0, name, strlen(name));
}

static bool path_of(int fd, char path[PATH_SIZE])
{
    char link[40];
    ssize_t n;

    if (trace_fd < 0 || fd < 0) return false;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, PATH_SIZE - 1);
    if (n < 0) return false;
    path[n] = '\0';
    return true;
}

/* The inode of a watched file; 0: it is none. */
static uint64_t file_of(int fd)
{
    char path[PATH_SIZE];
    struct stat info;

    if (!path_of(fd, path) || !is_watched(path) || fstat(fd, &info) != 0) return 0;
    return (uint64_t)info.st_ino;
}

static bool is_folder(int fd)
{
    char path[PATH_SIZE];

    return path_of(fd, path) && strcmp(path, folder) == 0;
}

/* ---- calls ------------------------------------------------------------------ */

/* The real function behind ours; by way of memory, because a cast from dlsym's
 * answer is no standard C. */
#define REAL(name)                                                                                 \
    static _Atomic(void *) found;                                                                  \
    void *at_real = found;                                                                         \
    __typeof__(&name) real;                                                                        \
    if (at_real == NULL) found = at_real = dlsym(RTLD_NEXT, #name);                                \
    memcpy(&real, &at_real, sizeof(real))

static ssize_t written(int fd, const void *data, ssize_t n, int64_t at)
{
    const uint64_t file = n > 0 ? file_of(fd) : 0;

    if (file != 0) note(EVENT_WRITTEN, file, at, data, (size_t)n);
    return n;
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at)
{
    REAL(pwrite);
    return written(fd, data, real(fd, data, n, at), at);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at)
{
    REAL(pwrite64);
    return written(fd, data, real(fd, data, n, at), at);
}

ssize_t write(int fd, const void *data, size_t n)
{
    REAL(write);
    if (file_of(fd) != 0) note_strange("write");
    return real(fd, data, n);
}

static int sized(int fd, int code, int64_t size)
{
    const uint64_t file = code == 0 ? file_of(fd) : 0;

    if (file != 0) note(EVENT_SIZED, file, size, NULL, 0);
    return code;
}

int ftruncate(int fd, off_t size)
{
    REAL(ftruncate);
    return sized(fd, real(fd, size), size);
}

int ftruncate64(int fd, off64_t size)
{
    REAL(ftruncate64);
    return sized(fd, real(fd, size), size);
}

int fallocate(int fd, int mode, off_t from, off_t size)
{
    REAL(fallocate);
    if (file_of(fd) != 0) note_strange("fallocate");
    return real(fd, mode, from, size);
}

int fallocate64(int fd, int mode, off64_t from, off64_t size)
{
    REAL(fallocate64);
    if (file_of(fd) != 0) note_strange("fallocate64");
    return real(fd, mode, from, size);
}

static int flushed(int fd, int code, int64_t before)
{
    const uint64_t file = code == 0 ? file_of(fd) : 0;

    if (file != 0) note(EVENT_FLUSHED, file, before, NULL, 0);
    if (code == 0 && is_folder(fd)) note(EVENT_FOLDER, 0, before, NULL, 0);
    return code;
}

int fsync(int fd)
{
    REAL(fsync);
    const int64_t before = events_now();

    return flushed(fd, real(fd), before);
}

int fdatasync(int fd)
{
    REAL(fdatasync);
    const int64_t before = events_now();

    return flushed(fd, real(fd), before);
}

int unlink(const char *path)
{
    REAL(unlink);
    const int code = real(path);

    if (code == 0 && is_watched(path)) note_name(EVENT_REMOVED, 0, path);
    return code;
}

int rename(const char *from, const char *to)
{
    REAL(rename);
    if (is_watched(from) || is_watched(to)) note_strange("rename");
    return real(from, to);
}

/* Readers may map it; what is written through a map would go unseen. */
void *mmap(void *at_page, size_t n, int protection, int flags, int fd, off_t at)
{
    REAL(mmap);
    if ((protection & PROT_WRITE) && (flags & MAP_SHARED) && file_of(fd) != 0) note_strange("mmap");
    return real(at_page, n, protection, flags, fd, at);
}

/* A new file shows by its absence before. */
static int opened(int fd, const char *path, int flags, bool missing)
{
    struct stat info;

    if (fd < 0 || !is_watched(path)) return fd;
    if (flags & O_TRUNC) note_strange("O_TRUNC");
    if (missing && fstat(fd, &info) == 0) note_name(EVENT_MADE, (uint64_t)info.st_ino, path);
    return fd;
}

#define OPENS(name)                                                                                \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        REAL(name);                                                                                \
        const bool missing = is_watched(path) && access(path, F_OK) != 0;                          \
        mode_t mode = 0;                                                                           \
        va_list more;                                                                              \
                                                                                                   \
        va_start(more, flags);                                                                     \
        if (flags & (O_CREAT | O_TMPFILE)) mode = va_arg(more, mode_t);                            \
        va_end(more);                                                                              \
        return opened(real(path, flags, mode), path, flags, missing);                              \
    }
OPENS(open)
OPENS(open64)

ssize_t send(int fd, const void *data, size_t n, int flags)
{
    REAL(send);
    ssize_t sent;

    if (trace_fd >= 0) note(EVENT_SENT, (uint64_t)fd, 0, data, n);
    sent = real(fd, data, n, flags);
    if (trace_fd >= 0 && sent >= 0 && (size_t)sent != n) note_strange("half a send");
    return sent;
}
