/* SPDX-License-Identifier: MIT
 * A record's canonical bytes: written by hand once, then bent in every way. */
#include "support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one record, written by hand ---------------------------------------- */

/* In read-only memory: encoding may not write to it. */
static const hedge_record fixed = {
    .struct_size = sizeof(hedge_record),
    .kind = HEDGE_RECORD_DECISION,
    .seq = 0x0102030405060708,
    .writer = 0x0a0b0c0d0e0f1011,
    .ts_ns = -2,
    .policy_hash = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa,
                    0xbb, 0xcc, 0xdd, 0xee, 0xff, 1,    2,    3,    4,    5,    6,
                    7,    8,    9,    10,   11,   12,   13,   14,   15,   16},
    .build = "0.1.0+abc",
    .asset = "BTC",
    .note = "caf\xc3\xa9",
    .request = {.struct_size = sizeof(hedge_request),
                .asset = -1,
                .amount_usd = 1.0,
                .override_score = -0.0,
                .flags = 1},
    .quote = {.struct_size = sizeof(hedge_quote),
              .flags = 7,
              .score = 0.5,
              .previous_score = 0.25,
              .confidence = 2.0,
              .score_ts_ns = 1,
              .depth1pct_usd = -1.5,
              .depth_ts_ns = INT64_MIN},
    .decision = {.struct_size = sizeof(hedge_decision),
                 .status = -112,
                 .flags = 0x80001000,
                 .asset = 3,
                 .hedge_pct = 0.75,
                 .notional_usd = 1024.0,
                 .confidence = 0.125,
                 .score = 4.0,
                 .liquidity_weight = 8.0,
                 .effective_score = 16.0,
                 .liquidity_quality = 32.0,
                 .score_age_ns = 255,
                 .depth_age_ns = -1,
                 .ts_ns = 0x7fffffffffffffff},
};

/* Typed from the table in docs/journal.md, one member a line. */
static const char fixed_hex[] =
    "48445231"                                                         /* HDR1 */
    "01000000"                                                         /* kind */
    "0807060504030201"                                                 /* seq */
    "11100f0e0d0c0b0a"                                                 /* writer */
    "feffffffffffffff"                                                 /* ts_ns */
    "00112233445566778899aabbccddeeff0102030405060708090a0b0c0d0e0f10" /* policy_hash */
    "0900"
    "302e312e302b616263" /* build */
    "0300"
    "425443" /* asset */
    "0500"
    "636166c3a9"        /* note */
    "ffffffff"          /* request: asset */
    "01000000"          /* flags */
    "000000000000f03f"  /* amount_usd */
    "0000000000000080"  /* override_score */
    "07000000"          /* quote: flags */
    "000000000000e03f"  /* score */
    "000000000000d03f"  /* previous_score */
    "0000000000000040"  /* confidence */
    "0100000000000000"  /* score_ts_ns */
    "000000000000f8bf"  /* depth1pct_usd */
    "0000000000000080"  /* depth_ts_ns */
    "90ffffff"          /* decision: status */
    "00100080"          /* flags */
    "03000000"          /* asset */
    "000000000000e83f"  /* hedge_pct */
    "0000000000009040"  /* notional_usd */
    "000000000000c03f"  /* confidence */
    "0000000000001040"  /* score */
    "0000000000002040"  /* liquidity_weight */
    "0000000000003040"  /* effective_score */
    "0000000000004040"  /* liquidity_quality */
    "ff00000000000000"  /* score_age_ns */
    "ffffffffffffffff"  /* depth_age_ns */
    "ffffffffffffff7f"; /* ts_ns */

/* Python 3: h = hashlib.sha256(bytes(32) + bytes.fromhex(fixed_hex)).hexdigest(), and once more
 * with hashlib.sha256(bytes.fromhex(h) + bytes.fromhex(fixed_hex)). */
static const char chain_1[] = "1ac5cb7e276a41739360394435351a8cbdce1fdf8cfa91abc69390707f454298";
static const char chain_2[] = "44bb933d1564e391964bc212bbf15ba81220d26cd48c20b6f1594e93d4f818a1";

