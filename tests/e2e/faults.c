/* SPDX-License-Identifier: MIT
 * faults: preloaded into a daemon under test, fails its calls and moves its wall clock.
 *
 * FAULTS_CONTROL names a file of one page, mapped: lines "CALL ERRNO", such as
 * "fsync EIO", as long as its first byte is not 0. CALL is open, read, write, ftruncate,
 * fallocate, fsync, unlink, rename or mmap, each for its whole family. FAULTS_PATH: only
 * files whose path contains it. FAULTS_STEP names a file that holds a `step`, mapped and
 * shared: one such call by its number, once or from then on; "SHORT" for an errno lets a
 * read or a write do half of what it is asked. FAULTS_CLOCK names a file of 8 bytes, mapped:
 * nanoseconds that are added to CLOCK_REALTIME alone. Switched off, a call costs one look at
 * memory. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define NS_PER_S INT64_C(1000000000)

static const char *control;          /* the page; NULL: no faults asked for */
static const _Atomic int64_t *shift; /* NULL: the clock is left alone */
static const char *path_part = "";

typedef struct step {
    _Atomic int64_t armed, fail_at, for_ever;
    _Atomic int64_t seen, failed; /* such calls since it was armed */
    char call[16], number[16];
} step;

static step *stepped; /* NULL: nothing is asked for */

#define SHORT (-1) /* stands for an errno: do half of it */

