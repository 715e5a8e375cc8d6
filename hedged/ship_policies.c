/* SPDX-License-Identifier: MIT
 * ship_policies: the texts of the policies that records name, each sent once. */
#include "ship_policies.h"

#include "hex.h"

#include <stdlib.h>
#include <string.h>

static bool is_known(const ship_policies *p, const uint8_t hash[HEDGE_HASH_SIZE])
{
    for (size_t i = 0; i < p->n; i++)
        if (memcmp(p->known[i], hash, HEDGE_HASH_SIZE) == 0) return true;
    return false;
}

static void remember(ship_policies *p, const uint8_t hash[HEDGE_HASH_SIZE])
{
    memcpy(p->known[p->next], hash, HEDGE_HASH_SIZE);
    p->next = (p->next + 1) % SHIP_POLICIES_KNOWN;
    if (p->n < SHIP_POLICIES_KNOWN) p->n++;
}

postgres_answer ship_policies_send(ship_policies *p, postgres_link *link, journal *j,
                                   const uint8_t hash[HEDGE_HASH_SIZE])
{
    static const char sql[] = "INSERT INTO policies (hash, text) VALUES (decode($1, 'hex'), $2) "
                              "ON CONFLICT (hash) DO NOTHING";
    char digits[2 * HEDGE_HASH_SIZE + 1];
    const char *values[2] = {digits, NULL};
    postgres_answer answer = POSTGRES_OK;
    char *policy;

    if (is_known(p, hash)) return POSTGRES_OK;
    policy = journal_policy_text(j, hash);
    values[1] = policy;
    hex_write(hash, HEDGE_HASH_SIZE, digits);
    if (policy != NULL) answer = postgres_link_query_with(link, sql, 2, values);
    if (policy != NULL && answer == POSTGRES_OK) remember(p, hash);
    free(policy);
    return answer;
}