static size_t from_hex(const char *hex, uint8_t *out)
{
    const size_t n = strlen(hex) / 2;

    for (size_t i = 0; i < n; i++) {
        const char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return n;
}

static size_t encoded(const hedge_record *r, uint8_t bytes[HEDGE_RECORD_MAX])
{
    size_t n = 0;

    cr_assert_eq(hedge_record_encode(r, bytes, HEDGE_RECORD_MAX, &n), HEDGE_OK);
    return n;
}

Test(record, has_the_bytes_that_the_manual_lists)
{
    uint8_t got[HEDGE_RECORD_MAX], want[HEDGE_RECORD_MAX];
    const size_t n = encoded(&fixed, got), m = from_hex(fixed_hex, want);

    cr_assert_eq(n, m, "%zu bytes, not %zu", n, m);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(got[i], want[i], "byte %zu: %02x, not %02x", i, got[i], want[i]);
}

Test(record, is_chained_by_sha_256)
{
    uint8_t bytes[HEDGE_RECORD_MAX], want[32], hash[32] = {0};
    const size_t n = from_hex(fixed_hex, bytes);

    cr_assert_eq(hedge_record_chain(hash, bytes, n, hash), HEDGE_OK);
    from_hex(chain_1, want);
    cr_assert_arr_eq(hash, want, 32);
    cr_assert_eq(hedge_record_chain(hash, bytes, n, hash), HEDGE_OK);
    from_hex(chain_2, want);
    cr_assert_arr_eq(hash, want, 32);
    cr_assert_eq(hedge_record_chain(NULL, bytes, n, hash), HEDGE_E_ARG);
    cr_assert_eq(hedge_record_chain(hash, NULL, n, hash), HEDGE_E_ARG);
    cr_assert_eq(hedge_record_chain(hash, bytes, n, NULL), HEDGE_E_ARG);
}

/* ---- there and back ------------------------------------------------------ */

static void random_text(rng *r, char *text, size_t capacity)
{
    static const char letters[] = "abcXYZ 0189.+-_{}\"\\\t";
    const uint64_t lengths[] = {0, 1, capacity - 1, rng_below(r, capacity)};
    const size_t n = lengths[rng_below(r, 4)];

    memset(text, 0, capacity);
    for (size_t i = 0; i < n; i++)
        text[i] = letters[rng_below(r, sizeof(letters) - 1)];
}

static bool decides(int32_t kind)
{
    return kind == HEDGE_RECORD_DECISION || kind == HEDGE_RECORD_SHADOW;
}

/* Any bits in every number, but where the kind has no such member. */
static hedge_record random_record(rng *r)
{
    hedge_record out;
    unsigned char *bytes = (unsigned char *)&out;

    for (size_t i = 0; i < sizeof(out); i++)
        bytes[i] = (unsigned char)rng_next(r);
    out.struct_size = sizeof(out);
    out.kind = 1 + (int32_t)rng_below(r, 9);
    if (!decides(out.kind)) {
        memset(&out.request, 0, sizeof(out.request));
        memset(&out.quote, 0, sizeof(out.quote));
        memset(&out.decision, 0, sizeof(out.decision));
    }
    out.request.struct_size = sizeof(out.request);
    out.request.reserved = 0;
    out.quote.struct_size = sizeof(out.quote);
    out.decision.struct_size = sizeof(out.decision);
    random_text(r, out.build, sizeof(out.build));
    random_text(r, out.asset, sizeof(out.asset));
    random_text(r, out.note, sizeof(out.note));
    return out;
}

Test(record, comes_back_to_the_last_bit)
{
    rng r = {31};

    for (int i = 0; i < 50000; i++) {
        const uint64_t seed = r.state;
        const hedge_record in = random_record(&r);
        hedge_record out = HEDGE_INIT(hedge_record);
        uint8_t bytes[HEDGE_RECORD_MAX], again[HEDGE_RECORD_MAX];
        const size_t n = encoded(&in, bytes);

        memset((char *)&out + 4, 0xa5, sizeof(out) - 4);
        cr_assert_eq(hedge_record_decode(bytes, n, &out), HEDGE_OK, "seed %llu",
                     (unsigned long long)seed);
        cr_assert_arr_eq(&in, &out, sizeof(in), "seed %llu", (unsigned long long)seed);
        cr_assert_eq(encoded(&out, again), n);
        cr_assert_arr_eq(bytes, again, n, "seed %llu", (unsigned long long)seed);
    }
}

Test(record, does_not_depend_on_what_lies_behind_a_texts_end)
{
    hedge_record r = fixed;
    uint8_t a[HEDGE_RECORD_MAX], b[HEDGE_RECORD_MAX];
    const size_t n = encoded(&r, a);

    memset(r.build + strlen(r.build) + 1, 'x', 8);
    memset(r.asset + strlen(r.asset) + 1, 'x', 8);
    memset(r.note + strlen(r.note) + 1, 'x', 8);
    r.request.struct_size = r.quote.struct_size = r.decision.struct_size = 0;
    r.request.reserved = 7;
    cr_assert_eq(encoded(&r, b), n);
    cr_assert_arr_eq(a, b, n);
}

/* ---- bytes that are no record -------------------------------------------- */

static int32_t decoded(const uint8_t *bytes, size_t n, hedge_record *out)
{
    /* A copy of exactly n bytes, so that a sanitizer sees a read behind them. */
    uint8_t *copy = malloc(n > 0 ? n : 1);

    memcpy(copy, bytes, n);
    *out = (hedge_record)HEDGE_INIT(hedge_record);

    const int32_t rc = hedge_record_decode(copy, n, out);

    free(copy);
    return rc;
}

static hedge_record plain(int32_t kind)
{
    hedge_record r = HEDGE_INIT(hedge_record);

    r.kind = kind;
    r.seq = 1;
    strcpy(r.build, "0.1.0+abc");
    strcpy(r.asset, "ETH");
    strcpy(r.note, "an operator's reason");
    return r;
}

Test(record, is_refused_when_it_is_cut_or_lengthened)
{
    for (int32_t kind = HEDGE_RECORD_DECISION; kind <= HEDGE_RECORD_SHADOW_POLICY; kind++) {
        const hedge_record in = plain(kind);
        uint8_t bytes[HEDGE_RECORD_MAX + 8] = {0};
        hedge_record out;
        const size_t n = encoded(&in, bytes);

        for (size_t cut = 0; cut < n; cut++)
            cr_assert_eq(decoded(bytes, cut, &out), HEDGE_E_RECORD, "kind %d cut to %zu", (int)kind,
                         cut);
        for (size_t more = 1; more <= 8; more++)
            cr_assert_eq(decoded(bytes, n + more, &out), HEDGE_E_RECORD, "kind %d, %zu more",
                         (int)kind, more);
        cr_assert_eq(decoded(bytes, n, &out), HEDGE_OK);
    }
}

static void changed_byte(const uint8_t *bytes, size_t n, size_t at, const hedge_record *in)
{
    uint8_t bent[HEDGE_RECORD_MAX], again[HEDGE_RECORD_MAX];
    hedge_record out;

    memcpy(bent, bytes, n);
    for (int v = 0; v < 256; v++) {
        if (v == bytes[at]) continue;
        bent[at] = (uint8_t)v;
        if (decoded(bent, n, &out) != HEDGE_OK) continue;
        cr_assert(memcmp(&out, in, sizeof(out)) != 0, "byte %zu = %02x is not seen", at, v);
        cr_assert_eq(encoded(&out, again), n, "byte %zu = %02x", at, v);
        cr_assert_arr_eq(bent, again, n, "byte %zu = %02x is not canonical", at, v);
    }
}

Test(record, shows_every_single_changed_byte)
{
    const hedge_record samples[] = {fixed, plain(HEDGE_RECORD_HALT), plain(HEDGE_RECORD_DECISION)};

    for (size_t s = 0; s < COUNT(samples); s++) {
        uint8_t bytes[HEDGE_RECORD_MAX];
        hedge_record in;
        const size_t n = encoded(&samples[s], bytes);

        cr_assert_eq(decoded(bytes, n, &in), HEDGE_OK);
        for (size_t i = 0; i < n; i++)
            changed_byte(bytes, n, i, &in);
    }
}

Test(record, is_refused_when_it_is_noise)
{
    rng r = {32};

    for (int i = 0; i < 200000; i++) {
        uint8_t bytes[300];
        const size_t n = rng_below(&r, sizeof(bytes));
        hedge_record out;

        for (size_t k = 0; k < n; k++)
            bytes[k] = (uint8_t)rng_next(&r);
        if (i % 2 == 0 && n > 8) memcpy(bytes, "HDR1\2\0\0", 8);
        if (i % 4 == 0 && n > 72) bytes[68] = 3, bytes[69] = 0;
        if (decoded(bytes, n, &out) == HEDGE_OK) {
            uint8_t again[HEDGE_RECORD_MAX];

            cr_assert_eq(encoded(&out, again), n);
            cr_assert_arr_eq(bytes, again, n);
        }
    }
}

/* Where the texts of `plain` and `fixed` begin: their length in two bytes. */
enum { BUILD_AT = 64, ASSET_AT = BUILD_AT + 2 + 9, NOTE_AT = ASSET_AT + 2 + 3 };

Test(record, is_as_long_as_the_manual_says)
{
    enum { TEXTS = 2 + 9 + 2 + 3 + 2 + 20, DECISION = 24 + 52 + 92 };

    for (int32_t kind = HEDGE_RECORD_DECISION; kind <= HEDGE_RECORD_SHADOW_POLICY; kind++) {
        const hedge_record in = plain(kind);
        uint8_t bytes[HEDGE_RECORD_MAX];
        const size_t more = decides(kind) ? DECISION : 0;

        cr_assert_eq(encoded(&in, bytes), BUILD_AT + TEXTS + more, "kind %d", (int)kind);
    }
}

Test(record, is_refused_when_a_text_does_not_fit_or_holds_a_nul)
{
    const hedge_record in = plain(HEDGE_RECORD_STOP);
    const size_t at[] = {BUILD_AT, ASSET_AT, NOTE_AT};
    uint8_t bytes[HEDGE_RECORD_MAX] = {0};
    hedge_record out;
    const size_t n = encoded(&in, bytes);

    cr_assert(bytes[BUILD_AT] == 9 && bytes[ASSET_AT] == 3 && bytes[NOTE_AT] == 20);
    for (size_t i = 0; i < COUNT(at); i++) {
        const uint8_t first = bytes[at[i] + 2];

        bytes[at[i] + 2] = 0;
        cr_assert_eq(decoded(bytes, n, &out), HEDGE_E_RECORD, "a NUL at %zu", at[i]);
        bytes[at[i] + 2] = first;
        bytes[at[i] + 1] = 0xff;
        cr_assert_eq(decoded(bytes, n, &out), HEDGE_E_RECORD, "a long text at %zu", at[i]);
        bytes[at[i] + 1] = 0;
    }
    cr_assert_eq(decoded(bytes, n, &out), HEDGE_OK);
}

Test(record, holds_texts_of_utf_8_alone)
{
    static const char *const bad[] = {"\xff",
                                      "\x80",
                                      "a\xc3",
                                      "\xc3(",
                                      "\xe2(\xa1",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xed\xa0\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf0\x80\x80\x80",
                                      "\xe0\x80\x80",
                                      "\xe2\x82",
                                      "\xf8\x88\x80\x80\x80"};
    static const char *const good[] = {"\xc3\xa9",     "\xe2\x82\xac", "\xf0\x9f\x92\xa9",
                                       "\xef\xbf\xbd", "\xc2\x80",     "\xf4\x8f\xbf\xbf",
                                       "\xed\x9f\xbf", "\xe0\xa0\x80", "\xf0\x90\x80\x80"};
    uint8_t bytes[HEDGE_RECORD_MAX];
    hedge_record r = plain(HEDGE_RECORD_HALT), out;
    size_t n;

    for (size_t i = 0; i < COUNT(good); i++) {
        strcpy(r.note, good[i]);
        n = encoded(&r, bytes);
        cr_assert_eq(decoded(bytes, n, &out), HEDGE_OK, "text %zu", i);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        strcpy(r.note, bad[i]);
        cr_expect_eq(hedge_record_encode(&r, bytes, sizeof(bytes), &n), HEDGE_E_RECORD, "text %zu",
                     i);
        strcpy(r.note, "12345678");
        r.note[strlen(bad[i])] = '\0';
        n = encoded(&r, bytes);
        memcpy(bytes + NOTE_AT + 2, bad[i], strlen(bad[i]));
        cr_expect_eq(decoded(bytes, n, &out), HEDGE_E_RECORD, "text %zu", i);
    }
}

/* A text of all the room there is would have no end. */
Test(record, holds_texts_that_end)
{
    uint8_t bytes[HEDGE_RECORD_MAX + 1];
    hedge_record r = plain(HEDGE_RECORD_HALT), out;
    const size_t most = sizeof(r.note) - 1;

    memset(r.note, 'n', most);
    r.note[most] = '\0';

    const size_t n = encoded(&r, bytes);

    cr_assert_eq(decoded(bytes, n, &out), HEDGE_OK);
    cr_expect_str_eq(out.note, r.note);
    /* (memcheck takes the checked memmove for memcpy.) */
    for (size_t i = n; i > NOTE_AT + 2; i--)
        bytes[i] = bytes[i - 1];
    bytes[NOTE_AT] = (uint8_t)((most + 1) & 0xff);
    bytes[NOTE_AT + 1] = (uint8_t)((most + 1) >> 8);
    cr_expect_eq(decoded(bytes, n + 1, &out), HEDGE_E_RECORD);
}

/* ---- arguments ------------------------------------------------------------ */

Test(record, is_not_encoded_when_it_cannot_be)
{
    uint8_t bytes[HEDGE_RECORD_MAX];
    hedge_record r;
    size_t n = 0;
    const int32_t kinds[] = {0, 10, -1, INT32_MAX, INT32_MIN};

    for (size_t i = 0; i < COUNT(kinds); i++) {
        r = plain(kinds[i]);
        cr_assert_eq(hedge_record_encode(&r, bytes, sizeof(bytes), &n), HEDGE_E_RECORD);
    }
    r = plain(HEDGE_RECORD_HALT);
    memset(r.note, 'x', sizeof(r.note));
    cr_assert_eq(hedge_record_encode(&r, bytes, sizeof(bytes), &n), HEDGE_E_RECORD);
    r = plain(HEDGE_RECORD_HALT);
    memset(r.asset, 'x', sizeof(r.asset));
    cr_assert_eq(hedge_record_encode(&r, bytes, sizeof(bytes), &n), HEDGE_E_RECORD);
    r = plain(HEDGE_RECORD_HALT);
    memset(r.build, 'x', sizeof(r.build));
    cr_assert_eq(hedge_record_encode(&r, bytes, sizeof(bytes), &n), HEDGE_E_RECORD);
    for (uint32_t size = 0; size < sizeof(r); size++) {
        r = plain(HEDGE_RECORD_HALT);
        r.struct_size = size;
        cr_assert_eq(hedge_record_encode(&r, bytes, sizeof(bytes), &n), HEDGE_E_STRUCT_SIZE);
        cr_assert_eq(hedge_record_decode(bytes, 4, &r), HEDGE_E_STRUCT_SIZE);
    }
    cr_assert_eq(hedge_record_encode(NULL, bytes, sizeof(bytes), &n), HEDGE_E_ARG);
    cr_assert_eq(hedge_record_encode(&fixed, NULL, sizeof(bytes), &n), HEDGE_E_ARG);
    cr_assert_eq(hedge_record_encode(&fixed, bytes, sizeof(bytes), NULL), HEDGE_E_ARG);
    cr_assert_eq(hedge_record_decode(NULL, 0, &r), HEDGE_E_ARG);
    cr_assert_eq(hedge_record_decode(bytes, 0, NULL), HEDGE_E_ARG);
}

Test(record, never_writes_behind_the_room_it_is_given)
{
    uint8_t whole[HEDGE_RECORD_MAX], bytes[HEDGE_RECORD_MAX];
    const size_t n = encoded(&fixed, whole);

    for (size_t room = 0; room <= n + 2; room++) {
        size_t m = 0;

        memset(bytes, 0xa5, sizeof(bytes));
        cr_assert_eq(hedge_record_encode(&fixed, bytes, room, &m),
                     room < n ? HEDGE_E_TOO_LARGE : HEDGE_OK, "room for %zu", room);
        for (size_t i = room; i < sizeof(bytes); i++)
            cr_assert_eq(bytes[i], 0xa5, "room for %zu: wrote %zu", room, i);
    }
}

Test(record, always_fits_into_the_published_room)
{
    hedge_record r = fixed;
    uint8_t bytes[HEDGE_RECORD_MAX];

    memset(r.build, 'b', sizeof(r.build) - 1);
    memset(r.asset, 'a', sizeof(r.asset) - 1);
    memset(r.note, 'n', sizeof(r.note) - 1);
    cr_assert_leq(encoded(&r, bytes), HEDGE_RECORD_MAX);
}

/* ---- identity -------------------------------------------------------------- */

static const uint64_t top_writer = (UINT64_C(1) << 60) - 1, top_seq = (UINT64_C(1) << 62) - 1;

static uint64_t hex_bits(const char *id, size_t from, size_t digits)
{
    uint64_t v = 0;

    for (size_t i = from; digits > 0; i++) {
        if (id[i] == '-') continue;
        v = v << 4 | (uint64_t)(id[i] <= '9' ? id[i] - '0' : id[i] - 'a' + 10);
        digits--;
    }
    return v;
}

static void id_gives_both_back(uint64_t writer, uint64_t seq)
{
    char id[37];

    memset(id, '?', sizeof(id));
    cr_assert_eq(hedge_record_id(writer, seq, id), HEDGE_OK);
    cr_assert_eq(strlen(id), 36);
    cr_assert_eq(strspn(id, "0123456789abcdef-"), 36, "%s", id);
    cr_assert(id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-', "%s", id);
    cr_assert_eq(id[14], '8', "%s", id);
    cr_assert_eq(hex_bits(id, 19, 1) >> 2, 2, "%s", id);
    cr_assert_eq(hex_bits(id, 0, 12) << 12 | hex_bits(id, 15, 3), writer, "%s", id);
    cr_assert_eq(hex_bits(id, 19, 16) & top_seq, seq, "%s", id);
}

Test(record, has_an_id_that_gives_writer_and_number_back)
{
    rng r = {33};
    char id[37];

    for (int i = 0; i < 100000; i++)
        id_gives_both_back(rng_next(&r) >> (4 + rng_below(&r, 60)),
                           rng_next(&r) >> (2 + rng_below(&r, 62)));
    id_gives_both_back(0, 0);
    id_gives_both_back(top_writer, top_seq);
    /* Packed by hand: writer 0x123456789abcdef, number 1. */
    cr_assert_eq(hedge_record_id(UINT64_C(0x123456789abcdef), 1, id), HEDGE_OK);
    cr_assert_str_eq(id, "12345678-9abc-8def-8000-000000000001");
}

Test(record, has_no_id_where_one_could_not_be_told_from_another)
{
    char id[37];

    cr_assert_eq(hedge_record_id(top_writer + 1, 1, id), HEDGE_E_ARG);
    cr_assert_eq(hedge_record_id(UINT64_MAX, 1, id), HEDGE_E_ARG);
    cr_assert_eq(hedge_record_id(1, top_seq + 1, id), HEDGE_E_ARG);
    cr_assert_eq(hedge_record_id(1, UINT64_MAX, id), HEDGE_E_ARG);
    cr_assert_eq(hedge_record_id(1, 1, NULL), HEDGE_E_ARG);
}
