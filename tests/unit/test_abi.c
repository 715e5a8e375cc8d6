/* SPDX-License-Identifier: MIT
 * HEDGE_INIT. Layouts and numbers are held by tests/abi/abi.txt. */
#include "support.h"

#include <criterion/criterion.h>

Test(abi, init_sets_the_size_and_clears_the_rest)
{
    const hedge_decision d = HEDGE_INIT(hedge_decision);
    const unsigned char *bytes = (const unsigned char *)&d;

    cr_expect_eq(d.struct_size, sizeof(d));
    for (size_t i = sizeof(d.struct_size); i < sizeof(d); i++)
        cr_expect_eq(bytes[i], 0, "byte %zu", i);
}
