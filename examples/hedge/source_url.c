/* SPDX-License-Identifier: MIT
 * source_url.c: records out of a running daemon, page by page through GET /decisions. */
#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bearer.h"
#include "curl_defaults.h"
#include "number.h"
#include "source.h"
#include "strict_json.h"
#include "url_record.h"

enum {
    REPLY_MAX = 32 * 1024 * 1024, /* ten times what 1,000 records take */
    PAGE = 1000,
    PAGE_FEW = 3,
    URL_MAX = 512,
    CONNECT_S = 10,
    ANSWER_S = 60, /* for all of one answer: a page is 3 MiB at most */
    HEAD_TRIES = 40,
    PAUSE_NS = 25000000
};

/* One handle asks for pages, another for policies: two threads may do so at once. */
typedef struct link {
    CURL *curl;
    struct curl_slist *headers;
    bytes reply;
    bool too_large;
    char message[CURL_ERROR_SIZE];
} link_state;

typedef struct url_state {
    char base[URL_MAX]; /* the URL without a slash at its end */
    link_state pages, policies;
    uint64_t after, end; /* the newest record that was given, and the last one wanted */
    bool few;
    bool walking; /* after the chain is known */
    cJSON *page;
    const cJSON *item; /* the next row of the page */
    bool known;        /* the writer, by the page before */
    uint64_t writer;
    source_place base_place, head_place; /* of the page */
    uint8_t record[HEDGE_RECORD_MAX];
} url_state;

/* ---- asking ----------------------------------------------------------------- */

static size_t receive(char *from, size_t size, size_t n, void *context)
{
    link_state *l = context;

    (void)size; /* 1, says curl */
    l->too_large = l->reply.n + n > REPLY_MAX;
    if (l->too_large || !bytes_append(&l->reply, from, n)) return 0;
    return n;
}

/* authorization: a header, or "". */
static bool link_open(link_state *l, const char *authorization)
{
    l->curl = curl_easy_init();
    if (l->curl == NULL) return false;
    if (authorization[0] != '\0') {
        l->headers = curl_slist_append(NULL, authorization);
        if (l->headers == NULL) return false;
        curl_easy_setopt(l->curl, CURLOPT_HTTPHEADER, l->headers);
    }
    curl_defaults_set(l->curl, CONNECT_S, ANSWER_S, receive, l, l->message);
    return true;
}

static void link_close(link_state *l)
{
    curl_easy_cleanup(l->curl);
    curl_slist_free_all(l->headers);
    bytes_free(&l->reply);
}

/* GET base + path. The HTTP status, 0: there was no answer, and message says why. */
static long ask(const url_state *u, link_state *l, const char *path, char *message)
{
    char url[URL_MAX + 128];
    long status = 0;
    CURLcode code;

    snprintf(url, sizeof url, "%s%s", u->base, path);
    l->reply.n = 0;
    l->message[0] = '\0';
    curl_easy_setopt(l->curl, CURLOPT_URL, url);
    code = curl_easy_perform(l->curl);
    if (code == CURLE_OK) {
        curl_easy_getinfo(l->curl, CURLINFO_RESPONSE_CODE, &status);
        return status;
    }
    if (l->too_large)
        snprintf(message, SOURCE_MESSAGE_MAX, "its answer is larger than %d MiB", REPLY_MAX >> 20);
    else
        snprintf(message, SOURCE_MESSAGE_MAX, "cannot be read: %s",
                 l->message[0] != '\0' ? l->message : curl_easy_strerror(code));
    return 0;
}

/* What a status that is not 200 means. */
static void explain_status(long status, const link_state *l, char *message)
{
    cJSON *problem = cJSON_ParseWithLength(l->reply.at, l->reply.n);
    const cJSON *detail = cJSON_GetObjectItemCaseSensitive(problem, "detail");

    if (status == 401 || status == 403)
        snprintf(message, SOURCE_MESSAGE_MAX,
                 "answers %ld: it wants a token that may read; put one into HEDGE_TOKEN", status);
    else if (status >= 300 && status < 400)
        snprintf(message, SOURCE_MESSAGE_MAX,
                 "answers %ld, a redirect, which is not followed: name the daemon itself", status);
    else
        snprintf(message, SOURCE_MESSAGE_MAX, "answers %ld%s%.300s", status,
                 cJSON_IsString(detail) ? ": " : "",
                 cJSON_IsString(detail) ? detail->valuestring : "");
    cJSON_Delete(problem);
}

