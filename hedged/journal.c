/* SPDX-License-Identifier: MIT
 * journal: every record, in order, on disk before it is acknowledged. */
#include "journal.h"

#include "clock.h"
#include "journal_file.h"
#include "journal_format.h"
#include "journal_halts.h"
#include "log.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

/* What one caller appends. A waiting caller's job lives on its stack, and
 * `done` tells it; an async one is a copy that the writer frees. */
typedef struct job {
    struct job *next;
    hedge_record *records;
    size_t n;
    const char *policy_text;  /* NULL: none */
    const char *key;          /* the first record answers it; NULL: none */
    const journal_halt *halt; /* the record is its halt or resume; NULL: none */
    bool decides;             /* from quotes of a time when there were so many halts: */
    uint32_t halts;
    bool owned; /* a copy */
    bool ok;
    sem_t done;
} job;

struct journal {
    journal_file file;
    bool async;
    pthread_t writer_thread;

    pthread_mutex_t lock; /* around everything down to `closing` */
    pthread_cond_t work;
    job *first, **last;
    uint32_t queued; /* records waiting or being written */
    uint64_t next_seq;
    journal_state state;
    bool closing;
    int notify_fd;      /* told of commits; -1: nobody */
    atomic_uint halted; /* halts that were numbered; written under the lock */

    /* Around the file. `turn` is taken first and given back once `file_lock`
     * is held, so that a reader and the writer alternate. */
    pthread_mutex_t turn, file_lock;
};

static void lock_file(journal *j)
{
    pthread_mutex_lock(&j->turn);
    pthread_mutex_lock(&j->file_lock);
    pthread_mutex_unlock(&j->turn);
}

/* ---- the writer ----------------------------------------------------------- */

static bool put_job(journal *j, const job *w)
{
    if (w->policy_text != NULL && !journal_file_put_policy(&j->file, w->records, w->policy_text))
        return false;
    for (size_t i = 0; i < w->n; i++)
        if (!journal_file_put(&j->file, &w->records[i])) return false;
    if (w->halt != NULL && !journal_halts_apply(&j->file, w->records, w->halt)) return false;
    return w->key == NULL || journal_aside_put_key(&j->file.aside, w->key, w->records);
}

/* One transaction for all jobs. */
static bool write_jobs(journal *j, const job *jobs, char fault[160])
{
    bool ok;

    lock_file(j);
    ok = journal_file_begin(&j->file);
    for (const job *w = jobs; w != NULL && ok; w = w->next)
        ok = put_job(j, w);
    ok = ok && journal_file_commit(&j->file);
    if (!ok) {
        snprintf(fault, 160, "%s", journal_file_fault(&j->file));
        journal_file_rollback(&j->file);
    }
    pthread_mutex_unlock(&j->file_lock);
    return ok;
}

/* Tells each caller and forgets the jobs. */
static void finish(job *jobs, bool ok)
{
    while (jobs != NULL) {
        job *next = jobs->next;

        if (jobs->owned) {
            free(jobs); /* its records and text are in the same block */
        } else {
            jobs->ok = ok;
            sem_post(&jobs->done); /* the job is gone from here on */
        }
        jobs = next;
    }
}

static void note_success(journal *j, uint32_t records)
{
    const bool healed = j->state.failing;

    j->state.failing = false;
    j->state.fault[0] = '\0';
    j->state.commits++;
    j->state.records += records;
    j->state.head = j->file.head;
    j->queued -= records;
    if (j->notify_fd >= 0) eventfd_write(j->notify_fd, 1);
    if (healed) LOG(LOG_INFO, "journal_recovered", LOG_NUMBER("seq", j->state.head.seq));
}

/* A copy that outlives the caller: the job, its records, its halt and the policy's
 * text in one block. */
