/* SPDX-License-Identifier: MIT
 * strict_json.c: one JSON object that can be read in one way alone. */
#include "strict_json.h"

#include <stdint.h>
#include <string.h>

enum { MEMBERS_MAX = 64, DEPTH_MAX = 16 };

/* Readers differ in which of two members of one name they take, and in what they make of a NUL:
 * a page that could be read in two ways is none. */
static bool has_nul(const char *text, size_t n)
{
    static const char escape[] = "\\u0000";
    const char *end = text + n;

    if (memchr(text, '\0', n) != NULL) return true;
    for (const char *p = text; (p = memmem(p, (size_t)(end - p), escape, 6)) != NULL; p++) {
        const char *first = p;

        while (first > text && first[-1] == '\\')
            first--;
        if ((p - first) % 2 == 0) return true;
    }
    return false;
}

static bool is_before(const cJSON *object, const cJSON *member)
{
    for (const cJSON *m = object->child; m != member; m = m->next)
        if (strcmp(m->string, member->string) == 0) return true;
    return false;
}

/* Names of one bit are compared, and those are few. */
static bool names_differ(const cJSON *object)
{
    uint64_t seen = 0;
    size_t n = 0;

    for (const cJSON *m = object->child; m != NULL; m = m->next) {
        uint32_t sum = 0;
        uint64_t bit;

        for (const char *p = m->string; *p != '\0'; p++)
            sum = sum * 31 + (unsigned char)*p;
        bit = UINT64_C(1) << (sum * UINT32_C(2654435761) >> 26);
        if (n++ == MEMBERS_MAX || ((seen & bit) != 0 && is_before(object, m))) return false;
        seen |= bit;
    }
    return true;
}

/* Every object of the tree, at any level. */
static bool all_names_differ(const cJSON *root)
{
    const cJSON *above[DEPTH_MAX];
    const cJSON *at = root;
    size_t depth = 0;

    while (at != NULL) {
        if (cJSON_IsObject(at) && !names_differ(at)) return false;
        if (at->child != NULL) {
            if (depth == DEPTH_MAX) return false;
            above[depth++] = at;
            at = at->child;
            continue;
        }
        while (at->next == NULL && depth > 0)
            at = above[--depth];
        at = depth > 0 ? at->next : NULL;
    }
    return true;
}

cJSON *strict_json_object(const bytes *text, const char **what)
{
    const char *end = NULL;
    cJSON *page = text->n > 0 && !has_nul(text->at, text->n)
                      ? cJSON_ParseWithLengthOpts(text->at, text->n, &end, 0)
                      : NULL;
    bool fine = cJSON_IsObject(page);

    *what = "it is not one JSON object";
    while (fine && end < text->at + text->n && strchr(" \t\r\n", *end) != NULL)
        end++;
    if (fine) fine = end == text->at + text->n;
    if (fine && !all_names_differ(page)) {
        fine = false;
        *what = "a member is there twice, or it holds far too much";
    }
    if (fine) return page;
    cJSON_Delete(page);
    return NULL;
}
