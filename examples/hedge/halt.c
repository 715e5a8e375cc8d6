/* SPDX-License-Identifier: MIT
 * halt.c: `hedge halt` and `hedge resume`, the kill switch of one daemon or several. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certificates.h"
#include "command.h"
#include "halt_answer.h"
#include "halt_link.h"
#include "options.h"
#include "plain.h"

/* What the command line says. */
typedef struct order {
    const char *asset, *reason, *actor; /* NULL: all; not given; not given */
    bool halts, as_json;
    size_t n;
    char urls[OPTION_LIST_MAX][HALT_LINK_URL_MAX];
} order;

/* Who is logged in; NULL where the name is none that a record could bear. */
static const char *login_name(void)
{
    const struct passwd *user = getpwuid(geteuid());
    const char *name = user != NULL ? user->pw_name : NULL;

    if (name == NULL || name[0] == '\0' || strlen(name) > 127) return NULL;
    for (const char *c = name; *c != '\0'; c++)
        if (*c < 0x21 || *c > 0x7e) return NULL;
    return name;
}

/* malloc'ed; NULL: no memory. */
static char *make_body(const order *o, const char *actor)
{
    char *body = NULL;
    size_t n;
    json j = {open_memstream(&body, &n), false};

    if (j.out == NULL) return NULL;
    json_open_object(&j, NULL);
    if (o->asset != NULL) json_text(&j, "asset", o->asset);
    json_text(&j, "reason", o->reason);
    if (actor != NULL) json_text(&j, "actor", actor);
    json_close_object(&j);
    if (fclose(j.out) == 0) return body;
    free(body);
    return NULL;
}

/* ---- what became of it ------------------------------------------------------- */

static bool is_true(const cJSON *answer, const char *name)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(answer, name));
}

/* It may have been done, and nobody said so. */
static bool is_unknown(const halt_call *c)
{
    return c->status == 0 && c->sent;
}

/* Halted as was asked, though not on disk, or not recorded. */
static bool holds(const order *o, const halt_call *c, const cJSON *answer)
{
    const char *code = halt_answer_text(answer, "code");

    return o->halts && c->status == 503 && code != NULL &&
           (strcmp(code, "halt_not_latched") == 0 || strcmp(code, "journal_failed") == 0);
}

/* Why it did not go as it should. */
static void name_fault(const order *o, const halt_call *c, const cJSON *answer,
                       char words[HALT_WORDS_MAX])
{
    size_t n;

    halt_answer_fault(c, answer, words);
    n = strlen(words);
    if (is_unknown(c))
        snprintf(words + n, HALT_WORDS_MAX - n, "; not known whether it is %s: ask hedge status",
                 o->halts ? "halted" : "resumed");
}

static void print_one(const order *o, const halt_call *c, const cJSON *answer)
{
    const bool changed = is_true(answer, "changed");
    char words[HALT_WORDS_MAX];

    if (c->status != 200 || answer == NULL) {
        name_fault(o, c, answer, words);
        fprintf(stderr, "%s: %s\n", plain(c->url), plain(words));
        return;
    }
    printf("%s: %s %s\n", plain(c->url), o->asset != NULL ? plain(o->asset) : "everything",
           o->halts
               ? changed ? "is halted" : "was halted before; it is on disk now, with the new reason"
           : changed ? "is resumed"
                     : "was not halted");
    if (halt_answer_print(answer, stdout) == 0) printf("  nothing is halted\n");
    fflush(stdout);
}

static void write_one(json *j, const order *o, const halt_call *c, const cJSON *answer)
{
    char words[HALT_WORDS_MAX];
    const bool good = c->status == 200 && answer != NULL;

    json_open_object(j, NULL);
    json_text(j, "url", c->url);
    json_bool(j, "ok", good);
    json_integer(j, "status", c->status);
    if (good) {
        json_bool(j, "changed", is_true(answer, "changed"));
        if (halt_answer_text(answer, "record") != NULL)
            json_text(j, "record", halt_answer_text(answer, "record"));
        halt_answer_write(answer, j);
    } else {
        name_fault(o, c, answer, words);
        if (halt_answer_text(answer, "code") != NULL)
            json_text(j, "code", halt_answer_text(answer, "code"));
        json_text(j, "message", words);
    }
    json_close_object(j);
}

typedef struct counts {
    size_t good, unknown, held; /* `held`: halted, but not recorded */
} counts;

/* Goes through the answers, and writes them where that is JSON. */
static counts look(const order *o, const halt_call *calls, json *j)
{
    counts n = {0};

    for (size_t i = 0; i < o->n; i++) {
        cJSON *answer = halt_answer_read(&calls[i]);

        if (calls[i].status == 200 && answer != NULL) n.good++;
        if (is_unknown(&calls[i])) n.unknown++;
        if (holds(o, &calls[i], answer)) n.held++;
        if (j != NULL) write_one(j, o, &calls[i], answer);
        cJSON_Delete(answer);
    }
    return n;
}

/* All of them together; true if all went well. */
static bool tell(const order *o, const halt_call *calls)
{
    json j = {stdout, false};
    counts n;

    if (o->as_json) json_open_object(&j, NULL);
    if (o->as_json) json_open_array(&j, "daemons");
    n = look(o, calls, o->as_json ? &j : NULL);
    if (o->as_json) {
        json_close_array(&j);
        json_bool(&j, "ok", n.good == o->n);
        json_close_object(&j);
        putchar('\n');
    } else if (o->n > 1) {
        const size_t bad = o->n - n.good - n.unknown - n.held;

        if (bad > 0) fprintf(stderr, "hedge: %zu of %zu daemons did not do it\n", bad, o->n);
        if (n.unknown > 0)
            fprintf(stderr, "hedge: of %zu of %zu daemons it is not known: ask hedge status\n",
                    n.unknown, o->n);
    }
    return n.good == o->n;
}

