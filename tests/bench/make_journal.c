/* SPDX-License-Identifier: MIT
 * make_journal: writes a journal of many decisions straight through libhedge and SQLite, to
 * measure what reads journals; a daemon can go on with it. make_journal N FILE POLICY
 * [SHADOW_POLICY]; FILE must not exist. */
#include <hedge/hedge.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRITER UINT64_C(0x0123456789abcde)
#define START_NS INT64_C(1780000000000000000)
#define STEP_NS INT64_C(5000000) /* 200 decisions a second */

typedef struct maker {
    sqlite3 *db;
    sqlite3_stmt *insert;
    hedge_policy *policy, *shadow;
    uint64_t seq, random;
    uint8_t hash[HEDGE_HASH_SIZE];
    double score[HEDGE_ASSETS_MAX];
} maker;

static void check(maker *m, bool fine, const char *what)
{
    if (fine) return;
    fprintf(stderr, "make_journal: %s: %s\n", what, m->db != NULL ? sqlite3_errmsg(m->db) : "");
    exit(1);
}

/* xorshift64*: the same journal every time. */
static double draw(maker *m)
{
    m->random ^= m->random >> 12;
    m->random ^= m->random << 25;
    m->random ^= m->random >> 27;
    return (double)((m->random * UINT64_C(2685821657736338717)) >> 11) / 9007199254740992.0;
}

static void append(maker *m, hedge_record *record)
{
    uint8_t bytes[HEDGE_RECORD_MAX], hash[HEDGE_HASH_SIZE];
    size_t n = 0;

    record->seq = ++m->seq;
    record->writer = WRITER;
    snprintf(record->build, sizeof record->build, "%s", hedge_version());
    check(m, hedge_record_encode(record, bytes, sizeof bytes, &n) == HEDGE_OK, "encode");
    hedge_record_chain(m->hash, bytes, n, hash);
    memcpy(m->hash, hash, sizeof hash);
    sqlite3_bind_int64(m->insert, 1, (sqlite3_int64)record->seq);
    sqlite3_bind_int(m->insert, 2, record->kind);
    sqlite3_bind_int64(m->insert, 3, record->ts_ns);
    sqlite3_bind_text(m->insert, 4, record->asset, -1, SQLITE_STATIC);
    sqlite3_bind_blob(m->insert, 5, bytes, (int)n, SQLITE_STATIC);
    sqlite3_bind_blob(m->insert, 6, hash, sizeof hash, SQLITE_STATIC);
    check(m, sqlite3_step(m->insert) == SQLITE_DONE, "insert");
    sqlite3_reset(m->insert);
}

/* A walk of the score between two decisions of an asset, and a request. */
static void ask(maker *m, hedge_record *record, int32_t asset)
{
    double *score = &m->score[asset];
    hedge_quote *q = &record->quote;

    *score += (draw(m) - 0.5) * 0.02;
    if (!(*score >= 0.02 && *score <= 0.98)) *score = 0.5;
    record->request.asset = asset;
    record->request.amount_usd = 1000.0 + 249000.0 * draw(m);
    if (draw(m) < 0.01) {
        record->request.flags = HEDGE_REQUEST_OVERRIDE;
        record->request.override_score = draw(m);
    }
    q->flags = HEDGE_QUOTE_SCORE | HEDGE_QUOTE_PREVIOUS | HEDGE_QUOTE_DEPTH;
    q->score = *score;
    q->previous_score = *score;
    q->confidence = 0.6 + 0.4 * draw(m);
    q->depth1pct_usd = 2e4 + 4e6 * draw(m) * draw(m);
    q->score_ts_ns = record->ts_ns - (int64_t)(3.03e9 * draw(m)); /* 1 in 100 is stale */
    q->depth_ts_ns = record->ts_ns - (int64_t)(1e9 * draw(m));
}

static void decide(maker *m, hedge_record *record, const hedge_policy *policy, int32_t kind)
{
    record->kind = kind;
    hedge_policy_hash(policy, record->policy_hash);
    record->request.asset = hedge_policy_asset(policy, record->asset);
    if (record->request.asset < 0) record->request.asset = -1;
    if (hedge_size(policy, &record->request, &record->quote, record->ts_ns, &record->decision) !=
        record->decision.status)
        exit(1);
    append(m, record);
}

