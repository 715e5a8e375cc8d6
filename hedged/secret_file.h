/* SPDX-License-Identifier: MIT
 * secret_file: a secret that stands in a file of its own, and who else may read it.
 *
 * A file that everybody may read, or a group or user that the daemon has nothing
 * to do with, is refused: what was meant to be kept is known already. What is
 * checked is the file that is open, so that nobody can swap it in between. */
#ifndef HEDGED_SECRET_FILE_H
#define HEDGED_SECRET_FILE_H

#include "setting.h"

#include <stdbool.h>
#include <stddef.h>

/* A file as it was read: its bytes with a NUL behind, and who gets at it. */
typedef struct secret_file {
    char *bytes; /* NULL: it was not read */
    size_t n;
    bool guarded;  /* not everybody may write it */
    bool kept;     /* nobody but its owner, root and the daemon's user and groups */
    char why[160]; /* where it is not: who does, and what to do */
} secret_file;

/* Reads the whole of a regular file of 1 to max bytes, whoever gets at it. False:
 * reason, without the path. Any thread. */
bool secret_file_load(const char *path, size_t max, secret_file *out,
                      char reason[SETTING_MESSAGE_MAX]);
/* Wipes and frees the bytes. */
void secret_file_unload(secret_file *file);

/* Reads the whole file at path, which the setting `variable` names. It must be a
 * regular file of 1 to max bytes without NUL; nobody but its owner, root and the
 * daemon's own user and groups may read or write it, by mode or by access list;
 * its owner is root or the daemon's user.
 * *out: its bytes with a NUL behind, *n (which may be NULL): how many they are;
 * the caller gives them to secret_file_free. False: *out is NULL, and message
 * names the variable, the path and what to do, and nothing of the content. Any
 * thread. */
bool secret_file_read(const char *variable, const char *path, size_t max, char **out, size_t *n,
                      char message[SETTING_MESSAGE_MAX]);

/* Wipes and frees it; NULL is fine. */
void secret_file_free(char *secret);

/* The value of the setting `variable`, or the one line in the file that the
 * setting variable_FILE names (as systemd's LoadCredential= and Kubernetes'
 * secrets have it). *out: NULL where neither is set, else for secret_file_free.
 * False: both are set, the file is refused, or its value is not one line of at
 * most max bytes. */
bool secret_file_setting(const char *variable, size_t max, char **out,
                         char message[SETTING_MESSAGE_MAX]);

#endif
