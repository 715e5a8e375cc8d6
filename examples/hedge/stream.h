/* SPDX-License-Identifier: MIT
 * stream.h: takes standard input block by block through any number of threads, and keeps the order.
 *
 * Each thread takes turns at reading a block of whole rows, works on it alone,
 * and writes what became of it when all blocks before it are written. So memory
 * is bounded by the number of threads, and nothing waits for input that is not
 * there yet: a block is what one read delivered. */
#ifndef HEDGE_CLI_STREAM_H
#define HEDGE_CLI_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "field.h"
#include "row.h"

enum { STREAM_FAULTS_MAX = 10 };

/* A row that could not be answered. */
typedef struct stream_fault {
    uint64_t line; /* lines of the block before it */
    char why[FIELD_WHY_MAX];
} stream_fault;

typedef struct stream_block {
    bytes in;            /* whole rows */
    uint64_t sequence;   /* 0, 1, 2… in the order of the input */
    uint64_t chunk_left; /* rows that its beginning owes to a chunk before it */
    bool first;
    bool last;      /* the input ends behind it */
    int read_error; /* errno, if reading failed behind it */
    /* What working on it gives: */
    bytes out;
    uint64_t lines;  /* that it had */
    uint64_t faults; /* how many rows were not answered, the first ones in fault */
    stream_fault fault[STREAM_FAULTS_MAX];
    int fatal; /* not 0: the newest fault ends everything, with this exit code */
} stream_block;

typedef struct stream_job {
    const char *command; /* its name, for messages */
    row_format format;
    size_t row_max; /* bytes in a row */
    unsigned threads;
    bool chunks;        /* a line with a number of rows is before each so many */
    bytes *held;        /* where the output goes instead of standard output */
    size_t memory_size; /* what each thread gets for itself */
    void *context;
    /* The first row, before any block is worked on. Not 0: the exit code. NULL: nothing to do. */
    int (*begin)(void *context, const row *first);
    void (*work)(void *context, void *memory, stream_block *block);
} stream_job;

typedef struct stream_result {
    int code;        /* the exit code */
    uint64_t faults; /* rows not answered */
} stream_result;

/* Runs until the input ends, a fault is fatal, or a signal came. */
stream_result stream_run(const stream_job *job);

/* Remembers that the row behind the block's lines so far has a fault. fatal: 0,
 * or the exit code that it ends everything with, once the rows before it are
 * written. */
void stream_fault_add(stream_block *block, int fatal, const char *why);

/* The number in a line before a chunk; false: it is none. */
bool stream_chunk_rows(const row *r, uint64_t *rows);

#endif
