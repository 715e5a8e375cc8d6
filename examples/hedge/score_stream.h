/* SPDX-License-Identifier: MIT
 * score_stream.h: reads one number a line from standard input, a block at a time. */
#ifndef HEDGE_CLI_SCORE_STREAM_H
#define HEDGE_CLI_SCORE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCORE_STREAM_BLOCK = 65536 };

typedef struct score_stream {
    char bytes[SCORE_STREAM_BLOCK + 1]; /* room for a NUL behind a last line without an end */
    size_t used;                        /* bytes held: the beginning of an unfinished line */
    uint64_t line;                      /* the number of the newest line read, from 1 */
    bool ended;
} score_stream;

typedef enum stream_result {
    STREAM_MORE,     /* there may be more; *n may be 0 */
    STREAM_END,      /* nothing follows */
    STREAM_BAD_LINE, /* stream->line is not a number: *bad is its text; the numbers before it are
                        in scores, and the next call goes on behind it */
    STREAM_FAILED    /* read failed, errno says why */
} stream_result;

/* Reads what is there now, waiting only when nothing is: at most one block, as
 * at most SCORE_STREAM_BLOCK numbers. A caller that writes out what it has
 * before each call is thus prompt on a slow pipe and fast on a large file. */
stream_result score_stream_read(score_stream *stream, double scores[SCORE_STREAM_BLOCK], size_t *n,
                                const char **bad);

#endif
