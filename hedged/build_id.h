/* SPDX-License-Identifier: MIT
 * build_id: which very code of libhedge.so was loaded. */
#ifndef HEDGED_BUILD_ID_H
#define HEDGED_BUILD_ID_H

#include <stdbool.h>

#define BUILD_ID_MAX 65 /* hexadecimal digits and NUL */

/* The GNU build ID of the library, a hash of its contents that the linker wrote
 * into it. False: it has none. */
bool build_id_of_library(char id[BUILD_ID_MAX]);

#endif
