/* SPDX-License-Identifier: MIT
 * http_wire: whether a request's head is, byte for byte, what RFC 9112 has. */
#ifndef HEDGED_HTTP_WIRE_H
#define HEDGED_HTTP_WIRE_H

#include "problem.h"

struct mg_request_info;

/* False: problem 400 or 431; two readers of such a head could differ in what it
 * says, or in where the next one begins, so nothing behind it may be read. */
bool http_wire_check(const struct mg_request_info *info, problem *p);

#endif
