/* SPDX-License-Identifier: MIT
 * ship_postgres: the journal's records on their way to Postgres, in order, each exactly once.
 *
 * A batch is one transaction that ends with a check of what the database then holds. Whatever goes
 * wrong, the next connection asks the database where to go on. */
#include "ship_postgres.h"

#include "clock.h"
#include "log.h"
#include "ship_batch.h"
#include "ship_holes.h"
#include "ship_parked.h"
#include "ship_stand.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MOST_MS 5000
#define DRAIN_MS 1000
#define IDLE_MOST_MS 60000
#define PARKED_EVERY_NS (600 * NS_PER_S)
#define PARTITIONS_EVERY_NS (86400 * NS_PER_S)
#define FORGET_EVERY_NS (60 * NS_PER_S)
#define FORGET_PAUSE_NS (20 * NS_PER_MS)
#define OWN_LOCK_NS (60 * NS_PER_S) /* how long an older connection of ours may hold the lock */

struct ship_postgres {
    const settings_postgres *settings;
    journal *journal;
    int stop_fd, notify_fd;
    pthread_t thread;
    pthread_mutex_t lock; /* around the state */
    ship_postgres_state state;
    bool known;         /* state.shipped_seq is what a database has said */
    uint64_t first_seq; /* the journal's head at the start */

    /* The thread's own. */
    unsigned seed; /* of the jitter */
    postgres_link link;
    ship_batch batch;
    ship_stand stand;     /* of this connection */
    int64_t timed_out_ns; /* steady clock: when a connection of ours was given up; 0: never */
    bool idled;           /* this connection had nothing left to send */
    int64_t forget_ns, parked_ns, partitions_ns; /* steady clock: when it is due */
};

/* What a step ends in. */
typedef enum verdict {
    SHIP_ON,
    SHIP_LOST,  /* the connection, or the server has trouble: soon again */
    SHIP_FAULT, /* state.fault: later again */
    SHIP_STOPPED
} verdict;

/* ---- what others see ---------------------------------------------------------- */

static void set_connected(ship_postgres *s, bool connected)
{
    pthread_mutex_lock(&s->lock);
    s->state.connected = connected;
    pthread_mutex_unlock(&s->lock);
}

static verdict lose(ship_postgres *s, const char *words)
{
    if (postgres_link_stopping(&s->link)) return SHIP_STOPPED;
    pthread_mutex_lock(&s->lock);
    s->state.failures++;
    s->state.connected = false;
    s->state.fault = SHIP_FAULT_NONE; /* if it is still there, the next connection finds it */
    snprintf(s->state.words, sizeof(s->state.words), "%s", words);
    pthread_mutex_unlock(&s->lock);
    return SHIP_LOST;
}

static verdict fault(ship_postgres *s, ship_fault found, const char *words)
{
    if (found == SHIP_FAULT_SLOW && postgres_link_stopping(&s->link)) return SHIP_STOPPED;
    pthread_mutex_lock(&s->lock);
    s->state.failures++;
    s->state.connected = false;
    s->state.fault = found;
    snprintf(s->state.words, sizeof(s->state.words), "%s", words);
    pthread_mutex_unlock(&s->lock);
    LOG(LOG_ERROR, "ship_fault", LOG_TEXT("fault", ship_fault_name(found)),
        LOG_TEXT("message", words), LOG_TEXT("advice", ship_fault_advice(found)),
        LOG_TEXT("effect", "records stay in the journal"));
    return SHIP_FAULT;
}

static void note_place(ship_postgres *s)
{
    pthread_mutex_lock(&s->lock);
    s->state.shipped_seq = s->batch.done.seq;
    pthread_mutex_unlock(&s->lock);
}

/* Records went through, or there are none left. */
static void note_well(ship_postgres *s, size_t records)
{
    ship_fault before;

    pthread_mutex_lock(&s->lock);
    before = s->state.fault;
    s->state.connected = true;
    s->state.fault = SHIP_FAULT_NONE;
    s->state.words[0] = '\0';
    s->state.shipped_seq = s->batch.done.seq;
    s->state.records += records;
    s->state.batches += records > 0;
    pthread_mutex_unlock(&s->lock);
    if (before != SHIP_FAULT_NONE)
        LOG(LOG_INFO, "ship_recovered", LOG_TEXT("fault", ship_fault_name(before)));
}

