/* SPDX-License-Identifier: MIT
 * journal: every record, in order, on disk before it is acknowledged.
 *
 * One thread writes; it takes what has gathered in a bounded queue and commits
 * it at once. docs/journal.md describes the file. */
#ifndef HEDGED_JOURNAL_H
#define HEDGED_JOURNAL_H

#include "text.h"

#include <hedge/hedge.h>

#include <stdbool.h>
#include <stdint.h>

typedef struct journal journal;

typedef struct journal_options {
    const char *path;
    bool async; /* do not wait for the commit */
} journal_options;

typedef enum journal_result {
    JOURNAL_OK,     /* on disk; async: in the queue */
    JOURNAL_FULL,   /* the queue is full; nothing was taken */
    JOURNAL_FAILED, /* the disk refused; not acknowledged, though a crash right
                       now could still bring the records to light */
    JOURNAL_CLOSING,
    JOURNAL_HALTED /* of journal_append_decisions alone; nothing was taken */
} journal_result;

#define JOURNAL_QUEUE_MAX 16384 /* records waiting, */
#define JOURNAL_HALTS_MAX 1024  /* and so many halts and resumes more */
#define JOURNAL_MESSAGE_MAX 320

/* Opens or makes the file (then a warning in the log: no halt is in it), checks
 * its newest record against the chain, and starts the writer. NULL: message says what is wrong and what to do, and
 * *busy that it may pass: another process holds the file, a disk or memory fails. */
journal *journal_open(const journal_options *options, char message[JOURNAL_MESSAGE_MAX],
                      bool *busy);
/* The file's path from the root, as long as the journal is open. Any thread. */
const char *journal_path(const journal *j);

/* Appends records in order, gives each its seq and writer, and waits as the
 * options say. They stay the caller's. Any thread. */
journal_result journal_append(journal *j, hedge_record *records, size_t n);

/* The same for one record, with the text of the policy that it names, stored
 * once by its hash. */
journal_result journal_append_policy(journal *j, hedge_record *record, const char *policy_text);

/* How many halts are in the journal or on their way: to be read before the quotes
 * that decisions are made from. Any thread. */
uint32_t journal_halts(const journal *j);
/* The same for decisions (and their shadows), unless a halt has been numbered
 * since `halts` was read: JOURNAL_HALTED then, to be decided anew. So no decision
 * stands behind a halt's record that did not see it. Where key is not NULL, the
 * first record is the answer to that idempotency key, which journal_find_key
 * gives back, and the commit is waited for in async, too. */
journal_result journal_append_decisions(journal *j, hedge_record *records, size_t n,
                                        const char *key, uint32_t halts);

#define JOURNAL_ACTOR_MAX 127  /* characters: printable ASCII without spaces */
#define JOURNAL_REASON_MAX 200 /* bytes of UTF-8 */

/* A halt in force, as the file keeps it: of one asset or, where that is "", of
 * all of them. */
typedef struct journal_halt {
    char asset[HEDGE_ASSET_NAME_MAX + 1];
    char actor[JOURNAL_ACTOR_MAX + 1];
    char reason[JOURNAL_REASON_MAX + 1];
    int64_t since_ns; /* the time of its first record */
    uint64_t seq;     /* of its newest record; 0: none yet */
} journal_halt;

/* Appends a halt or a resume (record->kind), and sets or clears its latch in the
 * same transaction. Waits for the commit in async, too; JOURNAL_FAILED as soon as
 * the disk refuses. Has room of its own where the queue is full. `halt`: what is
 * to be latched; of a resume, what stands: should a resume fail that cannot be
 * taken back out of an async queue, its record becomes that of the halt. */
journal_result journal_append_halt(journal *j, hedge_record *record, const journal_halt *halt);
/* Reads the halts in force into a malloc'ed list. False: message, and *busy that
 * it may pass. Any thread. */
bool journal_read_halts(journal *j, journal_halt **out, size_t *n,
                        char message[JOURNAL_MESSAGE_MAX], bool *busy);

#define JOURNAL_KEY_MAX 255         /* characters of a key */
#define JOURNAL_KEY_MS (10 * 60000) /* how long a key is remembered */

