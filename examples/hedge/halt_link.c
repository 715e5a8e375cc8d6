/* SPDX-License-Identifier: MIT
 * halt_link.c: requests to one daemon or several at the same time. */
#include "halt_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bearer.h"
#include "curl_defaults.h"

enum { REPLY_MAX = 8 * 1024 * 1024, CONNECT_S = 5, ANSWER_S = 10, RETRY_MS = 50 };

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

/* NULL: *why. */
static struct curl_slist *make_headers(const char **why)
{
    static char words[160];
    struct curl_slist *headers;
    char header[BEARER_HEADER_MAX];
    const char *what;

    *why = "out of memory";
    if (!bearer_header(header, &what)) {
        snprintf(words, sizeof words, "HEDGE_TOKEN %s", what);
        *why = words;
        return NULL;
    }
    headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (headers == NULL || header[0] == '\0') return headers;
    if (curl_slist_append(headers, header) != NULL) return headers;
    curl_slist_free_all(headers);
    return NULL;
}

static void set_body(const halt_call *c)
{
    if (c->body == NULL) return;
    curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(c->body));
    curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, c->body);
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
    set_body(c);
    curl_defaults_set(c->curl, CONNECT_S, ANSWER_S, receive, c, c->message);
    curl_easy_setopt(c->curl, CURLOPT_PRIVATE, c);
    return true;
}

/* What a call came to. */
static void read_end(halt_call *c, CURLcode code)
{
    long n = 0;

    curl_easy_getinfo(c->curl, CURLINFO_REQUEST_SIZE, &n);
    c->sent = n > 0;
    if (code == CURLE_OK)
        curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &c->status);
    else if (c->message[0] == '\0')
        snprintf(c->message, sizeof c->message, "%s", curl_easy_strerror(code));
}

/* Asks once more. False: out of memory. */
static bool repeat(CURLM *all, halt_call *c)
{
    c->status = 0;
    c->message[0] = '\0';
    c->reply.n = 0;
    set_body(c);
    return curl_multi_remove_handle(all, c->curl) == CURLM_OK &&
           curl_multi_add_handle(all, c->curl) == CURLM_OK;
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Nothing was sent, and it was reset: the daemon lets only so many connections of an address begin
 * each second, and a halt must not fall behind others'. A bad certificate, or a port where nobody
 * listens, is not that. */
static bool is_turned_away(const halt_call *c, CURLcode code)
{
    long fault = 0;

    if (code == CURLE_OK || c->sent) return false;
    curl_easy_getinfo(c->curl, CURLINFO_OS_ERRNO, &fault);
    return fault == ECONNRESET || fault == EPIPE || fault == ENOTCONN;
}

/* Looks at those that are over. *more: one of them is asked again, *later: after a moment. */
static bool collect(CURLM *all, halt_link_over *over, void *context, double until_s, bool *more,
                    bool *later)
{
    const CURLMsg *message;
    int left;

    *more = *later = false;
    while ((message = curl_multi_info_read(all, &left)) != NULL) {
        halt_call *c = NULL;

        if (message->msg != CURLMSG_DONE) continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&c);
        read_end(c, message->data.result);
        if (is_turned_away(c, message->data.result) && now_s() < until_s)
            *later = true;
        else if (over == NULL || !over(context, c))
            continue;
        if (!repeat(all, c)) return false;
        *more = true;
    }
    return true;
}

static bool run(CURLM *all, halt_link_over *over, void *context)
{
    const double until_s = now_s() + CONNECT_S;
    const struct timespec moment = {.tv_nsec = RETRY_MS * 1000000L};
    int running = 1;
    bool more = false, later;

    while (running > 0 || more) {
        if (curl_multi_perform(all, &running) != CURLM_OK) return false;
        if (!collect(all, over, context, until_s, &more, &later)) return false;
        if (later) nanosleep(&moment, NULL);
        if (running > 0 && !more && curl_multi_poll(all, NULL, 0, 1000, NULL) != CURLM_OK)
            return false;
    }
    return true;
}

bool halt_link_ask(halt_call *calls, size_t n, halt_link_over *over, void *context,
                   const char **why)
{
    struct curl_slist *headers;
    CURLM *all;
    bool ok;

    headers = make_headers(why);
    if (headers == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        curl_slist_free_all(headers);
        return false;
    }
    all = curl_multi_init();
    ok = all != NULL;
    for (size_t i = 0; i < n && ok; i++)
        ok = prepare(&calls[i], headers) && curl_multi_add_handle(all, calls[i].curl) == CURLM_OK;
    ok = ok && run(all, over, context);
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

static bool read_url(const command *self, const char *given, char url[HALT_LINK_URL_MAX])
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

bool halt_link_urls(const command *self, const option_list *given,
                    char urls[OPTION_LIST_MAX][HALT_LINK_URL_MAX], size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < given->count; i++) {
        size_t same = 0;

        if (!read_url(self, given->values[i], urls[*n])) return false;
        while (strcmp(urls[same], urls[*n]) != 0)
            same++;
        if (same == *n) (*n)++;
    }
    if (*n == 0) strcpy(urls[(*n)++], HALT_LINK_URL);
    return true;
}
