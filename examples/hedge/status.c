/* SPDX-License-Identifier: MIT
 * status.c: `hedge status`, whether daemons decide, what is halted, and how old what they see is.
 */
#include "status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certificates.h"
#include "command.h"
#include "options.h"

const char *const status_paths[STATUS_CALLS] = {"/readyz", "/halt", "/quotes", "/curve",
                                                "/metrics"};

void status_take(daemon_status *s, const char *url, const halt_call calls[STATUS_CALLS])
{
    const cJSON *halts;

    *s = (daemon_status){.url = url, .calls = calls, .halted = -1};
    for (int i = 0; i < STATUS_METRICS; i++)
        s->answer[i] = halt_answer_read(&calls[i]);
    s->ready = calls[STATUS_READY].status == 200 && s->answer[STATUS_READY] != NULL;
    halts = cJSON_GetObjectItemCaseSensitive(s->answer[STATUS_HALTS], "halted");
    if (calls[STATUS_HALTS].status == 200 && cJSON_IsArray(halts))
        s->halted = cJSON_GetArraySize(halts);
}

void status_free(daemon_status *s)
{
    for (int i = 0; i < STATUS_CALLS; i++)
        cJSON_Delete(s->answer[i]);
}

/* True if each of them decides everything: it is ready, and is known to have no halts. */
static bool tell(char urls[][HALT_LINK_URL_MAX], const halt_call *calls, size_t n, bool as_json)
{
    json j = {stdout, false};
    bool good = true;

    if (as_json) json_open_object(&j, NULL);
    if (as_json) json_open_array(&j, "daemons");
    for (size_t i = 0; i < n; i++) {
        daemon_status s;

        status_take(&s, urls[i], calls + i * STATUS_CALLS);
        good = good && s.ready && s.halted == 0;
        if (as_json)
            status_write(&s, &j);
        else
            status_print(&s);
        status_free(&s);
    }
    if (!as_json) return good;
    json_close_array(&j);
    json_bool(&j, "ok", good);
    json_close_object(&j);
    putchar('\n');
    return good;
}

static int ask(const command *self, char urls[][HALT_LINK_URL_MAX], size_t n, bool as_json)
{
    halt_call *calls = calloc(n * STATUS_CALLS, sizeof *calls);
    const char *why = "out of memory";
    bool good = false, asked = false;

    for (size_t i = 0; calls != NULL && i < n * STATUS_CALLS; i++)
        calls[i] =
            (halt_call){.url = urls[i / STATUS_CALLS], .path = status_paths[i % STATUS_CALLS]};
    if (calls != NULL) asked = halt_link_ask(calls, n * STATUS_CALLS, NULL, NULL, &why);
    if (asked)
        good = tell(urls, calls, n, as_json);
    else
        fprintf(stderr, "hedge %s: %s\n", self->name, why);
    if (calls != NULL) halt_link_free(calls, n * STATUS_CALLS);
    free(calls);
    return good ? RESULT_OK : RESULT_BAD_DATA;
}

static int run(const command *self, int argc, char **argv)
{
    static char all[OPTION_LIST_MAX][HALT_LINK_URL_MAX];
    option_list urls = {.name = "url"};
    bool as_json = false;
    const option options[] = {{"json", NULL, &as_json}};
    size_t n;
    int result;

    if (!options_read_list(self, options, 1, &urls, &argc, argv, &result)) return result;
    if (argc > 0)
        return usage_error(self, "'%.100s' is not expected; a daemon is --url URL", argv[0]);
    if (!halt_link_urls(self, &urls, all, &n)) return RESULT_USAGE;
    return ask(self, all, n, as_json);
}

const command status_command = {
    .name = "status",
    .summary = "show whether a daemon decides, what is halted, and what it sees",
    .help =
        "Example:\n"
        "  hedge status\n"
        "  hedge status --url http://10.0.0.1:8000 --url http://10.0.0.2:8000 --json\n"
        "\n"
        "Asks each daemon whether it can decide and why not, what is halted, by whom, why and\n"
        "since when, how old its quotes are, which policy is live, where its journal's head is\n"
        "and how far shipping to Postgres is behind. What wants a token that may read\n"
        "(HEDGE_TOKEN, scope read) is left out without one, and says so.\n"
        "\n"
        "Usage: hedge status [OPTION...]\n"
        "\n"
        "Options:\n"
        "  --url URL       a daemon; may be given more than once, and all are asked at the\n"
        "                  same time; without it " HALT_LINK_URL "\n"
        "  --json          one JSON object\n"
        "\n" HELP_CERTIFICATES "\n"
        "Exit codes: 0 every daemon decides and nothing is halted, 1 not so (or not known),\n"
        "2 wrong usage.\n",
    .run = run,
};
