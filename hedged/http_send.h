/* SPDX-License-Identifier: MIT
 * http_send: how a reply goes out. */
#ifndef HEDGED_HTTP_SEND_H
#define HEDGED_HTTP_SEND_H

#include "http.h"

struct mg_connection;

#define HTTP_SEND_SMALL 8192 /* bytes of a reply that is sent from the stack */

/* Whether the client wants the connection closed behind the answer. */
bool http_send_closes(const struct mg_connection *connection);

/* Sends head and body; `close`: the connection closes behind it. What was not
 * sent whole is followed by nothing. By the connection's own thread. */
void http_send(struct mg_connection *connection, http_reply *reply, bool close);

#endif