/* ---- the commands -------------------------------------------------------------- */

/* What is asked of every daemon, with a name for who asks and without one. */
typedef struct asking {
    const order *o;
    char *named, *unnamed;
} asking;

/* A daemon with keys says by the token who it is, and wants no other name. */
static bool wants_no_name(const cJSON *answer, const halt_call *c)
{
    const char *member = halt_answer_text(answer, "member");

    return c->status == 422 && member != NULL && strcmp(member, "actor") == 0;
}

/* Says it as soon as it is known. */
static bool over(void *context, halt_call *c)
{
    const asking *a = context;
    cJSON *answer = halt_answer_read(c);
    const bool again = c->body == a->named && a->o->actor == NULL && halt_link_has_token() &&
                       wants_no_name(answer, c);

    if (again)
        c->body = a->unnamed;
    else if (!a->o->as_json)
        print_one(a->o, c, answer);
    cJSON_Delete(answer);
    return again;
}

static int act(const command *self, const order *o)
{
    halt_call calls[OPTION_LIST_MAX] = {0};
    asking a = {.o = o,
                .named = make_body(o, o->actor != NULL ? o->actor : login_name()),
                .unnamed = make_body(o, NULL)};
    const char *why = "out of memory";
    bool good = false, asked = false;

    for (size_t i = 0; i < o->n; i++)
        calls[i] =
            (halt_call){.url = o->urls[i], .path = o->halts ? "/halt" : "/resume", .body = a.named};
    if (a.named != NULL && a.unnamed != NULL) asked = halt_link_ask(calls, o->n, over, &a, &why);
    if (asked)
        good = tell(o, calls);
    else
        fprintf(stderr, "hedge %s: %s\n", self->name, why);
    halt_link_free(calls, o->n);
    free(a.named);
    free(a.unnamed);
    return good ? RESULT_OK : RESULT_BAD_DATA;
}

static int run(const command *self, int argc, char **argv, bool halts)
{
    static order o; /* large */
    option_list urls = {.name = "url"};
    const option options[] = {{"asset", &o.asset, NULL},
                              {"reason", &o.reason, NULL},
                              {"actor", &o.actor, NULL},
                              {"json", NULL, &o.as_json}};
    int result;

    if (!options_read_list(self, options, sizeof options / sizeof options[0], &urls, &argc, argv,
                           &result))
        return result;
    if (argc > 0)
        return usage_error(self, "'%.100s' is not expected; an asset is --asset NAME", argv[0]);
    if (o.reason == NULL) return usage_error(self, "--reason is missing: it is recorded");
    if (o.asset != NULL && o.asset[0] == '\0')
        return usage_error(self, "--asset is empty; without it, all assets are meant");
    o.halts = halts;
    if (!halt_link_urls(self, &urls, o.urls, &o.n)) return RESULT_USAGE;
    return act(self, &o);
}

static int run_halt(const command *self, int argc, char **argv)
{
    return run(self, argc, argv, true);
}

static int run_resume(const command *self, int argc, char **argv)
{
    return run(self, argc, argv, false);
}

#define HELP_OPTIONS(verb)                                                                         \
    "\nOptions:\n"                                                                                 \
    "  --reason TEXT   why, 1 to 200 bytes; it is recorded\n"                                      \
    "  --asset NAME    " verb " this one alone\n"                                                  \
    "  --actor NAME    who, where no token says so; without it the login name\n"                   \
    "  --url URL       a daemon; may be given more than once, and all are asked at the\n"          \
    "                  same time; without it " HALT_LINK_URL "\n"                                  \
    "  --json          one JSON object\n"                                                          \
    "\nThe token is taken from HEDGE_TOKEN; it needs the scope halt.\n" HELP_CERTIFICATES          \
    "\nExit codes: 0 done at every daemon, 1 not at every one, 2 wrong usage.\n"

const command halt_command = {
    .name = "halt",
    .summary = "stop all decisions, or one asset's, until they are resumed",
    .help = "Example:\n"
            "  hedge halt --reason 'exchange down'\n"
            "  hedge halt --asset BTC --reason 'bad feed' --url http://10.0.0.1:8000 \\\n"
            "             --url http://10.0.0.2:8000\n"
            "\n"
            "Halts everything, or one asset. From the moment of the answer on, every request is\n"
            "rejected with the breaker 'halted', whatever happens: the halt is on disk and holds\n"
            "over restarts and crashes until 'hedge resume' ends it. A halt is one daemon's own:\n"
            "name every daemon.\n"
            "\n"
            "Usage: hedge halt [OPTION...]\n" HELP_OPTIONS("halt"),
    .run = run_halt,
};

const command resume_command = {
    .name = "resume",
    .summary = "end a halt",
    .help = "Example:\n"
            "  hedge resume --reason 'exchange is back'\n"
            "  hedge resume --asset BTC --reason 'feed repaired'\n"
            "\n"
            "Ends the halt of everything, or that of one asset. What was halted by its name stays\n"
            "halted until it is resumed by its name; the answer says what that is. While\n"
            "everything is halted no single asset can be resumed. What is not halted stays as it\n"
            "is, and that is no failure.\n"
            "\n"
            "Usage: hedge resume [OPTION...]\n" HELP_OPTIONS("resume"),
    .run = run_resume,
};