/* A statement that is not about rows did not go through. */
static verdict judge(ship_postgres *s, postgres_answer answer)
{
    ship_fault found = SHIP_FAULT_NONE;

    if (answer == POSTGRES_OK) return SHIP_ON;
    if (answer == POSTGRES_REFUSED) {
        const ship_cause cause = ship_cause_of(s->link.sqlstate, &found);

        if (cause == SHIP_CAUSE_ROW) found = SHIP_FAULT_REFUSED;
    } else if (s->link.timed_out) {
        s->timed_out_ns = clock_steady_ns();
        found = SHIP_FAULT_SLOW;
    }
    return found != SHIP_FAULT_NONE ? fault(s, found, s->link.fault) : lose(s, s->link.fault);
}

/* One transaction of what has been read. */
static verdict ship(ship_postgres *s)
{
    postgres_answer answer;

    switch (ship_batch_send(&s->batch, &s->link, &answer)) {
    case SHIP_STEP_SENT:
        note_well(s, s->batch.out.n);
        return SHIP_ON;
    case SHIP_STEP_PARKED:
        note_place(s);
        return SHIP_ON;
    case SHIP_STEP_FEWER:
        return SHIP_ON;
    case SHIP_STEP_SLOW:
        return fault(s, SHIP_FAULT_SLOW, s->link.fault) == SHIP_STOPPED ? SHIP_STOPPED : SHIP_ON;
    case SHIP_STEP_REFUSED:
        return fault(s, SHIP_FAULT_REFUSED, s->link.fault);
    case SHIP_STEP_JOURNAL:
        return lose(s, "the journal: a record could not be put aside");
    case SHIP_STEP_FAILED:
        break;
    }
    return judge(s, answer);
}

/* ---- what is due now and then --------------------------------------------------- */

/* Lets records go from the journal that the database has just confirmed to hold. */
static verdict forget(ship_postgres *s, int64_t now_ns)
{
    const int64_t before_ns = clock_wall_ns() - s->settings->keep_s * NS_PER_S;
    const int64_t every_ns = s->settings->keep_s < 60 ? NS_PER_S : FORGET_EVERY_NS;
    postgres_answer answer;
    size_t gone = 0;
    uint64_t upto;

    if (now_ns < s->forget_ns) return SHIP_ON;
    answer = ship_holes_none(&s->link, s->journal, s->batch.held.head.seq, before_ns, &upto);
    if (answer != POSTGRES_OK) return judge(s, answer);
    if (upto > 0 && !journal_forget(s->journal, upto, before_ns, &gone)) gone = 0;
    s->forget_ns = now_ns + (gone > 0 ? FORGET_PAUSE_NS : every_ns);
    if (gone == 0) return SHIP_ON;
    pthread_mutex_lock(&s->lock);
    s->state.forgotten += gone;
    pthread_mutex_unlock(&s->lock);
    return SHIP_ON;
}

static verdict try_parked(ship_postgres *s, int64_t now_ns)
{
    postgres_answer answer;
    uint64_t taken;

    if (now_ns < s->parked_ns) return SHIP_ON;
    s->parked_ns = now_ns + PARKED_EVERY_NS;
    answer = ship_parked_retry(&s->link, s->journal, &s->batch.policies, &s->batch.out, &taken);
    pthread_mutex_lock(&s->lock);
    s->state.unparked += taken;
    pthread_mutex_unlock(&s->lock);
    if (taken > 0) s->batch.refused = 0;
    return judge(s, answer);
}

/* What cannot be made now the default partition takes, so it is no reason to stop. */
static verdict make_partitions(ship_postgres *s, int64_t now_ns)
{
    postgres_answer answer;
    int made;

    if (now_ns < s->partitions_ns) return SHIP_ON;
    answer = ship_stand_partitions(&s->link, &made);
    if (answer == POSTGRES_BROKEN) return judge(s, answer);
    s->partitions_ns = now_ns + (answer == POSTGRES_OK ? PARTITIONS_EVERY_NS : PARKED_EVERY_NS);
    if (answer == POSTGRES_REFUSED)
        LOG(LOG_WARN, "partitions_refused", LOG_TEXT("message", s->link.fault));
    if (made > 0) LOG(LOG_INFO, "partitions_made", LOG_NUMBER("count", made));
    return SHIP_ON;
}

static verdict care(ship_postgres *s)
{
    const int64_t now_ns = clock_steady_ns();
    verdict v;

    if (postgres_link_stopping(&s->link)) return SHIP_ON;
    v = make_partitions(s, now_ns);
    if (v == SHIP_ON) v = try_parked(s, now_ns);
    if (v == SHIP_ON) v = forget(s, now_ns);
    return v;
}