/* Reads the record that answered a key. 1: found, 0: none, -1: the disk refused.
 * Any thread. */
int journal_find_key(journal *j, const char *key, hedge_record *out);

/* The canonical text of a policy into *out, malloc'ed; NULL: none of that hash.
 * False: it cannot be read now, or no memory; *out is NULL. Any thread. */
bool journal_policy_text(journal *j, const uint8_t policy_hash[HEDGE_HASH_SIZE], char **out);

/* Whether that build has certified the curve of that hash; false too where it
 * cannot be read. Any thread. */
bool journal_has_certificate(journal *j, const uint8_t curve_hash[HEDGE_HASH_SIZE],
                             const char *build);
/* Keeps that it has. False: the disk refused. Any thread. */
bool journal_keep_certificate(journal *j, const uint8_t curve_hash[HEDGE_HASH_SIZE],
                              const char *build);

/* The newest committed record; seq 0: none. */
typedef struct journal_head {
    uint64_t seq;
    uint8_t hash[HEDGE_HASH_SIZE];
} journal_head;

/* Writes it as a member: `"name": {"seq", "hash"}`. */
void journal_head_write(text *out, const char *name, const journal_head *head);

typedef struct journal_state {
    journal_head head;
    journal_head base; /* where the file's chain begins; seq 0: with the first record */
    uint64_t parked;   /* records that the database refuses */
    uint64_t writer;
    bool failing;    /* the last commit failed */
    char fault[160]; /* why */
    uint64_t records, commits, failures, refused;
    uint64_t lost; /* acknowledged, and then not written: must stay 0 */
    uint32_t queued;
} journal_state;

void journal_read_state(journal *j, journal_state *out);

/* One row of the file. */
typedef struct journal_row {
    uint64_t seq;
    size_t n; /* 0: what is there cannot be a record */
    uint8_t record[HEDGE_RECORD_MAX];
    uint8_t hash[HEDGE_HASH_SIZE];
    uint8_t previous[HEDGE_HASH_SIZE]; /* the hash before it: of parked ones alone */
} journal_row;

#define JOURNAL_SCAN_MAX 4000 /* rows looked at in one call: the writer waits meanwhile */

/* Reads up to `limit` rows behind seq `after`, of one asset where it is not
 * NULL, looking at JOURNAL_SCAN_MAX rows at most. *next_after: where to go on.
 * *rows is malloc'ed. False: message. Any thread. */
bool journal_rows(journal *j, uint64_t after, const char *asset, size_t limit, journal_row **rows,
                  size_t *n, uint64_t *next_after, char message[JOURNAL_MESSAGE_MAX]);

/* ---- for the shipper; any thread ---- */

/* From now on 1 is added to this eventfd after each commit; -1: no more. It has
 * to stay open until then. */
void journal_notify(journal *j, int event_fd);

/* Lets the oldest records go: those up to seq `shipped`, which are kept
 * elsewhere, that were made before `before_ns`. The newest one stays always. At
 * most JOURNAL_FORGET_MAX at a call: the writer waits meanwhile. False: the disk
 * refused, and nothing has gone. */
bool journal_forget(journal *j, uint64_t shipped, int64_t before_ns, size_t *gone);

#define JOURNAL_FORGET_MAX 500

/* Puts a copy of a record aside that the database refuses, with the reason and
 * the hash of the record before it; once more: with the new reason. It stays
 * when the record itself is let go. False: the disk refused. */
bool journal_park(journal *j, const journal_row *row, const uint8_t previous[HEDGE_HASH_SIZE],
                  const char *reason);
/* Forgets the copy: the database has taken the record. False: the disk refused. */
bool journal_unpark(journal *j, uint64_t seq);
/* Reads up to `limit` parked records behind seq `after`. False: message. */
bool journal_parked(journal *j, uint64_t after, size_t limit, journal_row *rows, size_t *n,
                    char message[JOURNAL_MESSAGE_MAX]);

/* Writes what is queued and closes the file. False: acknowledged records could
 * not be written (async alone). */
bool journal_close(journal *j);

#endif
