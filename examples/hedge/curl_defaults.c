/* SPDX-License-Identifier: MIT
 * curl_defaults: what every request of the tool has in common. */
#include "curl_defaults.h"

#include "certificates.h"

void curl_defaults_set(CURL *curl, long connect_s, long answer_s, curl_write_callback receive,
                       void *context, char *message)
{
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    certificates_use(curl);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, connect_s);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, answer_s);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, context);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "hedge");
}
