/* SPDX-License-Identifier: MIT
 * source.c: what the three kinds of source share: how one is chosen, opened and named. */
#include "source.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

bool source_fail(source *s, const char *fault, const char *format, ...)
{
    va_list arguments;

    s->fault = fault;
    va_start(arguments, format);
    vsnprintf(s->message, sizeof s->message, format, arguments);
    va_end(arguments);
    return false;
}

source_chain *source_add_chain(source *s, uint64_t writer)
{
    source_chain *grown = realloc(s->chains, (s->chain_count + 1) * sizeof *grown);

    if (grown == NULL) {
        source_fail(s, "unreadable", "out of memory");
        return NULL;
    }
    s->chains = grown;
    grown += s->chain_count++;
    *grown = (source_chain){.writer = writer};
    return grown;
}

bool source_read_place(const char *text, source_place *place)
{
    const char *colon = strchr(text, ':');
    char seq[NUMBER_TEXT_MAX];

    if (colon == NULL || (size_t)(colon - text) >= sizeof seq) return false;
    memcpy(seq, text, (size_t)(colon - text));
    seq[colon - text] = '\0';
    place->given = number_read_whole(seq, 0, INT64_MAX, &place->seq) &&
                   number_read_hex(colon + 1, sizeof place->hash, place->hash);
    return place->given;
}

bool source_read_writer(const char *text, uint64_t *writer)
{
    uint8_t half[8];

    if (!number_read_hex(text, sizeof half, half)) return false;
    *writer = 0;
    for (size_t i = 0; i < sizeof half; i++)
        *writer = *writer << 8 | half[i];
    return true;
}

static const char *const kinds[] = {"decision", "start",          "stop",
                                    "policy",   "policy_refused", "halt",
                                    "resume",   "shadow",         "shadow_policy"};
enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

int32_t source_kind_of(const char *name)
{
    for (int32_t i = 0; i < KIND_COUNT; i++)
        if (strcmp(kinds[i], name) == 0) return i + 1;
    return 0;
}

const char *source_kind_name(int32_t kind)
{
    return kind >= 1 && kind <= KIND_COUNT ? kinds[kind - 1] : "unknown";
}

int source_fault_result(const char *fault)
{
    static const char *const closed[] = {"unreadable", "in_use",     "left",
                                         "usage",      "not_a_page", "unwritable"};

    for (size_t i = 0; i < sizeof closed / sizeof closed[0]; i++)
        if (strcmp(fault, closed[i]) == 0) return RESULT_USAGE;
    return RESULT_BAD_DATA;
}

bool source_choose(source_options *options, int argc, char **argv, int at,
                   char message[SOURCE_MESSAGE_MAX])
{
    int given;

    options->file = at < argc ? argv[at] : NULL;
    if (argc > at + 1) {
        snprintf(message, SOURCE_MESSAGE_MAX, "unexpected argument '%s'", argv[at + 1]);
        return false;
    }
    given = (options->file != NULL) + (options->url != NULL) + (options->db != NULL);
    if (given == 1) return true;
    if (given == 0)
        snprintf(message, SOURCE_MESSAGE_MAX, "FILE is missing (or --url or --db)");
    else if (options->file != NULL)
        snprintf(message, SOURCE_MESSAGE_MAX,
                 "unexpected argument '%s': the records come from --%s", options->file,
                 options->url != NULL ? "url" : "db");
    else
        snprintf(message, SOURCE_MESSAGE_MAX, "--url and --db: name one of them");
    return false;
}

/* Leaves the chain of the wanted writer alone. */
static bool keep_writer(source *s, const char *text)
{
    uint64_t writer;

    if (!source_read_writer(text, &writer))
        return source_fail(s, "usage", "--writer: '%.40s' is not 16 hexadecimal digits", text);
    for (size_t i = 0; i < s->chain_count; i++)
        if (s->chains[i].writer == writer) {
            s->chains[0] = s->chains[i];
            s->chain_count = 1;
            return true;
        }
    return source_fail(s, "unreadable", "no records of writer %.16s", text);
}

bool source_open(const source_options *options, bool checked, source *s)
{
    bool fine;

    *s = (source){.checked = checked};
    if (options->url != NULL)
        fine = source_url_open(s, options->url);
    else if (options->db != NULL)
        fine = source_postgres_open(s, options->db);
    else
        fine = source_file_open(s, options->file);
    return fine && (options->writer == NULL || keep_writer(s, options->writer));
}

void source_close(source *s)
{
    if (s->ops != NULL) s->ops->close(s);
    free(s->chains);
    s->ops = NULL;
    s->chains = NULL;
    s->chain_count = 0;
}
