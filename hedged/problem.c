/* SPDX-License-Identifier: MIT
 * problem: what went wrong with a request, as RFC 9457 has it. */
#include "problem.h"

#include <stdarg.h>
#include <stdio.h>

bool problem_set(problem *p, int status, const char *code, const char *member, const char *format,
                 ...)
{
    va_list arguments;

    *p = (problem){.status = status, .code = code};
    snprintf(p->member, sizeof(p->member), "%s", member != NULL ? member : "");
    va_start(arguments, format);
    vsnprintf(p->detail, sizeof(p->detail), format, arguments);
    va_end(arguments);
    return false;
}

static const char *title_of(int status)
{
    switch (status) {
    case 400:
        return "Bad request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not found";
    case 405:
        return "Method not allowed";
    case 408:
        return "Request timeout";
    case 409:
        return "Conflict";
    case 411:
        return "Length required";
    case 413:
        return "Content too large";
    case 417:
        return "Expectation failed";
    case 422:
        return "Unprocessable content";
    case 429:
        return "Too many requests";
    case 431:
        return "Request header fields too large";
    case 503:
        return "Service unavailable";
    case 505:
        return "HTTP version not supported";
    default:
        return "Internal error";
    }
}

void problem_write(const problem *p, text *out)
{
    text_puts(out, "{");
    text_name(out, "type");
    text_printf(out, "\"urn:hedge:problem:%s\"", p->code);
    text_member_string(out, "title", title_of(p->status));
    text_member_int(out, "status", p->status);
    text_member_string(out, "code", p->code);
    text_member_string(out, "detail", p->detail);
    if (p->breaker != NULL) text_member_string(out, "breaker", p->breaker);
    if (p->member[0] != '\0') text_member_string(out, "member", p->member);
    if (p->file[0] != '\0') text_member_string(out, "file", p->file);
    if (p->line > 0) text_member_int(out, "line", p->line);
    if (p->decision_id[0] != '\0') text_member_string(out, "decision_id", p->decision_id);
    text_puts(out, "}");
}
