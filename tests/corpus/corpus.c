/* SPDX-License-Identifier: MIT
 * corpus: the same questions on every machine, and one hash over the bits of every answer.
 *
 * Prints a line a section, "name SHA-256", and the hash of them all. Built with CORPUS_PATHS, which
 * needs the private headers, it takes the name of a path that every curve is then forced onto.
 * Exit: 0; 1: an answer that should equal another one does not, or the corpus no longer reaches
 * what it is there for; 77: this processor or this build has no such path. */
#include "inputs.h"
#include "policies.h"

#ifdef CORPUS_PATHS
#include "curve.h"
#endif

#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CASES 100000u
#define SCORES 3000u /* tried on each curve */

/* ---- the hash --------------------------------------------------------------- */

static SHA2_CTX section, all;

static void put_bytes(const void *bytes, size_t n)
{
    SHA256Update(&section, bytes, n);
}

/* Little endian whatever the machine. NaN is hashed as it is: no path may give another one. */
static void put_u64(uint64_t v)
{
    uint8_t bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(v >> (8 * i));
    put_bytes(bytes, sizeof(bytes));
}

static void put_i64(int64_t v)
{
    put_u64((uint64_t)v);
}

static uint64_t bits_of(double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

static void put_f64(double v)
{
    put_u64(bits_of(v));
}

static void print_hash(const char *name, const uint8_t *hash)
{
    printf("%-12s ", name);
    for (size_t i = 0; i < SHA256_DIGEST_LENGTH; i++)
        printf("%02x", hash[i]);
    printf("\n");
    fflush(stdout);
}

static void section_end(const char *name)
{
    uint8_t hash[SHA256_DIGEST_LENGTH];

    SHA256Final(hash, &section);
    SHA256Update(&all, hash, sizeof(hash));
    SHA256Init(&section);
    print_hash(name, hash);
}

static void require(int fine, const char *what, uint64_t i)
{
    if (fine) return;
    fflush(stdout);
    fprintf(stderr, "corpus: %s (%llu)\n", what, (unsigned long long)i);
    exit(1);
}

/* ---- policies and curves -------------------------------------------------------- */

static hedge_policy *policies[POLICIES];
static hedge_curve *own_curves[CURVES];
static const hedge_curve *curves[POLICIES * 48 + CURVES];
static size_t curve_count;

static void load_policy(size_t i)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    char *text = policies_text(i);

    require(text != NULL, "no memory", i);
    if (hedge_policy_parse(text, strlen(text), &error, &policies[i]) != HEDGE_OK) {
        fprintf(stderr, "corpus: line %d, %s: %s\n", error.line, error.field, error.message);
        exit(1);
    }
    free(text);
    for (int32_t asset = 0; asset < (int32_t)hedge_policy_asset_count(policies[i]); asset++)
        curves[curve_count++] = hedge_policy_curve(policies[i], asset);
}

static void load_all(void)
{
    for (size_t i = 0; i < POLICIES; i++)
        load_policy(i);
    for (size_t i = 0; i < CURVES; i++) {
        require(policies_curve(i, &own_curves[i]) == HEDGE_OK, "a curve was refused", i);
        curves[curve_count++] = own_curves[i];
    }
}

static void free_all(void)
{
    for (size_t i = 0; i < POLICIES; i++)
        hedge_policy_free(policies[i]);
    for (size_t i = 0; i < CURVES; i++)
        hedge_curve_free(own_curves[i]);
}

#ifdef CORPUS_PATHS
/* The public call is bound to one path when the program is loaded; a curve keeps its own. */
static double eval(const hedge_curve *curve, double score)
{
    return curve->eval(curve, score);
}

static int force_path(const char *name)
{
    static const char *const names[] = {"portable", "fma", "avx2", "avx512"};
    size_t path = 0;

    while (path < COUNT(names) && strcmp(names[path], name) != 0)
        path++;
    require(path < COUNT(names), "a path is portable, fma, avx2 or avx512", 0);
    for (size_t i = 0; i < curve_count; i++) /* ours until main returns: no one else looks */
        if (!curve_set_path((hedge_curve *)(uintptr_t)curves[i], (curve_path)path)) return 0;
    return 1;
}
#else
static double eval(const hedge_curve *curve, double score)
{
    return hedge_curve_eval(curve, score);
}

static int force_path(const char *name)
{
    require(0, "built without CORPUS_PATHS: there is no choice of a path", strlen(name));
    return 0;
}
#endif

static void hash_policies(void)
{
    for (size_t i = 0; i < POLICIES; i++) {
        size_t n;
        const char *text = hedge_policy_text(policies[i], &n);

        put_bytes(text, n);
        put_bytes(hedge_policy_hash_hex(policies[i]), 64);
    }
    section_end("policies");
}

