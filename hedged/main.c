/* SPDX-License-Identifier: MIT
 * main: starts the daemon's parts in order and stops them in reverse. */
#include "app.h"

#include "certificate.h"
#include "clock.h"
#include "log.h"
#include "postgres_init.h"
#include "tls_library.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define HEAPS_MOST 4 /* of malloc's */
/* As sysexits.h has them: do not start it again as it is; try again later. */
#define EXIT_CONFIG 78
#define EXIT_LATER 75
#define EXIT_STOPPED (-1) /* ours alone: told to stop before it served; 0 to the outside */

/* The row of metrics of a route: paths are counted, whatever the method. */
static size_t row_of(size_t route)
{
    for (size_t i = 0; i < route && route < routes_count; i++)
        if (strcmp(routes[i].path, routes[route].path) == 0) return i;
    return route;
}

static void served(void *context, size_t route, int status, int64_t duration_ns)
{
    metrics_request(&((app *)context)->metrics, row_of(route), status, duration_ns);
}

static bool is_open(void *context)
{
    return atomic_load(&((app *)context)->open);
}

static bool authorize(void *context, const http_route *route, const char *authorization,
                      http_request *request, problem *p)
{
    const auth_place at = {.method = route->method, .path = route->path, .peer = request->peer};
    auth *a = ((app *)context)->auth;

    if (!route->optional)
        return auth_authorize(a, route->scope, &at, authorization, &request->caller, p);
    return authorization == NULL || auth_identify(a, &at, authorization, &request->caller, p);
}

static const char help[] =
    "hedged                  serves hedge decisions over HTTP until SIGTERM\n"
    "hedged --check          validates the settings and the policy, and exits: 0 good, 78 not\n"
    "hedged --init-db        makes or completes the tables in HEDGE_DB_DSN, and exits: 0 done,\n"
    "                        75 the server is not there, 78 it or the settings refuse\n"
    "hedged --version        prints the version\n"
    "hedged --help           prints this\n"
    "\n"
    "Exit codes: 0 stopped in order, 1 acknowledged decisions were lost (async on a failing\n"
    "disk), 2 usage, 75 a fault that may pass (port or journal in use), 78 settings or policy.\n"
    "SIGHUP reads the policy, the keys and the certificates again. Settings are environment\n"
    "variables:\n";

static int refuse(const char *message, int code)
{
    LOG(LOG_ERROR, "start_refused", LOG_TEXT("message", message));
    return code;
}

/* What was wrong with the policy; no memory to read it is no fault of its own. */
static int refuse_policy(const char *name, const char *path, const hedge_error *error)
{
    char message[1000];

    snprintf(message, sizeof(message), "%s=%.300s: %s:%d: %s%s%s", name, path, error->file,
             error->line, error->field, error->field[0] != '\0' ? ": " : "", error->message);
    return refuse(message, error->code == HEDGE_E_NOMEM ? EXIT_LATER : EXIT_CONFIG);
}

static int refuse_journal(const char *path, const char *what, int code)
{
    char message[JOURNAL_MESSAGE_MAX + 160];

    snprintf(message, sizeof(message), "HEDGE_JOURNAL=%.120s: %s", path, what);
    return refuse(message, code);
}

/* What was read before anything was started; NULL: taken over by now, or none. */
typedef struct start_policies {
    hedge_policy *live, *shadow;
} start_policies;

static void free_policies(start_policies *p)
{
    hedge_policy_free(p->live);
    hedge_policy_free(p->shadow);
}

/* 0, or an exit code. */
static int read_policies(const settings *s, start_policies *p)
{
    hedge_error error = HEDGE_INIT(hedge_error);

    if (hedge_policy_load_with(s->policy_path, &s->overrides, &error, &p->live) != HEDGE_OK)
        return refuse_policy("HEDGE_POLICY", s->policy_path, &error);
    if (s->shadow_path == NULL ||
        hedge_policy_load_with(s->shadow_path, &s->overrides, &error, &p->shadow) == HEDGE_OK)
        return 0;
    return refuse_policy("HEDGE_SHADOW_POLICY", s->shadow_path, &error);
}

