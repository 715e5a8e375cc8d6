/* SPDX-License-Identifier: MIT
 * terminal.c: what standard output can show. */
#include "terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    COLUMNS_DEFAULT = 80,
    COLUMNS_WIDEST = 100 /* wider only draws the same picture flatter */
};

int terminal_columns(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20) return COLUMNS_DEFAULT;
    return size.ws_col < COLUMNS_WIDEST ? size.ws_col : COLUMNS_WIDEST;
}

/* no-color.org: any NO_COLOR that is not empty switches colour off. */
bool terminal_wants_colour(void)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    return isatty(STDOUT_FILENO) == 1 && (no_color == NULL || no_color[0] == '\0') &&
           term != NULL && strcmp(term, "dumb") != 0;
}

bool terminal_is_utf8(void)
{
    /* Numbers stay in the "C" locale: only the characters follow the user's. */
    return setlocale(LC_CTYPE, "") != NULL && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}
