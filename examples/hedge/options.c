/* SPDX-License-Identifier: MIT
 * options.c: reads a command's options strictly, and suggests a name for one it does not know. */
#include "options.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "number.h"

enum { OPTIONS_MAX = 32, WORD_MAX = 40 };

int usage_error(const command *self, const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "hedge %s: ", self->name);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nTry 'hedge %s --help'.\n", self->name);
    return RESULT_USAGE;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Damerau-Levenshtein distance (adjacent letters may swap); both words are at
 * most WORD_MAX long. Three rows are enough, since a swap looks back two. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1];
    const size_t an = strlen(a);
    const size_t bn = strlen(b);

    for (size_t j = 0; j <= bn; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= an; i++) {
        size_t *now = rows[i % 3];
        const size_t *before = rows[(i + 2) % 3];
        const size_t *older = rows[(i + 1) % 3];

        now[0] = i;
        for (size_t j = 1; j <= bn; j++) {
            const size_t swap = a[i - 1] == b[j - 1] ? 0 : 1;

            now[j] = least(least(before[j] + 1, now[j - 1] + 1), before[j - 1] + swap);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], older[j - 2] + 1);
        }
    }
    return rows[an % 3][bn];
}

const char *nearest_name(const char *word, const char *const *names, size_t n)
{
    const char *best = NULL;
    const size_t length = strlen(word);
    size_t best_distance = 3;

    if (length == 0 || length > WORD_MAX) return NULL;
    for (size_t i = 0; i < n; i++) {
        /* The beginning of a name is meant more often than a near miss. */
        size_t d = strncmp(word, names[i], length) == 0 ? 1 : distance(word, names[i]);

        if (d < best_distance && d < strlen(names[i])) {
            best_distance = d;
            best = names[i];
        }
    }
    return best;
}

static int unknown_option(const command *self, const option *options, size_t n,
                          const option_list *list, const char *given, size_t length)
{
    const char *names[OPTIONS_MAX + 2];
    char word[WORD_MAX + 1];
    const char *near = NULL;

    for (size_t i = 0; i < n; i++)
        names[i] = options[i].name;
    names[n] = "help";
    if (list != NULL) names[n + 1] = list->name;
    if (length <= WORD_MAX) {
        memcpy(word, given, length);
        word[length] = '\0';
        near = nearest_name(word + strspn(word, "-"), names, n + (list != NULL ? 2 : 1));
    }
    if (near != NULL)
        return usage_error(self, "unknown option '%.*s'; did you mean '--%s'?", (int)length, given,
                           near);
    return usage_error(self, "unknown option '%.*s'", (int)length, given);
}

/* A negative number is an argument, not an option. */
static bool is_option(const char *argument)
{
    double number;

    return argument[0] == '-' && argument[1] != '\0' && !number_read(argument, &number);
}

static bool is_named(const char *name, const char *given, size_t length)
{
    return length >= 2 && strncmp(given, "--", 2) == 0 && strlen(name) == length - 2 &&
           strncmp(given + 2, name, length - 2) == 0;
}

/* The argument of the option at argv[*at], stepped over; NULL: said that it has none. */
static const char *take_value(const command *self, const char *name, const char *equals,
                              char **argv, int argc, int *at)
{
    if (equals != NULL) return equals + 1;
    if (*at + 1 < argc && !is_option(argv[*at + 1])) return argv[++*at];
    usage_error(self, "--%s needs a value", name);
    return NULL;
}

static int take_listed(const command *self, option_list *list, const char *equals, char **argv,
                       int argc, int *at)
{
    if (list->count == OPTION_LIST_MAX)
        return usage_error(self, "--%s is given more than %d times", list->name, OPTION_LIST_MAX);
    list->values[list->count] = take_value(self, list->name, equals, argv, argc, at);
    return list->values[list->count++] != NULL ? RESULT_OK : RESULT_USAGE;
}

/* Reads the option at argv[*at] and steps over its argument. */
static int take_option(const command *self, const option *options, size_t n, option_list *list,
                       char **argv, int argc, int *at, bool *seen)
{
    const char *given = argv[*at];
    const char *equals = strchr(given, '=');
    const size_t length = equals != NULL ? (size_t)(equals - given) : strlen(given);
    size_t i = 0;

    if (list != NULL && is_named(list->name, given, length))
        return take_listed(self, list, equals, argv, argc, at);
    while (i < n && !is_named(options[i].name, given, length))
        i++;
    if (i == n) return unknown_option(self, options, n, list, given, length);
    if (seen[i]) return usage_error(self, "--%s is given twice", options[i].name);
    seen[i] = true;

    if (options[i].flag != NULL) {
        if (equals != NULL) return usage_error(self, "--%s takes no value", options[i].name);
        *options[i].flag = true;
        return RESULT_OK;
    }
    *options[i].value = take_value(self, options[i].name, equals, argv, argc, at);
    return *options[i].value != NULL ? RESULT_OK : RESULT_USAGE;
}

bool options_read(const command *self, const option *options, size_t n, int *argc, char **argv,
                  int *result)
{
    return options_read_list(self, options, n, NULL, argc, argv, result);
}

bool options_read_list(const command *self, const option *options, size_t n, option_list *list,
                       int *argc, char **argv, int *result)
{
    bool seen[OPTIONS_MAX] = {false};
    bool ended = false;
    int kept = 0;

    for (int at = 1; at < *argc; at++) {
        if (ended || !is_option(argv[at])) {
            argv[kept++] = argv[at];
        } else if (strcmp(argv[at], "--") == 0) {
            ended = true;
        } else if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0) {
            fputs(self->help, stdout);
            *result = RESULT_OK;
            return false;
        } else {
            *result = take_option(self, options, n, list, argv, *argc, &at, seen);
            if (*result != RESULT_OK) return false;
        }
    }
    *argc = kept;
    return true;
}
