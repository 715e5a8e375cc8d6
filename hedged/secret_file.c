/* SPDX-License-Identifier: MIT
 * secret_file: a secret that stands in a file of its own, and who else may read it. */
#include "secret_file.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAY_READ_OR_WRITE 06u
#define ACL_ATTRIBUTE "system.posix_acl_access"
#define ACL_VERSION 2u
#define ACL_ENTRIES_MAX 64

/* One entry of an access list, as Linux keeps it behind a version (posix_acl_xattr.h). */
typedef struct acl_entry {
    uint16_t tag, permissions;
    uint32_t id;
} acl_entry;

typedef struct acl {
    uint32_t version;
    acl_entry entries[ACL_ENTRIES_MAX];
} acl;

enum { ACL_OF_USER = 0x02, ACL_OF_OWNING_GROUP = 0x04, ACL_OF_GROUP = 0x08, ACL_OF_MASK = 0x10 };

/* ---- who may read it ---------------------------------------------------------- */

static bool is_own_group(gid_t group)
{
    gid_t *groups;
    int n;
    bool found = group == getegid();

    if (found) return true;
    n = getgroups(0, NULL);
    groups = n > 0 ? malloc((size_t)n * sizeof(*groups)) : NULL;
    if (groups == NULL) return false;
    n = getgroups(n, groups);
    for (int i = 0; i < n; i++)
        found |= groups[i] == group;
    free(groups);
    return found;
}

/* The permissions that the mode shows for the group are the access list's mask
 * where there is one: systemd gives credentials to a service's user so. False:
 * somebody else is let in; who says whom. */
static bool is_kept_by_list(const acl *list, size_t n, gid_t group, char who[64])
{
    unsigned mask = MAY_READ_OR_WRITE;

    for (size_t i = 0; i < n; i++)
        if (le16toh(list->entries[i].tag) == ACL_OF_MASK)
            mask = le16toh(list->entries[i].permissions);
    for (size_t i = 0; i < n; i++) {
        const unsigned tag = le16toh(list->entries[i].tag);
        const uint32_t id =
            tag == ACL_OF_OWNING_GROUP ? (uint32_t)group : le32toh(list->entries[i].id);

        if ((le16toh(list->entries[i].permissions) & mask & MAY_READ_OR_WRITE) == 0) continue;
        if (tag == ACL_OF_USER && id != geteuid() && id != 0) {
            snprintf(who, 64, "user %u", id);
            return false;
        }
        if ((tag == ACL_OF_GROUP || tag == ACL_OF_OWNING_GROUP) && !is_own_group((gid_t)id)) {
            snprintf(who, 64, "group %u", id);
            return false;
        }
    }
    return true;
}

static bool is_kept(int fd, const struct stat *info, char who[64])
{
    acl list;
    ssize_t n;

    if ((info->st_mode & MAY_READ_OR_WRITE) != 0) {
        snprintf(who, 64, "everybody");
        return false;
    }
    if (info->st_uid != geteuid() && info->st_uid != 0) {
        snprintf(who, 64, "its owner, user %u,", (unsigned)info->st_uid);
        return false;
    }
    if (((info->st_mode >> 3) & MAY_READ_OR_WRITE) == 0) return true; /* nor does a list let in */
    n = fgetxattr(fd, ACL_ATTRIBUTE, &list, sizeof(list));
    if (n >= (ssize_t)sizeof(list.version) && le32toh(list.version) == ACL_VERSION)
        return is_kept_by_list(&list, ((size_t)n - sizeof(list.version)) / sizeof(acl_entry),
                               info->st_gid, who);
    snprintf(who, 64, "group %u", (unsigned)info->st_gid);
    return (n >= 0 || errno != ERANGE) && is_own_group(info->st_gid);
}

/* ---- reading it ---------------------------------------------------------------- */

/* Up to n bytes, over interrupted reads; -1: errno says why. */
static ssize_t read_all(int fd, char *out, size_t n)
{
    size_t at = 0;

    while (at < n) {
        const ssize_t got = read(fd, out + at, n - at);

        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        at += (size_t)got;
    }
    return (ssize_t)at;
}

