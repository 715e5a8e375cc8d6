/* SPDX-License-Identifier: MIT
 * outcome.h: how a command that reads records ends without an answer, as text or as JSON. */
#ifndef HEDGE_CLI_OUTCOME_H
#define HEDGE_CLI_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "command.h"
#include "json.h"
#include "source.h"

/* Why there is no answer. */
typedef struct outcome {
    const char *path;    /* the source, as given; NULL: it was not come to */
    const char *fault;   /* a stable name */
    bool several;        /* writers are here: a record is named with its own */
    uint64_t writer;     /* of the record */
    uint64_t seq;        /* the record at fault; 0: none of them */
    const char *message; /* without an end of line */
} outcome;

/* "PATH: writer W, record N: MESSAGE" on standard error, or with `as_json` one object on standard
 * output: {"path", "ok": false, "fault", "writer", "seq", "message"}. Gives the exit code. */
int outcome_show(const command *self, bool as_json, const outcome *o);
/* A command line that is wrong: the fault "usage". Gives RESULT_USAGE. */
int outcome_usage(const command *self, bool as_json, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "writer" as JSON, and `path: writer W, record N: ` on standard error. */
void outcome_write_writer(json *j, uint64_t writer);
void outcome_print_place(const outcome *o);

#endif