/* NULL where it is not asked for, or *code says why the daemon cannot start. */
static tls *read_tls(const settings *s, int *code)
{
    char message[TLS_MESSAGE_MAX];
    tls *t = NULL;

    if (*code != 0 || s->tls.cert == NULL) return NULL;
    if (tls_library_load(message)) t = tls_new(&s->tls, message);
    if (t == NULL) *code = refuse(message, EXIT_CONFIG);
    return t;
}

static void print_good(const settings *s, const start_policies *p, tls *t)
{
    tls_facts facts;

    printf("good: %s, policy %s", s->policy_path, hedge_policy_hash_hex(p->live));
    if (access(s->journal_path, F_OK) != 0)
        printf(", a new journal %s, without halts", s->journal_path);
    if (t != NULL) {
        tls_read_facts(t, &facts);
        printf(", %s as %s, %.0f days to go", tls_is_mutual(t) ? "mTLS" : "TLS", facts.subject,
               (double)(facts.not_after_s - clock_wall_ns() / NS_PER_S) / 86400.0);
    }
    printf("\n");
}

/* ---- starting ----------------------------------------------------------------- */

/* The journal's first words: that this daemon started, under this policy. */
static bool record_start(app *a, const hedge_policy *policy)
{
    hedge_record start = HEDGE_INIT(hedge_record);
    hedge_record first_policy;

    start.kind = HEDGE_RECORD_START;
    start.ts_ns = clock_wall_ns();
    hedge_policy_hash(policy, start.policy_hash);
    snprintf(start.build, sizeof(start.build), "%s", hedge_version());
    snprintf(start.note, sizeof(start.note), "durability %s",
             a->settings->async ? "async" : "commit");
    first_policy = start;
    first_policy.kind = HEDGE_RECORD_POLICY;
    snprintf(first_policy.note, sizeof(first_policy.note), "start");
    return journal_append(a->journal, &start, 1) == JOURNAL_OK &&
           journal_append_policy(a->journal, &first_policy, hedge_policy_text(policy, NULL)) ==
               JOURNAL_OK;
}

static void record_stop(app *a)
{
    hedge_record stop = HEDGE_INIT(hedge_record);
    live_policy *policy = live_acquire(a->live);

    stop.kind = HEDGE_RECORD_STOP;
    stop.ts_ns = clock_wall_ns();
    hedge_policy_hash(policy->policy, stop.policy_hash);
    snprintf(stop.build, sizeof(stop.build), "%s", hedge_version());
    live_release(policy);
    if (journal_append(a->journal, &stop, 1) != JOURNAL_OK)
        LOG(LOG_ERROR, "journal_refused", LOG_TEXT("record", "stop"));
}

/* They are blocked everywhere, so they wait until somebody asks. */
static bool is_told_to_stop(void *context)
{
    sigset_t pending;

    (void)context;
    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

/* Nothing is served yet, so every processor may help. 0, an exit code, or
 * EXIT_STOPPED. */
static int certify(app *a, const hedge_policy *policy)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    const certificate_options options = {.threads = processors > 0 ? (unsigned)processors : 1,
                                         .stop = is_told_to_stop};
    hedge_error error = HEDGE_INIT(hedge_error);

    switch (certificate_ensure(a->journal, policy, &options, &error)) {
    case CERTIFICATE_GOOD:
        return 0;
    case CERTIFICATE_BROKEN:
        return refuse_policy("HEDGE_POLICY", a->settings->policy_path, &error);
    case CERTIFICATE_STOPPED:
        return EXIT_STOPPED;
    case CERTIFICATE_FAILED:
        break;
    }
    return refuse("no memory or no thread to certify the policy's curves with", EXIT_LATER);
}

/* Certifies what the files say when it is done: what was withdrawn meanwhile
 * never goes live. 0 or as certify. */
static int certify_newest(app *a, hedge_policy **policy)
{
    const settings *s = a->settings;
    int code = 0;

    while (s->certify && code == 0) {
        hedge_error error = HEDGE_INIT(hedge_error);
        hedge_policy *now;
        bool same;

        code = certify(a, *policy);
        if (code != 0) break;
        if (hedge_policy_load_with(s->policy_path, &s->overrides, &error, &now) != HEDGE_OK)
            return refuse_policy("HEDGE_POLICY", s->policy_path, &error);
        same = strcmp(hedge_policy_hash_hex(now), hedge_policy_hash_hex(*policy)) == 0;
        hedge_policy_free(*policy);
        *policy = now;
        if (same) break;
    }
    return code;
}

