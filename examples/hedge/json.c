/* SPDX-License-Identifier: MIT
 * json.c: writes one JSON value piece by piece; a number that JSON cannot hold becomes null. */
#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>

#include "number.h"
#include "plain.h"

static void write_escaped(FILE *out, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    putc('"', out);
    while (*p != '\0') {
        const size_t n = plain_utf8_length(p);

        if (n == 0)
            fputs("\\ufffd", out);
        else if (*p == '"' || *p == '\\')
            fprintf(out, "\\%c", *p);
        else if (*p < 0x20 || *p == 0x7F)
            fprintf(out, "\\u%04x", (unsigned)*p);
        else if (p[0] == 0xC2 && p[1] < 0xA0) /* C1: a terminal might obey it */
            fprintf(out, "\\u%04x", (unsigned)p[1]);
        else
            fwrite(p, 1, n, out);
        p += n == 0 ? 1 : n;
    }
    putc('"', out);
}

static void write_name(json *j, const char *name)
{
    if (j->comma) putc(',', j->out);
    j->comma = true;
    if (name == NULL) return;
    write_escaped(j->out, name);
    putc(':', j->out);
}

void json_open_object(json *j, const char *name)
{
    write_name(j, name);
    putc('{', j->out);
    j->comma = false;
}

void json_close_object(json *j)
{
    putc('}', j->out);
    j->comma = true;
}

void json_open_array(json *j, const char *name)
{
    write_name(j, name);
    putc('[', j->out);
    j->comma = false;
}

void json_close_array(json *j)
{
    putc(']', j->out);
    j->comma = true;
}

void json_text(json *j, const char *name, const char *text)
{
    write_name(j, name);
    if (text == NULL)
        fputs("null", j->out);
    else
        write_escaped(j->out, text);
}

void json_number(json *j, const char *name, double number)
{
    char text[NUMBER_TEXT_MAX];

    write_name(j, name);
    if (!isfinite(number)) {
        fputs("null", j->out);
        return;
    }
    number_write(number, text);
    fputs(text, j->out);
}

void json_integer(json *j, const char *name, int64_t number)
{
    write_name(j, name);
    fprintf(j->out, "%" PRId64, number);
}

void json_bool(json *j, const char *name, bool value)
{
    write_name(j, name);
    fputs(value ? "true" : "false", j->out);
}