static job *copy_job(const job *w)
{
    const size_t text_size = w->policy_text != NULL ? strlen(w->policy_text) + 1 : 0;
    const size_t halt_size = w->halt != NULL ? sizeof(*w->halt) : 0;
    job *copy = malloc(sizeof(job) + w->n * sizeof(hedge_record) + halt_size + text_size);
    char *end;

    if (copy == NULL) return NULL;
    *copy = (job){.n = w->n, .owned = true};
    copy->records = (hedge_record *)(void *)(copy + 1);
    memcpy(copy->records, w->records, w->n * sizeof(hedge_record));
    end = (char *)(copy->records + w->n);
    if (halt_size > 0) copy->halt = memcpy(end, w->halt, halt_size);
    if (text_size > 0) copy->policy_text = memcpy(end + halt_size, w->policy_text, text_size);
    return copy;
}

/* Async: whoever waits for a halt or a resume hears at once that the disk refuses.
 * A copy keeps its place, since the numbers of acknowledged records follow on. A
 * resume that was refused must not come to pass when the disk is back: its copy
 * says that the halt stands. Returns where the list ends. */
static job **tell_halts(job **at)
{
    for (; *at != NULL; at = &(*at)->next) {
        job *w = *at, *copy;

        if (w->halt == NULL || w->owned) continue;
        copy = copy_job(w);
        if (copy == NULL) continue; /* waits on */
        if (copy->records->kind == HEDGE_RECORD_RESUME) {
            copy->records->kind = HEDGE_RECORD_HALT;
            /* Of a halt that was not on disk this is the first record. */
            if (w->halt->seq == 0) copy->records->ts_ns = w->halt->since_ns;
            journal_halts_note(w->halt, copy->records->note, sizeof(copy->records->note));
        }
        copy->next = w->next;
        *at = copy;
        w->next = NULL;
        finish(w, false);
    }
    return at;
}

/* Under the lock. Callers who wait are told and whatever has queued up behind
 * them too, since its numbers followed on; the numbers begin again. NULL: nobody
 * is told but those of halts, and *written is tried again. */
static job *note_failure(journal *j, job **written, const char *fault)
{
    job *jobs, **end;

    j->state.failing = true;
    j->state.failures++;
    snprintf(j->state.fault, sizeof(j->state.fault), "%s", fault);
    LOG(LOG_ERROR, "journal_failed", LOG_TEXT("fault", fault),
        LOG_TEXT("effect", j->async ? "kept in memory, tried again" : "refused"));
    if (j->async) {
        tell_halts(written);
        j->last = tell_halts(&j->first);
        return NULL;
    }
    jobs = *written;
    end = &jobs;
    while (*end != NULL)
        end = &(*end)->next;
    *end = j->first;
    j->first = NULL;
    j->last = &j->first;
    j->queued = 0;
    j->next_seq = j->state.head.seq + 1;
    return jobs;
}

static uint32_t count_records(const job *jobs)
{
    uint32_t n = 0;

    for (; jobs != NULL; jobs = jobs->next)
        n += (uint32_t)jobs->n;
    return n;
}

/* Writes one batch. An async batch was acknowledged, so it is tried until the
 * disk takes it or the daemon stops. */
static void write_batch(journal *j, job *jobs)
{
    const struct timespec pause = {.tv_nsec = 100000000};
    const uint32_t records = count_records(jobs);
    char fault[160];

    while (!write_jobs(j, jobs, fault)) {
        job *failed;
        bool closing;

        pthread_mutex_lock(&j->lock);
        failed = note_failure(j, &jobs, fault);
        closing = j->closing;
        if (failed == NULL && closing) j->state.lost += records;
        pthread_mutex_unlock(&j->lock);
        if (failed != NULL || closing) {
            finish(jobs, false);
            return;
        }
        nanosleep(&pause, NULL);
    }
    pthread_mutex_lock(&j->lock);
    note_success(j, records);
    pthread_mutex_unlock(&j->lock);
    finish(jobs, true);
}

/* Nobody waits for an async commit, so a moment's records go into one; waking
 * up for each would take the processor from those who make them. */
static void gather(journal *j)
{
    const struct timespec moment = {.tv_nsec = 1000000};

    pthread_mutex_unlock(&j->lock);
    nanosleep(&moment, NULL);
    pthread_mutex_lock(&j->lock);
}