/* ---- pages ------------------------------------------------------------------ */

static bool not_a_page(source *s, const char *what)
{
    return source_fail(s, "not_a_page", "its answer is not a page of decisions: %s", what);
}

static bool read_whole(const cJSON *item, uint64_t *out)
{
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble < 9e15))
        return false;
    *out = (uint64_t)item->valuedouble;
    return (double)*out == item->valuedouble;
}

/* {"seq", "hash"}; record 0 is no place. */
static bool read_place(const cJSON *object, source_place *place)
{
    const cJSON *hash = cJSON_GetObjectItemCaseSensitive(object, "hash");

    *place = (source_place){0};
    if (!read_whole(cJSON_GetObjectItemCaseSensitive(object, "seq"), &place->seq) ||
        !cJSON_IsString(hash) ||
        !number_read_hex(hash->valuestring, sizeof place->hash, place->hash))
        return false;
    place->given = place->seq > 0;
    return true;
}

static bool read_places(source *s)
{
    url_state *u = s->state;
    const cJSON *base = cJSON_GetObjectItemCaseSensitive(u->page, "base");

    u->base_place = (source_place){0};
    if (base != NULL && !read_place(base, &u->base_place))
        return not_a_page(s, "its base is not a seq and a hash");
    if (!read_place(cJSON_GetObjectItemCaseSensitive(u->page, "head"), &u->head_place))
        return not_a_page(s, "its head is not a seq and a hash");
    if (u->base_place.given && u->base_place.seq >= u->head_place.seq)
        return source_fail(s, "truncated",
                           "truncated: its base %" PRIu64 " is not before its head %" PRIu64
                           ", though the newest record always stays",
                           u->base_place.seq, u->head_place.seq);
    return true;
}

static bool read_writer(source *s)
{
    url_state *u = s->state;
    const cJSON *writer = cJSON_GetObjectItemCaseSensitive(u->page, "writer");
    const uint64_t before = u->writer;

    if (!cJSON_IsString(writer) || !source_read_writer(writer->valuestring, &u->writer))
        return not_a_page(s, "it names no writer");
    if (u->known && u->writer != before)
        return source_fail(s, "unreadable",
                           "another journal answers now: its writer was %016" PRIx64
                           " and is %016" PRIx64,
                           before, u->writer);
    u->known = true;
    return true;
}

/* The newest record of the page, and a head that does not go back. That there are records up to
 * the head is the walk's to find. */
static bool check_ends(source *s, uint64_t *newest)
{
    const url_state *u = s->state;
    uint64_t seq;

    *newest = 0;
    for (const cJSON *item = u->item; item != NULL; item = item->next) {
        if (!read_whole(cJSON_GetObjectItemCaseSensitive(item, "seq"), &seq))
            return not_a_page(s, "a record without its seq");
        if (seq > *newest) *newest = seq;
    }
    if (u->walking && u->head_place.seq < u->end)
        return source_fail(s, "truncated",
                           "truncated: its head is record %" PRIu64 " and was record %" PRIu64
                           " before",
                           u->head_place.seq, u->end);
    return true;
}

