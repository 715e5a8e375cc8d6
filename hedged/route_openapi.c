/* SPDX-License-Identifier: MIT
 * route_openapi: GET /openapi.json, what is served as a document. */
#include "app.h"

extern const char openapi_document[]; /* configs/openapi.json, by CMake */

void route_openapi(void *context, const http_request *request, http_reply *reply)
{
    (void)context, (void)request;
    text_puts(&reply->body, openapi_document);
}
