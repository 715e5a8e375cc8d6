/* SPDX-License-Identifier: MIT
 * The kill switch on a journal of its own, without a daemon around it. */
#include "halt.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CURVE "curve: {method: linear, knots: [[0, 0], [1, 1]]}\n"
#define THREADS 8
#define TURNS 60

static char folder[64], path[80];
static journal *j;
static live *l;
static halt *h;

static hedge_policy *policy_of(const char *assets)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *policy = NULL;
    char yaml[512];

    snprintf(yaml, sizeof(yaml), CURVE "assets: {%s}\n", assets);
    cr_assert_eq(hedge_policy_parse(yaml, strlen(yaml), &error, &policy), HEDGE_OK, "%s",
                 error.message);
    return policy;
}

static void start(const char *assets)
{
    const journal_options options = {.path = path};
    char message[JOURNAL_MESSAGE_MAX];
    bool busy;

    j = journal_open(&options, message, &busy);
    cr_assert_not_null(j, "%s", message);
    l = live_new(policy_of(assets));
    cr_assert_not_null(l);
    h = halt_new(j, l, message, &busy);
    cr_assert_not_null(h, "%s", message);
}

static void stop(void)
{
    cr_assert(halt_close(h));
    cr_assert(journal_close(j));
    live_free(l);
}

static void open_all(void)
{
    /* What goes wrong is said in the daemon's log, which is no part of the test. */
    cr_assert_not_null(freopen("/dev/null", "w", stderr));
    strcpy(folder, "/tmp/hedge-halt-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/journal.db", folder);
    start("BTC: {}, ETH: {}");
}

static void close_all(void)
{
    stop();
    unlink(path);
    rmdir(folder);
}

TestSuite(halt, .init = open_all, .fini = close_all);

/* Halts or resumes; the code of the problem, NULL: none. */
static const char *order(bool halts, const char *asset, const char *reason, halt_answer *out)
{
    live_policy *policy = live_acquire(l);
    const halt_order o = {
        .asset = asset, .actor = "anna", .reason = reason, .peer = "127.0.0.1", .policy = policy};
    problem p;
    const bool ok = halts ? halt_set(h, &o, out, &p) : halt_clear(h, &o, out, &p);

    live_release(policy);
    return ok ? NULL : p.code;
}

static bool is_halted(const char *asset)
{
    live_policy *policy = live_acquire(l);
    const int32_t i = hedge_policy_asset(policy->policy, asset);
    const hedge_quote q = live_quote(l, policy, i);

    cr_assert_geq(i, 0);
    live_release(policy);
    return (q.flags & HEDGE_QUOTE_HALTED) != 0;
}

static void go_live(const char *assets)
{
    live_policy *next = live_prepare(l, policy_of(assets));

    cr_assert_not_null(next);
    live_publish(l, next);
}

/* The halts in force, without their times and records. */
static void list(char *out, size_t capacity)
{
    text t = {0};
    journal_halt *there;
    char message[JOURNAL_MESSAGE_MAX];
    bool busy;
    size_t n;

    cr_assert(journal_read_halts(j, &there, &n, message, &busy), "%s", message);
    for (size_t i = 0; i < n; i++)
        text_printf(&t, "[%s %s %s]", there[i].asset, there[i].actor, there[i].reason);
    snprintf(out, capacity, "%s", t.n > 0 ? t.bytes : "");
    text_free(&t);
    free(there);
}

static void on_disk(const char *want)
{
    char got[4096];

    list(got, sizeof(got));
    cr_assert_str_eq(got, want);
}