static void hash_pieces(const hedge_curve *curve)
{
    for (size_t i = 0; i < hedge_curve_piece_count(curve); i++) {
        hedge_piece p = HEDGE_INIT(hedge_piece);

        require(hedge_curve_piece(curve, i, &p) == HEDGE_OK, "no such piece", i);
        put_f64(p.from);
        put_f64(p.to);
        put_f64(p.knot);
        put_f64(p.hedge);
        put_f64(p.b);
        put_f64(p.c);
        put_f64(p.d);
    }
}

static void hash_curves(void)
{
    uint8_t hash[32];

    for (size_t i = 0; i < curve_count; i++) {
        require(hedge_curve_hash(curves[i], hash) == HEDGE_OK, "no hash", i);
        put_bytes(hash, sizeof(hash));
        hash_pieces(curves[i]);
    }
    section_end("pieces");
}

/* One by one, then in batches of every small length and at every alignment. */
static void hash_eval(const hedge_curve *curve, prng *r)
{
    static double score[SCORES], alone[SCORES], batch[SCORES];

    for (size_t i = 0; i < SCORES; i++) {
        score[i] = input_score(r, curve);
        alone[i] = eval(curve, score[i]);
        put_f64(alone[i]);
    }
    for (size_t i = 0, n; i < SCORES; i += n) {
        n = prng_below(r, 40);
        if (n > SCORES - i) n = SCORES - i;
        hedge_curve_eval_n(curve, score + i, batch + i, n);
    }
    for (size_t i = 0; i < SCORES; i++)
        require(bits_of(alone[i]) == bits_of(batch[i]), "one by one and in a batch differ", i);
}

static void hash_shape(const hedge_curve *curve, prng *r)
{
    for (int i = 0; i < 60; i++) {
        const double score = input_score(r, curve);

        put_f64(hedge_curve_slope(curve, score));
        put_f64(hedge_curve_inverse(curve, eval(curve, score)));
        put_f64(hedge_curve_inverse(curve, input_odd(r)));
        put_f64(hedge_curve_area(curve, score, input_score(r, curve)));
    }
}

static void hash_sensitivity(const hedge_curve *curve, prng *r)
{
    static double d_hedge[HEDGE_KNOTS_MAX];
    const size_t n = hedge_curve_knot_count(curve);

    for (int i = 0; i < 12; i++) {
        const int32_t code = hedge_curve_sensitivity(curve, input_score(r, curve), d_hedge, n);

        put_i64(code);
        for (size_t k = 0; k < n && code == HEDGE_OK; k++)
            if (d_hedge[k] != 0.0) {
                put_u64(k);
                put_f64(d_hedge[k]);
            }
    }
}

static void each_curve(const char *name, void (*run)(const hedge_curve *, prng *))
{
    for (size_t i = 0; i < curve_count; i++)
        run(curves[i], &(prng){i});
    section_end(name);
}

/* ---- weights and blends ----------------------------------------------------------- */

static double any_usd(prng *r)
{
    return prng_below(r, 12) == 0 ? input_odd(r) : input_usd(r);
}

static void hash_weights(void)
{
    prng r = {1};

    for (int i = 0; i < 40000; i++) {
        const double scale = any_usd(&r), depth = any_usd(&r);

        for (int32_t kind = -1; kind <= HEDGE_WEIGHT_LOG + 1; kind++)
            put_f64(hedge_liquidity_weight(kind, scale, depth));
    }
    section_end("weights");
}

static double any_unit(prng *r)
{
    return prng_below(r, 3) == 0 ? input_score(r, NULL) : input_unit(r);
}

static void hash_blends(void)
{
    prng r = {2};

    for (int i = 0; i < 40000; i++) {
        const double a = any_unit(&r), b = any_unit(&r);

        for (int32_t rule = -1; rule <= HEDGE_BLEND_PRODUCT + 1; rule++)
            put_f64(hedge_blend(rule, a, b));
    }
    section_end("blends");
}

/* ---- decisions ---------------------------------------------------------------------- */

static input_case cases[CASES];
static hedge_decision decisions[CASES];

static const hedge_policy *policy_of(size_t i)
{
    return policies[i % POLICIES];
}

static void put_decision(const hedge_decision *d)
{
    put_i64(d->status);
    put_u64(d->flags);
    put_i64(d->asset);
    put_f64(d->hedge_pct);
    put_f64(d->notional_usd);
    put_f64(d->confidence);
    put_f64(d->score);
    put_f64(d->liquidity_weight);
    put_f64(d->effective_score);
    put_f64(d->liquidity_quality);
    put_i64(d->score_age_ns);
    put_i64(d->depth_age_ns);
    put_i64(d->ts_ns);
}

