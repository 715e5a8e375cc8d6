/* SPDX-License-Identifier: MIT
 * command.h: what every command of `hedge` is made of. */
#ifndef HEDGE_CLI_COMMAND_H
#define HEDGE_CLI_COMMAND_H

#include <stdbool.h>

enum {
    RESULT_OK = 0,
    RESULT_BAD_DATA = 1, /* what was read is wrong: a policy, a number in a stream, a journal */
    RESULT_USAGE = 2,    /* the command line is wrong, or a file cannot be opened */
    RESULT_TRIP = 3      /* a breaker rejected the decision */
};

typedef struct command {
    const char *name;
    const char *summary; /* one line of `hedge --help` */
    const char *help;    /* `hedge NAME --help`: begins with an example */
    int (*run)(const struct command *self, int argc, char **argv);
} command;

extern const command eval_command;
extern const command size_command;
extern const command check_command;
extern const command plot_command;
extern const command verify_command;
extern const command replay_command;
extern const command diff_command;
extern const command explain_command;
extern const command token_command;
extern const command halt_command;
extern const command resume_command;
extern const command status_command;

/* The line about exit codes that ends each command's help. */
#define HELP_EXIT_CODES                                                                            \
    "\nExit codes: 0 fine, 1 bad data found, 2 wrong usage or a file that cannot be\n"             \
    "opened, 3 the decision tripped a breaker.\n"

/* The lines about --policy that commands share. */
#define HELP_POLICY                                                                                \
    "  --policy FILE   the policy; without it $HEDGE_POLICY, else configs/policy.yaml,\n"          \
    "                  else the installed one\n"

#endif
