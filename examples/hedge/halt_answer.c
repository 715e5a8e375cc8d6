/* SPDX-License-Identifier: MIT
 * halt_answer.c: what daemons say of halts, read and shown. */
#include "halt_answer.h"

#include <math.h>
#include <string.h>

#include "moment.h"
#include "plain.h"
#include "strict_json.h"

cJSON *halt_answer_read(const halt_call *call)
{
    const char *what;

    return call->status != 0 ? strict_json_object(&call->reply, &what) : NULL;
}

const char *halt_answer_text(const cJSON *object, const char *name)
{
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsString(m) ? m->valuestring : NULL;
}

void halt_answer_fault(const halt_call *call, const cJSON *answer, char words[HALT_WORDS_MAX])
{
    const char *detail = halt_answer_text(answer, "detail");
    const char *member = halt_answer_text(answer, "member");

    if (call->status == 0)
        snprintf(words, HALT_WORDS_MAX, "no answer: %.300s", call->message);
    else if (call->status == 401 && detail != NULL &&
             (strstr(detail, "expired") != NULL || strstr(detail, "not valid yet") != NULL))
        snprintf(
            words, HALT_WORDS_MAX,
            "401: %.300s, by the daemon's clock; put a newer token into HEDGE_TOKEN, or compare "
            "the clocks of the daemon and of who made the token",
            detail);
    else if (call->status == 401 || call->status == 403)
        snprintf(words, HALT_WORDS_MAX, "%ld: %.300s; put a token that may into HEDGE_TOKEN",
                 call->status, detail != NULL ? detail : "it refuses");
    else if (call->status >= 300 && call->status < 400)
        snprintf(words, HALT_WORDS_MAX,
                 "%ld, a redirect, which is not followed: name the daemon itself", call->status);
    else if (call->status == 404)
        snprintf(
            words, HALT_WORDS_MAX,
            "404: it has no kill switch: an older daemon, or a balancer, which lets nothing of "
            "this pass; name the daemons themselves");
    else
        snprintf(words, HALT_WORDS_MAX, "%ld: %.60s%s%.600s", call->status,
                 member != NULL ? member : "", member != NULL ? ": " : "",
                 detail != NULL ? detail : "not an answer of hedged");
}

static int64_t whole(const cJSON *object, const char *name)
{
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(object, name);

    if (!cJSON_IsNumber(m) || !(fabs(m->valuedouble) < 9e15)) return 0;
    return (int64_t)m->valuedouble;
}

static const char *or_none(const char *text)
{
    return text != NULL ? text : "?";
}

int halt_answer_print(const cJSON *answer, FILE *out)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(answer, "halted");
    const cJSON *item;
    int n = 0;

    if (!cJSON_IsArray(list)) return -1;
    cJSON_ArrayForEach(item, list)
    {
        const char *asset = halt_answer_text(item, "asset");
        const bool latched = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "latched"));
        char since[MOMENT_TEXT_MAX];

        moment_write(whole(item, "since_ms") * 1000000, since);
        fprintf(out, "  halted    %s since %s by %s: %s%s\n",
                asset != NULL ? plain(asset) : "everything", since,
                plain(or_none(halt_answer_text(item, "actor"))),
                plain(or_none(halt_answer_text(item, "reason"))),
                latched ? "" : " (NOT ON DISK: a restart would end it)");
        n++;
    }
    return n;
}

void halt_answer_write(const cJSON *answer, json *j)
{
    static const char *const texts[] = {"asset", "actor", "reason", "record"};
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(answer, "halted");
    const cJSON *item;

    if (!cJSON_IsArray(list)) return;
    json_open_array(j, "halted");
    cJSON_ArrayForEach(item, list)
    {
        json_open_object(j, NULL);
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
            if (halt_answer_text(item, texts[i]) != NULL)
                json_text(j, texts[i], halt_answer_text(item, texts[i]));
        json_integer(j, "since_ms", whole(item, "since_ms"));
        json_bool(j, "latched", cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "latched")));
        json_close_object(j);
    }
    json_close_array(j);
}