static void *writer_main(void *argument)
{
    journal *j = argument;

    for (;;) {
        job *jobs;

        pthread_mutex_lock(&j->lock);
        while (j->first == NULL && !j->closing)
            pthread_cond_wait(&j->work, &j->lock);
        if (j->async && !j->closing) gather(j);
        jobs = j->first;
        j->first = NULL;
        j->last = &j->first;
        pthread_mutex_unlock(&j->lock);
        if (jobs == NULL) return NULL;
        write_batch(j, jobs);
    }
}

/* ---- callers -------------------------------------------------------------- */

/* Under the lock: numbers the records and queues the job, or a copy of it. */
static journal_result enqueue(journal *j, job *w, bool copy)
{
    const uint32_t room = JOURNAL_QUEUE_MAX + (w->halt != NULL ? JOURNAL_HALTS_MAX : 0);
    job *queued = w;

    if (j->closing) return JOURNAL_CLOSING;
    if (w->decides && w->halts != atomic_load_explicit(&j->halted, memory_order_relaxed))
        return JOURNAL_HALTED;
    /* Nobody is left waiting for a disk that is known to refuse. */
    if (j->async && !copy && j->state.failing) return JOURNAL_FAILED;
    if (j->queued + w->n > room) {
        j->state.refused += w->n;
        return j->state.failing ? JOURNAL_FAILED : JOURNAL_FULL;
    }
    for (size_t i = 0; i < w->n; i++) {
        w->records[i].seq = j->next_seq + i;
        w->records[i].writer = j->state.writer;
    }
    if (copy) {
        queued = copy_job(w);
        if (queued == NULL) return JOURNAL_FULL;
    }
    /* After the market was halted: who sees the new number, sees that, too. */
    if (w->halt != NULL && w->records->kind == HEDGE_RECORD_HALT)
        atomic_fetch_add_explicit(&j->halted, 1, memory_order_release);
    j->next_seq += w->n;
    j->queued += (uint32_t)w->n;
    /* The writer sleeps only while there is nothing: later jobs need no call. */
    if (j->first == NULL) pthread_cond_signal(&j->work);
    *j->last = queued;
    j->last = &queued->next;
    return JOURNAL_OK;
}

/* One record that cannot be written must not take a whole batch with it. */
static bool all_encodable(const hedge_record *records, size_t n)
{
    uint8_t bytes[HEDGE_RECORD_MAX];
    size_t size;

    for (size_t i = 0; i < n; i++) {
        if (hedge_record_encode(&records[i], bytes, sizeof(bytes), &size) == HEDGE_OK) continue;
        LOG(LOG_ERROR, "record_refused", LOG_TEXT("asset", records[i].asset),
            LOG_TEXT("note", records[i].note));
        return false;
    }
    return true;
}

/* Waits for the commit, where there is anybody to wait. */
static journal_result append(journal *j, job *w)
{
    const bool wait = !j->async || w->key != NULL || w->halt != NULL;
    journal_result result;

    if (!all_encodable(w->records, w->n)) return JOURNAL_FAILED;
    sem_init(&w->done, 0, 0);
    pthread_mutex_lock(&j->lock);
    result = enqueue(j, w, !wait);
    pthread_mutex_unlock(&j->lock);
    if (result == JOURNAL_OK && wait) {
        while (sem_wait(&w->done) != 0) { /* a signal came between */
        }
        if (!w->ok) result = JOURNAL_FAILED;
    }
    sem_destroy(&w->done);
    return result;
}

journal_result journal_append(journal *j, hedge_record *records, size_t n)
{
    return append(j, &(job){.records = records, .n = n});
}

journal_result journal_append_policy(journal *j, hedge_record *record, const char *policy_text)
{
    return append(j, &(job){.records = record, .n = 1, .policy_text = policy_text});
}

uint32_t journal_halts(const journal *j)
{
    return atomic_load_explicit(&((journal *)(uintptr_t)j)->halted, memory_order_acquire);
}

journal_result journal_append_decisions(journal *j, hedge_record *records, size_t n,
                                        const char *key, uint32_t halts)
{
    return append(j,
                  &(job){.records = records, .n = n, .key = key, .decides = true, .halts = halts});
}