static void hash_decisions(void)
{
    for (size_t i = 0; i < CASES; i++) {
        input_case *c = &cases[i];

        input_make(i, policy_of(i), c);
        decisions[i] = (hedge_decision)HEDGE_INIT(hedge_decision);
        put_i64(hedge_size(policy_of(i), &c->request, &c->quote, c->now_ns, &decisions[i]));
        put_decision(&decisions[i]);
    }
    section_end("decisions");
}

/* Every breaker must reject somewhere and every flag be set, or nobody notices when inputs go
 * astray; and most answers should come from a curve. */
static void check_reach(void)
{
    size_t trips[HEDGE_BREAKER_COUNT] = {0}, fine = 0, plain = 0;
    uint32_t flags = 0;

    for (size_t i = 0; i < CASES; i++) {
        flags |= decisions[i].flags;
        if (decisions[i].status == HEDGE_OK)
            fine++;
        else
            trips[HEDGE_BREAKER(decisions[i].status)]++;
        plain += decisions[i].status == HEDGE_OK && !(decisions[i].flags & HEDGE_MARK_FLOOR);
    }
    for (uint32_t bit = 0; bit < 32; bit++) {
        if (hedge_flag_name(bit) == NULL) continue;
        require(flags >> bit & 1, "no decision has this flag", bit);
        if (bit < HEDGE_BREAKER_COUNT) require(trips[bit] >= 10, "too few rejected by", bit);
    }
    fprintf(stderr, "corpus: %u decisions, %zu answered, %zu of them by a curve\n", CASES, fine,
            plain);
    require(plain >= CASES / 3, "too few answered by a curve", plain);
}

#define ROWS (CASES / POLICIES)

/* The inputs and outputs of one policy's rows, a column each. */
static struct columns {
    int32_t asset[ROWS], status[ROWS];
    uint32_t request_flags[ROWS], quote_flags[ROWS], flags[ROWS];
    double amount_usd[ROWS], override_score[ROWS], score[ROWS], confidence[ROWS];
    double previous_score[ROWS], depth1pct_usd[ROWS], out[7][ROWS];
    int64_t score_ts_ns[ROWS], depth_ts_ns[ROWS], now_ns[ROWS], age[2][ROWS];
} col;

static void fill_columns(size_t policy)
{
    for (size_t row = 0; row < ROWS; row++) {
        const input_case *c = &cases[row * POLICIES + policy];

        col.asset[row] = c->request.asset;
        col.request_flags[row] = c->request.flags;
        col.amount_usd[row] = c->request.amount_usd;
        col.override_score[row] = c->request.override_score;
        col.quote_flags[row] = c->quote.flags;
        col.score[row] = c->quote.score;
        col.previous_score[row] = c->quote.previous_score;
        col.confidence[row] = c->quote.confidence;
        col.depth1pct_usd[row] = c->quote.depth1pct_usd;
        col.score_ts_ns[row] = c->quote.score_ts_ns;
        col.depth_ts_ns[row] = c->quote.depth_ts_ns;
        col.now_ns[row] = c->now_ns;
    }
}

static hedge_size_in columns_in(void)
{
    hedge_size_in in = HEDGE_INIT(hedge_size_in);

    in.asset = col.asset;
    in.amount_usd = col.amount_usd;
    in.override_score = col.override_score;
    in.request_flags = col.request_flags;
    in.score = col.score;
    in.confidence = col.confidence;
    in.score_ts_ns = col.score_ts_ns;
    in.previous_score = col.previous_score;
    in.depth1pct_usd = col.depth1pct_usd;
    in.depth_ts_ns = col.depth_ts_ns;
    in.quote_flags = col.quote_flags;
    in.now_ns = col.now_ns;
    return in;
}

static hedge_size_out columns_out(void)
{
    hedge_size_out out = HEDGE_INIT(hedge_size_out);

    out.status = col.status;
    out.flags = col.flags;
    out.hedge_pct = col.out[0];
    out.notional_usd = col.out[1];
    out.confidence = col.out[2];
    out.score = col.out[3];
    out.liquidity_weight = col.out[4];
    out.effective_score = col.out[5];
    out.liquidity_quality = col.out[6];
    out.score_age_ns = col.age[0];
    out.depth_age_ns = col.age[1];
    return out;
}

