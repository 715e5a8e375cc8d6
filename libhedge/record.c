/* SPDX-License-Identifier: MIT
 * record: one line of the journal as canonical bytes, and the chain of them.
 *
 * Encoding and decoding run over the same list of members, so that they cannot
 * differ: a `codec` either puts a member into bytes or takes it out of them. */
#include <hedge/hedge.h>

#include "struct_size.h"

#include <sys/types.h>

#include <sha2.h>
#include <stdbool.h>
#include <string.h>

typedef struct codec {
    uint8_t *out;      /* encoding */
    const uint8_t *in; /* decoding */
    size_t n, capacity;
    int32_t code; /* the first fault; nothing happens after it */
} codec;

static bool room(codec *c, size_t n)
{
    if (c->code == HEDGE_OK && c->capacity - c->n < n)
        c->code = c->out != NULL ? HEDGE_E_TOO_LARGE : HEDGE_E_RECORD;
    return c->code == HEDGE_OK;
}

static void code_bytes(codec *c, void *v, size_t n)
{
    if (!room(c, n)) return;
    if (c->out != NULL)
        memcpy(c->out + c->n, v, n);
    else
        memcpy(v, c->in + c->n, n);
    c->n += n;
}

static void code_integer(codec *c, uint64_t *v, size_t n)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(*v >> (8 * i));
    code_bytes(c, bytes, n);
    if (c->in == NULL || c->code != HEDGE_OK) return;
    *v = 0;
    for (size_t i = 0; i < n; i++)
        *v |= (uint64_t)bytes[i] << (8 * i);
}

static void code_u32(codec *c, uint32_t *v)
{
    uint64_t wide = *v;

    code_integer(c, &wide, 4);
    *v = (uint32_t)wide;
}

static void code_i32(codec *c, int32_t *v)
{
    uint32_t bits;

    memcpy(&bits, v, sizeof(bits));
    code_u32(c, &bits);
    memcpy(v, &bits, sizeof(bits));
}

static void code_u64(codec *c, uint64_t *v)
{
    code_integer(c, v, 8);
}

static void code_i64(codec *c, int64_t *v)
{
    uint64_t bits;

    memcpy(&bits, v, sizeof(bits));
    code_u64(c, &bits);
    memcpy(v, &bits, sizeof(bits));
}

static void code_f64(codec *c, double *v)
{
    uint64_t bits;

    memcpy(&bits, v, sizeof(bits));
    code_u64(c, &bits);
    memcpy(v, &bits, sizeof(bits));
}

/* Unicode, table 3-7: which second bytes may follow a first one. */
static bool second_ok(uint8_t first, uint8_t second)
{
    switch (first) {
    case 0xe0:
        return second >= 0xa0 && second <= 0xbf;
    case 0xed:
        return second >= 0x80 && second <= 0x9f;
    case 0xf0:
        return second >= 0x90 && second <= 0xbf;
    case 0xf4:
        return second >= 0x80 && second <= 0x8f;
    default:
        return (second & 0xc0) == 0x80;
    }
}

/* Texts are UTF-8, so that every store that a journal is shipped to takes them. */
static bool is_utf8(const char *text, size_t n)
{
    const uint8_t *s = (const uint8_t *)text;

    for (size_t i = 0; i < n;) {
        const uint8_t c = s[i];
        const size_t size = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

        if ((c >= 0x80 && c < 0xc2) || c > 0xf4 || n - i < size) return false;
        if (size > 1 && !second_ok(c, s[i + 1])) return false;
        for (size_t k = 2; k < size; k++)
            if ((s[i + k] & 0xc0) != 0x80) return false;
        i += size;
    }
    return true;
}

/* A text: its length in 16 bits, then its bytes without NUL. */
static void code_text(codec *c, char *text, size_t capacity)
{
    uint64_t n = c->out != NULL ? strnlen(text, capacity) : 0;

    if (c->out != NULL && n == capacity) c->code = HEDGE_E_RECORD; /* no end */
    code_integer(c, &n, 2);
    if (c->code != HEDGE_OK) return;
    if (n >= capacity) {
        c->code = HEDGE_E_RECORD;
        return;
    }
    code_bytes(c, text, n);
    if (c->code == HEDGE_OK && !is_utf8(text, n)) c->code = HEDGE_E_RECORD;
    if (c->in == NULL || c->code != HEDGE_OK) return;
    if (memchr(text, '\0', n) != NULL) c->code = HEDGE_E_RECORD;
    memset(text + n, 0, capacity - n);
}

static void code_request(codec *c, hedge_request *r)
{
    code_i32(c, &r->asset);
    code_u32(c, &r->flags);
    code_f64(c, &r->amount_usd);
    code_f64(c, &r->override_score);
}

static void code_quote(codec *c, hedge_quote *q)
{
    code_u32(c, &q->flags);
    code_f64(c, &q->score);
    code_f64(c, &q->previous_score);
    code_f64(c, &q->confidence);
    code_i64(c, &q->score_ts_ns);
    code_f64(c, &q->depth1pct_usd);
    code_i64(c, &q->depth_ts_ns);
}

