/* SPDX-License-Identifier: MIT
 * policy_set.c: the policies of a source, each proven to be the text its hash names. */
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
static hedge_policy *read_policy(const char *text, size_t n, bool *same, char *message,
                                 size_t capacity)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *policy = NULL;
    const char *canonical;
    size_t length = 0;

    if (hedge_policy_parse(text, n, &error, &policy) != HEDGE_OK) {
        snprintf(message, capacity, "its text is not a policy: line %d: %.90s: %.200s", error.line,
                 error.field, error.message);
        return NULL;
    }
    canonical = hedge_policy_text(policy, &length);
    *same = length == n && memcmp(canonical, text, n) == 0;
    return policy;
}

/* Where a hash is, or belongs. */
static size_t place_of(const policy_set *set, const uint8_t hash[HEDGE_HASH_SIZE], bool *there)
{
    size_t low = 0;
    size_t high = set->count;

    *there = false;
    while (low < high && !*there) {
        const size_t middle = low + (high - low) / 2;
        const int order = memcmp(set->entries[middle]->hash, hash, HEDGE_HASH_SIZE);

        *there = order == 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return high;
}

/* Puts in an entry that takes the policy over; NULL: out of memory. */
static policy_entry *insert(policy_set *set, const uint8_t hash[HEDGE_HASH_SIZE],
                            hedge_policy *policy, size_t at)
{
    policy_entry *entry = calloc(1, sizeof *entry);
    policy_entry **grown = realloc(set->entries, (set->count + 1) * sizeof(policy_entry *));

    if (grown != NULL) set->entries = grown;
    if (entry == NULL || grown == NULL) {
        free(entry);
        return NULL;
    }
    memmove(grown + at + 1, grown + at, (set->count - at) * sizeof(policy_entry *));
    set->count++;
    grown[at] = entry;
    memcpy(entry->hash, hash, HEDGE_HASH_SIZE);
    entry->policy = policy;
    return entry;
}

/* Checks one policy and adds it; NULL: message says what is wrong. */
static policy_entry *add(policy_set *set, const uint8_t hash[HEDGE_HASH_SIZE], const char *text,
                         size_t n, char *message)
{
    char name[2 * HEDGE_HASH_SIZE + 1];
    char why[400] = "its text does not have that hash: it was changed";
    uint8_t actual[HEDGE_HASH_SIZE];
    hedge_policy *policy = NULL;
    policy_entry *entry;
    bool same = true, there;
    const size_t at = place_of(set, hash, &there);

    if (there) return set->entries[at];
    if (text_hash(text, n, actual) && memcmp(actual, hash, sizeof actual) == 0)
        policy = read_policy(text, n, &same, why, sizeof why);
    if (policy == NULL) {
        number_write_hex(hash, HEDGE_HASH_SIZE, name);
        snprintf(message, SOURCE_MESSAGE_MAX, "policy %.12s: %s", name, why);
        return NULL;
    }
    entry = insert(set, hash, set->keep ? policy : NULL, at);
    if (entry == NULL) snprintf(message, SOURCE_MESSAGE_MAX, "out of memory");
    if (entry == NULL || !set->keep) hedge_policy_free(policy);
    set->reworded += entry == NULL || same ? 0 : 1;
    return entry;
}

static bool visit(void *context, const uint8_t hash[HEDGE_HASH_SIZE], const char *text, size_t n,
                  const int64_t *ts_ns)
{
    policy_set *set = context;
    char message[SOURCE_MESSAGE_MAX] = "";
    char name[2 * HEDGE_HASH_SIZE + 1];
    policy_entry *entry;
    bool there;

    /* Whoever asks for it later would get either of the two. */
    place_of(set, hash, &there);
    if (there) {
        number_write_hex(hash, HEDGE_HASH_SIZE, name);
        return source_fail(set->from, "policy", "policy %.12s: two rows bear its hash", name);
    }
    entry = add(set, hash, text, n, message);
    if (entry == NULL) return source_fail(set->from, "policy", "%s", message);
    entry->has_ts = ts_ns != NULL;
    entry->ts_ns = ts_ns != NULL ? *ts_ns : 0;
    return true;
}

void policy_set_date(policy_set *set, const uint8_t hash[HEDGE_HASH_SIZE], uint64_t seq,
                     int64_t ts_ns)
{
    policy_entry *entry;
    bool there;
    size_t at;

    pthread_mutex_lock(&set->mutex);
    at = place_of(set, hash, &there);
    entry = there ? set->entries[at] : NULL;
    if (entry != NULL && (entry->first_seq == 0 || seq < entry->first_seq)) {
        entry->first_seq = seq;
        entry->dated = entry->ts_ns == ts_ns;
    }
    pthread_mutex_unlock(&set->mutex);
}

const policy_entry *policy_set_undated(const policy_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->entries[i]->has_ts && !set->entries[i]->dated) return set->entries[i];
    return NULL;
}

bool policy_set_open(policy_set *set, source *from, bool keep)
{
    *set = (policy_set){.from = from, .keep = keep};
    pthread_mutex_init(&set->mutex, NULL);
    return from->ops->policies == NULL || from->ops->policies(from, visit, set);
}

/* Asks the source; the caller holds the mutex. */
static const policy_entry *fetch(policy_set *set, const uint8_t hash[HEDGE_HASH_SIZE],
                                 char *message)
{
    const policy_entry *entry = NULL;
    bytes text = {0};

    if (set->from->ops->policy != NULL &&
        set->from->ops->policy(set->from, hash, &text, message) == SOURCE_FOUND)
        entry = add(set, hash, text.at, text.n, message);
    bytes_free(&text);
    return entry;
}

const policy_entry *policy_set_find(policy_set *set, const uint8_t hash[HEDGE_HASH_SIZE],
                                    char message[SOURCE_MESSAGE_MAX])
{
    char name[2 * HEDGE_HASH_SIZE + 1];
    const policy_entry *entry;
    bool there;
    size_t at;

    number_write_hex(hash, HEDGE_HASH_SIZE, name);
    snprintf(message, SOURCE_MESSAGE_MAX, "its policy %.12s is not in the journal", name);
    pthread_mutex_lock(&set->mutex);
    at = place_of(set, hash, &there);
    entry = there ? set->entries[at] : fetch(set, hash, message);
    pthread_mutex_unlock(&set->mutex);
    return entry;
}

void policy_set_free(policy_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        hedge_policy_free(set->entries[i]->policy);
        free(set->entries[i]);
    }
    free(set->entries);
    set->entries = NULL;
    set->count = 0;
}
