/* SPDX-License-Identifier: MIT
 * halt_link.h: requests to one daemon or several at the same time, so that none waits for another.
 */
#ifndef HEDGE_CLI_HALT_LINK_H
#define HEDGE_CLI_HALT_LINK_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"
#include "command.h"
#include "options.h"

#define HALT_LINK_URL "http://127.0.0.1:8000" /* where a daemon listens by itself */

enum { HALT_LINK_URL_MAX = 512 };

/* One request and its answer. */
typedef struct halt_call {
    const char *url;               /* the daemon's; without a slash at its end */
    const char *path;              /* begins with one */
    const char *body;              /* POST; NULL: GET */
    long status;                   /* of HTTP; 0: there was no answer, */
    char message[CURL_ERROR_SIZE]; /* and this is why */
    bool sent;                     /* the request, or some of it, left */
    bytes reply;
    CURL *curl; /* its own business */
} halt_call;

/* Told of each answer (or that there is none) as it comes. True: ask once more, with the body that
 * the call has now. */
typedef bool halt_link_over(void *context, halt_call *call);

/* Sends all at once, with the token of HEDGE_TOKEN where there is one, and waits for the answers,
 * 10 seconds at most for each. over: NULL, or what is told. False: *why says what was missing. The
 * replies are to be freed with halt_link_free. */
bool halt_link_ask(halt_call *calls, size_t n, halt_link_over *over, void *context,
                   const char **why);
void halt_link_free(halt_call *calls, size_t n);

/* Copies the daemons' URLs without slashes at their ends, each once; HALT_LINK_URL where none is
 * given. False: said on stderr that one is none. */
bool halt_link_urls(const command *self, const option_list *given,
                    char urls[OPTION_LIST_MAX][HALT_LINK_URL_MAX], size_t *n);
/* There is a token, which then says who asks. */
bool halt_link_has_token(void);

#endif
