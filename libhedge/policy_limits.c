/* SPDX-License-Identifier: MIT
 * policy_limits: reads the breakers' settings of a policy. */
#include "policy_limits.h"

#include "limits.h"

#include <stdio.h>
#include <string.h>

/* One breaker while its setting is read: what it inherits and what is new. */
typedef struct setting {
    const limits_entry *entry;
    hedge_limit limit;
    bool has_floor;
} setting;

static int32_t read_bound(policy_reader *r, const yaml_node *node, const char *at, void *into)
{
    setting *s = into;

    return policy_read_number(r, node, at, s->entry->least, s->entry->most, s->entry->above_least,
                              &s->limit.limit);
}

static int32_t read_upper(policy_reader *r, const yaml_node *node, const char *at, void *into)
{
    setting *s = into;

    return policy_read_number(r, node, at, s->entry->least, s->entry->most, false, &s->limit.upper);
}

static int32_t read_action(policy_reader *r, const yaml_node *node, const char *at, void *into)
{
    setting *s = into;
    int32_t code = policy_read_word(r, node, at, limits_action_name, &s->limit.action);

    if (code == HEDGE_OK && s->limit.action == HEDGE_ACTION_FLAG && !s->entry->may_flag)
        return policy_fail(r, HEDGE_E_POLICY, node, at, "",
                           "flag cannot be had here, as there is no number to answer with: "
                           "reject, or floor");
    return code;
}

static int32_t read_floor(policy_reader *r, const yaml_node *node, const char *at, void *into)
{
    setting *s = into;

    s->has_floor = true;
    return policy_read_number(r, node, at, 0.0, 1.0, false, &s->limit.floor);
}

static const policy_member limit_members[] = {
    {"limit", read_bound}, {"action", read_action}, {"floor", read_floor}, {NULL, NULL}};
static const policy_member extreme_members[] = {{"below", read_bound},
                                                {"above", read_upper},
                                                {"action", read_action},
                                                {"floor", read_floor},
                                                {NULL, NULL}};
static const policy_member bare_members[] = {
    {"action", read_action}, {"floor", read_floor}, {NULL, NULL}};

static const policy_member *members_of(const limits_entry *entry)
{
    if (entry->trip == HEDGE_TRIP_EXTREME_SCORE) return extreme_members;
    return entry->has_limit ? limit_members : bare_members;
}

/* floor goes with action: floor, and only with it. */
static int32_t check_floor(policy_reader *r, const yaml_node *node, const char *at, setting *s,
                           const hedge_limit *inherited)
{
    if (s->limit.action != HEDGE_ACTION_FLOOR) {
        if (s->has_floor)
            return policy_fail(r, HEDGE_E_POLICY, yaml_node_get(node, "floor"), at, "floor",
                               "goes with action: floor only");
        s->limit.floor = 0.0;
        return HEDGE_OK;
    }
    if (!s->has_floor && inherited->action != HEDGE_ACTION_FLOOR)
        return policy_fail(r, HEDGE_E_POLICY, node, at, "floor",
                           "missing: action: floor needs the hedge to answer with");
    return HEDGE_OK;
}

static int32_t read_setting(policy_reader *r, const yaml_node *node, const char *at, void *into)
{
    hedge_rules *rules = into;
    setting s;
    size_t i = 0;
    int32_t code;

    while (limits_table[i].field == NULL || strcmp(limits_table[i].field, node->key) != 0)
        i++; /* ends: the key is one of the table's */
    s = (setting){.entry = &limits_table[i], .limit = rules->limits[i]};
    if (node->kind == YAML_KIND_SCALAR && members_of(s.entry) == limit_members) {
        code = read_bound(r, node, at, &s);
    } else {
        code = policy_read_map(r, node, at, members_of(s.entry), &s);
        if (code == HEDGE_OK) code = check_floor(r, node, at, &s, &rules->limits[i]);
    }
    if (code != HEDGE_OK) return code;
    if (s.entry->trip == HEDGE_TRIP_EXTREME_SCORE && !(s.limit.limit <= s.limit.upper))
        return policy_fail(r, HEDGE_E_POLICY, node, at, "", "below (%.15g) is above above (%.15g)",
                           s.limit.limit, s.limit.upper);
    rules->limits[i] = s.limit;
    return HEDGE_OK;
}

int32_t policy_read_limits(policy_reader *r, const yaml_node *node, const char *at, void *rules)
{
    policy_member members[HEDGE_BREAKER_COUNT + 1];
    size_t n = 0;

    for (size_t i = 0; i < HEDGE_BREAKER_COUNT; i++)
        if (limits_table[i].field != NULL)
            members[n++] = (policy_member){limits_table[i].field, read_setting};
    members[n] = (policy_member){NULL, NULL};
    return policy_read_map(r, node, at, members, rules);
}
