/* SPDX-License-Identifier: MIT
 * Programs of every release call this library with the structs they were built with.
 *
 *   old_callers ABI.TXT [STRUCT...]     (structs to leave out)
 *
 * Each struct lies right before a page that cannot be touched, so that the library may neither
 * read nor write one byte behind what the caller has. ABI.TXT names the functions that take
 * structs: none may be missing here. */
#include "old_calls.h"
#include "releases.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROOM 8192u /* bytes before the guard; no struct is larger */
#define CANARY 0xa5

static unsigned char *room; /* ROOM bytes, then the guard */
static const old_call *now; /* what is being tried, for messages */
static const char *trying;
static size_t size_tried;
static int checks, failures;

static void expect(int fine, const char *what)
{
    checks++;
    if (fine) return;
    failures++;
    printf("%s with a %s of %zu bytes (%s): %s\n", now->function, now->type, size_tried, trying,
           what);
}

static void on_fault(int signal)
{
    (void)signal;
    expect(0, "memory behind the caller's struct was touched");
    fflush(stdout);
    _exit(1);
}

static void make_room(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);

    room = mmap(NULL, ROOM + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED || ROOM % page != 0 || mprotect(room + ROOM, page, PROT_NONE) != 0) {
        perror("old_callers: no guarded room");
        exit(1);
    }
    signal(SIGSEGV, on_fault);
    signal(SIGBUS, on_fault);
}

/* What a call answered: its status, and what it wrote elsewhere or into the struct. */
typedef struct outcome {
    int32_t code;
    unsigned char bytes[OLD_ANSWER_MAX];
} outcome;

/* Calls with `have` bytes of a struct that says it has `says`. What is beyond today's struct is
 * `beyond`, and at its very end `last`. */
static unsigned char *place(size_t have, uint32_t says, unsigned char beyond, unsigned char last)
{
    unsigned char today[OLD_ANSWER_MAX] = {0}, *at = room + ROOM - have;

    memset(room, CANARY, ROOM);
    now->fill(today);
    memcpy(today, &says, sizeof(says));
    memset(at, beyond, have);
    memcpy(at, today, have < now->today ? have : now->today);
    if (have > now->today) at[have - 1] = last;
    size_tried = says;
    return at;
}

static outcome call(unsigned char *at)
{
    outcome o = {.code = 0};

    o.code = now->call(at, o.bytes);
    expect(at == room || at[-1] == CANARY, "memory before the struct was written");
    return o;
}

/* The struct's own bytes, but for its size. */
static int same_struct(const unsigned char *at, const unsigned char *wanted, size_t n)
{
    return memcmp(at + sizeof(uint32_t), wanted + sizeof(uint32_t), n - sizeof(uint32_t)) == 0;
}

static void try_size(size_t size, const outcome *wanted, const unsigned char *wanted_struct)
{
    const size_t known = size < now->today ? size : now->today;
    unsigned char *at = place(size, (uint32_t)size, now->out ? CANARY : 0, now->out ? CANARY : 0);
    const outcome got = call(at);
    uint32_t says;

    memcpy(&says, at, sizeof(says));
    expect(got.code == wanted->code, "not the same status");
    expect(memcmp(got.bytes, wanted->bytes, sizeof(got.bytes)) == 0, "not the same answer");
    expect(says == size, "struct_size was changed");
    if (got.code == wanted->code) expect(same_struct(at, wanted_struct, known), "other contents");
    for (size_t i = known; now->out && i < size; i++)
        if (at[i] != CANARY) expect(0, "written behind what we know of it");
}

/* Only as many bytes as the first member has are there to be read. */
static void try_refused(uint32_t says, size_t have)
{
    const outcome got = call(place(have, says, 0, 0));

    expect(got.code == HEDGE_E_STRUCT_SIZE, "was not refused");
}

static void try_unknown_member(size_t size, unsigned char beyond, unsigned char last)
{
    const outcome got = call(place(size, (uint32_t)size, beyond, last));

    expect(got.code == HEDGE_E_STRUCT_SIZE, "a member that we do not know was ignored");
}

