/* SPDX-License-Identifier: MIT
 * curl_defaults.h: what every request of the tool has in common. */
#ifndef HEDGE_CLI_CURL_DEFAULTS_H
#define HEDGE_CLI_CURL_DEFAULTS_H

#include <curl/curl.h>

/* Sets a new handle: http and https alone, the certificates of the environment, no redirect, no
 * signal, connected within connect_s seconds and answered within answer_s. What comes goes to
 * receive with its context; message (CURL_ERROR_SIZE bytes) takes curl's words. All three must
 * outlive the handle. */
void curl_defaults_set(CURL *curl, long connect_s, long answer_s, curl_write_callback receive,
                       void *context, char *message);

#endif