/* The journal, and the market with a policy that is certified and recorded.
 * 0, an exit code, or EXIT_STOPPED. */
static int start_deciding(app *a, start_policies *p)
{
    const journal_options options = {.path = a->settings->journal_path,
                                     .async = a->settings->async};
    char message[JOURNAL_MESSAGE_MAX];
    hedge_policy *policy;
    journal_state state;
    bool busy;
    int code;

    a->journal = journal_open(&options, message, &busy);
    if (a->journal == NULL) return refuse(message, busy ? EXIT_LATER : EXIT_CONFIG);
    code = certify_newest(a, &p->live);
    if (code != 0) return code;
    policy = p->live;
    p->live = NULL; /* live_new takes it over */
    a->live = live_new(policy);
    if (a->live == NULL) return refuse("out of memory", EXIT_LATER);
    a->halt = halt_new(a->journal, a->live, message, &busy);
    if (a->halt == NULL)
        return refuse_journal(options.path, message, busy ? EXIT_LATER : EXIT_CONFIG);
    a->recorded = record_start(a, policy);
    if (a->recorded) return 0;
    journal_read_state(a->journal, &state);
    snprintf(message, sizeof(message), "cannot be written: %.120s", state.fault);
    return refuse_journal(options.path, message, EXIT_LATER);
}

/* What keeps the policies in step with their files. 0 or an exit code. */
static int start_watches(app *a, start_policies *p)
{
    const settings *s = a->settings;
    const policy_watch_options watched = {
        .path = s->policy_path, .overrides = &s->overrides, .certify = s->certify};
    const policy_watch_options tried = {
        .path = s->shadow_path, .overrides = &s->overrides, .shadow = true};
    char message[JOURNAL_MESSAGE_MAX];

    a->watch = policy_watch_new(&watched, a->live, a->journal);
    if (a->watch == NULL) return refuse("no thread for watching the policy", EXIT_LATER);
    if (a->tls != NULL) {
        a->tls_watch = tls_watch_new(a->tls, &s->tls);
        if (a->tls_watch == NULL)
            return refuse("no thread for watching the certificates", EXIT_LATER);
    }
    if (p->shadow == NULL) return 0;
    a->shadow = shadow_new(&tried, p->shadow, a->journal, message);
    p->shadow = NULL; /* shadow_new took it over */
    return a->shadow != NULL ? 0 : refuse(message, EXIT_LATER);
}

/* 0 or an exit code. */
static int start_feeds(app *a)
{
    if (a->settings->redis.on) {
        a->redis = feed_redis_new(&a->settings->redis, a->live);
        if (a->redis == NULL) return refuse("no thread for the Redis feed", EXIT_LATER);
    }
    if (a->settings->postgres.dsn[0] != '\0') {
        a->ship = ship_postgres_new(&a->settings->postgres, a->journal);
        if (a->ship == NULL) return refuse("no thread for shipping to Postgres", EXIT_LATER);
    }
    if (a->settings->clickhouse.on) {
        a->clickhouse = feed_clickhouse_new(&a->settings->clickhouse, a->live);
        if (a->clickhouse == NULL) return refuse("no thread for the ClickHouse feed", EXIT_LATER);
    }
    return 0;
}

/* Everything that answers need. 0, an exit code, or EXIT_STOPPED. */
static int start_parts(app *a, start_policies *p)
{
    int code = start_deciding(a, p);

    if (code == 0) code = start_watches(a, p);
    if (code == 0) code = start_feeds(a);
    return code;
}

