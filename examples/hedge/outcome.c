/* SPDX-License-Identifier: MIT
 * outcome.c: how a command that reads records ends without an answer, as text or as JSON. */
#include "outcome.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "number.h"
#include "options.h"
#include "plain.h"

void outcome_write_writer(json *j, uint64_t writer)
{
    char text[NUMBER_TEXT_MAX];

    snprintf(text, sizeof text, "%016" PRIx64, writer);
    json_text(j, "writer", text);
}

void outcome_print_place(const outcome *o)
{
    if (o->path != NULL) fprintf(stderr, "%s: ", plain(o->path));
    if (o->seq > 0 && o->several) fprintf(stderr, "writer %016" PRIx64 ", ", o->writer);
    if (o->seq > 0) fprintf(stderr, "record %" PRIu64 ": ", o->seq);
}

static void write_json(const outcome *o)
{
    json j = {stdout, false};

    json_open_object(&j, NULL);
    if (o->path != NULL) json_text(&j, "path", o->path);
    json_bool(&j, "ok", false);
    json_text(&j, "fault", o->fault);
    if (o->seq > 0) {
        outcome_write_writer(&j, o->writer);
        json_integer(&j, "seq", (int64_t)o->seq);
    }
    json_text(&j, "message", o->message);
    json_close_object(&j);
    putchar('\n');
}

int outcome_show(const command *self, bool as_json, const outcome *o)
{
    if (as_json) {
        write_json(o);
    } else if (o->path == NULL && strcmp(o->fault, "usage") == 0) {
        return usage_error(self, "%s", plain(o->message));
    } else {
        outcome_print_place(o);
        fprintf(stderr, "%s\n", plain(o->message));
    }
    return source_fault_result(o->fault);
}

int outcome_usage(const command *self, bool as_json, const char *format, ...)
{
    char message[SOURCE_MESSAGE_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return outcome_show(self, as_json, &(outcome){.fault = "usage", .message = message});
}