static void make_records(maker *m, uint64_t n)
{
    const int32_t assets = (int32_t)hedge_policy_asset_count(m->policy);
    hedge_record event = HEDGE_INIT(hedge_record);

    event.ts_ns = START_NS;
    event.kind = HEDGE_RECORD_START;
    append(m, &event);
    event.kind = HEDGE_RECORD_POLICY;
    hedge_policy_hash(m->policy, event.policy_hash);
    append(m, &event);
    if (m->shadow != NULL) {
        event.kind = HEDGE_RECORD_SHADOW_POLICY;
        hedge_policy_hash(m->shadow, event.policy_hash);
        append(m, &event);
    }
    for (int32_t i = 0; i < assets; i++)
        m->score[i] = 0.3 + 0.4 * draw(m);
    while (m->seq < n) {
        const int32_t asset = (int32_t)(m->seq % (uint64_t)assets);
        hedge_record record = HEDGE_INIT(hedge_record);

        record.ts_ns = START_NS + (int64_t)m->seq * STEP_NS;
        record.request.struct_size = (uint32_t)sizeof record.request;
        record.quote.struct_size = (uint32_t)sizeof record.quote;
        record.decision.struct_size = (uint32_t)sizeof record.decision;
        snprintf(record.asset, sizeof record.asset, "%s",
                 hedge_policy_asset_name(m->policy, asset));
        ask(m, &record, asset);
        decide(m, &record, m->policy, HEDGE_RECORD_DECISION);
        if (m->shadow != NULL) decide(m, &record, m->shadow, HEDGE_RECORD_SHADOW);
    }
}

static void put_policy(maker *m, const hedge_policy *policy)
{
    sqlite3_stmt *insert = NULL;
    uint8_t hash[HEDGE_HASH_SIZE];
    size_t n = 0;
    const char *text = hedge_policy_text(policy, &n);

    hedge_policy_hash(policy, hash);
    sqlite3_prepare_v2(m->db, "INSERT OR IGNORE INTO policies VALUES (?1, ?2, ?3)", -1, &insert,
                       NULL);
    sqlite3_bind_blob(insert, 1, hash, sizeof hash, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 2, START_NS);
    sqlite3_bind_text(insert, 3, text, (int)n, SQLITE_STATIC);
    check(m, sqlite3_step(insert) == SQLITE_DONE, "policy");
    sqlite3_finalize(insert);
}

static hedge_policy *load(const char *path)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *policy = NULL;

    if (hedge_policy_load(path, &error, &policy) == HEDGE_OK) return policy;
    fprintf(stderr, "make_journal: %s:%d: %s\n", path, error.line, error.message);
    exit(1);
}

int main(int argc, char **argv)
{
    static const char tables[] =
        "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY;"
        "CREATE TABLE journal (key TEXT PRIMARY KEY, value TEXT NOT NULL);"
        "CREATE TABLE policies (hash BLOB PRIMARY KEY, ts_ns INTEGER NOT NULL, text TEXT NOT NULL);"
        "CREATE TABLE records (seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, ts_ns INTEGER NOT "
        "NULL, asset TEXT NOT NULL, record BLOB NOT NULL, hash BLOB NOT NULL);"
        "CREATE TABLE certificates (curve_hash BLOB NOT NULL, build TEXT NOT NULL, ts_ns INTEGER "
        "NOT NULL, PRIMARY KEY (curve_hash, build));"
        "CREATE TABLE parked (seq INTEGER PRIMARY KEY, ts_ns INTEGER NOT NULL, reason TEXT NOT "
        "NULL, record BLOB NOT NULL, previous BLOB NOT NULL, hash BLOB NOT NULL);"
        "CREATE TABLE keys (key TEXT PRIMARY KEY, ts_ns INTEGER NOT NULL, record BLOB NOT NULL) "
        "WITHOUT ROWID; CREATE INDEX keys_by_age ON keys (ts_ns);"
        "CREATE TABLE halts (asset TEXT PRIMARY KEY, ts_ns INTEGER NOT NULL, seq INTEGER NOT NULL, "
        "actor TEXT NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID;"
        "INSERT INTO journal VALUES ('format', '3'), ('writer', '00123456789abcde'); BEGIN";
    maker m = {.random = UINT64_C(88172645463325252)};
    FILE *there;

    if (argc < 4 || argc > 5) {
        fprintf(stderr, "make_journal N FILE POLICY [SHADOW_POLICY]\n");
        return 2;
    }
    there = fopen(argv[2], "wx");
    check(&m, there != NULL && fclose(there) == 0, argv[2]);
    m.policy = load(argv[3]);
    if (argc == 5) m.shadow = load(argv[4]);
    check(&m, sqlite3_open(argv[2], &m.db) == SQLITE_OK, argv[2]);
    check(&m, sqlite3_exec(m.db, tables, NULL, NULL, NULL) == SQLITE_OK, "tables");
    sqlite3_prepare_v2(m.db, "INSERT INTO records VALUES (?1, ?2, ?3, ?4, ?5, ?6)", -1, &m.insert,
                       NULL);
    put_policy(&m, m.policy);
    if (m.shadow != NULL) put_policy(&m, m.shadow);
    make_records(&m, strtoull(argv[1], NULL, 10));
    sqlite3_finalize(m.insert);
    check(&m, sqlite3_exec(m.db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK, "commit");
    sqlite3_close(m.db);
    hedge_policy_free(m.policy);
    hedge_policy_free(m.shadow);
    printf("%s: %" PRIu64 " records\n", argv[2], m.seq);
    return 0;
}
