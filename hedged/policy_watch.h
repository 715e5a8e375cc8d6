/* SPDX-License-Identifier: MIT
 * policy_watch: keeps a policy in step with its files: the live one, or the
 * shadow that is tried beside it. */
#ifndef HEDGED_POLICY_WATCH_H
#define HEDGED_POLICY_WATCH_H

#include "journal.h"
#include "live.h"
#include "settings.h"

typedef struct policy_watch policy_watch;

/* How a reload went. */
typedef struct policy_reload {
    bool ok;        /* the file is live, now or before */
    bool changed;   /* it went live just now */
    bool our_fault; /* of a failure: not the file's; worth another try */
    char hash[65], previous[65];
    hedge_error error; /* where !ok */
} policy_reload;

typedef struct policy_watch_state {
    bool ok; /* the files say what is live */
    hedge_error error;
    uint64_t loads, refusals;
} policy_watch_state;

typedef struct policy_watch_options {
    const char *path; /* of the policy */
    const hedge_policy_overrides *overrides;
    bool certify; /* its curves, before it is used */
    bool shadow;  /* it is no live policy: log and journal say so */
} policy_watch_options;

/* Starts to watch the files of the policy that `l` holds. What the options point
 * to has to outlive the watch. NULL: no memory or no thread. */
policy_watch *policy_watch_new(const policy_watch_options *options, live *l, journal *j);
/* Cuts short what takes long: a policy that is being certified does not go
 * live. */
void policy_watch_stop(policy_watch *w);
void policy_watch_free(policy_watch *w);

/* Reads the files and, if they say something new, certifies its curves, puts
 * it into the journal and makes it live. Whatever is wrong with them, the old
 * policy stays. `cause` (a literal: "file", "request") goes into log and
 * journal. Takes about a second for each new curve; should the files change
 * meanwhile, it begins again with them. A few callers may wait at a time; the
 * others are turned away at once. Any thread. */
void policy_watch_reload(policy_watch *w, const char *cause, policy_reload *out);
/* Has the watching thread reload, with the cause "signal". Returns at once. */
void policy_watch_ask(policy_watch *w);
void policy_watch_read_state(policy_watch *w, policy_watch_state *out);

#endif
