/* SPDX-License-Identifier: MIT
 * certificates.h: whom an https:// daemon is believed to be, and who asks it. */
#ifndef HEDGE_CLI_CERTIFICATES_H
#define HEDGE_CLI_CERTIFICATES_H

#include <curl/curl.h>

/* The lines of --help about it. */
#define HELP_CERTIFICATES                                                                          \
    "HEDGE_CA, HEDGE_CLIENT_CERT and HEDGE_CLIENT_KEY name PEM files for https://: whom to\n"      \
    "believe, and who asks a daemon that demands certificates.\n"

/* Takes the files of HEDGE_CA, HEDGE_CLIENT_CERT and HEDGE_CLIENT_KEY (an empty variable is none),
 * and nothing older than TLS 1.2. curl copies the names; a bad file fails the request. */
void certificates_use(CURL *curl);

#endif
