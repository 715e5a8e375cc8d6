/* SPDX-License-Identifier: MIT
 * halt: the kill switch. Of all assets, or of one; latched in the journal.
 *
 * A halt is in the market first and in the journal second, a resume the other
 * way round: whatever fails, the market is halted rather than not. docs/halt.md
 * says what is promised. */
#ifndef HEDGED_HALT_H
#define HEDGED_HALT_H

#include "journal.h"
#include "live.h"
#include "problem.h"
#include "text.h"

typedef struct halt halt;

/* Reads which halts are in force and puts them into the market, before anything
 * is answered from it; the log names each. Starts the thread that tries once a
 * second to latch what could not be. NULL: message, and *busy that it may pass. */
halt *halt_new(journal *j, live *l, char message[JOURNAL_MESSAGE_MAX], bool *busy);
/* Before the journal closes, when nothing is asked any more. False: a halt is not
 * on disk, though that was tried once more, and ends with the daemon; the log
 * names it. */
bool halt_close(halt *h);

#define HALT_PEER_MAX 45 /* characters of an address */

/* What somebody wants halted or resumed. */
typedef struct halt_order {
    const char *asset;         /* "": all of them */
    const char *actor;         /* 1 to JOURNAL_ACTOR_MAX characters, printable ASCII, no space */
    const char *reason;        /* as halt_check_reason has it */
    const char *peer;          /* the address it came from, for the log */
    const live_policy *policy; /* says which assets there are */
} halt_order;

/* What became of it. */
typedef struct halt_answer {
    bool changed;    /* it was not so before */
    char record[37]; /* the id of its record; "": there is none */
} halt_answer;

/* True if the reason is 1 to 200 bytes (less where the actor's name is so long
 * that both would not fit a record), with something to see in it, and no control
 * character, line break or mark that turns the direction of text. */
bool halt_check_reason(const char *reason, const char *actor, problem *p);

/* Halts: any quote read after the return is halted. True: it is latched on disk,
 * too. False: problem; where that is halt_not_latched the halt holds, but would
 * not survive a restart until it is latched, which is tried on. Any thread. */
bool halt_set(halt *h, const halt_order *order, halt_answer *out, problem *p);
/* Ends a halt once that is on disk; of all assets, or of one while not all are
 * halted. What is not halted stays so, without a record. False: problem, and
 * the halt holds. Any thread. */
bool halt_clear(halt *h, const halt_order *order, halt_answer *out, problem *p);

/* Writes the halts in force as a member: `"halted": [...]`. Any thread. */
void halt_write(halt *h, text *out);

typedef struct halt_state {
    bool all;         /* all assets are halted */
    size_t assets;    /* that are halted one by one */
    size_t unlatched; /* halts that are not on disk */
    uint64_t halts;   /* taken since the start */
    uint64_t resumes;
} halt_state;

void halt_read_state(halt *h, halt_state *out);

#endif
