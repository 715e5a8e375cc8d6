/* SPDX-License-Identifier: MIT
 * ship_policies: the texts of the policies that records name, each sent once. */
#include "ship_policies.h"

#include "hex.h"
#include "log.h"
#include "ship_fault.h"

#include <stdio.h>
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

static postgres_answer look(postgres_link *link, const char *digits, bool *there)
{
    PGresult *result;
    const postgres_answer answer = postgres_link_query_with(
        link, "SELECT FROM policies WHERE hash = decode($1, 'hex')", 1, &digits, &result);

    *there = answer == POSTGRES_OK && PQntuples(result) > 0;
    PQclear(result);
    return answer;
}

/* Sends a text that is not there, and looks again: a trigger or a rule could drop it. */
static postgres_answer put(postgres_link *link, const char *digits, const char *policy)
{
    static const char sql[] = "INSERT INTO policies (hash, text) VALUES (decode($1, 'hex'), $2) "
                              "ON CONFLICT (hash) DO NOTHING";
    const char *const values[2] = {digits, policy};
    postgres_answer answer = postgres_link_query_with(link, sql, 2, values, NULL);
    bool there = false;

    if (answer == POSTGRES_OK) answer = look(link, digits, &there);
    if (answer != POSTGRES_OK || there) return answer;
    snprintf(link->sqlstate, sizeof(link->sqlstate), SHIP_STATE_POLICY);
    snprintf(link->fault, sizeof(link->fault),
             "policies took the text of %.16s... and does not hold it: a trigger or rule drops it",
             digits);
    return POSTGRES_REFUSED;
}

postgres_answer ship_policies_send(ship_policies *p, postgres_link *link, journal *j,
                                   const uint8_t hash[HEDGE_HASH_SIZE])
{
    char digits[2 * HEDGE_HASH_SIZE + 1];
    postgres_answer answer;
    char *policy;
    bool there;

    if (is_known(p, hash)) return POSTGRES_OK;
    hex_write(hash, HEDGE_HASH_SIZE, digits);
    answer = look(link, digits, &there);
    if (answer == POSTGRES_OK && !there) {
        journal_policy_text(j, hash, &policy);
        if (policy != NULL)
            answer = put(link, digits, policy);
        else
            LOG(LOG_WARN, "policy_text_missing", LOG_TEXT("policy", digits),
                LOG_TEXT("message", "the journal cannot give this text, and the database lacks it"),
                LOG_TEXT("effect", "hedge replay --db cannot decide its records again"));
        free(policy);
    }
    if (answer == POSTGRES_OK) remember(p, hash);
    return answer;
}
