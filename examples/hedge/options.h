/* SPDX-License-Identifier: MIT
 * options.h: reads a command's options strictly, and suggests a name for one it does not know. */
#ifndef HEDGE_CLI_OPTIONS_H
#define HEDGE_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "command.h"

/* One option: exactly one of value and flag is set. */
typedef struct option {
    const char *name;   /* without the dashes */
    const char **value; /* takes an argument: --name VALUE or --name=VALUE */
    bool *flag;         /* takes none */
} option;

enum { OPTION_LIST_MAX = 64 };

/* An option that may be given more than once, with an argument each time. */
typedef struct option_list {
    const char *name;
    const char *values[OPTION_LIST_MAX];
    size_t count;
} option_list;

/* Reads the options out of argv (argv[0] is the command's name), which then
 * holds the positional arguments from argv[0] on, *argc of them. True to go
 * on. False: everything is said already (help, or an error) and *result is the
 * exit code. Each option may be given once; `--` ends them. */
bool options_read(const command *self, const option *options, size_t n, int *argc, char **argv,
                  int *result);
/* The same, with one list (may be NULL). */
bool options_read_list(const command *self, const option *options, size_t n, option_list *list,
                       int *argc, char **argv, int *result);

/* Says on stderr what is wrong with the command line; returns RESULT_USAGE. */
int usage_error(const command *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The name nearest to a mistyped word, NULL if none is near. */
const char *nearest_name(const char *word, const char *const *names, size_t n);

#endif
