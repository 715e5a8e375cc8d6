/* SPDX-License-Identifier: MIT
 * status_report.c: one daemon's state as text and as JSON. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plain.h"
#include "status.h"

/* ---- reading ------------------------------------------------------------------ */

/* The number behind a name of /metrics, which may have labels. False: not there. */
static bool metric(const daemon_status *s, const char *name, double *out)
{
    const halt_call *c = &s->calls[STATUS_METRICS];
    const size_t n = strlen(name);
    const char *at = c->reply.at, *end = at + c->reply.n;

    if (c->status != 200 || c->reply.n == 0) return false;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        char number[64];

        if (line_end == NULL) line_end = end;
        if ((size_t)(line_end - at) > n + 1 && memcmp(at, name, n) == 0 && at[n] == ' ' &&
            (size_t)(line_end - at) - n - 1 < sizeof number) {
            snprintf(number, sizeof number, "%.*s", (int)(line_end - at - (long)n - 1), at + n + 1);
            *out = strtod(number, NULL);
            return true;
        }
        at = line_end + 1;
    }
    return false;
}

static bool number_of(const cJSON *object, const char *name, double *out)
{
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(object, name);

    if (!cJSON_IsNumber(m)) return false;
    *out = m->valuedouble;
    return true;
}

static const cJSON *list_of(const daemon_status *s, int call, const char *name)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(s->answer[call], name);

    return cJSON_IsArray(list) ? list : NULL;
}

/* ready, degraded, unready, halted, unreachable, or "unknown" for what is no hedged. */
static const char *word_of(const daemon_status *s)
{
    const cJSON *reason;
    const char *status = halt_answer_text(s->answer[STATUS_READY], "status");

    if (s->calls[STATUS_READY].status == 0) return "unreachable";
    if (status == NULL) return s->calls[STATUS_READY].status == 503 ? "unready" : "unknown";
    cJSON_ArrayForEach(reason, list_of(s, STATUS_READY, "reasons"))
    {
        const char *code = halt_answer_text(reason, "code");

        if (code != NULL && strcmp(code, "halted") == 0 &&
            halt_answer_text(reason, "asset") == NULL)
            return "halted";
    }
    return status;
}

/* ---- for people ---------------------------------------------------------------- */

static void print_reasons(const daemon_status *s)
{
    const cJSON *reason;

    cJSON_ArrayForEach(reason, list_of(s, STATUS_READY, "reasons"))
    {
        const char *asset = halt_answer_text(reason, "asset");
        const char *code = halt_answer_text(reason, "code");
        const char *detail = halt_answer_text(reason, "detail");

        /* A code alone where the token is missing. */
        printf("  reason    %s%s%s%s%s\n", code != NULL ? plain(code) : "?",
               asset != NULL ? " " : "", asset != NULL ? plain(asset) : "",
               detail != NULL ? ": " : "", detail != NULL ? plain(detail) : "");
    }
}

static void print_age(const cJSON *quote, const char *name, const char *word)
{
    double ms;

    if (number_of(quote, name, &ms))
        printf(", %s %.1f s old", word, ms / 1000);
    else
        printf(", no %s", word);
}

static void print_quotes(const daemon_status *s)
{
    const cJSON *quote;

    cJSON_ArrayForEach(quote, list_of(s, STATUS_QUOTES, "quotes"))
    {
        const char *asset = halt_answer_text(quote, "asset");

        printf("  quote     %s", asset != NULL ? plain(asset) : "?");
        print_age(quote, "age_ms", "score");
        print_age(quote, "depth_age_ms", "depth");
        printf("%s\n",
               cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(quote, "halted")) ? ", halted" : "");
    }
}

static void print_journal(const daemon_status *s)
{
    const cJSON *head = cJSON_GetObjectItemCaseSensitive(s->answer[STATUS_READY], "journal");
    const char *hash = halt_answer_text(head, "hash");
    double seq, lag, behind = 0;

    if (number_of(head, "seq", &seq))
        printf("  journal   head %.0f:%s\n", seq, hash != NULL ? plain(hash) : "?");
    if (!metric(s, "hedge_ship_lag_records", &lag)) return;
    metric(s, "hedge_ship_lag_seconds", &behind);
    printf("  shipping  %.0f records behind, the oldest %.1f s\n", lag, behind);
}