static void log_listening(const app *a, uint16_t port)
{
    live_policy *policy = live_acquire(a->live);
    char url[96];

    snprintf(url, sizeof(url), "http%s://%s:%u", a->tls != NULL ? "s" : "", a->settings->host,
             port);
    LOG(LOG_INFO, "listening", LOG_TEXT("url", url), LOG_TEXT("version", hedge_version()),
        LOG_TEXT("policy", hedge_policy_hash_hex(policy->policy)),
        LOG_TEXT("policy_file", a->settings->policy_path),
        LOG_TEXT("journal", journal_path(a->journal)),
        LOG_TEXT("durability", a->settings->async ? "async" : "commit"),
        LOG_TEXT("tokens", a->auth != NULL ? "asked for" : "off"),
        LOG_TEXT("redis", a->settings->redis.on ? a->settings->redis.host : "off"),
        LOG_TEXT("postgres", a->ship != NULL ? "on" : "off"),
        LOG_TEXT("tls", a->tls == NULL          ? "off"
                        : tls_is_mutual(a->tls) ? "mutual"
                                                : "on"),
        LOG_TEXT("clickhouse", a->settings->clickhouse.on ? a->settings->clickhouse.origin : "off"),
        LOG_NUMBER("start_ms", (double)(clock_steady_ns() - a->started_ns) / NS_PER_MS));
    if (!a->settings->certify)
        LOG(LOG_WARN, "not_certified", LOG_TEXT("setting", "HEDGE_CERTIFY=0"));
    if (a->tls == NULL && settings_tls_is_exposed(a->settings->host))
        LOG(LOG_WARN, "plain_http",
            LOG_TEXT("effect", "tokens and decisions can be read on the way, unless a proxy in "
                               "front of it speaks TLS; see docs/tls.md"));
    live_release(policy);
}

static void wait_for_stop(app *a, const sigset_t *signals)
{
    for (;;) {
        int signal = 0;

        if (sigwait(signals, &signal) != 0) continue;
        if (signal != SIGHUP) {
            LOG(LOG_INFO, "stopping", LOG_TEXT("signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"));
            return;
        }
        policy_watch_ask(a->watch);
        if (a->auth != NULL) auth_ask(a->auth);
        if (a->shadow != NULL) shadow_ask(a->shadow);
        if (a->tls_watch != NULL) tls_watch_ask(a->tls_watch);
    }
}

/* Before the port: no request is ever answered that nobody was asked for. */
static bool start_auth(app *a)
{
    char message[AUTH_MESSAGE_MAX];

    if (a->settings->jwt.keys_path == NULL) return true;
    a->auth = auth_new(&a->settings->jwt, message);
    return a->auth != NULL || refuse(message, EXIT_CONFIG) == 0;
}

/* Takes the port. It answers 503 until the parts behind it are there: whether
 * the port can be had at all is found out before the journal is touched. */
static http_server *take_port(app *a, uint16_t *port)
{
    static http_service service = {.served = served, .open = is_open};
    const http_options options = {.host = a->settings->host,
                                  .port = a->settings->port,
                                  .tls = a->tls,
                                  .loopback_only = a->auth == NULL,
                                  .limits = a->settings->http};
    http_server *server;
    char message[200];

    for (size_t i = 0; i < routes_count; i++)
        a->metrics.routes[i].name = row_of(i) == i ? routes[i].path : NULL;
    a->metrics.routes[routes_count].name = "other";
    service.routes = routes;
    service.route_count = routes_count;
    service.context = a;
    if (a->auth != NULL) service.authorize = authorize;
    server = http_start(&options, &service, port, message);
    if (server == NULL) refuse(message, EXIT_LATER);
    return server;
}

/* In reverse: no request is under way any more. */
static bool stop_parts(app *a)
{
    feed_clickhouse_free(a->clickhouse);
    feed_redis_free(a->redis);
    shadow_free(a->shadow);
    tls_watch_free(a->tls_watch);
    policy_watch_free(a->watch);
    const bool latched = halt_close(a->halt);
    if (a->recorded) record_stop(a);
    ship_postgres_free(a->ship); /* after the last record, which it still sends */
    const bool whole = journal_close(a->journal);
    live_free(a->live);
    return whole && latched;
}

