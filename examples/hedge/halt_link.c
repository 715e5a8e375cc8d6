/* SPDX-License-Identifier: MIT
 * halt_link.c: requests to one daemon or several at the same time. */
#include "halt_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certificates.h"
#include "options.h"

enum { REPLY_MAX = 8 * 1024 * 1024, CONNECT_S = 5, ANSWER_S = 30, TOKEN_MAX = 8192 };

static size_t receive(char *from, size_t size, size_t n, void *context)
{
    halt_call *c = context;

    (void)size; /* 1, says curl */
    return c->reply.n + n <= REPLY_MAX && bytes_append(&c->reply, from, n) ? n : 0;
}

bool halt_link_has_token(void)
{
    const char *token = getenv("HEDGE_TOKEN");

    return token != NULL && token[0] != '\0';
}

/* NULL: none, or no memory. */
static struct curl_slist *make_headers(void)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    char header[TOKEN_MAX + 32];

    if (headers == NULL || !halt_link_has_token()) return headers;
    snprintf(header, sizeof header, "Authorization: Bearer %.*s", TOKEN_MAX, getenv("HEDGE_TOKEN"));
    if (curl_slist_append(headers, header) != NULL) return headers;
    curl_slist_free_all(headers);
    return NULL;
}

static bool prepare(halt_call *c, struct curl_slist *headers)
{
    char url[HALT_LINK_URL_MAX + 64];

    c->status = 0;
    c->message[0] = '\0';
    c->curl = curl_easy_init();
    if (c->curl == NULL) return false;
    snprintf(url, sizeof url, "%s%s", c->url, c->path);
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
    if (c->body != NULL) {
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(c->body));
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, c->body);
    }
    curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    certificates_use(c->curl);
    curl_easy_setopt(c->curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, (long)ANSWER_S);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, c->message);
    curl_easy_setopt(c->curl, CURLOPT_PRIVATE, c);
    curl_easy_setopt(c->curl, CURLOPT_USERAGENT, "hedge");
    return true;
}

/* Reads how the ones that are over ended. */
static void collect(CURLM *all)
{
    const CURLMsg *over;
    int left;

    while ((over = curl_multi_info_read(all, &left)) != NULL) {
        halt_call *c = NULL;

        if (over->msg != CURLMSG_DONE) continue;
        curl_easy_getinfo(over->easy_handle, CURLINFO_PRIVATE, (char **)&c);
        if (over->data.result == CURLE_OK)
            curl_easy_getinfo(over->easy_handle, CURLINFO_RESPONSE_CODE, &c->status);
        else if (c->message[0] == '\0')
            snprintf(c->message, sizeof c->message, "%s", curl_easy_strerror(over->data.result));
    }
}

static bool run(CURLM *all)
{
    int running = 1;

    while (running > 0) {
        if (curl_multi_perform(all, &running) != CURLM_OK) return false;
        if (running > 0 && curl_multi_poll(all, NULL, 0, 1000, NULL) != CURLM_OK) return false;
    }
    collect(all);
    return true;
}

bool halt_link_ask(halt_call *calls, size_t n)
{
    struct curl_slist *headers;
    CURLM *all;
    bool ok;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return false;
    headers = make_headers();
    all = curl_multi_init();
    ok = headers != NULL && all != NULL;
    for (size_t i = 0; i < n && ok; i++)
        ok = prepare(&calls[i], headers) && curl_multi_add_handle(all, calls[i].curl) == CURLM_OK;
    ok = ok && run(all);
    for (size_t i = 0; i < n; i++) {
        if (calls[i].curl == NULL) continue;
        if (all != NULL) curl_multi_remove_handle(all, calls[i].curl);
        curl_easy_cleanup(calls[i].curl);
        calls[i].curl = NULL;
    }
    if (all != NULL) curl_multi_cleanup(all);
    curl_slist_free_all(headers);
    return ok;
}

void halt_link_free(halt_call *calls, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes_free(&calls[i].reply);
    curl_global_cleanup();
}

bool halt_link_url(const command *self, const char *given, char url[HALT_LINK_URL_MAX])
{
    const bool http = strncmp(given, "http://", 7) == 0 || strncmp(given, "https://", 8) == 0;
    size_t n = strlen(given);

    while (n > 0 && given[n - 1] == '/')
        n--;
    if (http && strpbrk(given, "@?#") != NULL) {
        usage_error(self, "--url: no user, password, query or fragment belongs in it");
        return false;
    }
    if (!http || n >= HALT_LINK_URL_MAX) {
        usage_error(self, "--url '%.100s' is no URL as " HALT_LINK_URL, given);
        return false;
    }
    memcpy(url, given, n);
    url[n] = '\0';
    return true;
}
