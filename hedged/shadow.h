/* SPDX-License-Identifier: MIT
 * shadow: a policy that is tried beside the live one. What it would have decided
 * is recorded and counted, and never returned. */
#ifndef HEDGED_SHADOW_H
#define HEDGED_SHADOW_H

#include "journal.h"
#include "live.h"
#include "policy_watch.h"

typedef struct shadow shadow;

/* Takes over the policy, puts it into the journal and watches its files.
 * HEDGE_SHADOW_POLICY is options->path. NULL: message says why, and the policy
 * is freed. */
shadow *shadow_new(const policy_watch_options *options, hedge_policy *policy, journal *j,
                   char message[JOURNAL_MESSAGE_MAX]);
void shadow_free(shadow *s);

/* The policy of now, to be released with live_release: one from the beginning of
 * a batch to its end. Any thread. */
live_policy *shadow_acquire(shadow *s);

/* Decides what `decided` was about once more, by that policy: the same request,
 * quote and instant. To be appended right behind it. Any thread. */
void shadow_decide(const live_policy *policy, const hedge_record *decided, hedge_record *out);

/* Counts how far the two are apart, once both are in the journal. Any thread. */
void shadow_count(shadow *s, const hedge_record *decided, const hedge_record *would);

/* Has the files read again. Returns at once. */
void shadow_ask(shadow *s);
void shadow_read_state(shadow *s, policy_watch_state *out);

/* Writes its metrics. */
void shadow_write(shadow *s, text *out);

#endif
