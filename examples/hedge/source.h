/* SPDX-License-Identifier: MIT
 * source.h: where records come from: a journal's file, a running daemon, or Postgres. */
#ifndef HEDGE_CLI_SOURCE_H
#define HEDGE_CLI_SOURCE_H

#include <hedge/hedge.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "command.h"

enum { SOURCE_NAME_MAX = 512, SOURCE_MESSAGE_MAX = 640 };

/* A place in a chain: a record's number and its hash. */
typedef struct source_place {
    bool given;
    uint64_t seq;
    uint8_t hash[HEDGE_HASH_SIZE];
} source_place;

/* The records of one writer. */
typedef struct source_chain {
    uint64_t writer;
    source_place base;     /* not given: it begins with record 1 */
    source_place head;     /* given where the source itself says where it ends */
    uint64_t parked;       /* copies of records that Postgres refused (a file alone knows) */
    uint64_t parked_alone; /* those whose record has left the file: the copy is all there is */
} source_chain;

/* One row: what the source keeps beside the record's bytes, and those. Pointers
 * live until the next row. */
typedef struct source_row {
    uint64_t seq;
    uint64_t writer;
    int64_t kind; /* 0: a word that is no kind */
    int64_t ts_ns;
    char asset[HEDGE_ASSET_NAME_MAX + 1];
    const uint8_t *record; /* NULL: more bytes than a record can have */
    size_t record_size;
    uint8_t hash[HEDGE_HASH_SIZE];
    const char *differs; /* a column of the source's own that is not as the record says; NULL */
    bool malformed;      /* columns of the wrong type or size; only seq is to be relied on */
} source_row;

typedef enum source_step { SOURCE_ROW, SOURCE_END, SOURCE_FAILED } source_step;
typedef enum source_found { SOURCE_FOUND, SOURCE_ABSENT, SOURCE_BROKEN } source_found;

typedef struct source source;
struct halt_check;

/* Takes one policy of a source; false stops. ts_ns: when it first went live; NULL: the source does
 * not say. */
typedef bool source_visit(void *context, const uint8_t hash[HEDGE_HASH_SIZE], const char *text,
                          size_t n, const int64_t *ts_ns);

/* What each kind of source can do. Every failure leaves source.fault and .message. */
typedef struct source_ops {
    /* Begins with the record behind `after` of a chain; `few`: up to three are wanted. */
    bool (*start)(source *s, const source_chain *chain, uint64_t after, bool few);
    source_step (*next)(source *s, source_row *row);
    /* Visits every policy; NULL: they can only be asked for one by one, which
     * may be done while another thread reads rows. */
    bool (*policies)(source *s, source_visit *visit, void *context);
    source_found (*policy)(source *s, const uint8_t hash[HEDGE_HASH_SIZE], bytes *text,
                           char message[SOURCE_MESSAGE_MAX]);
    /* Once every record is proven: what no row shows. NULL: there is nothing such. */
    bool (*prove)(source *s, const struct halt_check *halted);
    void (*close)(source *s);
} source_ops;

struct source {
    const source_ops *ops;
    void *state;
    bool checked;               /* rows are to be compared with all of the source's columns */
    bool ships;                 /* records arrive here from journals: one may be on its way */
    char name[SOURCE_NAME_MAX]; /* for messages; never holds a password */
    source_chain *chains;
    size_t chain_count;
    const char *fault; /* NULL: none; a stable name: unreadable, in_use, not_a_journal,
                        * not_a_page, damaged, truncated */
    char message[SOURCE_MESSAGE_MAX];
};

/* The options that choose a source, as text; NULL: not given. */
typedef struct source_options {
    const char *file, *url, *db, *writer;
} source_options;

#define SOURCE_OPTIONS(s)                                                                          \
    {"url", &(s).url, NULL}, {"db", &(s).db, NULL},                                                \
    {                                                                                              \
        "writer", &(s).writer, NULL                                                                \
    }

#define HELP_SOURCE                                                                                \
    "  --url URL          a running daemon, as http://127.0.0.1:8000 (GET /decisions);\n"          \
    "                     HEDGE_TOKEN is sent as bearer token\n"                                   \
    "                     HEDGE_CA, HEDGE_CLIENT_CERT, HEDGE_CLIENT_KEY: PEM files for https://\n" \
    "  --db DSN           Postgres, as \"host=db dbname=hedge user=auditor\"; 'env' takes it\n"    \
    "                     from HEDGE_DB_DSN. A password does not belong on a command line:\n"      \
    "                     HEDGE_DB_DSN, PGPASSWORD, ~/.pgpass or a service file hold it\n"         \
    "  --writer HEX       the records of this writer alone\n"

/* How the commands name their source: `FILE`, or one of the two options. */
#define HELP_SOURCE_USAGE "(FILE | --url URL | --db DSN)"

/* The lines about exit codes of the commands that read records. */
#define HELP_SOURCE_EXIT_CODES                                                                     \
    "\nExit codes: 0 all is well, 1 it is not (a record, a policy or a decision that is not\n"     \
    "what it should be), 2 wrong usage, or a source that cannot be read.\n"

/* Takes the positional argument at `at`, if any, as the file, and sees to it
 * that exactly one source is named. False: message says what is wrong. */
bool source_choose(source_options *options, int argc, char **argv, int at,
                   char message[SOURCE_MESSAGE_MAX]);

/* Opens it and lists its chains; `checked` as in the struct. Close it in either case.
 * False: *fault and message are set; a --writer that is not hex is "usage". */
bool source_open(const source_options *options, bool checked, source *s);
void source_close(source *s);

/* Notes a fault; always false. */
bool source_fail(source *s, const char *fault, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds a chain; NULL: out of memory, noted. */
source_chain *source_add_chain(source *s, uint64_t writer);
/* "SEQ:HASH" as a place; false: it is not one. */
bool source_read_place(const char *text, source_place *place);
/* 16 hexadecimal digits as a writer. */
bool source_read_writer(const char *text, uint64_t *writer);
/* HEDGE_RECORD_… of a kind's name ("decision"…); 0: there is none. */
int32_t source_kind_of(const char *name);
/* The name of a kind; "unknown". */
const char *source_kind_name(int32_t kind);

/* The exit code of a fault: a source that cannot be read is RESULT_USAGE. */
int source_fault_result(const char *fault);

bool source_file_open(source *s, const char *path);
bool source_url_open(source *s, const char *url);
bool source_postgres_open(source *s, const char *dsn);

#endif
