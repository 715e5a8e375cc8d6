/* SPDX-License-Identifier: MIT
 * policy_file.c: finds the policy a command works on, loads it and picks one of its assets. */
#include "policy_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "asset_group.h"
#include "options.h"
#include "plain.h"

static const char local_path[] = "configs/policy.yaml";

static bool copy_path(const char *from, char path[PATH_MAX])
{
    const size_t n = strlen(from);

    if (n >= PATH_MAX) return false;
    memcpy(path, from, n + 1);
    return true;
}

/* The policy that was installed with this program, found from where the
 * program lies. False if that cannot be told. */
static bool installed_path(char path[PATH_MAX])
{
    char program[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    char joined[2 * PATH_MAX];
    char *slash;

    if (n <= 0) return false;
    program[n] = '\0';
    slash = strrchr(program, '/');
    if (slash == NULL) return false;
    *slash = '\0';
    snprintf(joined, sizeof joined, "%s/%s", program, HEDGE_POLICY_FROM_BIN);
    return copy_path(joined, path);
}

/* A pipe or a device has no end to be sure of. A directory says what it is
 * when it is opened. */
static bool is_no_file(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

bool policy_file_find(const command *self, const char *given, char path[PATH_MAX])
{
    const char *variable = getenv("HEDGE_POLICY");
    const char *chosen = given;

    /* A path that was named is the only one tried: another policy would
     * answer a question nobody asked. */
    if (chosen == NULL && variable != NULL && variable[0] != '\0') chosen = variable;
    if (chosen != NULL) {
        const bool odd = is_no_file(chosen);

        if (!odd && copy_path(chosen, path) && access(path, F_OK) == 0) return true;
        fprintf(stderr, "hedge %s: no policy: %s%s %s\n", self->name,
                given != NULL ? "" : "$HEDGE_POLICY: ", chosen,
                odd ? "is not a regular file" : "does not exist");
        return false;
    }
    if (access(local_path, F_OK) == 0) return copy_path(local_path, path);
    if (!installed_path(path)) path[0] = '\0';
    if (path[0] != '\0' && access(path, F_OK) == 0) return true;
    fprintf(stderr,
            "hedge %s: no policy: tried %s and %s, and $HEDGE_POLICY is not set; name one\n",
            self->name, local_path, path[0] != '\0' ? path : "the installed one");
    return false;
}

void policy_error_write(const hedge_error *error, char *text, size_t capacity)
{
    char line[16] = "";
    const bool file = error->file[0] != '\0', field = error->field[0] != '\0';

    if (file && error->line > 0) snprintf(line, sizeof line, ":%d", error->line);
    snprintf(text, capacity, "%s%s%s%s%s%s", error->file, line, file ? ": " : "", error->field,
             field ? ": " : "",
             error->message[0] != '\0' ? error->message : hedge_status_text(error->code));
}

void policy_error_print(const hedge_error *error)
{
    char text[sizeof error->file + sizeof error->field + sizeof error->message + 32];

    policy_error_write(error, text, sizeof text);
    fprintf(stderr, "%s\n", plain(text));
}

int policy_error_result(const hedge_error *error)
{
    return error->code == HEDGE_E_IO ? RESULT_USAGE : RESULT_BAD_DATA;
}

hedge_policy *policy_file_load(const command *self, const char *given, int *result)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *policy = NULL;
    char path[PATH_MAX];

    if (!policy_file_find(self, given, path)) {
        *result = RESULT_USAGE;
        return NULL;
    }
    if (hedge_policy_load(path, &error, &policy) == HEDGE_OK) return policy;
    policy_error_print(&error);
    *result = policy_error_result(&error);
    return NULL;
}

static void unknown_asset(const command *self, const hedge_policy *policy, const char *name)
{
    const char *names[HEDGE_ASSETS_MAX];
    const size_t n = hedge_policy_asset_count(policy);
    const char *near;

    for (size_t i = 0; i < n; i++)
        names[i] = hedge_policy_asset_name(policy, (int32_t)i);
    near = nearest_name(name, names, n);
    if (near != NULL)
        usage_error(self, "the policy has no asset '%s'; did you mean '%s'?", name, near);
    else
        usage_error(self, "the policy has no asset '%s'", name);
}

int32_t policy_file_asset(const command *self, const hedge_policy *policy, const char *name)
{
    const size_t n = hedge_policy_asset_count(policy);
    const hedge_curve *first = hedge_policy_curve(policy, 0);

    if (n == 0) {
        usage_error(self, "the policy names no asset");
        return -1;
    }
    if (name != NULL) {
        const int32_t asset = hedge_policy_asset(policy, name);

        if (asset < 0) unknown_asset(self, policy, name);
        return asset;
    }
    for (size_t i = 1; i < n; i++)
        if (!curves_equal(first, hedge_policy_curve(policy, (int32_t)i))) {
            usage_error(self, "%s and %s have different curves: choose with --asset",
                        hedge_policy_asset_name(policy, 0),
                        hedge_policy_asset_name(policy, (int32_t)i));
            return -1;
        }
    return 0;
}