Test(halt, of_all_and_of_one_are_apart)
{
    halt_answer did;
    halt_state s;

    cr_assert_null(order(true, "BTC", "one", &did));
    cr_assert(did.changed && is_halted("BTC") && !is_halted("ETH"));
    cr_assert_null(order(true, "", "all", &did));
    cr_assert(did.changed && is_halted("ETH"));
    on_disk("[ anna all][BTC anna one]");
    cr_assert_str_eq(order(false, "BTC", "r", &did), "halted_all");
    cr_assert_null(order(false, "", "r", &did));
    cr_assert(did.changed && is_halted("BTC") && !is_halted("ETH"));
    halt_read_state(h, &s);
    cr_assert(!s.all && s.assets == 1 && s.unlatched == 0 && s.halts == 2 && s.resumes == 1);
    cr_assert_null(order(false, "ETH", "r", &did));
    cr_assert(!did.changed && did.record[0] == '\0');
    cr_assert_null(order(false, "BTC", "r", &did));
    cr_assert(did.changed && !is_halted("BTC"));
    on_disk("");
}

Test(halt, of_an_unknown_asset_is_refused)
{
    halt_answer did;

    cr_assert_str_eq(order(true, "btc", "r", &did), "unknown_asset");
    cr_assert_str_eq(order(false, "SOL", "r", &did), "unknown_asset");
    on_disk("");
}

Test(halt, holds_for_assets_that_come_later)
{
    halt_answer did;

    cr_assert_null(order(true, "", "all", &did));
    go_live("BTC: {}, SOL: {}");
    cr_assert(is_halted("SOL"));
    cr_assert_null(order(true, "SOL", "own", &did));
    cr_assert_null(order(false, "", "r", &did));
    go_live("BTC: {}");
    stop();
    start("BTC: {}");
    cr_assert(!is_halted("BTC"));
    go_live("BTC: {}, SOL: {}");
    cr_assert(is_halted("SOL"), "it was latched before this daemon knew it");
    go_live("BTC: {}");
    cr_assert_null(order(false, "SOL", "r", &did));
    cr_assert(did.changed);
    go_live("BTC: {}, SOL: {}");
    cr_assert(!is_halted("SOL"));
}

static hedge_record decision(void)
{
    hedge_record r = HEDGE_INIT(hedge_record);

    r.kind = HEDGE_RECORD_DECISION;
    r.request = (hedge_request)HEDGE_INIT(hedge_request);
    r.quote = (hedge_quote)HEDGE_INIT(hedge_quote);
    r.decision = (hedge_decision)HEDGE_INIT(hedge_decision);
    strcpy(r.asset, "BTC");
    return r;
}

Test(halt, sends_back_what_was_decided_before_it)
{
    hedge_record r = decision();
    const uint32_t before = journal_halts(j);
    halt_answer did;
    journal_state s;

    cr_assert_eq(journal_append_decisions(j, &r, 1, NULL, before), JOURNAL_OK);
    cr_assert_null(order(true, "BTC", "r", &did));
    cr_assert_eq(journal_append_decisions(j, &r, 1, NULL, before), JOURNAL_HALTED);
    cr_assert_eq(journal_append_decisions(j, &r, 1, "a key", before), JOURNAL_HALTED);
    cr_assert_eq(journal_find_key(j, "a key", &r), 0, "nothing was taken");
    r = decision();
    cr_assert_eq(journal_append_decisions(j, &r, 1, NULL, journal_halts(j)), JOURNAL_OK);
    cr_assert_eq(r.seq, 3);
    cr_assert_null(order(false, "BTC", "r", &did));
    cr_assert_eq(journal_append_decisions(j, &r, 1, NULL, before + 1), JOURNAL_OK,
                 "a resume sends nothing back");
    journal_read_state(j, &s);
    cr_assert_eq(s.head.seq, 5);
}

