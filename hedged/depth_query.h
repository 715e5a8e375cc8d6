/* SPDX-License-Identifier: MIT
 * depth_query: configs/depth_query.sql as the daemon carries it. */
#ifndef HEDGED_DEPTH_QUERY_H
#define HEDGED_DEPTH_QUERY_H

extern const char depth_query[]; /* made by CMake; ends with NUL */

#endif
