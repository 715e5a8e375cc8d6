/* SPDX-License-Identifier: MIT
 * settings_http: how many may connect, and how long they may take. */
#include "settings_http.h"

bool settings_read_http(connections_limits *limits, char message[SETTING_MESSAGE_MAX])
{
    long most = 768, per_peer = 256, head = 2000, body = 2000, answer = 5000, idle = 15000;

    if (!setting_whole_number("HEDGE_HTTP_CONNECTIONS", CONNECTIONS_LEAST, 8192, &most, message) ||
        !setting_whole_number("HEDGE_HTTP_CONNECTIONS_PER_PEER", 0, 8192, &per_peer, message) ||
        !setting_whole_number("HEDGE_HTTP_HEAD_MS", 100, 60000, &head, message) ||
        !setting_whole_number("HEDGE_HTTP_BODY_MS", 100, 60000, &body, message) ||
        !setting_whole_number("HEDGE_HTTP_ANSWER_MS", 100, 60000, &answer, message) ||
        !setting_whole_number("HEDGE_HTTP_IDLE_MS", 100, 3600000, &idle, message))
        return false;
    *limits = (connections_limits){.most = (uint32_t)most,
                                   .most_per_peer = (uint32_t)per_peer,
                                   .head_ms = (int32_t)head,
                                   .body_ms = (int32_t)body,
                                   .answer_ms = (int32_t)answer,
                                   .idle_ms = (int32_t)idle};
    return true;
}
