/* SPDX-License-Identifier: MIT
 * halt_answer.h: what daemons say of halts, read and shown. */
#ifndef HEDGE_CLI_HALT_ANSWER_H
#define HEDGE_CLI_HALT_ANSWER_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdio.h>

#include "halt_link.h"
#include "json.h"

enum { HALT_WORDS_MAX = 1000 };

/* The answer as an object, to be deleted; NULL: there is none, or it is another thing. */
cJSON *halt_answer_read(const halt_call *call);
/* A text member; NULL: none. */
const char *halt_answer_text(const cJSON *object, const char *name);

/* Why a call did not go as it should: in words, and what to do where that is known. */
void halt_answer_fault(const halt_call *call, const cJSON *answer, char words[HALT_WORDS_MAX]);

/* The halts in force, an element of `halted` a line; how many there are. -1: no such list. */
int halt_answer_print(const cJSON *answer, FILE *out);
/* The same as a member `halted`; nothing where there is no list. */
void halt_answer_write(const cJSON *answer, json *j);

#endif
