/* SPDX-License-Identifier: MIT
 * recompute.c: decides a recorded decision again and compares every bit of the outputs. */
#include "recompute.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef enum member_type {
    MEMBER_STATUS,
    MEMBER_I32,
    MEMBER_FLAGS,
    MEMBER_F64,
    MEMBER_I64
} member_type;

typedef struct member {
    const char *name;
    size_t at;
    member_type type;
} member;

#define MEMBER(name, type)                                                                         \
    {                                                                                              \
#name, offsetof(hedge_decision, name), type                                                \
    }
static const member members[] = {
    MEMBER(status, MEMBER_STATUS),       MEMBER(flags, MEMBER_FLAGS),
    MEMBER(asset, MEMBER_I32),           MEMBER(hedge_pct, MEMBER_F64),
    MEMBER(notional_usd, MEMBER_F64),    MEMBER(confidence, MEMBER_F64),
    MEMBER(score, MEMBER_F64),           MEMBER(liquidity_weight, MEMBER_F64),
    MEMBER(effective_score, MEMBER_F64), MEMBER(liquidity_quality, MEMBER_F64),
    MEMBER(score_age_ns, MEMBER_I64),    MEMBER(depth_age_ns, MEMBER_I64),
    MEMBER(ts_ns, MEMBER_I64),
};
enum { MEMBER_COUNT = sizeof members / sizeof members[0] };
_Static_assert(MEMBER_COUNT + 2 <= RECOMPUTE_DIFFERENCES_MAX, "each may differ, asset and inputs");

static size_t size_of(member_type type)
{
    return type == MEMBER_F64 || type == MEMBER_I64 ? 8 : 4;
}

static void write_member(const member *m, const hedge_decision *d, char text[NUMBER_TEXT_MAX])
{
    const char *at = (const char *)d + m->at;
    int32_t narrow;
    int64_t wide;
    double number;

    memcpy(&narrow, at, sizeof narrow);
    if (m->type == MEMBER_F64) {
        memcpy(&number, at, sizeof number);
        number_write(number, text);
    } else if (m->type == MEMBER_I64) {
        memcpy(&wide, at, sizeof wide);
        number_write_int64(wide, text);
    } else if (m->type == MEMBER_STATUS) {
        snprintf(text, NUMBER_TEXT_MAX, "%s", hedge_status_name(narrow));
    } else if (m->type == MEMBER_FLAGS) {
        snprintf(text, NUMBER_TEXT_MAX, "0x%08" PRIx32, (uint32_t)narrow);
    } else {
        snprintf(text, NUMBER_TEXT_MAX, "%" PRId32, narrow);
    }
}

/* The recorded index is the one that the policy gives the recorded name. */
static bool asset_agrees(const hedge_record *record, const hedge_policy *policy)
{
    const int32_t asset = record->request.asset;
    const char *name = hedge_policy_asset_name(policy, asset);

    if (name != NULL) return strcmp(name, record->asset) == 0;
    return hedge_policy_asset(policy, record->asset) == HEDGE_E_NOT_FOUND;
}

static void describe_asset(const hedge_record *record, const hedge_policy *policy, recomputed *out)
{
    recompute_difference *d = &out->differences[out->count++];

    d->member = "request.asset";
    snprintf(d->recorded, sizeof d->recorded, "%" PRId32, record->request.asset);
    snprintf(d->recomputed, sizeof d->recomputed, "%" PRId32,
             hedge_policy_asset(policy, record->asset));
}

static void describe_refusal(const hedge_record *record, recomputed *out)
{
    recompute_difference *d = &out->differences[out->count++];

    d->member = "inputs";
    snprintf(d->recorded, sizeof d->recorded, "flags 0x%" PRIx32 ", 0x%" PRIx32,
             record->request.flags, record->quote.flags);
    snprintf(d->recomputed, sizeof d->recomputed, "refused");
}

static void describe(const hedge_record *record, const hedge_policy *policy, recomputed *out)
{
    out->count = 0;
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        const member *m = &members[i];
        recompute_difference *d = &out->differences[out->count];

        if (memcmp((const char *)&record->decision + m->at, (const char *)&out->decision + m->at,
                   size_of(m->type)) == 0)
            continue;
        d->member = m->name;
        write_member(m, &record->decision, d->recorded);
        write_member(m, &out->decision, d->recomputed);
        out->count++;
    }
    if (!asset_agrees(record, policy)) describe_asset(record, policy, out);
    if (out->refused) describe_refusal(record, out);
}

bool recompute(const hedge_record *record, const hedge_policy *policy, recomputed *out)
{
    hedge_decision now = HEDGE_INIT(hedge_decision);
    const int32_t code =
        hedge_size(policy, &record->request, &record->quote, record->decision.ts_ns, &now);
    const bool refused = code == HEDGE_E_ARG || code == HEDGE_E_STRUCT_SIZE;
    bool same = !refused && asset_agrees(record, policy);

    /* Inputs that hedge_size refuses leave it unwritten: a record of just that is no answer. */
    if (refused) now.status = code;
    for (size_t i = 0; i < MEMBER_COUNT && same; i++)
        same = memcmp((const char *)&record->decision + members[i].at,
                      (const char *)&now + members[i].at, size_of(members[i].type)) == 0;
    if (out == NULL) return same;
    out->decision = now;
    out->refused = refused;
    describe(record, policy, out);
    return same;
}
