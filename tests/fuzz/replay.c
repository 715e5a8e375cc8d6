/* SPDX-License-Identifier: MIT
 * replay: gives a fuzz target each file of its corpus, and a few hundred
 * mutations of each, the same ones every time.
 *   fuzz_NAME CORPUS [MUTATIONS]     a folder; of each file 200 unless told */
#include "fuzz.h"

#include "support.h"

#include <dirent.h>
#include <errno.h>

#define FILE_MAX (1 << 20)
#define MUTATIONS 200
#define CHANGES_MAX 8 /* in one mutation */

typedef struct buffer {
    uint8_t *bytes;
    size_t n;
} buffer;

static _Noreturn void die(const char *what, const char *path)
{
    fprintf(stderr, "replay: %s: %s: %s\n", path, what, strerror(errno));
    exit(2);
}

static buffer read_file(const char *path)
{
    buffer b = {.bytes = malloc(FILE_MAX)};
    FILE *file = fopen(path, "rb");

    if (b.bytes == NULL || file == NULL) die("cannot be read", path);
    b.n = fread(b.bytes, 1, FILE_MAX, file);
    if (ferror(file)) die("cannot be read", path);
    fclose(file);
    return b;
}

/* A copy of exactly n bytes, so that a sanitizer sees a read behind them. */
static void give(const uint8_t *bytes, size_t n)
{
    uint8_t *copy = malloc(n > 0 ? n : 1);

    if (copy == NULL) die("out of memory", "copy");
    if (n > 0) memcpy(copy, bytes, n);
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static void change_byte(rng *r, buffer *b)
{
    static const uint8_t telling[] = {0, 1, 0x7f, 0x80, 0xff, '\n', '"', '{', '[', '-', '9', 'e'};
    const size_t at = rng_below(r, b->n);

    switch (rng_below(r, 3)) {
    case 0:
        b->bytes[at] ^= (uint8_t)(1u << rng_below(r, 8));
        break;
    case 1:
        b->bytes[at] = telling[rng_below(r, sizeof(telling))];
        break;
    default:
        b->bytes[at] = (uint8_t)rng_next(r);
        break;
    }
}

/* Moves a piece over another, leaves one out, or says one twice. */
static void change_piece(rng *r, buffer *b, size_t room)
{
    const size_t from = rng_below(r, b->n), to = rng_below(r, b->n);
    const size_t most = b->n - (from > to ? from : to);
    const size_t n = 1 + rng_below(r, most < 64 ? most : 64);

    switch (rng_below(r, 3)) {
    case 0:
        memmove(b->bytes + to, b->bytes + from, n);
        break;
    case 1:
        memmove(b->bytes + from, b->bytes + from + n, b->n - from - n);
        b->n -= n;
        break;
    default:
        if (b->n + n > room) return;
        memmove(b->bytes + from + n, b->bytes + from, b->n - from);
        b->n += n;
        break;
    }
}

static void give_mutation(rng *r, const buffer *whole)
{
    const size_t room = whole->n + (size_t)CHANGES_MAX * 64 + 1;
    buffer b = {.bytes = malloc(room), .n = whole->n};

    if (b.bytes == NULL) die("out of memory", "mutation");
    memcpy(b.bytes, whole->bytes, whole->n);
    for (uint64_t i = rng_below(r, CHANGES_MAX) + 1; i > 0 && b.n > 0; i--) {
        if (rng_below(r, 4) > 0)
            change_byte(r, &b);
        else
            change_piece(r, &b, room);
    }
    if (rng_below(r, 8) == 0) b.n = rng_below(r, b.n + 1); /* cut off */
    give(b.bytes, b.n);
    free(b.bytes);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    const unsigned long mutations = argc > 2 ? strtoul(argv[2], NULL, 10) : MUTATIONS;
    struct dirent **entries;
    int n;

    if (argc < 2) {
        fprintf(stderr, "usage: %s CORPUS [MUTATIONS]\n", argv[0]);
        return 2;
    }
    n = scandir(argv[1], &entries, is_visible, by_name);
    if (n <= 0) die("no corpus", argv[1]);
    give(NULL, 0);
    for (int i = 0; i < n; i++) {
        char path[4096];
        buffer whole;
        rng r = {.state = (uint64_t)i + 1};

        snprintf(path, sizeof(path), "%s/%s", argv[1], entries[i]->d_name);
        printf("%s\n", path);
        fflush(stdout); /* the last line names what crashed */
        whole = read_file(path);
        give(whole.bytes, whole.n);
        for (unsigned long k = 0; k < mutations; k++)
            give_mutation(&r, &whole);
        free(whole.bytes);
        free(entries[i]);
    }
    free(entries);
    printf("%d files, %lu mutations of each\n", n, mutations);
    return 0;
}