static bool load_open(int fd, size_t max, secret_file *out, char reason[SETTING_MESSAGE_MAX])
{
    struct stat info;
    char who[64];
    ssize_t got;

    if (fstat(fd, &info) != 0) return setting_refuse(reason, "%s", strerror(errno));
    if (!S_ISREG(info.st_mode)) return setting_refuse(reason, "is not a file");
    if (info.st_size < 1 || (uint64_t)info.st_size > max)
        return setting_refuse(reason, "must hold 1 to %zu bytes", max);
    out->guarded = (info.st_mode & S_IWOTH) == 0;
    out->kept = is_kept(fd, &info, who);
    if (!out->kept)
        snprintf(out->why, sizeof(out->why),
                 "%s may read or write it (mode %04o); chmod 600, or 640 with a group of the "
                 "daemon's",
                 who, (unsigned)info.st_mode & 07777u);
    out->bytes = calloc(1, (size_t)info.st_size + 2); /* room to see that it has grown */
    if (out->bytes == NULL) return setting_refuse(reason, "no memory to read it");
    got = read_all(fd, out->bytes, (size_t)info.st_size + 1);
    if (got < 0) return setting_refuse(reason, "%s", strerror(errno));
    out->n = (size_t)got;
    if (got != info.st_size) return setting_refuse(reason, "changed while it was read");
    return true;
}

/* O_NONBLOCK: a pipe nobody writes to must not hold up the start. */
bool secret_file_load(const char *path, size_t max, secret_file *out,
                      char reason[SETTING_MESSAGE_MAX])
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    bool ok;

    *out = (secret_file){0};
    if (fd < 0) return setting_refuse(reason, "%s", strerror(errno));
    ok = load_open(fd, max, out, reason);
    close(fd);
    if (!ok) secret_file_unload(out);
    return ok;
}

void secret_file_unload(secret_file *file)
{
    if (file->bytes == NULL) return;
    explicit_bzero(file->bytes, file->n);
    free(file->bytes);
    file->bytes = NULL;
}

bool secret_file_read(const char *variable, const char *path, size_t max, char **out, size_t *n,
                      char message[SETTING_MESSAGE_MAX])
{
    char reason[SETTING_MESSAGE_MAX];
    secret_file file;

    *out = NULL;
    if (!secret_file_load(path, max, &file, reason))
        return setting_refuse(message, "%s=%.150s: %.200s", variable, path, reason);
    if (!file.kept)
        setting_refuse(message, "%s=%.150s: holds a secret, and %s", variable, path, file.why);
    else if (strlen(file.bytes) != file.n)
        setting_refuse(message, "%s=%.150s: must be a text without NUL", variable, path);
    else
        *out = file.bytes;
    if (*out == NULL) {
        secret_file_unload(&file);
        return false;
    }
    if (n != NULL) *n = file.n;
    return true;
}

void secret_file_free(char *secret)
{
    if (secret == NULL) return;
    explicit_bzero(secret, strlen(secret));
    free(secret);
}

/* ---- as a setting --------------------------------------------------------------- */

/* Takes one line's end away; false: there is more than one line. */
static bool is_one_line(char *value)
{
    size_t n = strlen(value);

    if (n > 0 && value[n - 1] == '\n') n--;
    if (n > 0 && value[n - 1] == '\r') n--;
    value[n] = '\0';
    return n > 0 && strpbrk(value, "\r\n") == NULL;
}

bool secret_file_setting(const char *variable, size_t max, char **out,
                         char message[SETTING_MESSAGE_MAX])
{
    const char *value = setting_value(variable), *path;
    char name[64];

    *out = NULL;
    snprintf(name, sizeof(name), "%s_FILE", variable);
    path = setting_value(name);
    if (value != NULL && path != NULL)
        return setting_refuse(message, "%s and %s: only one of them may be set", variable, name);
    if (path != NULL) {
        if (!secret_file_read(name, path, max + 2, out, NULL, message)) return false;
        if (is_one_line(*out) && strlen(*out) <= max) return true;
        secret_file_free(*out);
        *out = NULL;
        return setting_refuse(message, "%s=%.150s: must hold one line of at most %zu bytes", name,
                              path, max);
    }
    if (value == NULL) return true;
    if (strlen(value) > max)
        return setting_refuse(message, "%s: must be at most %zu bytes", variable, max);
    *out = strdup(value);
    return *out != NULL || setting_refuse(message, "%s: out of memory", variable);
}
