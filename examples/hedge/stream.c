/* SPDX-License-Identifier: MIT
 * stream.c: takes standard input block by block through any number of threads, and keeps the order.
 */
#include "stream.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "interrupt.h"
#include "number.h"

enum { READ_SIZE = 128 * 1024, THREADS_MAX = 256 };

typedef struct stream {
    const stream_job *job;
    atomic_bool stopped; /* nothing more is to be read or written */

    pthread_mutex_t reading; /* guards what follows */
    bytes rest;              /* the beginning of an unfinished row */
    row_split split;
    uint64_t next; /* the sequence of the next block */
    uint64_t chunk_left;
    bool begun; /* the first bytes were looked at */
    bool ended;

    pthread_mutex_t writing; /* guards what follows */
    pthread_cond_t written;
    uint64_t turn;  /* the block to be written next */
    uint64_t lines; /* of the blocks written */
    stream_result result;
} stream;

static void stop(stream *s, int code)
{
    s->result.code = code;
    atomic_store(&s->stopped, true);
    interrupt_wake(); /* for the one that waits for input */
}

/* ---- reading ---------------------------------------------------------------- */

/* Waits until there is input; false: something came that ends the work. */
static bool wait_for_input(const stream *s)
{
    struct pollfd wait[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                             {.fd = interrupt_fd(), .events = POLLIN}};

    while (poll(wait, 2, -1) < 0 && errno == EINTR) {
    }
    return !interrupt_came() && !atomic_load(&s->stopped);
}

/* Adds what is there to the block, waiting only when nothing is. */
static void read_more(stream *s, stream_block *b)
{
    ssize_t got;

    if (!bytes_reserve(&b->in, READ_SIZE)) {
        b->read_error = ENOMEM;
        s->ended = true;
        return;
    }
    do {
        if (!wait_for_input(s)) {
            b->in.n = s->split.whole; /* half a row is no row */
            s->ended = true;
            return;
        }
        got = read(STDIN_FILENO, b->in.at + b->in.n, READ_SIZE);
    } while (got < 0 && (errno == EINTR || errno == EAGAIN));
    if (got > 0) {
        b->in.n += (size_t)got;
        return;
    }
    s->ended = true;
    if (got == 0)
        b->last = true;
    else
        b->read_error = errno;
}

/* A byte order mark says nothing in UTF-8. False: more of it may come. */
static bool skip_mark(stream *s, stream_block *b)
{
    static const char mark[] = "\xEF\xBB\xBF";

    if (b->in.n < 3 && !s->ended && (b->in.n == 0 || memcmp(b->in.at, mark, b->in.n) == 0))
        return false;
    s->begun = true;
    if (b->in.n < 3 || memcmp(b->in.at, mark, 3) != 0) return true;
    b->in.n -= 3;
    memmove(b->in.at, b->in.at + 3, b->in.n);
    return true;
}

bool stream_chunk_rows(const row *r, uint64_t *rows)
{
    char text[NUMBER_TEXT_MAX];

    if (r->n == 0 || r->n >= sizeof text || memchr(r->at, '\0', r->n) != NULL) return false;
    memcpy(text, r->at, r->n);
    text[r->n] = '\0';
    return number_read_whole(text, 0, INT64_MAX, rows);
}

/* Counts a block's rows off against the chunks that they are in. */
static void count_chunks(stream *s, const stream_block *b)
{
    const char *at = b->in.at;
    const char *end = at + b->in.n;

    while (at < end) {
        row r;

        at = row_next(s->chunk_left > 0 ? s->job->format : ROW_PLAIN, at, end, &r);
        if (s->chunk_left > 0)
            s->chunk_left--;
        else if (!stream_chunk_rows(&r, &s->chunk_left))
            s->ended = true; /* the worker finds it too, and says so */
    }
}

/* Keeps what is behind the whole rows for the next block. */
static void cut(stream *s, stream_block *b)
{
    const size_t whole = s->split.whole;

    s->rest.n = 0;
    /* At the end, and where a row is too long, all that is left is the last row. */
    if (s->ended || whole == 0) return;
    if (!bytes_append(&s->rest, b->in.at + whole, b->in.n - whole)) {
        b->read_error = ENOMEM;
        s->ended = true;
    }
    b->in.n = whole;
    row_split_cut(&s->split);
}

static void fill(stream *s, stream_block *b)
{
    if (!bytes_append(&b->in, s->rest.at, s->rest.n)) {
        b->read_error = ENOMEM;
        s->ended = true;
    }
    while (!s->ended) {
        read_more(s, b);
        if (!s->begun && !skip_mark(s, b)) continue;
        if (row_split_scan(&s->split, b->in.at, b->in.n) > 0) break;
        /* What is longer than this is too long whatever follows. */
        if (b->in.n > s->job->row_max + 1) s->ended = true;
    }
    cut(s, b);
    if (b->sequence == 0 && b->in.n > 0 && s->job->begin != NULL) {
        row r;
        int code;

        row_next(s->job->format, b->in.at, b->in.at + b->in.n, &r);
        code = s->job->begin(s->job->context, &r);
        if (code != 0) stop(s, code);
    }
    if (s->job->chunks) count_chunks(s, b);
}