static const struct release {
    const char *type, *release;
    size_t size;
} releases[] = {
#define ROW(type, release, size) {#type, release, size},
    RELEASES(ROW)
#undef ROW
};

#define RELEASE_COUNT (sizeof(releases) / sizeof(releases[0]))

/* Every size that was ever released, and the least of them. */
static size_t try_releases(const outcome *wanted, const unsigned char *wanted_struct)
{
    size_t oldest = 0;

    for (size_t i = 0; i < RELEASE_COUNT; i++) {
        if (strcmp(releases[i].type, now->type) != 0) continue;
        if (oldest == 0) oldest = releases[i].size;
        trying = releases[i].release;
        try_size(releases[i].size, wanted, wanted_struct);
    }
    expect(oldest != 0, "releases.h does not name it");
    return oldest;
}

static void try_newer(const outcome *wanted, const unsigned char *wanted_struct)
{
    static const size_t more[] = {8, 64, 1024};

    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
        const size_t size = now->today + more[i];

        trying = "newer";
        try_size(size, wanted, wanted_struct);
        trying = "newer, with members set";
        if (now->out) continue;
        try_unknown_member(size, 0, 1);
        try_unknown_member(size, 1, 1);
    }
}

static void try_call(void)
{
    unsigned char wanted_struct[OLD_ANSWER_MAX];
    unsigned char *at;
    outcome wanted;
    size_t oldest;

    trying = "today's";
    at = place(now->today, (uint32_t)now->today, 0, 0);
    wanted = call(at);
    memcpy(wanted_struct, at, now->today);
    expect(wanted.code != HEDGE_E_STRUCT_SIZE, "today's own struct was refused");
    oldest = try_releases(&wanted, wanted_struct);
    try_newer(&wanted, wanted_struct);
    trying = "too short";
    try_refused(0, sizeof(uint32_t));
    try_refused(3, sizeof(uint32_t));
    try_refused((uint32_t)oldest - 1, sizeof(uint32_t));
    trying = "garbage";
    try_refused(1u << 20, sizeof(uint32_t));
    try_refused(UINT32_MAX, sizeof(uint32_t));
}

/* ---- is every function here? ------------------------------------------------ */

static int is_tried(const char *function, size_t n, const char *type)
{
    for (size_t i = 0; i < old_call_count; i++)
        if (strlen(old_calls[i].function) == n &&
            strncmp(old_calls[i].function, function, n) == 0 &&
            strcmp(old_calls[i].type, type) == 0)
            return 1;
    return 0;
}

/* One line "function NAME = HEDGE_0, PROTOTYPE". */
static void check_function(const char *line)
{
    const char *name = line + strlen("function ");
    const size_t n = strcspn(name, " ");
    char pointer[64];

    for (size_t i = 0; i < RELEASE_COUNT; i++) {
        snprintf(pointer, sizeof(pointer), "%s *", releases[i].type);
        if (strstr(name + n, pointer) == NULL || is_tried(name, n, releases[i].type)) continue;
        failures++;
        printf("%.*s takes a %s and is not tried\n", (int)n, name, releases[i].type);
    }
}

static int check_functions(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[512];
    int functions = 0;

    if (file == NULL) return 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "function ", strlen("function ")) != 0) continue;
        check_function(line);
        functions++;
    }
    fclose(file);
    return functions;
}

static int left_out(const char *type, int n, char **types)
{
    for (int i = 0; i < n; i++)
        if (strcmp(types[i], type) == 0) return 1;
    return 0;
}

int main(int argc, char **argv)
{
    if (sizeof(void *) != 8) {
        printf("SKIPPED: the sizes are those of 64-bit machines\n");
        return 77;
    }
    if (argc < 2 || check_functions(argv[1]) < 50 || !old_calls_begin()) {
        printf("usage: old_callers ABI.TXT [STRUCT...]\n");
        return 1;
    }
    make_room();
    for (size_t i = 0; i < old_call_count; i++) {
        now = &old_calls[i];
        if (!left_out(now->type, argc - 2, argv + 2)) try_call();
    }
    old_calls_end();
    printf("%zu functions and structs, %d checks, %d failed\n", old_call_count, checks, failures);
    return failures == 0 ? 0 : 1;
}