/* ---- a connection's life ---------------------------------------------------------- */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Waits for the next commit. */
static verdict wait_for_more(ship_postgres *s)
{
    const int64_t due_ns = least(s->forget_ns, least(s->parked_ns, s->partitions_ns));
    const int64_t left_ms = (due_ns - clock_steady_ns()) / NS_PER_MS + 1;

    note_well(s, 0);
    s->idled = true;
    if (postgres_link_stopping(&s->link)) return SHIP_STOPPED;
    if (!postgres_link_idle(&s->link, s->notify_fd,
                            left_ms < 0 ? 0 : (int)least(left_ms, IDLE_MOST_MS)))
        return lose(s, s->link.fault);
    return SHIP_ON;
}

/* Why there is no going on. Who gave a connection up finds its lock still taken for a while. */
static verdict judge_stand(ship_postgres *s)
{
    const ship_stand *stand = &s->stand;
    const int64_t now_ns = clock_steady_ns();

    if (s->link.timed_out) s->timed_out_ns = now_ns;
    if (stand->fault == SHIP_FAULT_LOCKED && s->timed_out_ns != 0 &&
        now_ns - s->timed_out_ns < OWN_LOCK_NS)
        return fault(s, SHIP_FAULT_SLOW,
                     "the server is not done yet with a connection that was given up");
    return stand->fault != SHIP_FAULT_NONE ? fault(s, stand->fault, stand->words)
                                           : lose(s, stand->words);
}

/* A hole is filled: goes on with the next one, or with what is new. */
static verdict go_on(ship_postgres *s)
{
    if (!ship_stand_go_on(&s->stand, &s->link, s->journal)) return judge_stand(s);
    ship_batch_move(&s->batch, &s->stand);
    note_place(s);
    return SHIP_ON;
}

static verdict follow(ship_postgres *s)
{
    char message[JOURNAL_MESSAGE_MAX];
    verdict v = SHIP_ON;

    while (v == SHIP_ON) {
        eventfd_t commits;
        bool empty;

        v = care(s);
        if (v != SHIP_ON) break;
        if (postgres_link_is_over(&s->link)) return SHIP_STOPPED;
        if (ship_batch_is_filled(&s->batch)) {
            v = go_on(s);
            continue;
        }
        eventfd_read(s->notify_fd, &commits); /* before reading: none is missed */
        if (!ship_batch_read(&s->batch, &empty, message)) return lose(s, message);
        v = empty ? wait_for_more(s) : ship(s);
    }
    return v;
}

/* Finds out where to go on. */
static verdict settle(ship_postgres *s)
{
    const uint64_t held = s->batch.held.head.seq; /* as the connection before left it */

    if (!ship_stand_find(&s->stand, &s->link, s->journal)) return judge_stand(s);
    if (s->stand.newest.head.seq < held)
        LOG(LOG_WARN, "database_lacks_records", LOG_NUMBER("first", s->stand.newest.head.seq + 1),
            LOG_NUMBER("last", held), LOG_TEXT("effect", "they are sent again"));
    ship_batch_begin(&s->batch, &s->stand);
    s->idled = false;
    s->forget_ns = s->parked_ns = s->partitions_ns = 0;
    pthread_mutex_lock(&s->lock);
    if (s->state.words[0] == '\0')
        snprintf(s->state.words, sizeof(s->state.words), "connected, nothing has gone through yet");
    s->known = true;
    s->state.shipped_seq = s->batch.done.seq;
    pthread_mutex_unlock(&s->lock);
    LOG(LOG_INFO, "postgres_connected", LOG_TEXT("host", PQhost(s->link.connection)),
        LOG_TEXT("port", PQport(s->link.connection)),
        LOG_TEXT("database", PQdb(s->link.connection)),
        LOG_NUMBER("seq", s->stand.newest.head.seq));
    return SHIP_ON;
}

/* What an open connection ends in. *useful: it shipped something, or had nothing left to. */
static verdict use(ship_postgres *s, bool *useful)
{
    const uint64_t batches = s->state.batches; /* written by this thread alone */
    verdict v = settle(s);

    s->link.stop_grace_ms = DRAIN_MS;
    if (v == SHIP_ON) {
        v = follow(s);
        *useful = s->state.batches > batches || s->idled;
        set_connected(s, false);
    }
    if (v == SHIP_LOST) LOG(LOG_WARN, "postgres_lost", LOG_TEXT("message", s->state.words));
    return v;
}

