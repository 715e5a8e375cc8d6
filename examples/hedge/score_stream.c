/* SPDX-License-Identifier: MIT
 * score_stream.c: reads one number a line from standard input, a block at a time. */
#include "score_stream.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "number.h"

/* Cuts blanks and a carriage return off both ends of a NUL-terminated line. */
static char *trim(char *line)
{
    size_t n;

    line += strspn(line, " \t\r");
    n = strlen(line);
    while (n > 0 && strchr(" \t\r", line[n - 1]) != NULL)
        n--;
    line[n] = '\0';
    return line;
}

/* Fills the block. False when the read failed, or one line is the whole block. */
static bool refill(score_stream *stream)
{
    ssize_t got;

    if (stream->used == SCORE_STREAM_BLOCK) {
        errno = EMSGSIZE;
        return false;
    }
    do {
        got = read(STDIN_FILENO, stream->bytes + stream->used, SCORE_STREAM_BLOCK - stream->used);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return false;
    stream->ended = got == 0;
    stream->used += (size_t)got;
    return true;
}

/* The end of the line at `from`: its newline, or the end of the input. NULL:
 * the rest of the line is still to come. */
static char *line_end(score_stream *stream, const char *from)
{
    const size_t left = stream->used - (size_t)(from - stream->bytes);
    char *newline = memchr(from, '\n', left);

    if (newline != NULL) return newline;
    return stream->ended && left > 0 ? stream->bytes + stream->used : NULL;
}

/* A line as it may be shown on a terminal: its beginning, without control
 * characters. */
static const char *shown(const char *text)
{
    static char copy[48];
    size_t n = 0;

    for (; text[n] != '\0' && n < sizeof copy - 1; n++)
        copy[n] = (unsigned char)text[n] < 0x20 || text[n] == 0x7F ? '?' : text[n];
    copy[n] = '\0';
    return copy;
}

/* Keeps what lies behind `from` for the next call. */
static void keep(score_stream *stream, const char *from)
{
    const size_t done = (size_t)(from - stream->bytes);

    stream->used -= done;
    memmove(stream->bytes, from, stream->used);
}

stream_result score_stream_read(score_stream *stream, double scores[SCORE_STREAM_BLOCK], size_t *n,
                                const char **bad)
{
    char *from = stream->bytes;
    char *end;

    *n = 0;
    if (memchr(stream->bytes, '\n', stream->used) == NULL && !stream->ended && !refill(stream))
        return STREAM_FAILED;
    while ((end = line_end(stream, from)) != NULL) {
        const bool holds_nul = memchr(from, '\0', (size_t)(end - from)) != NULL;
        char *text;

        *end = '\0';
        text = trim(from);
        /* A last line without an end has nothing behind it. */
        from = end < stream->bytes + stream->used ? end + 1 : end;
        stream->line++;
        if (!holds_nul && number_read(text, &scores[*n])) {
            ++*n;
            continue;
        }
        *bad = shown(text);
        keep(stream, from);
        return STREAM_BAD_LINE;
    }
    keep(stream, from);
    return stream->ended ? STREAM_END : STREAM_MORE;
}