/* Takes the next block; false: there is none. */
static bool take(stream *s, stream_block *b)
{
    bool taken;

    pthread_mutex_lock(&s->reading);
    taken = !s->ended && !atomic_load(&s->stopped);
    if (taken) {
        b->in.n = b->out.n = 0;
        b->sequence = s->next++;
        b->chunk_left = s->chunk_left;
        b->first = b->sequence == 0;
        b->last = false;
        b->read_error = b->fatal = 0;
        b->lines = b->faults = 0;
        fill(s, b);
    }
    pthread_mutex_unlock(&s->reading);
    return taken;
}

/* ---- writing ---------------------------------------------------------------- */

void stream_fault_add(stream_block *block, int fatal, const char *why)
{
    const uint64_t last = STREAM_FAULTS_MAX - 1;
    stream_fault *fault = &block->fault[block->faults < last ? block->faults : last];

    if (++block->faults > STREAM_FAULTS_MAX && fatal == 0) return;
    block->fatal = fatal;
    fault->line = block->lines;
    snprintf(fault->why, sizeof fault->why, "%s", why);
}

static bool write_all(const char *at, size_t n)
{
    while (n > 0) {
        const ssize_t put = write(STDOUT_FILENO, at, n);

        if (put >= 0) {
            at += put;
            n -= (size_t)put;
        } else if (errno == EAGAIN) {
            struct pollfd wait = {.fd = STDOUT_FILENO, .events = POLLOUT};

            poll(&wait, 1, -1);
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

static bool names_a_place(const char *why)
{
    return strncmp(why, "column ", 7) == 0 || strncmp(why, "member ", 7) == 0;
}

static void report(const stream *s, const stream_fault *fault)
{
    /* One call, so that lines of several processes do not mix. */
    fprintf(stderr, "hedge %s: line %" PRIu64 "%s%s\n", s->job->command, s->lines + fault->line + 1,
            names_a_place(fault->why) ? ", " : ": ", fault->why);
}

static void deliver(stream *s, const stream_block *b)
{
    const bytes *out = &b->out;
    const uint64_t kept = b->faults < STREAM_FAULTS_MAX ? b->faults : STREAM_FAULTS_MAX;

    if (s->job->held != NULL ? !bytes_append(s->job->held, out->at, out->n)
                             : !write_all(out->at, out->n)) {
        fprintf(stderr, "hedge %s: cannot write the output: %s\n", s->job->command,
                s->job->held != NULL ? strerror(ENOMEM) : strerror(errno));
        stop(s, RESULT_USAGE);
        return;
    }
    for (uint64_t i = 0; i < kept; i++)
        if (s->result.faults + i < STREAM_FAULTS_MAX || (b->fatal != 0 && i + 1 == kept))
            report(s, &b->fault[i]);
    s->result.faults += b->faults;
    s->lines += b->lines;
    if (b->fatal != 0) {
        stop(s, b->fatal);
    } else if (b->read_error != 0) {
        fprintf(stderr, "hedge %s: cannot read standard input: %s\n", s->job->command,
                strerror(b->read_error));
        stop(s, RESULT_USAGE);
    }
}

/* Waits until it is this block's turn, and writes it. */
static void land(stream *s, const stream_block *b)
{
    pthread_mutex_lock(&s->writing);
    while (s->turn != b->sequence)
        pthread_cond_wait(&s->written, &s->writing);
    pthread_mutex_unlock(&s->writing);
    if (!atomic_load(&s->stopped)) deliver(s, b);
    pthread_mutex_lock(&s->writing);
    s->turn++;
    pthread_cond_broadcast(&s->written);
    pthread_mutex_unlock(&s->writing);
}

/* ---- threads ---------------------------------------------------------------- */

static void *run_thread(void *argument)
{
    stream *s = argument;
    stream_block *b = calloc(1, sizeof *b);
    void *memory = malloc(s->job->memory_size);

    while (b != NULL && memory != NULL && take(s, b)) {
        if (!atomic_load(&s->stopped)) s->job->work(s->job->context, memory, b);
        land(s, b);
    }
    if (b != NULL) {
        bytes_free(&b->in);
        bytes_free(&b->out);
    }
    free(memory);
    free(b);
    return NULL;
}

stream_result stream_run(const stream_job *job)
{
    stream s = {.job = job, .split = {.format = job->format}};
    pthread_t ids[THREADS_MAX];
    unsigned started = 0;

    interrupt_catch();
    pthread_mutex_init(&s.reading, NULL);
    pthread_mutex_init(&s.writing, NULL);
    pthread_cond_init(&s.written, NULL);
    /* Where no more threads are to be had, those there are do it all. */
    while (started + 1 < job->threads && started < THREADS_MAX &&
           pthread_create(&ids[started], NULL, run_thread, &s) == 0)
        started++;
    run_thread(&s);
    for (unsigned i = 0; i < started; i++)
        pthread_join(ids[i], NULL);
    if (!s.ended && !atomic_load(&s.stopped)) {
        fprintf(stderr, "hedge %s: out of memory\n", job->command);
        s.result.code = RESULT_USAGE;
    }
    pthread_cond_destroy(&s.written);
    pthread_mutex_destroy(&s.writing);
    pthread_mutex_destroy(&s.reading);
    bytes_free(&s.rest);
    return s.result;
}
