/* SPDX-License-Identifier: MIT
 * version: which build this is. */
#include <hedge/hedge.h>

#include "git_sha.h"

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

const char *hedge_version(void)
{
    return TEXT(HEDGE_VERSION_MAJOR) "." TEXT(HEDGE_VERSION_MINOR) "." TEXT(
        HEDGE_VERSION_PATCH) "+" HEDGE_GIT_SHA;
}

uint32_t hedge_abi_version(void)
{
    return HEDGE_ABI_VERSION;
}