Test(halt, wants_a_reason_that_is_plain_text)
{
    static const char *const good[] = {
        "x",        " a b ", "exchange down, see \"#42\"", "\xc3\xa9", "\xe6\x97\xa5\xe6\x9c\xac",
        "\xc2\xa0x"};
    static const char *const bad[] = {
        "",         " ",           "a\nb",         "\x1b[31m",     "\x7f",         "\t",
        "\xc2\x85", "\xc2\x9b",    "\xe2\x80\xa8", "\xe2\x80\xae", "\xe2\x81\xa6", "\xff",
        "\xc3",     "\xed\xa0\x80"};
    char actor[JOURNAL_ACTOR_MAX + 1], reason[JOURNAL_REASON_MAX + 2];
    problem p;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_assert(halt_check_reason(good[i], "-", &p), "%s: %s", good[i], p.detail);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert(!halt_check_reason(bad[i], "-", &p), "number %zu", i);
        cr_assert_str_eq(p.member, "reason");
    }
    /* Both and the space fit the 255 bytes of a note to the byte. */
    for (size_t a = 1; a <= JOURNAL_ACTOR_MAX; a++) {
        const size_t room = 254 - a, most = room < 200 ? room : 200;

        memset(actor, 'a', a);
        actor[a] = '\0';
        memset(reason, 'r', most + 1);
        reason[most + 1] = '\0';
        cr_assert(!halt_check_reason(reason, actor, &p), "%zu", a);
        reason[most] = '\0';
        cr_assert(halt_check_reason(reason, actor, &p), "%zu", a);
    }
}

static void *race(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument;
    halt_answer did;

    for (int i = 0; i < TURNS; i++) {
        const char *asset = rand_r(&seed) % 3 == 0 ? "" : rand_r(&seed) % 2 == 0 ? "BTC" : "ETH";
        const bool halts = rand_r(&seed) % 2 == 0;
        char reason[32];

        snprintf(reason, sizeof(reason), "%u of %d", seed, i);
        const char *code = order(halts, asset, reason, &did);

        if (code != NULL && strcmp(code, "halted_all") != 0) return (void *)(uintptr_t)code;
    }
    return NULL;
}

Test(halt, in_memory_is_what_is_on_disk_after_a_race, .timeout = 100)
{
    char before[4096], after[4096];
    pthread_t threads[THREADS];
    bool btc, eth;

    for (uintptr_t i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, race, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++) {
        void *code;

        pthread_join(threads[i], &code);
        cr_assert_null(code, "%s", (const char *)code);
    }
    text shown = {0}, again = {0};

    btc = is_halted("BTC"), eth = is_halted("ETH");
    halt_write(h, &shown);
    list(before, sizeof(before));
    stop();
    start("BTC: {}, ETH: {}");
    halt_write(h, &again);
    list(after, sizeof(after));
    cr_assert_str_eq(after, before);
    cr_assert_str_eq(again.bytes, shown.bytes);
    cr_assert(is_halted("BTC") == btc && is_halted("ETH") == eth);
    text_free(&shown);
    text_free(&again);
}

static void *halt_and_resume(void *stopping)
{
    halt_answer did;

    while (!atomic_load((atomic_bool *)stopping)) {
        if (order(true, "", "r", &did) != NULL || order(false, "", "r", &did) != NULL)
            return stopping;
    }
    return NULL;
}

Test(halt, of_all_is_in_every_quote_of_a_batch_or_in_none, .timeout = 100)
{
    atomic_bool stopping = false;
    live_policy *policy = live_acquire(l);
    pthread_t thread;
    void *fault;
    size_t halted = 0;

    cr_assert_eq(pthread_create(&thread, NULL, halt_and_resume, &stopping), 0);
    for (int i = 0; i < 1000000 && (i < 20000 || halted == 0); i++) {
        hedge_quote q[2];

        live_quotes(l, policy, q);
        cr_assert_eq(q[0].flags & HEDGE_QUOTE_HALTED, q[1].flags & HEDGE_QUOTE_HALTED, "%d", i);
        if (q[0].flags & HEDGE_QUOTE_HALTED) halted++;
    }
    atomic_store(&stopping, true);
    pthread_join(thread, &fault);
    cr_assert_null(fault);
    cr_assert_gt(halted, 0);
    live_release(policy);
}
