/* SPDX-License-Identifier: MIT
 * policy_reader: reads the pieces that a policy's YAML is made of. */
#include "policy_reader.h"

#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- places and values ------------------------------------------------- */

void policy_join(char out[POLICY_FIELD_MAX], const char *at, const char *key)
{
    const bool both = at[0] != '\0' && key[0] != '\0' && key[0] != '[';

    snprintf(out, POLICY_FIELD_MAX, "%s%s%s", at, both ? "." : "", key);
}

int32_t policy_fail(const policy_reader *r, int32_t code, const yaml_node *node, const char *at,
                    const char *key, const char *format, ...)
{
    char field[POLICY_FIELD_MAX], message[sizeof(r->error->message)];
    const error_place place = {
        .file = r->file, .field = field, .line = node != NULL ? node->line : 0, .index = -1};
    va_list arguments;

    policy_join(field, at, key);
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    return error_set(r->error, code, place, "%s", message);
}

int32_t policy_no_memory(const policy_reader *r)
{
    return policy_fail(r, HEDGE_E_NOMEM, NULL, "", "", "out of memory");
}

/* Decimal numbers only: strtod alone would take nan, inf and hexadecimal. */
static bool scan_number(const yaml_node *node, double *out)
{
    char *end;

    if (node->kind != YAML_KIND_SCALAR || node->quoted || node->text[0] == '\0') return false;
    if (strspn(node->text, "+-.0123456789eE") != strlen(node->text)) return false;
    *out = strtod(node->text, &end) + 0.0; /* -0 becomes 0 */
    return *end == '\0' && isfinite(*out);
}

int32_t policy_read_number(const policy_reader *r, const yaml_node *node, const char *at,
                           double least, double most, bool above_least, double *out)
{
    double v;

    if (!scan_number(node, &v))
        return policy_fail(r, HEDGE_E_POLICY, node, at, "", "a decimal number is wanted here");
    if (!(v >= least && v <= most && (v > least || !above_least)))
        return policy_fail(r, HEDGE_E_POLICY, node, at, "",
                           "must be %s %.15g and at most %.15g (it is %.15g)",
                           above_least ? "above" : "at least", least, most, v);
    *out = v;
    return HEDGE_OK;
}

int32_t policy_read_word(const policy_reader *r, const yaml_node *node, const char *at,
                         const char *(*name)(int32_t), int32_t *out)
{
    char known[128] = "";
    size_t used = 0;

    for (int32_t i = 0; name(i) != NULL; i++) {
        if (node->kind == YAML_KIND_SCALAR && strcmp(node->text, name(i)) == 0) {
            *out = i;
            return HEDGE_OK;
        }
        used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", i > 0 ? ", " : "",
                                 name(i));
    }
    return policy_fail(r, HEDGE_E_POLICY, node, at, "", "must be one of: %s", known);
}

static int32_t unknown_key(const policy_reader *r, const yaml_node *child, const char *at,
                           const policy_member *members)
{
    const yaml_node place = {.line = child->key_line};
    char known[200] = "";
    size_t used = 0;

    for (const policy_member *m = members; m->key != NULL && used < sizeof(known); m++)
        used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
                                 m != members ? ", " : "", m->key);
    return policy_fail(r, HEDGE_E_POLICY, &place, at, child->key, "unknown key; known here: %s",
                       known);
}

int32_t policy_read_map(policy_reader *r, const yaml_node *map, const char *at,
                        const policy_member *members, void *into)
{
    if (map->kind != YAML_KIND_MAP)
        return policy_fail(r, HEDGE_E_POLICY, map, at, "", "a mapping is wanted here");
    for (const yaml_node *child = map->child; child != NULL; child = child->next) {
        const policy_member *m = members;
        char field[POLICY_FIELD_MAX];
        int32_t code;

        while (m->key != NULL && strcmp(m->key, child->key) != 0)
            m++;
        if (m->key == NULL) return unknown_key(r, child, at, members);
        policy_join(field, at, child->key);
        code = m->read(r, child, field, into);
        if (code != HEDGE_OK) return code;
    }
    return HEDGE_OK;
}

/* A pipe or a device in a file's place would keep the caller waiting for ever. */
static FILE *open_regular(const char *path)
{
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct stat info;
    FILE *file;

    if (fd < 0) return NULL;
    file = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) ? fdopen(fd, "rb") : NULL;
    if (file == NULL) {
        if (!S_ISREG(info.st_mode)) errno = S_ISDIR(info.st_mode) ? EISDIR : EINVAL;
        close(fd);
    }
    return file;
}

int32_t policy_read_file(const char *path, hedge_error *error, char **text, size_t *n)
{
    const error_place place = {.file = path, .index = -1};
    FILE *file = open_regular(path);
    char *bytes;

    if (file == NULL)
        return error_set(error, errno == ENOMEM ? HEDGE_E_NOMEM : HEDGE_E_IO, place,
                         "cannot be opened as a file: %s", strerror(errno));
    bytes = malloc(HEDGE_POLICY_FILE_MAX + 1);
    if (bytes == NULL) {
        fclose(file);
        return error_set(error, HEDGE_E_NOMEM, place, "out of memory");
    }
    *n = fread(bytes, 1, HEDGE_POLICY_FILE_MAX + 1, file);
    const int failed = ferror(file) ? errno : 0;
    fclose(file);
    if (failed == 0 && *n <= HEDGE_POLICY_FILE_MAX) {
        *text = bytes;
        return HEDGE_OK;
    }
    free(bytes);
    if (failed != 0)
        return error_set(error, HEDGE_E_IO, place, "cannot be read: %s", strerror(failed));
    return error_set(error, HEDGE_E_TOO_LARGE, place, "larger than 1 MiB");
}
