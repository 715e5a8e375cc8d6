/* SPDX-License-Identifier: MIT
 * fuzz_app: the daemon's parts behind its routes, with a journal in memory.
 *
 * Linked with -Wl,--wrap for each function below that is named __wrap_…: they
 * stand in for the disk and for the thread that watches the policy's file. */
#include "fuzz_app.h"

#include "fuzz.h"
#include "fuzz_market.h"
#include "strict.h"

#define WRITER UINT64_C(0xfeed)

static struct {
    pthread_mutex_t lock;
    uint64_t seq;
    char key[512]; /* of the last request that had one, and its caller */
    hedge_record answer;
    uint8_t row[HEDGE_RECORD_MAX];
    size_t row_size;
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- the journal -------------------------------------------------------------- */

/* Of the types that the real ones have: one that changes does not compile here. */
__typeof__(journal_halts) __wrap_journal_halts;
__typeof__(journal_append_decisions) __wrap_journal_append_decisions;
__typeof__(journal_find_key) __wrap_journal_find_key;
__typeof__(journal_read_state) __wrap_journal_read_state;
__typeof__(journal_policy_text) __wrap_journal_policy_text;
__typeof__(journal_rows) __wrap_journal_rows;
__typeof__(policy_watch_read_state) __wrap_policy_watch_read_state;
__typeof__(halt_read_state) __wrap_halt_read_state;
__typeof__(policy_watch_reload) __wrap_policy_watch_reload;

uint32_t __wrap_journal_halts(const journal *j)
{
    (void)j;
    return 0;
}

/* Whatever the routes put into the journal can be written and read. */
journal_result __wrap_journal_append_decisions(journal *j, hedge_record *records, size_t n,
                                               const char *key, uint32_t halts)
{
    (void)j, (void)halts;
    REQUIRE(n >= 1 && (key == NULL || (key[0] != '\0' && strlen(key) < sizeof(kept.key))));
    pthread_mutex_lock(&kept.lock);
    for (size_t i = 0; i < n; i++) {
        hedge_record back = HEDGE_INIT(hedge_record);
        uint8_t bytes[HEDGE_RECORD_MAX];
        size_t length;

        records[i].seq = ++kept.seq;
        records[i].writer = WRITER;
        REQUIRE(hedge_record_encode(&records[i], bytes, sizeof(bytes), &length) == HEDGE_OK);
        REQUIRE(hedge_record_decode(bytes, length, &back) == HEDGE_OK);
    }
    if (key != NULL) {
        strcpy(kept.key, key);
        kept.answer = records[0];
    }
    pthread_mutex_unlock(&kept.lock);
    return JOURNAL_OK;
}

int __wrap_journal_find_key(journal *j, const char *key, hedge_record *out)
{
    int found;

    (void)j;
    pthread_mutex_lock(&kept.lock);
    found = kept.key[0] != '\0' && strcmp(kept.key, key) == 0;
    if (found) *out = kept.answer;
    pthread_mutex_unlock(&kept.lock);
    return found;
}

void __wrap_journal_read_state(journal *j, journal_state *out)
{
    (void)j;
    *out = (journal_state){.writer = WRITER};
}

bool __wrap_journal_policy_text(journal *j, const uint8_t hash[HEDGE_HASH_SIZE], char **out)
{
    (void)j;
    *out = hash[0] == 0 ? strdup("curve: {}\n") : NULL;
    return hash[0] != 1; /* the disk refuses */
}

bool __wrap_journal_rows(journal *j, uint64_t after, const char *asset, size_t limit,
                         journal_row **rows, size_t *n, uint64_t *next_after, char *message)
{
    (void)j, (void)asset, (void)message;
    REQUIRE(limit >= 1 && after <= INT64_MAX);
    *rows = calloc(1, sizeof(**rows));
    REQUIRE(*rows != NULL);
    pthread_mutex_lock(&kept.lock);
    *n = kept.row_size > 0;
    (*rows)->seq = after + 1;
    (*rows)->n = kept.row_size;
    memcpy((*rows)->record, kept.row, kept.row_size);
    pthread_mutex_unlock(&kept.lock);
    *next_after = after + *n;
    return true;
}

void fuzz_app_set_row(const uint8_t *record, size_t n)
{
    pthread_mutex_lock(&kept.lock);
    kept.row_size = n < sizeof(kept.row) ? n : sizeof(kept.row);
    memcpy(kept.row, record, kept.row_size);
    pthread_mutex_unlock(&kept.lock);
}

/* ---- the policy's file ---------------------------------------------------------- */

void __wrap_policy_watch_read_state(policy_watch *w, policy_watch_state *out)
{
    (void)w;
    *out = (policy_watch_state){.ok = true, .loads = 1};
}

void __wrap_policy_watch_reload(policy_watch *w, const char *cause, policy_reload *out)
{
    (void)w, (void)cause;
    *out = (policy_reload){.ok = true, .hash = "new", .previous = "old"};
}

/* ---- the halts ------------------------------------------------------------------ */

void __wrap_halt_read_state(halt *h, halt_state *out)
{
    (void)h;
    *out = (halt_state){0};
}

/* ---- the app -------------------------------------------------------------------- */

/* The one app; what the last input left behind is gone. */
app *fuzz_app_empty(void)
{
    static settings s = {.policy_path = "policy.yaml", .host = "127.0.0.1"};
    static app a;

    if (a.settings == NULL) {
        a.settings = &s;
        idempotency_init(&a.idempotency);
        for (size_t i = 0; i < routes_count; i++)
            a.metrics.routes[i].name = routes[i].path;
        a.metrics.routes[routes_count].name = "other";
        atomic_store(&a.open, true);
    }
    a.live = fuzz_market_empty();
    pthread_mutex_lock(&kept.lock);
    kept.key[0] = '\0';
    kept.row_size = 0;
    pthread_mutex_unlock(&kept.lock);
    return &a;
}

const http_route *fuzz_app_routes(size_t *n)
{
    static const char *const known[] = {
        "/hedge",     "/hedge/batch",     "/quotes/{asset}", "/quotes", "/curve",  "/curve/reload",
        "/decisions", "/policies/{hash}", "/healthz",        "/readyz", "/metrics"};
    static http_route served[sizeof(known) / sizeof(known[0])];
    static size_t count;

    for (size_t i = 0; i < routes_count && count < sizeof(known) / sizeof(known[0]); i++)
        for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
            if (strcmp(routes[i].path, known[k]) == 0) served[count++] = routes[i];
    *n = count;
    return served;
}

void fuzz_app_check_reply(int status, const char *content_type, const char *body, size_t n)
{
    const bool refused = strcmp(content_type, "application/problem+json") == 0;

    if (refused || strcmp(content_type, "application/json") == 0)
        REQUIRE(strict_object(body, n, 8, 32));
    /* /readyz alone says 503 in its own words. */
    REQUIRE(refused ? status >= 400 : status == 200 || status == 503);
}