journal_result journal_append_halt(journal *j, hedge_record *record, const journal_halt *halt)
{
    return append(j, &(job){.records = record, .n = 1, .halt = halt});
}

void journal_read_state(journal *j, journal_state *out)
{
    pthread_mutex_lock(&j->lock);
    *out = j->state;
    out->queued = j->queued;
    pthread_mutex_unlock(&j->lock);
}

void journal_head_write(text *out, const char *name, const journal_head *head)
{
    text_name(out, name);
    text_puts(out, "{");
    text_member_int(out, "seq", (int64_t)head->seq);
    text_member_hex(out, "hash", head->hash, sizeof(head->hash));
    text_puts(out, "}");
}

bool journal_rows(journal *j, uint64_t after, const char *asset, size_t limit, journal_row **rows,
                  size_t *n, uint64_t *next_after, char message[JOURNAL_MESSAGE_MAX])
{
    bool ok;

    *rows = malloc(limit * sizeof(**rows));
    if (*rows == NULL) {
        snprintf(message, JOURNAL_MESSAGE_MAX, "out of memory");
        return false;
    }
    lock_file(j);
    ok = journal_file_rows(&j->file, after, asset, limit, *rows, n, next_after);
    if (!ok) snprintf(message, JOURNAL_MESSAGE_MAX, "%s", journal_file_fault(&j->file));
    pthread_mutex_unlock(&j->file_lock);
    if (!ok) free(*rows);
    return ok;
}

/* ---- beside the chain ----------------------------------------------------- */

bool journal_has_certificate(journal *j, const uint8_t curve_hash[HEDGE_HASH_SIZE],
                             const char *build)
{
    bool found;

    lock_file(j);
    found = journal_aside_has_certificate(&j->file.aside, curve_hash, build);
    pthread_mutex_unlock(&j->file_lock);
    return found;
}

bool journal_keep_certificate(journal *j, const uint8_t curve_hash[HEDGE_HASH_SIZE],
                              const char *build)
{
    bool kept;

    lock_file(j);
    kept = journal_aside_keep_certificate(&j->file.aside, curve_hash, build, clock_wall_ns());
    pthread_mutex_unlock(&j->file_lock);
    return kept;
}

bool journal_read_halts(journal *j, journal_halt **out, size_t *n,
                        char message[JOURNAL_MESSAGE_MAX], bool *busy)
{
    char what[JOURNAL_HALTS_WORDS];
    int read;

    lock_file(j);
    read = journal_halts_read(&j->file, out, n, what);
    *busy = read < 0 && journal_format_may_pass(j->file.db);
    if (read < 0)
        snprintf(message, JOURNAL_MESSAGE_MAX, "its halts cannot be read: %.120s%s",
                 journal_file_fault(&j->file),
                 *busy ? ""
                       : "; run `hedge verify` on it, keep it, and start with another file. A new "
                         "journal starts with nothing halted");
    pthread_mutex_unlock(&j->file_lock);
    if (read == 0)
        snprintf(message, JOURNAL_MESSAGE_MAX,
                 "its table halts is damaged: %s; keep the file, and start with another. A new "
                 "journal starts with nothing halted: halt what has to be before traffic comes",
                 what);
    return read == 1;
}

int journal_find_key(journal *j, const char *key, hedge_record *out)
{
    int found;

    lock_file(j);
    found = journal_aside_find_key(&j->file.aside, key,
                                   clock_wall_ns() - JOURNAL_KEY_MS * NS_PER_MS, out);
    pthread_mutex_unlock(&j->file_lock);
    return found;
}

bool journal_policy_text(journal *j, const uint8_t policy_hash[HEDGE_HASH_SIZE], char **out)
{
    bool read;

    lock_file(j);
    read = journal_aside_policy_text(&j->file.aside, policy_hash, out);
    pthread_mutex_unlock(&j->file_lock);
    return read;
}

/* ---- for the shipper ------------------------------------------------------ */

void journal_notify(journal *j, int event_fd)
{
    pthread_mutex_lock(&j->lock);
    j->notify_fd = event_fd;
    pthread_mutex_unlock(&j->lock);
}

