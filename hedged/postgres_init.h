/* SPDX-License-Identifier: MIT
 * postgres_init: hedged --init-db, which makes the tables. */
#ifndef HEDGED_POSTGRES_INIT_H
#define HEDGED_POSTGRES_INIT_H

#include "settings_postgres.h"

#define POSTGRES_INIT_WORDS_MAX 400

typedef enum postgres_init_result {
    POSTGRES_INIT_DONE,
    POSTGRES_INIT_LATER,  /* the server is not there, or not now */
    POSTGRES_INIT_REFUSED /* no DSN, or the server does not want to */
} postgres_init_result;

/* Applies configs/postgres.sql, as it was when this was built, in one transaction. As often as one
 * likes, several at once too. What is there and not as that file makes it is refused by name;
 * triggers alone are put right. words: what was done, or why not. */
postgres_init_result postgres_init(const settings_postgres *settings,
                                   char words[POSTGRES_INIT_WORDS_MAX]);

#endif
