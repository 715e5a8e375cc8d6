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

#include "number.h"
#include "source.h"

enum {
    REPLY_MAX = 32 * 1024 * 1024, /* ten times what 1,000 records take */
    PAGE = 1000,
    PAGE_FEW = 3,
    URL_MAX = 512,
    CONNECT_S = 10,
    ANSWER_S = 60, /* for all of one answer: a page is 3 MiB at most */
    MEMBERS_MAX = 64,
    DEPTH_MAX = 16,
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

static bool link_open(link_state *l)
{
    const char *token = getenv("HEDGE_TOKEN");
    char header[8192];

    l->curl = curl_easy_init();
    if (l->curl == NULL) return false;
    if (token != NULL && token[0] != '\0' && strlen(token) < sizeof header - 32) {
        snprintf(header, sizeof header, "Authorization: Bearer %s", token);
        l->headers = curl_slist_append(NULL, header);
        curl_easy_setopt(l->curl, CURLOPT_HTTPHEADER, l->headers);
    }
    curl_easy_setopt(l->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(l->curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(l->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(l->curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(l->curl, CURLOPT_TIMEOUT, (long)ANSWER_S);
    curl_easy_setopt(l->curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(l->curl, CURLOPT_WRITEDATA, l);
    curl_easy_setopt(l->curl, CURLOPT_ERRORBUFFER, l->message);
    curl_easy_setopt(l->curl, CURLOPT_USERAGENT, "hedge");
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

/* ---- JSON that is one thing alone --------------------------------------------- */

/* Readers differ in which of two members of one name they take, and in what they make of a NUL:
 * a page that could be read in two ways is none. */
static bool has_nul(const char *text, size_t n)
{
    static const char escape[] = "\\u0000";
    const char *end = text + n;

    if (memchr(text, '\0', n) != NULL) return true;
    for (const char *p = text; (p = memmem(p, (size_t)(end - p), escape, 6)) != NULL; p++) {
        const char *first = p;

        while (first > text && first[-1] == '\\')
            first--;
        if ((p - first) % 2 == 0) return true;
    }
    return false;
}

static bool is_before(const cJSON *object, const cJSON *member)
{
    for (const cJSON *m = object->child; m != member; m = m->next)
        if (strcmp(m->string, member->string) == 0) return true;
    return false;
}

/* Names of one bit are compared, and those are few. */
static bool names_differ(const cJSON *object)
{
    uint64_t seen = 0;
    size_t n = 0;

    for (const cJSON *m = object->child; m != NULL; m = m->next) {
        uint32_t sum = 0;
        uint64_t bit;

        for (const char *p = m->string; *p != '\0'; p++)
            sum = sum * 31 + (unsigned char)*p;
        bit = UINT64_C(1) << (sum * UINT32_C(2654435761) >> 26);
        if (n++ == MEMBERS_MAX || ((seen & bit) != 0 && is_before(object, m))) return false;
        seen |= bit;
    }
    return true;
}

/* Every object of the tree, at any level. */
static bool all_names_differ(const cJSON *root)
{
    const cJSON *above[DEPTH_MAX];
    const cJSON *at = root;
    size_t depth = 0;

    while (at != NULL) {
        if (cJSON_IsObject(at) && !names_differ(at)) return false;
        if (at->child != NULL) {
            if (depth == DEPTH_MAX) return false;
            above[depth++] = at;
            at = at->child;
            continue;
        }
        while (at->next == NULL && depth > 0)
            at = above[--depth];
        at = depth > 0 ? at->next : NULL;
    }
    return true;
}

/* One object and nothing behind it; NULL: *what says what it is instead. */
static cJSON *read_object(const bytes *text, const char **what)
{
    const char *end = NULL;
    cJSON *page = text->n > 0 && !has_nul(text->at, text->n)
                      ? cJSON_ParseWithLengthOpts(text->at, text->n, &end, 0)
                      : NULL;
    bool fine = cJSON_IsObject(page);

    *what = "it is not one JSON object";
    while (fine && end < text->at + text->n && strchr(" \t\r\n", *end) != NULL)
        end++;
    if (fine) fine = end == text->at + text->n;
    if (fine && !all_names_differ(page)) {
        fine = false;
        *what = "a member is there twice, or it holds far too much";
    }
    if (fine) return page;
    cJSON_Delete(page);
    return NULL;
}

/* A member; `hint`, where the one before it ended, spares looking for it. */
static const cJSON *member(const cJSON *object, const cJSON **hint, const char *name)
{
    const cJSON *m = *hint != NULL && strcmp((*hint)->string, name) == 0
                         ? *hint
                         : cJSON_GetObjectItemCaseSensitive(object, name);

    if (m != NULL) *hint = m->next;
    return m;
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
    u->page = read_object(&u->pages.reply, &what);
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

/* One member as the record has it: a text, a number, a truth, or none. */
typedef struct expected {
    const char *name;
    enum { EXPECT_TEXT, EXPECT_NUMBER, EXPECT_BOOL } type;
    bool absent; /* it must not be there */
    const char *text;
    double number;
    bool truth;
} expected;

#define TEXT(n, t) ((expected){.name = (n), .type = EXPECT_TEXT, .text = (t)})
#define NUMBER(n, v) ((expected){.name = (n), .type = EXPECT_NUMBER, .number = (v)})
#define NUMBER_IF(n, v, there)                                                                     \
    ((expected){.name = (n), .type = EXPECT_NUMBER, .number = (v), .absent = !(there)})
#define TRUTH(n, v) ((expected){.name = (n), .type = EXPECT_BOOL, .truth = (v)})

/* Numbers by their bits; JSON has none for what is not finite. */
static bool is_number(const cJSON *m, double number)
{
    if (!isfinite(number)) return cJSON_IsNull(m);
    return cJSON_IsNumber(m) && memcmp(&m->valuedouble, &number, sizeof number) == 0;
}

static bool is_as_expected(const cJSON *m, const expected *e)
{
    if (e->absent) return m == NULL;
    if (e->type == EXPECT_TEXT) return cJSON_IsString(m) && strcmp(m->valuestring, e->text) == 0;
    if (e->type == EXPECT_NUMBER) return is_number(m, e->number);
    return cJSON_IsBool(m) && cJSON_IsTrue(m) == e->truth;
}

/* The first member of an object that is not as the record has it; NULL: there is none. Members
 * that are not known are a newer daemon's own. */
static const char *members_differ(const cJSON *object, const expected *list, size_t n)
{
    const cJSON *hint = cJSON_IsObject(object) ? object->child : NULL;

    if (!cJSON_IsObject(object)) return n > 0 ? list[0].name : NULL;
    for (size_t i = 0; i < n; i++)
        if (!is_as_expected(member(object, &hint, list[i].name), &list[i])) return list[i].name;
    return NULL;
}

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

/* As the daemon writes times: towards 0. */
static double whole_ms(int64_t ns)
{
    return (double)(ns / 1000000);
}

static const char *request_differs(const cJSON *object, const hedge_request *r)
{
    const expected list[] = {
        NUMBER("amount_usd", r->amount_usd),
        NUMBER_IF("override_score", r->override_score, (r->flags & HEDGE_REQUEST_OVERRIDE) != 0)};

    return members_differ(object, list, COUNT(list));
}

static const char *quote_differs(const cJSON *object, const hedge_quote *q)
{
    const bool score = (q->flags & HEDGE_QUOTE_SCORE) != 0;
    const bool depth = (q->flags & HEDGE_QUOTE_DEPTH) != 0;
    const expected list[] = {
        TRUTH("halted", (q->flags & HEDGE_QUOTE_HALTED) != 0),
        NUMBER_IF("score", q->score, score),
        NUMBER_IF("confidence", q->confidence, score),
        NUMBER_IF("ts_ms", whole_ms(q->score_ts_ns), score),
        NUMBER_IF("previous_score", q->previous_score, (q->flags & HEDGE_QUOTE_PREVIOUS) != 0),
        NUMBER_IF("depth1pct_usd", q->depth1pct_usd, depth),
        NUMBER_IF("depth_ts_ms", whole_ms(q->depth_ts_ns), depth)};

    return members_differ(object, list, COUNT(list));
}

static const char *outputs_differ(const cJSON *object, const hedge_decision *d)
{
    const expected list[] = {NUMBER("hedge_pct", d->hedge_pct),
                             NUMBER("notional_usd", d->notional_usd),
                             NUMBER("confidence", d->confidence),
                             NUMBER("score", d->score),
                             NUMBER("liquidity_weight", d->liquidity_weight),
                             NUMBER("effective_score", d->effective_score),
                             NUMBER("liquidity_quality", d->liquidity_quality),
                             NUMBER("score_age_ms", whole_ms(d->score_age_ns)),
                             NUMBER("depth_age_ms", whole_ms(d->depth_age_ns))};

    return members_differ(object, list, COUNT(list));
}

static bool flags_differ(const cJSON *array, uint32_t flags)
{
    const cJSON *m = cJSON_IsArray(array) ? array->child : NULL;

    if (!cJSON_IsArray(array)) return true;
    for (uint32_t bit = 0; bit < 32; bit++) {
        const char *name = hedge_flag_name(bit);

        if ((flags >> bit & 1) == 0 || name == NULL) continue;
        if (!cJSON_IsString(m) || strcmp(m->valuestring, name) != 0) return true;
        m = m->next;
    }
    return m != NULL;
}

/* What people read of a decision is the record's too; of anything else there is no such thing. */
static const char *answer_differs(const cJSON *item, const cJSON *hint, const hedge_record *r)
{
    static const char *const names[] = {"decision_id", "status", "flags",
                                        "request",     "quote",  "decision"};
    const cJSON *parts[COUNT(names)];
    const bool decided = r->kind == HEDGE_RECORD_DECISION || r->kind == HEDGE_RECORD_SHADOW;
    const char *differs;
    char id[37] = "";

    for (size_t i = 0; i < COUNT(names); i++) {
        parts[i] = member(item, &hint, names[i]);
        if ((parts[i] != NULL) != decided) return names[i];
    }
    if (!decided) return NULL;
    hedge_record_id(r->writer, r->seq, id);
    if (!is_as_expected(parts[0], &TEXT(names[0], id))) return names[0];
    if (!is_as_expected(parts[1], &TEXT(names[1], hedge_status_name(r->decision.status))))
        return names[1];
    if (flags_differ(parts[2], r->decision.flags)) return names[2];
    differs = request_differs(parts[3], &r->request);
    if (differs == NULL) differs = quote_differs(parts[4], &r->quote);
    if (differs == NULL) differs = outputs_differ(parts[5], &r->decision);
    return differs;
}

static const char *item_differs(const cJSON *item, const hedge_record *r)
{
    char policy[2 * HEDGE_HASH_SIZE + 1];
    const expected list[] = {TEXT("kind", source_kind_name(r->kind)),
                             NUMBER("ts_ms", whole_ms(r->ts_ns)),
                             TEXT("policy", policy),
                             TEXT("version", r->build),
                             TEXT("asset", r->asset),
                             TEXT("note", r->note)};
    const cJSON *hint = item->child;
    const char *differs = NULL;

    number_write_hex(r->policy_hash, HEDGE_HASH_SIZE, policy);
    for (size_t i = 0; i < COUNT(list) && differs == NULL; i++)
        if (!is_as_expected(member(item, &hint, list[i].name), &list[i])) differs = list[i].name;
    return differs != NULL ? differs : answer_differs(item, hint, r);
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
    /* The time is given in whole milliseconds alone; item_differs compares those. */
    row->ts_ns = record.ts_ns;
    row->kind = kind != NULL ? source_kind_of(kind) : 0;
    if (asset == NULL || strlen(asset) >= sizeof row->asset)
        row->differs = "asset";
    else
        memcpy(row->asset, asset, strlen(asset) + 1);
    if (row->differs == NULL && checked) row->differs = item_differs(item, &record);
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

    snprintf(s->name, sizeof s->name, "%s", url);
    if (u == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(u);
        return source_fail(s, "unreadable", "out of memory");
    }
    s->state = u;
    s->ops = &ops;
    if (!take_base(s, u, url)) return false;
    if (!link_open(&u->pages) || !link_open(&u->policies))
        return source_fail(s, "unreadable", "out of memory");
    return read_chain(s);
}