bool journal_forget(journal *j, uint64_t shipped, int64_t before_ns, size_t *gone)
{
    journal_head base;
    bool ok;

    lock_file(j);
    ok = journal_file_forget(&j->file, shipped, before_ns, gone);
    base = j->file.base;
    pthread_mutex_unlock(&j->file_lock);
    pthread_mutex_lock(&j->lock);
    j->state.base = base;
    pthread_mutex_unlock(&j->lock);
    return ok;
}

/* Counts what is parked anew; the file is ours. */
static void note_parked(journal *j)
{
    uint64_t n;

    if (!journal_aside_count_parked(&j->file.aside, &n)) return;
    pthread_mutex_lock(&j->lock);
    j->state.parked = n;
    pthread_mutex_unlock(&j->lock);
}

bool journal_park(journal *j, const journal_row *row, const uint8_t previous[HEDGE_HASH_SIZE],
                  const char *reason)
{
    bool ok;

    lock_file(j);
    ok = journal_aside_park(&j->file.aside, row, previous, reason, clock_wall_ns());
    note_parked(j);
    pthread_mutex_unlock(&j->file_lock);
    return ok;
}

bool journal_unpark(journal *j, uint64_t seq)
{
    bool ok;

    lock_file(j);
    ok = journal_aside_unpark(&j->file.aside, seq);
    note_parked(j);
    pthread_mutex_unlock(&j->file_lock);
    return ok;
}

bool journal_parked(journal *j, uint64_t after, size_t limit, journal_row *rows, size_t *n,
                    char message[JOURNAL_MESSAGE_MAX])
{
    bool ok;

    lock_file(j);
    ok = journal_aside_parked(&j->file.aside, after, limit, rows, n);
    if (!ok) snprintf(message, JOURNAL_MESSAGE_MAX, "%s", journal_file_fault(&j->file));
    pthread_mutex_unlock(&j->file_lock);
    return ok;
}

/* ---- life ----------------------------------------------------------------- */

journal *journal_open(const journal_options *options, char message[JOURNAL_MESSAGE_MAX], bool *busy)
{
    journal *j = calloc(1, sizeof(*j));

    *busy = j == NULL;
    if (j == NULL) {
        snprintf(message, JOURNAL_MESSAGE_MAX, "out of memory");
        return NULL;
    }
    if (!journal_file_open(&j->file, options->path, message, busy)) {
        free(j);
        return NULL;
    }
    j->async = options->async;
    j->last = &j->first;
    j->next_seq = j->file.head.seq + 1;
    j->state.head = j->file.head;
    j->state.base = j->file.base;
    j->state.writer = j->file.writer;
    j->notify_fd = -1;
    pthread_mutex_init(&j->lock, NULL);
    pthread_mutex_init(&j->turn, NULL);
    pthread_mutex_init(&j->file_lock, NULL);
    pthread_cond_init(&j->work, NULL);
    note_parked(j);
    if (pthread_create(&j->writer_thread, NULL, writer_main, j) != 0) {
        snprintf(message, JOURNAL_MESSAGE_MAX, "the journal's thread cannot be started");
        *busy = true;
        journal_file_close(&j->file);
        free(j);
        return NULL;
    }
    return j;
}

const char *journal_path(const journal *j)
{
    return j->file.absolute;
}

bool journal_close(journal *j)
{
    bool whole;

    if (j == NULL) return true;
    pthread_mutex_lock(&j->lock);
    j->closing = true;
    pthread_cond_signal(&j->work);
    pthread_mutex_unlock(&j->lock);
    pthread_join(j->writer_thread, NULL);
    whole = j->state.lost == 0;
    if (!whole)
        LOG(LOG_ERROR, "decisions_lost", LOG_NUMBER("count", j->state.lost),
            LOG_TEXT("fault", j->state.fault));
    journal_file_close(&j->file);
    pthread_mutex_destroy(&j->lock);
    pthread_mutex_destroy(&j->turn);
    pthread_mutex_destroy(&j->file_lock);
    pthread_cond_destroy(&j->work);
    free(j);
    return whole;
}
