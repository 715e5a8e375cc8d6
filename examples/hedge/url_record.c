/* SPDX-License-Identifier: MIT
 * url_record.c: what GET /decisions shows of a record, held against the record's own bytes. */
#include "url_record.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "number.h"
#include "source.h"

/* A member; `hint`, where the one before it ended, spares looking for it. */
static const cJSON *member(const cJSON *object, const cJSON **hint, const char *name)
{
    const cJSON *m = *hint != NULL && strcmp((*hint)->string, name) == 0
                         ? *hint
                         : cJSON_GetObjectItemCaseSensitive(object, name);

    if (m != NULL) *hint = m->next;
    return m;
}

/* One member as the record has it: a text, a number, a truth, or none. */
typedef struct expected {
    const char *name;
    enum { EXPECT_TEXT, EXPECT_NUMBER, EXPECT_BOOL } type;
    bool absent; /* it must not be there */
    const char *text;
    double number;
    bool truth;
} expected;

#define TEXT(n, t) ((expected){.name = (n), .type = EXPECT_TEXT, .text = (t)})
#define NUMBER(n, v) ((expected){.name = (n), .type = EXPECT_NUMBER, .number = (v)})
#define NUMBER_IF(n, v, there)                                                                     \
    ((expected){.name = (n), .type = EXPECT_NUMBER, .number = (v), .absent = !(there)})
#define TRUTH(n, v) ((expected){.name = (n), .type = EXPECT_BOOL, .truth = (v)})

/* Numbers by their bits; JSON has none for what is not finite. */
static bool is_number(const cJSON *m, double number)
{
    if (!isfinite(number)) return cJSON_IsNull(m);
    return cJSON_IsNumber(m) && memcmp(&m->valuedouble, &number, sizeof number) == 0;
}

static bool is_as_expected(const cJSON *m, const expected *e)
{
    if (e->absent) return m == NULL;
    if (e->type == EXPECT_TEXT) return cJSON_IsString(m) && strcmp(m->valuestring, e->text) == 0;
    if (e->type == EXPECT_NUMBER) return is_number(m, e->number);
    return cJSON_IsBool(m) && cJSON_IsTrue(m) == e->truth;
}

/* The first member of an object that is not as the record has it; NULL: there is none. Members
 * that are not known are a newer daemon's own. */
static const char *members_differ(const cJSON *object, const expected *list, size_t n)
{
    const cJSON *hint = cJSON_IsObject(object) ? object->child : NULL;

    if (!cJSON_IsObject(object)) return n > 0 ? list[0].name : NULL;
    for (size_t i = 0; i < n; i++)
        if (!is_as_expected(member(object, &hint, list[i].name), &list[i])) return list[i].name;
    return NULL;
}

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

/* As the daemon writes times: towards 0. */
static double whole_ms(int64_t ns)
{
    return (double)(ns / 1000000);
}

static const char *request_differs(const cJSON *object, const hedge_request *r)
{
    const expected list[] = {
        NUMBER("amount_usd", r->amount_usd),
        NUMBER_IF("override_score", r->override_score, (r->flags & HEDGE_REQUEST_OVERRIDE) != 0)};

    return members_differ(object, list, COUNT(list));
}

static const char *quote_differs(const cJSON *object, const hedge_quote *q)
{
    const bool score = (q->flags & HEDGE_QUOTE_SCORE) != 0;
    const bool depth = (q->flags & HEDGE_QUOTE_DEPTH) != 0;
    const expected list[] = {
        TRUTH("halted", (q->flags & HEDGE_QUOTE_HALTED) != 0),
        NUMBER_IF("score", q->score, score),
        NUMBER_IF("confidence", q->confidence, score),
        NUMBER_IF("ts_ms", whole_ms(q->score_ts_ns), score),
        NUMBER_IF("previous_score", q->previous_score, (q->flags & HEDGE_QUOTE_PREVIOUS) != 0),
        NUMBER_IF("depth1pct_usd", q->depth1pct_usd, depth),
        NUMBER_IF("depth_ts_ms", whole_ms(q->depth_ts_ns), depth)};

    return members_differ(object, list, COUNT(list));
}

static const char *outputs_differ(const cJSON *object, const hedge_decision *d)
{
    const expected list[] = {NUMBER("hedge_pct", d->hedge_pct),
                             NUMBER("notional_usd", d->notional_usd),
                             NUMBER("confidence", d->confidence),
                             NUMBER("score", d->score),
                             NUMBER("liquidity_weight", d->liquidity_weight),
                             NUMBER("effective_score", d->effective_score),
                             NUMBER("liquidity_quality", d->liquidity_quality),
                             NUMBER("score_age_ms", whole_ms(d->score_age_ns)),
                             NUMBER("depth_age_ms", whole_ms(d->depth_age_ns))};

    return members_differ(object, list, COUNT(list));
}

static bool flags_differ(const cJSON *array, uint32_t flags)
{
    const cJSON *m = cJSON_IsArray(array) ? array->child : NULL;

    if (!cJSON_IsArray(array)) return true;
    for (uint32_t bit = 0; bit < 32; bit++) {
        const char *name = hedge_flag_name(bit);

        if ((flags >> bit & 1) == 0 || name == NULL) continue;
        if (!cJSON_IsString(m) || strcmp(m->valuestring, name) != 0) return true;
        m = m->next;
    }
    return m != NULL;
}

/* What people read of a decision is the record's too; of anything else there is no such thing. */
static const char *answer_differs(const cJSON *item, const cJSON *hint, const hedge_record *r)
{
    static const char *const names[] = {"decision_id", "status", "flags",
                                        "request",     "quote",  "decision"};
    const cJSON *parts[COUNT(names)];
    const bool decided = r->kind == HEDGE_RECORD_DECISION || r->kind == HEDGE_RECORD_SHADOW;
    const char *differs;
    char id[37] = "";

    for (size_t i = 0; i < COUNT(names); i++) {
        parts[i] = member(item, &hint, names[i]);
        if ((parts[i] != NULL) != decided) return names[i];
    }
    if (!decided) return NULL;
    hedge_record_id(r->writer, r->seq, id);
    if (!is_as_expected(parts[0], &TEXT(names[0], id))) return names[0];
    if (!is_as_expected(parts[1], &TEXT(names[1], hedge_status_name(r->decision.status))))
        return names[1];
    if (flags_differ(parts[2], r->decision.flags)) return names[2];
    differs = request_differs(parts[3], &r->request);
    if (differs == NULL) differs = quote_differs(parts[4], &r->quote);
    if (differs == NULL) differs = outputs_differ(parts[5], &r->decision);
    return differs;
}

const char *url_record_differs(const cJSON *item, const hedge_record *r)
{
    char policy[2 * HEDGE_HASH_SIZE + 1];
    const expected list[] = {TEXT("kind", source_kind_name(r->kind)),
                             NUMBER("ts_ms", whole_ms(r->ts_ns)),
                             TEXT("policy", policy),
                             TEXT("version", r->build),
                             TEXT("asset", r->asset),
                             TEXT("note", r->note)};
    const cJSON *hint = item->child;
    const char *differs = NULL;

    number_write_hex(r->policy_hash, HEDGE_HASH_SIZE, policy);
    for (size_t i = 0; i < COUNT(list) && differs == NULL; i++)
        if (!is_as_expected(member(item, &hint, list[i].name), &list[i])) differs = list[i].name;
    return differs != NULL ? differs : answer_differs(item, hint, r);
}
