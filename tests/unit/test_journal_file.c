/* SPDX-License-Identifier: MIT
 * The journal's file, when SQLite says yes and keeps nothing. */
#include "journal_file.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64], path[80];
static journal_file file;

static void open_one(void)
{
    char message[JOURNAL_MESSAGE_MAX];
    bool busy;

    cr_assert_not_null(freopen("/dev/null", "w", stderr)); /* its log is no part of the test */
    strcpy(folder, "/tmp/hedge-file-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/journal.db", folder);
    cr_assert(journal_file_open(&file, path, message, &busy), "%s", message);
}

static void close_one(void)
{
    journal_file_close(&file);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(rmdir(folder), 0);
}

TestSuite(journal_file, .init = open_one, .fini = close_one);

static bool put(void)
{
    hedge_record record = HEDGE_INIT(hedge_record);

    record.kind = HEDGE_RECORD_START;
    record.seq = file.next.seq + 1;
    record.writer = file.writer;
    record.ts_ns = 1;
    return journal_file_put(&file, &record);
}

static void run(const char *sql)
{
    cr_assert_eq(sqlite3_exec(file.db, sql, NULL, NULL, NULL), SQLITE_OK, "%s",
                 sqlite3_errmsg(file.db));
}

Test(journal_file, a_record_that_was_not_stored_is_a_failed_write)
{
    cr_assert(journal_file_begin(&file));
    cr_assert(put());
    cr_assert(journal_file_commit(&file));
    run("CREATE TRIGGER z BEFORE INSERT ON records WHEN NEW.seq > 2"
        " BEGIN SELECT RAISE(IGNORE); END");
    cr_assert(journal_file_begin(&file));
    cr_assert(put(), "the second is stored");
    cr_assert_not(put(), "the third is not");
    cr_assert(strstr(journal_file_fault(&file), "was not stored") != NULL);
    journal_file_rollback(&file);
    cr_assert(strstr(journal_file_fault(&file), "was not stored") == NULL);
    cr_assert_eq(file.head.seq, 1);
    run("DROP TRIGGER z");
    cr_assert(journal_file_begin(&file));
    cr_assert(put() && put() && put());
    cr_assert(journal_file_commit(&file));
    cr_assert_eq(file.head.seq, 4);
}