static void *map(const char *variable, size_t size, int protection)
{
    const char *path = getenv(variable);
    void *page;
    int fd;

    if (path == NULL) return NULL;
    fd = (int)syscall(SYS_openat, AT_FDCWD, path,
                      (protection & PROT_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (fd < 0) abort();
    page = (void *)syscall(SYS_mmap, NULL, size, protection, MAP_SHARED, fd, 0);
    close(fd);
    if (page == MAP_FAILED) abort();
    return page;
}

__attribute__((constructor)) static void start(void)
{
    const char *part = getenv("FAULTS_PATH");

    if (part != NULL) path_part = part;
    control = map("FAULTS_CONTROL", PAGE, PROT_READ);
    shift = map("FAULTS_CLOCK", sizeof(*shift), PROT_READ);
    stepped = map("FAULTS_STEP", PAGE, PROT_READ | PROT_WRITE);
}

/* ---- calls ----------------------------------------------------------------- */

static int number_of(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } known[] = {{"EIO", EIO},       {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EROFS", EROFS},
                 {"EMFILE", EMFILE}, {"EACCES", EACCES}, {"EINTR", EINTR},   {"ENOMEM", ENOMEM},
                 {"EAGAIN", EAGAIN}, {"SHORT", SHORT}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(known[i].name, name) == 0) return known[i].number;
    return EIO;
}

/* The errno that the control asks of a call; 0: let it through. */
static int asked(const char *call)
{
    char text[PAGE], *line, *rest = NULL;

    if (control == NULL) return 0;
    if (*(const volatile char *)control == '\0') return 0;
    memcpy(text, control, sizeof(text));
    text[PAGE - 1] = '\0';
    for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        char *space = strchr(line, ' ');

        if (space == NULL) continue;
        *space = '\0';
        if (strcmp(line, call) == 0) return number_of(space + 1);
    }
    return 0;
}

static int is_stepped(const char *call)
{
    return stepped != NULL && atomic_load_explicit(&stepped->armed, memory_order_relaxed) &&
           strcmp(stepped->call, call) == 0;
}

/* Counts a call of the kind that is asked for. */
static int take_step(void)
{
    const int64_t n = atomic_fetch_add(&stepped->seen, 1);

    if (atomic_load(&stepped->for_ever) ? n < stepped->fail_at : n != stepped->fail_at) return 0;
    atomic_fetch_add(&stepped->failed, 1);
    return number_of(stepped->number);
}

static int fails_path(const char *call, const char *path)
{
    if (strstr(path, path_part) == NULL) return 0;
    if (is_stepped(call)) return take_step();
    return asked(call);
}

static int fails_fd(const char *call, int fd)
{
    char link[40], path[PAGE];
    ssize_t n;

    if (fd < 0 || (asked(call) == 0 && !is_stepped(call))) return 0;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    if (n < 0) return 0;
    path[n] = '\0';
    return fails_path(call, path);
}

/* The real function behind ours; by way of memory, because a cast from dlsym's
 * answer is no standard C. */
#define REAL(name)                                                                                 \
    static _Atomic(void *) found;                                                                  \
    void *at = atomic_load(&found);                                                                \
    __typeof__(&name) real;                                                                        \
    if (at == NULL) atomic_store(&found, at = dlsym(RTLD_NEXT, #name));                            \
    memcpy(&real, &at, sizeof(real))

#define FAIL_FD(call, fd)                                                                          \
    do {                                                                                           \
        const int number = fails_fd(call, fd);                                                     \
        if (number != 0) return errno = number, -1;                                                \
    } while (0)

/* As FAIL_FD, of a call that can do half of its n bytes. */
#define FAIL_IO(call, fd, n)                                                                       \
    do {                                                                                           \
        const int number = fails_fd(call, fd);                                                     \
        if (number == SHORT)                                                                       \
            n /= 2;                                                                                \
        else if (number != 0)                                                                      \
            return errno = number, -1;                                                             \
    } while (0)

int fsync(int fd)
{
    REAL(fsync);
    FAIL_FD("fsync", fd);
    return real(fd);
}

int fdatasync(int fd)
{
    REAL(fdatasync);
    FAIL_FD("fsync", fd);
    return real(fd);
}

ssize_t write(int fd, const void *data, size_t n)
{
    REAL(write);
    FAIL_IO("write", fd, n);
    return real(fd, data, n);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at_byte)
{
    REAL(pwrite);
    FAIL_IO("write", fd, n);
    return real(fd, data, n, at_byte);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at_byte)
{
    REAL(pwrite64);
    FAIL_IO("write", fd, n);
    return real(fd, data, n, at_byte);
}

ssize_t read(int fd, void *data, size_t n)
{
    REAL(read);
    FAIL_IO("read", fd, n);
    return real(fd, data, n);
}

ssize_t pread(int fd, void *data, size_t n, off_t at_byte)
{
    REAL(pread);
    FAIL_IO("read", fd, n);
    return real(fd, data, n, at_byte);
}

ssize_t pread64(int fd, void *data, size_t n, off64_t at_byte)
{
    REAL(pread64);
    FAIL_IO("read", fd, n);
    return real(fd, data, n, at_byte);
}

void *mmap(void *at_page, size_t n, int protection, int flags, int fd, off_t at_byte)
{
    REAL(mmap);
    const int number = fails_fd("mmap", fd);

    if (number != 0) return errno = number, MAP_FAILED;
    return real(at_page, n, protection, flags, fd, at_byte);
}

int unlink(const char *path)
{
    REAL(unlink);
    const int number = fails_path("unlink", path);

    if (number != 0) return errno = number, -1;
    return real(path);
}

int rename(const char *from, const char *to)
{
    REAL(rename);
    const int number = fails_path("rename", to);

    if (number != 0) return errno = number, -1;
    return real(from, to);
}

int ftruncate(int fd, off_t size)
{
    REAL(ftruncate);
    FAIL_FD("ftruncate", fd);
    return real(fd, size);
}

int ftruncate64(int fd, off64_t size)
{
    REAL(ftruncate64);
    FAIL_FD("ftruncate", fd);
    return real(fd, size);
}

int fallocate(int fd, int mode, off_t from, off_t size)
{
    REAL(fallocate);
    FAIL_FD("fallocate", fd);
    return real(fd, mode, from, size);
}

#define OPENS(name)                                                                                \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        REAL(name);                                                                                \
        const int number = fails_path("open", path);                                               \
        mode_t mode = 0;                                                                           \
        va_list more;                                                                              \
                                                                                                   \
        if (number != 0) return errno = number, -1;                                                \
        va_start(more, flags);                                                                     \
        if (flags & (O_CREAT | O_TMPFILE)) mode = va_arg(more, mode_t);                            \
        va_end(more);                                                                              \
        return real(path, flags, mode);                                                            \
    }
OPENS(open)
OPENS(open64)

/* ---- the clock -------------------------------------------------------------- */

static int64_t shift_ns(void)
{
    return shift == NULL ? 0 : atomic_load_explicit(shift, memory_order_relaxed);
}

static void move(struct timespec *t)
{
    const int64_t ns = (int64_t)t->tv_sec * NS_PER_S + t->tv_nsec + shift_ns();

    t->tv_sec = (time_t)(ns / NS_PER_S);
    t->tv_nsec = (long)(ns % NS_PER_S);
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    REAL(clock_gettime);
    const int code = real(id, t);

    if (code == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) move(t);
    return code;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec t;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &t);
    out->tv_sec = t.tv_sec;
    out->tv_usec = t.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    if (out != NULL) *out = t.tv_sec;
    return t.tv_sec;
}