static int run(const settings *s, start_policies *p, tls *t, const sigset_t *signals)
{
    static app a; /* metrics alone are kilobytes */
    http_server *server;
    uint16_t port;
    int code;

    a.settings = s;
    a.tls = t;
    a.started_ns = clock_steady_ns();
    if (!start_auth(&a)) return EXIT_CONFIG;
    server = take_port(&a, &port);
    if (server == NULL) {
        auth_free(a.auth);
        return EXIT_LATER;
    }
    idempotency_init(&a.idempotency);
    code = start_parts(&a, p);
    if (code == 0 && !http_is_crippled(server)) {
        atomic_store(&a.open, true);
        log_listening(&a, port);
        wait_for_stop(&a, signals);
        atomic_store(&a.open, false);
        policy_watch_stop(a.watch); /* a request may wait for a reload */
    }
    if (http_is_crippled(server) && (code == 0 || code == EXIT_STOPPED))
        code = refuse("out of memory: a thread of the server could not be started", EXIT_LATER);
    http_stop(server);
    if (!stop_parts(&a) && code == 0) code = EXIT_FAILURE;
    auth_free(a.auth);
    if (code == EXIT_STOPPED) code = 0;
    if (code == 0 || code == EXIT_FAILURE)
        LOG(LOG_INFO, "stopped",
            LOG_NUMBER("uptime_s", (double)(clock_steady_ns() - a.started_ns) / NS_PER_S));
    return code;
}

/* 0 or an exit code. */
static int check_keys(const settings *s)
{
    char message[AUTH_MESSAGE_MAX];

    return s->jwt.keys_path == NULL || auth_check(&s->jwt, message) ? 0
                                                                    : refuse(message, EXIT_CONFIG);
}

/* 0 or an exit code. */
static int check_journal(const settings *s)
{
    char message[SETTING_MESSAGE_MAX];

    return settings_check_journal(s, message) ? 0 : refuse(message, EXIT_CONFIG);
}

static int init_database(const settings *s, const sigset_t *signals)
{
    char words[POSTGRES_INIT_WORDS_MAX];

    pthread_sigmask(SIG_UNBLOCK, signals, NULL); /* they end it */
    switch (postgres_init(&s->postgres, words)) {
    case POSTGRES_INIT_DONE:
        printf("%s\n", words);
        return 0;
    case POSTGRES_INIT_LATER:
        return refuse(words, EXIT_LATER);
    case POSTGRES_INIT_REFUSED:
        break;
    }
    return refuse(words, EXIT_CONFIG);
}

/* Every thread inherits the mask, so that only main sees these signals. */
static void block_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* In production no core dump and no process of the same user sees the memory, where passwords are.
 * (/proc/self stays open to the process itself.) */
static void keep_memory_private(void)
{
    if (setting_is_prod()) prctl(PR_SET_DUMPABLE, 0L);
}

/* One heap of malloc's for each of so many threads: glibc would make eight a processor, each of
 * which keeps the most that it ever held. A request allocates little, and most threads wait. */
static void keep_memory_level(void)
{
    mallopt(M_ARENA_MAX, HEAPS_MOST);
}

int main(int argc, char **argv)
{
    const bool check = argc == 2 && strcmp(argv[1], "--check") == 0;
    const bool init = argc == 2 && strcmp(argv[1], "--init-db") == 0;
    char message[SETTING_MESSAGE_MAX];
    start_policies policies = {0};
    sigset_t signals;
    settings s;
    tls *t = NULL; /* where the policies are bad, it is not read */
    int code;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("%s%s", help, settings_help());
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("hedged %s\n", hedge_version());
        return 0;
    }
    if (argc > 1 && !check && !init) {
        fprintf(stderr, "hedged: unknown argument %s\n%s", argv[1], help);
        return 2;
    }
    keep_memory_private();
    keep_memory_level();
    block_signals(&signals); /* first: a SIGHUP during a long start must not end it */
    if (hedge_abi_version() != HEDGE_ABI_VERSION)
        return refuse("libhedge.so is of another ABI than this daemon", EXIT_CONFIG);
    if (!settings_read(&s, message)) return refuse(message, EXIT_CONFIG);
    if (init) return init_database(&s, &signals);
    code = read_policies(&s, &policies);
    if (code == 0 && check) code = check_keys(&s);
    if (code == 0 && check) code = check_journal(&s);
    if (code == 0) t = read_tls(&s, &code);
    if (code == 0 && check)
        print_good(&s, &policies, t);
    else if (code == 0)
        code = run(&s, &policies, t, &signals);
    tls_free(t);
    free_policies(&policies);
    return code;
}
