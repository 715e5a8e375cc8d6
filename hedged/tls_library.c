/* SPDX-License-Identifier: MIT
 * tls_library: lets civetweb find OpenSSL.
 *
 * civetweb opens libraries by names that this process need not have (see
 * tls_shim.c). The linker takes one that is loaded already and bears the name
 * as its soname, so ours are loaded first, by their full paths. */
#include "tls_library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Found from where the program lies, since a prefix may be moved. */
static bool load(const char *name, char message[TLS_LIBRARY_MESSAGE_MAX])
{
    char program[2048], path[4096];
    const ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
    char *slash;

    program[n > 0 ? n : 0] = '\0';
    slash = strrchr(program, '/');
    if (slash != NULL) *slash = '\0';
    snprintf(path, sizeof(path), "%s/" HEDGE_TLS_FROM_BIN "/%s", program, name);
    if (dlopen(path, RTLD_NOW | RTLD_LOCAL) != NULL) return true; /* stays for good */
    snprintf(message, TLS_LIBRARY_MESSAGE_MAX,
             "HEDGE_TLS_CERT: a library that is installed with hedged cannot be loaded: %.300s",
             dlerror());
    return false;
}

bool tls_library_load(char message[TLS_LIBRARY_MESSAGE_MAX])
{
    return load("libcrypto.so", message) && load("libssl.so", message);
}