/* What was asked for and not given: why. */
static void print_missing(const daemon_status *s)
{
    for (int i = STATUS_HALTS; i < STATUS_CALLS; i++) {
        char words[HALT_WORDS_MAX];

        if (s->calls[i].status == 200) continue;
        halt_answer_fault(&s->calls[i], s->answer[i], words);
        printf("  %-9s not shown: %s\n", status_paths[i] + 1, plain(words));
    }
}

void status_print(const daemon_status *s)
{
    const char *policy = halt_answer_text(s->answer[STATUS_CURVE], "policy");
    char words[HALT_WORDS_MAX];

    printf("%s: %s\n", plain(s->url), plain(word_of(s)));
    if (s->calls[STATUS_READY].status == 0 || s->answer[STATUS_READY] == NULL) {
        halt_answer_fault(&s->calls[STATUS_READY], s->answer[STATUS_READY], words);
        printf("  %s\n", plain(words));
        return;
    }
    if (s->halted >= 0 && halt_answer_print(s->answer[STATUS_HALTS], stdout) == 0)
        printf("  halted    nothing\n");
    print_reasons(s);
    print_quotes(s);
    if (policy != NULL) printf("  policy    %s\n", plain(policy));
    print_journal(s);
    print_missing(s);
}

/* ---- for machines -------------------------------------------------------------- */

static void write_reasons(const daemon_status *s, json *j)
{
    static const char *const names[] = {"code", "asset", "detail"};
    const cJSON *reason;

    json_open_array(j, "reasons");
    cJSON_ArrayForEach(reason, list_of(s, STATUS_READY, "reasons"))
    {
        json_open_object(j, NULL);
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (halt_answer_text(reason, names[i]) != NULL)
                json_text(j, names[i], halt_answer_text(reason, names[i]));
        json_close_object(j);
    }
    json_close_array(j);
}

static void write_quotes(const daemon_status *s, json *j)
{
    static const char *const ages[] = {"age_ms", "depth_age_ms"};
    const cJSON *list = list_of(s, STATUS_QUOTES, "quotes");
    const cJSON *quote;

    if (list == NULL) return;
    json_open_array(j, "quotes");
    cJSON_ArrayForEach(quote, list)
    {
        double ms;

        json_open_object(j, NULL);
        json_text(j, "asset", halt_answer_text(quote, "asset"));
        json_bool(j, "halted", cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(quote, "halted")));
        for (size_t i = 0; i < sizeof ages / sizeof ages[0]; i++)
            if (number_of(quote, ages[i], &ms)) json_number(j, ages[i], ms);
        json_close_object(j);
    }
    json_close_array(j);
}

static void write_journal(const daemon_status *s, json *j)
{
    const cJSON *head = cJSON_GetObjectItemCaseSensitive(s->answer[STATUS_READY], "journal");
    double seq, number;

    if (number_of(head, "seq", &seq)) {
        json_open_object(j, "journal");
        json_number(j, "seq", seq);
        json_text(j, "hash", halt_answer_text(head, "hash"));
        json_close_object(j);
    }
    if (!metric(s, "hedge_ship_lag_records", &number)) return;
    json_open_object(j, "shipping");
    json_number(j, "lag_records", number);
    if (metric(s, "hedge_ship_lag_seconds", &number)) json_number(j, "lag_seconds", number);
    if (metric(s, "hedge_ship_up", &number)) json_bool(j, "up", number == 1);
    json_close_object(j);
}

static void write_missing(const daemon_status *s, json *j)
{
    json_open_array(j, "missing");
    for (int i = 0; i < STATUS_CALLS; i++) {
        char words[HALT_WORDS_MAX];

        if (s->calls[i].status == 200) continue;
        if (i == STATUS_READY && s->calls[i].status == 503 && s->answer[i] != NULL) continue;
        halt_answer_fault(&s->calls[i], s->answer[i], words);
        json_open_object(j, NULL);
        json_text(j, "path", status_paths[i]);
        json_text(j, "message", words);
        json_close_object(j);
    }
    json_close_array(j);
}

void status_write(const daemon_status *s, json *j)
{
    const char *policy = halt_answer_text(s->answer[STATUS_CURVE], "policy");

    json_open_object(j, NULL);
    json_text(j, "url", s->url);
    json_text(j, "status", word_of(s));
    json_bool(j, "ready", s->ready);
    halt_answer_write(s->answer[STATUS_HALTS], j);
    write_reasons(s, j);
    write_quotes(s, j);
    if (policy != NULL) json_text(j, "policy", policy);
    write_journal(s, j);
    write_missing(s, j);
    json_close_object(j);
}
