/* SPDX-License-Identifier: MIT
 * policy_set.c: the policies a journal keeps, each proven to be the text its hash names. */
#include "policy_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

/* SHA-256 of a text. The chain's hash of (the first 32 bytes, the rest) is just
 * that; a canonical text is longer than 32 bytes. Unlike parsing it, this does
 * not depend on what this build of the library would write. */
static bool text_hash(const char *text, size_t n, uint8_t hash[HEDGE_HASH_SIZE])
{
    uint8_t begin[HEDGE_HASH_SIZE];

    if (n <= sizeof begin) return false;
    memcpy(begin, text, sizeof begin);
    return hedge_record_chain(begin, (const uint8_t *)text + sizeof begin, n - sizeof begin,
                              hash) == HEDGE_OK;
}

/* The text reads back as a policy. *same: this build would write it the same;
 * another version may word it otherwise, which is no harm to the journal. */
static bool is_policy(const char *text, size_t n, bool *same, char *message, size_t capacity)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *policy = NULL;
    const char *canonical;
    size_t length = 0;

    if (hedge_policy_parse(text, n, &error, &policy) != HEDGE_OK) {
        snprintf(message, capacity, "its text is not a policy: line %d: %.90s: %.200s", error.line,
                 error.field, error.message);
        return false;
    }
    canonical = hedge_policy_text(policy, &length);
    *same = length == n && memcmp(canonical, text, n) == 0;
    hedge_policy_free(policy);
    return true;
}

static bool check_row(policy_set *set, sqlite3_stmt *row, char *message, size_t capacity)
{
    uint8_t *hash = set->hashes[set->count];
    const char *text = (const char *)sqlite3_column_text(row, 1);
    const size_t n = (size_t)sqlite3_column_bytes(row, 1);
    char name[2 * HEDGE_HASH_SIZE + 1];
    char why[400] = "its text does not have that hash: it was changed";
    uint8_t actual[HEDGE_HASH_SIZE];
    bool same = true;

    if (sqlite3_column_type(row, 0) != SQLITE_BLOB ||
        sqlite3_column_bytes(row, 0) != HEDGE_HASH_SIZE || text == NULL) {
        snprintf(message, capacity, "a row of policies is not a hash of 32 bytes and a text");
        return false;
    }
    memcpy(hash, sqlite3_column_blob(row, 0), HEDGE_HASH_SIZE);
    if (text_hash(text, n, actual) && memcmp(actual, hash, sizeof actual) == 0 &&
        is_policy(text, n, &same, why, sizeof why)) {
        set->count++;
        set->reworded += same ? 0 : 1;
        return true;
    }
    number_write_hex(hash, HEDGE_HASH_SIZE, name);
    snprintf(message, capacity, "policy %.12s: %s", name, why);
    return false;
}

bool policy_set_read(sqlite3 *db, policy_set *set, char *message, size_t capacity)
{
    sqlite3_stmt *rows = NULL;
    bool fine = true;
    int step;

    *set = (policy_set){0};
    /* Bytes in ascending order, as the search wants them. */
    sqlite3_prepare_v2(db, "SELECT hash, text FROM policies ORDER BY hash", -1, &rows, NULL);
    while ((step = sqlite3_step(rows)) == SQLITE_ROW && fine) {
        void *grown = realloc(set->hashes, (set->count + 1) * sizeof *set->hashes);

        if (grown == NULL) {
            snprintf(message, capacity, "out of memory");
            fine = false;
        } else {
            set->hashes = grown;
            fine = check_row(set, rows, message, capacity);
        }
    }
    if (fine && step != SQLITE_DONE) {
        snprintf(message, capacity, "the table policies cannot be read: %s", sqlite3_errmsg(db));
        fine = false;
    }
    sqlite3_finalize(rows);
    return fine;
}

static int compare_hashes(const void *a, const void *b)
{
    return memcmp(a, b, HEDGE_HASH_SIZE);
}

bool policy_set_has(policy_set *set, const uint8_t hash[HEDGE_HASH_SIZE])
{
    const uint8_t(*found)[HEDGE_HASH_SIZE];

    if (set->count == 0) return false;
    if (memcmp(set->hashes[set->last], hash, HEDGE_HASH_SIZE) == 0) return true;
    found = bsearch(hash, set->hashes, set->count, sizeof *set->hashes, compare_hashes);
    if (found == NULL) return false;
    set->last = (size_t)(found - (const uint8_t(*)[HEDGE_HASH_SIZE])set->hashes);
    return true;
}

void policy_set_free(policy_set *set)
{
    free(set->hashes);
    *set = (policy_set){0};
}