/* One connection from beginning to end. */
static verdict session(ship_postgres *s, bool *useful)
{
    verdict v = judge(s, postgres_link_open(&s->link, s->settings->dsn, s->stop_fd));

    *useful = false;
    if (v == SHIP_ON) {
        v = use(s, useful);
        postgres_link_close(&s->link);
    } else if (v == SHIP_LOST) {
        LOG(LOG_WARN, "postgres_unreachable", LOG_TEXT("message", s->state.words));
    }
    return v;
}

static int fault_wait_ms(ship_fault found)
{
    switch (found) {
    case SHIP_FAULT_DIVERGED:
    case SHIP_FAULT_GAP:
        return 10000;
    case SHIP_FAULT_LOCKED:
    case SHIP_FAULT_SLOW:
        return 1000;
    default:
        return 4000;
    }
}

/* True: the daemon stops. Half of the wait is jitter, so that daemons that lost one server do not
 * come back to it all at once. */
static bool pause_or_stop(ship_postgres *s, int wait_ms)
{
    struct pollfd stop = {.fd = s->stop_fd, .events = POLLIN};

    return poll(&stop, 1, wait_ms / 2 + rand_r(&s->seed) % (wait_ms / 2 + 1)) > 0;
}

static void *ship_main(void *argument)
{
    ship_postgres *s = argument;
    int wait_ms = BACKOFF_FIRST_MS;

    for (;;) {
        bool useful;
        const verdict v = session(s, &useful);

        if (v == SHIP_STOPPED) return NULL;
        if (useful)
            wait_ms = BACKOFF_FIRST_MS;
        else
            wait_ms = wait_ms * 2 < BACKOFF_MOST_MS ? wait_ms * 2 : BACKOFF_MOST_MS;
        if (pause_or_stop(s, v == SHIP_FAULT ? fault_wait_ms(s->state.fault) : wait_ms))
            return NULL;
    }
}

/* ---- life ------------------------------------------------------------------------- */

static bool start(ship_postgres *s)
{
    journal_state state;

    journal_read_state(s->journal, &state);
    s->first_seq = state.head.seq;
    s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->notify_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!ship_batch_init(&s->batch, s->journal) || s->stop_fd < 0 || s->notify_fd < 0) return false;
    journal_notify(s->journal, s->notify_fd);
    if (pthread_create(&s->thread, NULL, ship_main, s) == 0) return true;
    journal_notify(s->journal, -1);
    return false;
}

static void release(ship_postgres *s)
{
    if (s->stop_fd >= 0) close(s->stop_fd);
    if (s->notify_fd >= 0) close(s->notify_fd);
    pthread_mutex_destroy(&s->lock);
    ship_batch_free(&s->batch);
    free(s);
}

ship_postgres *ship_postgres_new(const settings_postgres *settings, journal *j)
{
    ship_postgres *s = calloc(1, sizeof(*s));

    if (s == NULL) return NULL;
    s->settings = settings;
    s->journal = j;
    s->seed = (unsigned)clock_wall_ns();
    s->stop_fd = s->notify_fd = -1;
    pthread_mutex_init(&s->lock, NULL);
    if (start(s)) return s;
    release(s);
    return NULL;
}

void ship_postgres_free(ship_postgres *s)
{
    if (s == NULL) return;
    eventfd_write(s->stop_fd, 1);
    pthread_join(s->thread, NULL);
    journal_notify(s->journal, -1);
    release(s);
}

/* The age of the first record behind a seq, which the journal still holds. */
static double age_s(journal *j, uint64_t after)
{
    hedge_record record = HEDGE_INIT(hedge_record);
    char message[JOURNAL_MESSAGE_MAX];
    journal_row *rows;
    double age = 0.0;
    uint64_t next;
    size_t n;

    if (!journal_rows(j, after, NULL, 1, &rows, &n, &next, message)) return 0.0;
    if (n == 1 && hedge_record_decode(rows[0].record, rows[0].n, &record) == HEDGE_OK)
        age = (double)(clock_wall_ns() - record.ts_ns) / NS_PER_S;
    free(rows);
    return age > 0.0 ? age : 0.0;
}

void ship_postgres_read_state(ship_postgres *s, ship_postgres_state *out)
{
    journal_state state;
    uint64_t done;

    pthread_mutex_lock(&s->lock);
    *out = s->state;
    /* Before the first connection only this much is sure: what has come since the start. */
    done = s->known ? s->state.shipped_seq : s->first_seq;
    pthread_mutex_unlock(&s->lock);
    journal_read_state(s->journal, &state);
    out->lag_records = state.head.seq > done ? state.head.seq - done : 0;
    out->lag_s = out->lag_records > 0 ? age_s(s->journal, done) : 0.0;
}