static void code_decision(codec *c, hedge_decision *d)
{
    code_i32(c, &d->status);
    code_u32(c, &d->flags);
    code_i32(c, &d->asset);
    code_f64(c, &d->hedge_pct);
    code_f64(c, &d->notional_usd);
    code_f64(c, &d->confidence);
    code_f64(c, &d->score);
    code_f64(c, &d->liquidity_weight);
    code_f64(c, &d->effective_score);
    code_f64(c, &d->liquidity_quality);
    code_i64(c, &d->score_age_ns);
    code_i64(c, &d->depth_age_ns);
    code_i64(c, &d->ts_ns);
}

static void code_record(codec *c, hedge_record *r)
{
    static const char magic[4] = {'H', 'D', 'R', '1'};
    char seen[4];

    memcpy(seen, magic, sizeof(seen));
    code_bytes(c, seen, sizeof(seen));
    code_i32(c, &r->kind);
    if (memcmp(seen, magic, sizeof(seen)) != 0 || r->kind < HEDGE_RECORD_DECISION ||
        r->kind > HEDGE_RECORD_SHADOW_POLICY)
        c->code = c->code != HEDGE_OK ? c->code : HEDGE_E_RECORD;
    code_u64(c, &r->seq);
    code_u64(c, &r->writer);
    code_i64(c, &r->ts_ns);
    code_bytes(c, r->policy_hash, sizeof(r->policy_hash));
    code_text(c, r->build, sizeof(r->build));
    code_text(c, r->asset, sizeof(r->asset));
    code_text(c, r->note, sizeof(r->note));
    if (c->code != HEDGE_OK) return;
    if (r->kind != HEDGE_RECORD_DECISION && r->kind != HEDGE_RECORD_SHADOW) return;
    code_request(c, &r->request);
    code_quote(c, &r->quote);
    code_decision(c, &r->decision);
}

int32_t hedge_record_encode(const hedge_record *record, uint8_t *bytes, size_t capacity, size_t *n)
{
    codec c = {.out = bytes, .capacity = capacity};
    hedge_record copy; /* the codec writes members back, and the caller's are const */

    if (record == NULL || bytes == NULL || n == NULL) return HEDGE_E_ARG;
    *n = 0;
    if (!struct_size_ok(record, OLDEST_RECORD, sizeof(*record))) return HEDGE_E_STRUCT_SIZE;
    struct_size_copy(&copy, record, sizeof(copy));
    code_record(&c, &copy);
    if (c.code == HEDGE_OK) *n = c.n;
    return c.code;
}

int32_t hedge_record_decode(const uint8_t *bytes, size_t n, hedge_record *out)
{
    codec c = {.in = bytes, .capacity = n};
    hedge_record record = HEDGE_INIT(hedge_record);

    if (bytes == NULL || out == NULL) return HEDGE_E_ARG;
    if (!struct_size_room(out->struct_size, OLDEST_RECORD)) return HEDGE_E_STRUCT_SIZE;
    record.request.struct_size = (uint32_t)sizeof(record.request);
    record.quote.struct_size = (uint32_t)sizeof(record.quote);
    record.decision.struct_size = (uint32_t)sizeof(record.decision);
    code_record(&c, &record);
    struct_size_answer(out, &record, sizeof(record));
    if (c.code == HEDGE_OK && c.n != n) c.code = HEDGE_E_RECORD;
    return c.code;
}

int32_t hedge_record_chain(const uint8_t previous[HEDGE_HASH_SIZE], const uint8_t *bytes, size_t n,
                           uint8_t hash[HEDGE_HASH_SIZE])
{
    SHA2_CTX context;

    if (previous == NULL || bytes == NULL || hash == NULL) return HEDGE_E_ARG;
    SHA256Init(&context);
    SHA256Update(&context, previous, HEDGE_HASH_SIZE);
    SHA256Update(&context, bytes, n);
    SHA256Final(hash, &context);
    return HEDGE_OK;
}

int32_t hedge_record_id(uint64_t writer, uint64_t seq, char id[37])
{
    static const char digits[] = "0123456789abcdef";
    uint64_t high, low;
    size_t at = 0;

    if (id == NULL || writer >> 60 != 0 || seq >> 62 != 0) return HEDGE_E_ARG;
    high = (writer >> 12) << 16 | UINT64_C(0x8000) | (writer & 0xfff); /* version 8 */
    low = UINT64_C(1) << 63 | seq;                                     /* variant 10 */
    for (int i = 0; i < 32; i++) {
        const uint64_t half = i < 16 ? high : low;

        if (i == 8 || i == 12 || i == 16 || i == 20) id[at++] = '-';
        id[at++] = digits[half >> (60 - 4 * (i % 16)) & 15];
    }
    id[at] = '\0';
    return HEDGE_OK;
}
