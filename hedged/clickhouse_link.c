/* SPDX-License-Identifier: MIT
 * clickhouse_link: one query put again and again to a ClickHouse server that
 * is not trusted, over HTTP. */
#include "clickhouse_link.h"

#include "depth_query.h"

#include <stdio.h>
#include <string.h>

#define POLL_MS 1000 /* curl wakes up by itself where it has to sooner */

/* ---- what curl calls ------------------------------------------------------------ */

static size_t take_head(char *bytes, size_t size, size_t n, void *context)
{
    clickhouse_link *link = context;

    (void)bytes;
    link->head_bytes += size * n;
    link->too_long |= link->head_bytes > CLICKHOUSE_LINK_HEAD_MAX;
    return link->too_long ? 0 : size * n;
}

static size_t take_body(char *bytes, size_t size, size_t n, void *context)
{
    clickhouse_link *link = context;

    link->too_long |= size * n > CLICKHOUSE_LINK_REPLY_MAX - link->reply.n;
    if (link->too_long) return 0;
    text_put(&link->reply, bytes, size * n);
    return link->reply.failed ? 0 : size * n;
}

/* ---- a link's life ---------------------------------------------------------------- */

static bool add_header(clickhouse_link *link, const char *name, const char *value)
{
    char line[320];
    struct curl_slist *longer;

    snprintf(line, sizeof(line), "%s: %s", name, value);
    longer = curl_slist_append(link->headers, line);
    if (longer != NULL) link->headers = longer;
    return longer != NULL;
}

/* Credentials go in headers, since a URL is what gets logged on the way. */
static bool add_headers(clickhouse_link *link, const settings_clickhouse *server)
{
    struct curl_slist *longer = curl_slist_append(NULL, "Expect:"); /* no 100-continue */

    link->headers = longer;
    if (longer == NULL || !add_header(link, "Content-Type", "text/plain")) return false;
    if (server->user[0] == '\0') return true;
    if (!add_header(link, "X-ClickHouse-User", server->user)) return false;
    return server->password[0] == '\0' || add_header(link, "X-ClickHouse-Key", server->password);
}

/* wait_end_of_query: a query that fails half-way is an error and not half a
 * reply. Neither it nor default_format is a setting, which a user with
 * readonly = 1 could not change. */
static void write_url(const settings_clickhouse *server, char *out, size_t capacity)
{
    snprintf(out, capacity, "%s/?default_format=JSONEachRow&wait_end_of_query=1%s%s",
             server->origin, server->database[0] != '\0' ? "&database=" : "", server->database);
}

static bool set_options(clickhouse_link *link, const settings_clickhouse *server)
{
    CURL *easy = link->easy;
    const char *query = server->query[0] != '\0' ? server->query : depth_query;
    char url[600];
    bool ok;

    write_url(server, url, sizeof(url));
    ok = curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, query) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(query)) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, link->headers) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)server->timeout_ms) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_head) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_HEADERDATA, link) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_WRITEDATA, link) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, link->curl_fault) == CURLE_OK;
    return ok;
}

bool clickhouse_link_open(clickhouse_link *link, const settings_clickhouse *server, int stop_fd)
{
    *link = (clickhouse_link){.stop_fd = stop_fd};
    link->easy = curl_easy_init();
    link->multi = curl_multi_init();
    if (link->easy != NULL && link->multi != NULL && add_headers(link, server) &&
        set_options(link, server))
        return true;
    clickhouse_link_close(link);
    return false;
}

void clickhouse_link_close(clickhouse_link *link)
{
    curl_easy_cleanup(link->easy);
    curl_multi_cleanup(link->multi);
    curl_slist_free_all(link->headers);
    text_free(&link->reply);
    *link = (clickhouse_link){0};
}

/* ---- one question ------------------------------------------------------------------- */

static clickhouse_link_result fail(clickhouse_link *link, const char *what)
{
    snprintf(link->fault, sizeof(link->fault), "%s", what);
    return CLICKHOUSE_LINK_FAILED;
}

/* The beginning of what the server says is wrong, on one line. */
static clickhouse_link_result fail_as_server_says(clickhouse_link *link, long status)
{
    char words[CLICKHOUSE_LINK_FAULT_MAX - 32] = "", raw[sizeof(words)];
    size_t n;

    snprintf(raw, sizeof(raw), "%s", link->reply.n > 0 ? link->reply.bytes : "");
    text_copy_utf8(words, sizeof(words), raw);
    n = strcspn(words, "\r\n");
    snprintf(link->fault, sizeof(link->fault), "HTTP status %ld%s%.*s", status, n > 0 ? ": " : "",
             (int)n, words);
    return CLICKHOUSE_LINK_FAILED;
}

static clickhouse_link_result judge(clickhouse_link *link, CURLcode code)
{
    long status = 0;

    if (link->too_long) return fail(link, "a reply over 8 MiB, or headers over 64 KiB");
    if (link->reply.failed) return fail(link, "out of memory");
    if (code != CURLE_OK)
        return fail(link,
                    link->curl_fault[0] != '\0' ? link->curl_fault : curl_easy_strerror(code));
    curl_easy_getinfo(link->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200 || (link->reply.n >= 6 && memcmp(link->reply.bytes, "Code: ", 6) == 0))
        return fail_as_server_says(link, status);
    return CLICKHOUSE_LINK_REPLY;
}

/* Lets curl work until it is done, or the daemon stops. */
static clickhouse_link_result perform(clickhouse_link *link)
{
    struct curl_waitfd stop = {.fd = link->stop_fd, .events = CURL_WAIT_POLLIN};
    int running = 1, left;
    CURLMsg *message;

    for (;;) {
        if (curl_multi_perform(link->multi, &running) != CURLM_OK) break;
        if (running == 0) {
            message = curl_multi_info_read(link->multi, &left);
            if (message == NULL) break;
            return judge(link, message->data.result);
        }
        stop.revents = 0;
        if (curl_multi_poll(link->multi, &stop, 1, POLL_MS, NULL) != CURLM_OK) break;
        if (stop.revents != 0) return CLICKHOUSE_LINK_STOPPED;
    }
    return fail(link, "the HTTP client failed");
}

clickhouse_link_result clickhouse_link_ask(clickhouse_link *link)
{
    clickhouse_link_result result;

    text_free(&link->reply);
    link->head_bytes = 0;
    link->too_long = false;
    link->curl_fault[0] = '\0';
    if (curl_multi_add_handle(link->multi, link->easy) != CURLM_OK)
        return fail(link, "the HTTP client failed");
    result = perform(link);
    /* Not to wait for a name server that says nothing. */
    if (result == CLICKHOUSE_LINK_STOPPED) curl_easy_setopt(link->easy, CURLOPT_QUICK_EXIT, 1L);
    curl_multi_remove_handle(link->multi, link->easy);
    return result;
}
