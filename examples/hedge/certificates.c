/* SPDX-License-Identifier: MIT
 * certificates.c: whom an https:// daemon is believed to be, and who asks it. */
#include "certificates.h"

#include <stdlib.h>

void certificates_use(CURL *curl)
{
    const struct {
        const char *variable;
        CURLoption option;
    } files[] = {{"HEDGE_CA", CURLOPT_CAINFO},
                 {"HEDGE_CLIENT_CERT", CURLOPT_SSLCERT},
                 {"HEDGE_CLIENT_KEY", CURLOPT_SSLKEY}};

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *path = getenv(files[i].variable);

        if (path != NULL && path[0] != '\0') curl_easy_setopt(curl, files[i].option, path);
    }
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}
