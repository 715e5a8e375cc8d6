/* SPDX-License-Identifier: MIT
 * What the two files of the test of hedge.hpp share. */
#ifndef HEDGE_TESTS_TEST_HPP
#define HEDGE_TESTS_TEST_HPP

#include <hedge/hedge.hpp>

/* Prints what is not so; main counts. */
#define CHECK(fine) check((fine), #fine, __FILE__, __LINE__)
void check(bool fine, const char *what, const char *file, int line);

long allocations(); /* so far: malloc and its kin, operator new */
const char *policy_path();
hedge::curve some_curve(); /* the default knots */
hedge::policy some_policy();

void calls_are_those_of_c();
void null_is_no_array();

#endif