static hedge_decision row_of(size_t row)
{
    hedge_decision d = HEDGE_INIT(hedge_decision);

    d.status = col.status[row];
    d.flags = col.flags[row];
    d.asset = col.asset[row];
    d.hedge_pct = col.out[0][row];
    d.notional_usd = col.out[1][row];
    d.confidence = col.out[2][row];
    d.score = col.out[3][row];
    d.liquidity_weight = col.out[4][row];
    d.effective_score = col.out[5][row];
    d.liquidity_quality = col.out[6][row];
    d.score_age_ns = col.age[0][row];
    d.depth_age_ns = col.age[1][row];
    d.ts_ns = col.now_ns[row];
    return d;
}

/* The fewest columns there may be: all else has its default. */
static void hash_default_columns(size_t policy)
{
    hedge_size_in in = HEDGE_INIT(hedge_size_in);
    const hedge_size_out out = columns_out();

    in.asset_all = 1;
    in.now_all_ns = 1;
    in.amount_usd = col.amount_usd;
    in.score = col.score;
    in.depth1pct_usd = col.depth1pct_usd;
    require(hedge_size_n(policies[policy], &in, ROWS, &out) == HEDGE_OK, "few columns", policy);
    for (size_t row = 0; row < ROWS; row++) {
        const hedge_decision d = row_of(row);

        put_decision(&d);
    }
}

static void hash_columns(void)
{
    const hedge_size_in in = columns_in();
    const hedge_size_out out = columns_out();

    for (size_t policy = 0; policy < POLICIES; policy++) {
        fill_columns(policy);
        require(hedge_size_n(policies[policy], &in, ROWS, &out) == HEDGE_OK, "columns", policy);
        for (size_t row = 0; row < ROWS; row++) {
            const hedge_decision d = row_of(row);

            put_decision(&d);
            require(memcmp(&d, &decisions[row * POLICIES + policy], sizeof(d)) == 0,
                    "a row is not what hedge_size decides", row);
        }
        hash_default_columns(policy);
    }
    section_end("columns");
}

/* ---- records ---------------------------------------------------------------------------- */

static void make_record(size_t i, hedge_record *record)
{
    const char *asset = hedge_policy_asset_name(policy_of(i), cases[i].request.asset);

    *record = (hedge_record)HEDGE_INIT(hedge_record);
    record->kind = HEDGE_RECORD_DECISION;
    record->seq = i + 1;
    record->writer = 20260101;
    record->ts_ns = cases[i].now_ns;
    hedge_policy_hash(policy_of(i), record->policy_hash);
    strcpy(record->build, "corpus"); /* not hedge_version(), which names the commit */
    if (asset != NULL) strcpy(record->asset, asset);
    strcpy(record->note, "f\xc3\xbcr die Akten");
    record->request = cases[i].request;
    record->quote = cases[i].quote;
    record->decision = decisions[i];
}

/* A record's bytes hash as its chain does, and read back to what they were. */
static void hash_records(void)
{
    uint8_t chain[HEDGE_HASH_SIZE] = {0}, bytes[HEDGE_RECORD_MAX], again[HEDGE_RECORD_MAX];
    hedge_record record, back = HEDGE_INIT(hedge_record);
    char id[37];
    size_t n, m;

    for (size_t i = 0; i < CASES; i++) {
        make_record(i, &record);
        require(hedge_record_encode(&record, bytes, sizeof(bytes), &n) == HEDGE_OK, "encode", i);
        require(hedge_record_chain(chain, bytes, n, chain) == HEDGE_OK, "chain", i);
        if (i % 16 != 0) continue;
        require(hedge_record_decode(bytes, n, &back) == HEDGE_OK, "decode", i);
        require(hedge_record_encode(&back, again, sizeof(again), &m) == HEDGE_OK && m == n &&
                    memcmp(bytes, again, n) == 0,
                "a record does not come back", i);
        require(hedge_record_id(record.writer, record.seq, id) == HEDGE_OK, "id", i);
        put_bytes(bytes, n);
        put_bytes(id, sizeof(id));
    }
    put_bytes(chain, sizeof(chain));
    section_end("records");
}

int main(int argc, char **argv)
{
    uint8_t hash[SHA256_DIGEST_LENGTH];

    SHA256Init(&section);
    SHA256Init(&all);
    load_all();
    if (argc > 1 && !force_path(argv[1])) {
        printf("SKIPPED: this processor or this build has no path %s\n", argv[1]);
        free_all();
        return 77;
    }
    hash_policies();
    hash_curves();
    each_curve("eval", hash_eval);
    each_curve("shape", hash_shape);
    each_curve("sensitivity", hash_sensitivity);
    hash_weights();
    hash_blends();
    hash_decisions();
    check_reach();
    hash_columns();
    hash_records();
    SHA256Final(hash, &all);
    print_hash("total", hash);
    free_all();
    return 0;
}
