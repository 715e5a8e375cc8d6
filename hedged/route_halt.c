/* SPDX-License-Identifier: MIT
 * route_halt: POST /halt, POST /resume and GET /halt. */
#include "app.h"

#include "json.h"

#include <string.h>

_Static_assert(JOURNAL_ACTOR_MAX == AUTH_NAME_MAX, "a caller's name is an actor's");

/* What a body says. */
typedef struct ask {
    cJSON *object; /* the texts lie in it */
    halt_order order;
} ask;

/* A text that may be absent; NULL then. */
static bool optional(const cJSON *object, const char *name, const char **out, problem *p)
{
    *out = NULL;
    return cJSON_GetObjectItemCaseSensitive(object, name) == NULL ||
           json_string(object, name, out, p);
}

static bool is_word(const char *given)
{
    const size_t n = strlen(given);

    for (const char *c = given; *c != '\0'; c++)
        if (*c < 0x21 || *c > 0x7e) return false;
    return n >= 1 && n <= JOURNAL_ACTOR_MAX;
}

/* Who it was: the token says so, the body only where nobody has one. */
static bool read_actor(const cJSON *object, const auth_caller *caller, const char **out, problem *p)
{
    const char *given;

    if (!optional(object, "actor", &given, p)) return false;
    if (given != NULL && caller->name[0] != '\0')
        return problem_set(p, 422, "bad_value", "actor",
                           "the token says who it is: leave actor out");
    if (given != NULL && !is_word(given))
        return problem_set(p, 422, "bad_value", "actor",
                           "must be 1 to %d printable ASCII characters without spaces",
                           JOURNAL_ACTOR_MAX);
    *out = given != NULL ? given : caller->name[0] != '\0' ? caller->name : "-";
    return true;
}

/* An asset that is there must name one: an empty name is no way to say all. */
static bool read_asset(const cJSON *object, const char **out, problem *p)
{
    const char *given;

    if (!optional(object, "asset", &given, p)) return false;
    if (given != NULL && (given[0] == '\0' || strlen(given) > HEDGE_ASSET_NAME_MAX))
        return problem_set(p, 422, "bad_value", "asset",
                           "a name has 1 to %d characters; without the member, all are meant",
                           HEDGE_ASSET_NAME_MAX);
    *out = given != NULL ? given : "";
    return true;
}

static bool read_ask(const http_request *request, ask *out, problem *p)
{
    static const char *const names[] = {"asset", "reason", "actor", NULL};
    halt_order *o = &out->order;

    out->object = json_read_object(request->body, request->body_size, p);
    return out->object != NULL && json_check_members(out->object, names, p) &&
           read_asset(out->object, &o->asset, p) &&
           json_string(out->object, "reason", &o->reason, p) &&
           read_actor(out->object, &request->caller, &o->actor, p) &&
           halt_check_reason(o->reason, o->actor, p);
}

static void answer(app *a, const halt_answer *did, http_reply *reply)
{
    text_puts(&reply->body, "{");
    text_member_bool(&reply->body, "changed", did->changed);
    if (did->record[0] != '\0') text_member_string(&reply->body, "record", did->record);
    halt_write(a->halt, &reply->body);
    text_puts(&reply->body, "}");
}

static void run(app *a, const http_request *request, http_reply *reply,
                bool (*act)(halt *, const halt_order *, halt_answer *, problem *))
{
    live_policy *policy = live_acquire(a->live);
    ask asked = {.order = {.policy = policy, .peer = request->peer}};
    halt_answer did;
    problem p;

    if (read_ask(request, &asked, &p) && act(a->halt, &asked.order, &did, &p))
        answer(a, &did, reply);
    else
        http_reply_problem(reply, &p);
    cJSON_Delete(asked.object);
    live_release(policy);
}

void route_halt(void *context, const http_request *request, http_reply *reply)
{
    run(context, request, reply, halt_set);
}

void route_resume(void *context, const http_request *request, http_reply *reply)
{
    run(context, request, reply, halt_clear);
}

void route_halts(void *context, const http_request *request, http_reply *reply)
{
    app *a = context;

    (void)request;
    text_puts(&reply->body, "{");
    halt_write(a->halt, &reply->body);
    text_puts(&reply->body, "}");
}
