/* SPDX-License-Identifier: MIT
 * fuzz_app: the daemon's parts behind its routes, with a journal in memory. */
#ifndef HEDGE_TESTS_FUZZ_APP_H
#define HEDGE_TESTS_FUZZ_APP_H

#include "app.h"

/* Built at the first call; without quotes at each. */
app *fuzz_app_empty(void);

/* The routes that this app can serve, out of those of the daemon. */
const http_route *fuzz_app_routes(size_t *n);

/* What the journal's one row holds from now on; n 0: it has no row. */
void fuzz_app_set_row(const uint8_t *record, size_t n);

/* Breaks where a reply's body is not what its status and content type say. */
void fuzz_app_check_reply(int status, const char *content_type, const char *body, size_t n);

#endif