static bool fetch_once(source *s, unsigned limit, uint64_t *newest)
{
    url_state *u = s->state;
    const cJSON *records;
    const char *what;
    char path[64];
    long status;

    cJSON_Delete(u->page);
    u->page = NULL;
    u->item = NULL;
    snprintf(path, sizeof path, "/decisions?after=%" PRIu64 "&limit=%u", u->after, limit);
    status = ask(u, &u->pages, path, s->message);
    if (status != 200) {
        if (status != 0) explain_status(status, &u->pages, s->message);
        s->fault = "unreadable";
        return false;
    }
    u->page = strict_json_object(&u->pages.reply, &what);
    if (u->page == NULL) return not_a_page(s, what);
    records = cJSON_GetObjectItemCaseSensitive(u->page, "records");
    if (!read_writer(s)) return false;
    if (!cJSON_IsArray(records)) return not_a_page(s, "it has no records");
    if (!read_places(s)) return false;
    if (u->walking && u->base_place.given && u->base_place.seq > u->after)
        return source_fail(s, "unreadable",
                           "records up to %" PRIu64 " left for Postgres while they were read: try "
                           "again, or read them there (--db)",
                           u->base_place.seq);
    u->item = records->child;
    return check_ends(s, newest);
}

/* A daemon writes a record a moment before its head says so, but a head that stays behind the
 * records hides them: what was seen must soon be at or before the head. */
static bool fetch_page(source *s, unsigned limit)
{
    const url_state *u = s->state;
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    uint64_t newest, again;

    if (!fetch_once(s, limit, &newest)) return false;
    for (int i = 0; i < HEAD_TRIES && newest > u->head_place.seq; i++) {
        nanosleep(&pause, NULL);
        if (!fetch_once(s, limit, &again)) return false;
    }
    return newest <= u->head_place.seq ||
           source_fail(s, "damaged",
                       "it gives record %" PRIu64 ", but its head stays record %" PRIu64, newest,
                       u->head_place.seq);
}

static bool start(source *s, const source_chain *chain, uint64_t after, bool few)
{
    url_state *u = s->state;

    u->after = after;
    u->end = chain->head.seq;
    u->walking = true;
    u->few = few;
    cJSON_Delete(u->page);
    u->page = NULL;
    u->item = NULL;
    return true;
}

/* ---- rows ------------------------------------------------------------------- */

static const char *text_of(const cJSON *item, const char *name)
{
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(item, name);

    return cJSON_IsString(m) ? m->valuestring : NULL;
}

static bool read_item(url_state *u, const cJSON *item, source_row *row, bool checked)
{
    const char *kind = text_of(item, "kind"), *asset = text_of(item, "asset");
    const char *hash = text_of(item, "hash"), *bytes_hex = text_of(item, "record");
    hedge_record record = HEDGE_INIT(hedge_record);
    size_t n;

    *row = (source_row){.writer = u->writer};
    if (!read_whole(cJSON_GetObjectItemCaseSensitive(item, "seq"), &row->seq)) return false;
    row->malformed =
        hash == NULL || bytes_hex == NULL || !number_read_hex(hash, sizeof row->hash, row->hash);
    if (row->malformed) return true;
    n = strlen(bytes_hex) / 2;
    if (n > sizeof u->record || !number_read_hex(bytes_hex, n, u->record)) return true;
    row->record = u->record;
    row->record_size = n;
    if (hedge_record_decode(u->record, n, &record) != HEDGE_OK) return true;
    /* The time is given in whole milliseconds alone; url_record_differs compares those. */
    row->ts_ns = record.ts_ns;
    row->kind = kind != NULL ? source_kind_of(kind) : 0;
    if (asset == NULL || strlen(asset) >= sizeof row->asset)
        row->differs = "asset";
    else
        memcpy(row->asset, asset, strlen(asset) + 1);
    if (row->differs == NULL && checked) row->differs = url_record_differs(item, &record);
    return true;
}

/* The page does not go on where the one before it ended. */
static bool begins_late(const url_state *u)
{
    uint64_t seq;

    return u->item != NULL && read_whole(cJSON_GetObjectItemCaseSensitive(u->item, "seq"), &seq) &&
           seq > u->after + 1;
}

