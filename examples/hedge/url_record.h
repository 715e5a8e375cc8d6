/* SPDX-License-Identifier: MIT
 * url_record.h: what GET /decisions shows of a record, held against the record's own bytes. */
#ifndef HEDGE_CLI_URL_RECORD_H
#define HEDGE_CLI_URL_RECORD_H

#include <cjson/cJSON.h>
#include <hedge/hedge.h>

/* The first member of one element of "records" that is not as the record says, or is missing; NULL:
 * there is none. Members that this version does not know are a newer daemon's own. */
const char *url_record_differs(const cJSON *item, const hedge_record *record);

#endif
