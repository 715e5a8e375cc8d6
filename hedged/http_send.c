/* SPDX-License-Identifier: MIT
 * http_send: how a reply goes out. */
#include "http_send.h"

#include "connections.h"

#include <civetweb.h>
#include <stdio.h>
#include <string.h>

void http_reply_problem(http_reply *reply, const problem *p)
{
    reply->status = p->status;
    reply->content_type = "application/problem+json";
    reply->retry_after_s = p->retry_after_s;
    reply->authenticate = p->authenticate;
    reply->body.n = 0;
    problem_write(p, &reply->body);
}

bool http_send_closes(const struct mg_connection *connection)
{
    const struct mg_request_info *info = mg_get_request_info(connection);
    const char *header = mg_get_header(connection, "Connection");

    if (header != NULL && strcasestr(header, "close") != NULL) return true;
    if (header != NULL && strcasestr(header, "keep-alive") != NULL) return false;
    return info->http_version == NULL || strcmp(info->http_version, "1.1") != 0;
}

static int write_head(char *out, size_t capacity, const http_reply *reply, bool close)
{
    char more[320] = "";
    size_t n = 0;

    if (reply->allow != NULL)
        n += (size_t)snprintf(more, sizeof(more), "Allow: %s\r\n", reply->allow);
    if (reply->retry_after_s > 0)
        n += (size_t)snprintf(more + n, sizeof(more) - n, "Retry-After: %d\r\n",
                              reply->retry_after_s);
    if (reply->authenticate != NULL)
        n += (size_t)snprintf(more + n, sizeof(more) - n, "WWW-Authenticate: %s\r\n",
                              reply->authenticate);
    if (reply->replayed) snprintf(more + n, sizeof(more) - n, "Idempotency-Replayed: true\r\n");
    return snprintf(out, capacity,
                    "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                    "Connection: %s\r\n%s\r\n",
                    reply->status, mg_get_response_code_text(NULL, reply->status),
                    reply->content_type, reply->body.n, close ? "close" : "keep-alive", more);
}

static bool send_bytes(struct mg_connection *connection, const void *bytes, size_t n)
{
    return mg_write(connection, bytes, n) == (int)n;
}

/* In place of a body that there was no memory for. The request itself may have come
 * to its end before: a halt holds then, and is recorded. */
static void replace_body(http_reply *reply, char *spare, size_t capacity)
{
    problem p;

    problem_set(&p, 503, "out_of_memory", NULL,
                "no memory for the answer; what was asked may have been done: look before you ask "
                "again");
    p.retry_after_s = 1;
    text_free(&reply->body);
    reply->body = text_in(spare, capacity);
    http_reply_problem(reply, &p);
}

/* In one write: two would be two packets. */
void http_send(struct mg_connection *connection, http_reply *reply, bool close)
{
    connection_slot *link = mg_get_user_connection_data(connection);
    const char *method = mg_get_request_info(connection)->request_method; /* NULL: unreadable */
    const bool bodiless = method != NULL && strcmp(method, "HEAD") == 0;
    char small[HTTP_SEND_SMALL], spare[512];
    size_t body;
    bool sent;
    int head;

    connection_enter(link, CONNECTION_ANSWER);
    if (reply->body.failed) {
        replace_body(reply, spare, sizeof(spare));
        close = true;
    }
    if (close) mg_disable_connection_keep_alive(connection);
    head = write_head(small, sizeof(small), reply, close);
    body = bodiless ? 0 : reply->body.n;
    if (head < 0 || (size_t)head >= sizeof(small)) {
        sent = false;
    } else if ((size_t)head + body <= sizeof(small)) {
        if (body > 0) memcpy(small + head, reply->body.bytes, body);
        sent = send_bytes(connection, small, (size_t)head + body);
    } else {
        sent = send_bytes(connection, small, (size_t)head) &&
               send_bytes(connection, reply->body.bytes, body);
    }
    if (!sent) {
        mg_disable_connection_keep_alive(connection);
        connection_reset(link);
    } else if (!close) {
        connection_enter(link, CONNECTION_IDLE);
    }
    if (reply->body.fixed) reply->body = (text){0}; /* the spare one ends here */
}