static source_step next(source *s, source_row *row)
{
    url_state *u = s->state;

    if (u->item == NULL) {
        if (u->after >= u->end) return SOURCE_END;
        if (!fetch_page(s, u->few ? PAGE_FEW : PAGE)) return SOURCE_FAILED;
        /* Records that leave just now are gone a moment before the base says so. */
        if (begins_late(u) && !fetch_page(s, u->few ? PAGE_FEW : PAGE)) return SOURCE_FAILED;
        if (u->item == NULL) return SOURCE_END; /* not at the head: walk_run says so */
    }
    if (!read_item(u, u->item, row, s->checked)) {
        not_a_page(s, "a record without its seq");
        return SOURCE_FAILED;
    }
    /* Records that came since the walk began are for the next one. */
    if (row->seq > u->end) {
        u->after = row->seq;
        u->item = NULL;
        return SOURCE_END;
    }
    u->item = u->item->next;
    if (u->item == NULL && row->seq <= u->after) {
        not_a_page(s, "the records do not go on");
        return SOURCE_FAILED;
    }
    if (u->item == NULL) u->after = row->seq;
    return SOURCE_ROW;
}

static source_found policy(source *s, const uint8_t hash[HEDGE_HASH_SIZE], bytes *text,
                           char message[SOURCE_MESSAGE_MAX])
{
    url_state *u = s->state;
    char path[128] = "/policies/";
    char name[2 * HEDGE_HASH_SIZE + 1], why[SOURCE_MESSAGE_MAX] = "";
    long status;

    number_write_hex(hash, HEDGE_HASH_SIZE, name);
    memcpy(path + strlen(path), name, sizeof name);
    status = ask(u, &u->policies, path, why);
    if (status == 404) return SOURCE_ABSENT;
    if (status == 200)
        return bytes_append(text, u->policies.reply.at, u->policies.reply.n) ? SOURCE_FOUND
                                                                             : SOURCE_BROKEN;
    if (status != 0) explain_status(status, &u->policies, why);
    snprintf(message, SOURCE_MESSAGE_MAX, "its policy %.12s: %.500s", name, why);
    return SOURCE_BROKEN;
}

/* ---- its life --------------------------------------------------------------- */

static void close_url(source *s)
{
    url_state *u = s->state;

    cJSON_Delete(u->page);
    link_close(&u->pages);
    link_close(&u->policies);
    free(u);
    curl_global_cleanup();
}

/* A password in a URL would be on the command line and in every message. */
static bool take_base(source *s, url_state *u, const char *url)
{
    const bool http = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
    size_t n = strlen(url);

    if (http && strpbrk(url, "@?#") != NULL) {
        snprintf(s->name, sizeof s->name, "--url");
        return source_fail(s, "usage", "no user, password, query or fragment belongs in it");
    }
    while (n > 0 && url[n - 1] == '/')
        n--;
    if (!http || n >= sizeof u->base)
        return source_fail(s, "usage", "not a URL as http://127.0.0.1:8000");
    memcpy(u->base, url, n);
    return true;
}

static bool read_chain(source *s)
{
    url_state *u = s->state;
    source_chain *chain;

    if (!fetch_page(s, 1)) return false;
    chain = source_add_chain(s, u->writer);
    if (chain == NULL) return false;
    chain->base = u->base_place;
    chain->head = u->head_place;
    /* A daemon's first record is there before it answers. */
    if (!chain->head.given)
        return source_fail(s, "truncated", "truncated: the daemon's head is no record");
    return true;
}

bool source_url_open(source *s, const char *url)
{
    static const source_ops ops = {
        .start = start, .next = next, .policy = policy, .close = close_url};
    url_state *u = calloc(1, sizeof *u);
    char authorization[BEARER_HEADER_MAX];
    const char *what;

    snprintf(s->name, sizeof s->name, "%s", url);
    if (u == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(u);
        return source_fail(s, "unreadable", "out of memory");
    }
    s->state = u;
    s->ops = &ops;
    if (!take_base(s, u, url)) return false;
    if (!bearer_header(authorization, &what)) {
        snprintf(s->name, sizeof s->name, "HEDGE_TOKEN");
        return source_fail(s, "usage", "%s", what);
    }
    if (!link_open(&u->pages, authorization) || !link_open(&u->policies, authorization))
        return source_fail(s, "unreadable", "out of memory");
    return read_chain(s);
}
