/* SPDX-License-Identifier: MIT
 * token.h: the parts of `hedge token`; argv[0] is the part's name. */
#ifndef HEDGE_CLI_TOKEN_H
#define HEDGE_CLI_TOKEN_H

struct command;

int token_run_keys(const struct command *self, int argc, char **argv);
int token_run_sign(const struct command *self, int argc, char **argv);
int token_run_show(const struct command *self, int argc, char **argv);

#endif
