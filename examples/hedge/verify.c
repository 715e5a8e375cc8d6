/* SPDX-License-Identifier: MIT
 * verify.c: `hedge verify`, walks a journal's chain and names the first record that is not whole.
 */
#include <hedge/hedge.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "journal_file.h"
#include "json.h"
#include "number.h"
#include "options.h"
#include "policy_set.h"

enum { HEX_MAX = 2 * HEDGE_HASH_SIZE + 1, TIME_MAX = 40, MESSAGE_MAX = 640 };

/* A head that was kept elsewhere. */
typedef struct anchor {
    bool given;
    uint64_t seq;
    uint8_t hash[HEDGE_HASH_SIZE];
} anchor;

typedef struct verification {
    const char *path;
    journal_file file;
    policy_set policies;
    anchor head;
    uint64_t seq; /* the newest record that was whole */
    uint8_t hash[HEDGE_HASH_SIZE];
    uint64_t decisions;
    uint64_t rejections;
    int64_t first_ts_ns;
    int64_t last_ts_ns;
    const char *fault; /* NULL: none; a stable name */
    uint64_t bad_seq;  /* the record at fault, 0: none of them */
    char message[MESSAGE_MAX];
} verification;

static bool fault(verification *v, const char *name, uint64_t seq, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Notes the first fault; always false. */
static bool fault(verification *v, const char *name, uint64_t seq, const char *format, ...)
{
    va_list arguments;

    v->fault = name;
    v->bad_seq = seq;
    va_start(arguments, format);
    vsnprintf(v->message, sizeof v->message, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- the walk ----------------------------------------------------------- */

/* The columns of one row. Blobs and texts live until the next step. */
typedef struct row {
    uint64_t seq;
    int64_t kind;
    int64_t ts_ns;
    const char *asset;
    const uint8_t *record;
    size_t record_size;
    const uint8_t *hash;
} row;

static bool read_row(verification *v, sqlite3_stmt *rows, row *r)
{
    const uint64_t expected = v->seq + 1;
    const int64_t seq = sqlite3_column_int64(rows, 0);

    if (seq <= 0 || (uint64_t)seq < expected)
        return fault(v, "reordered", expected, "its place is taken by a record numbered %" PRId64,
                     seq);
    if ((uint64_t)seq != expected)
        return fault(v, "missing", expected, "missing: record %" PRId64 " comes next", seq);
    if (sqlite3_column_type(rows, 1) != SQLITE_INTEGER ||
        sqlite3_column_type(rows, 2) != SQLITE_INTEGER ||
        sqlite3_column_type(rows, 3) != SQLITE_TEXT ||
        sqlite3_column_type(rows, 4) != SQLITE_BLOB ||
        sqlite3_column_type(rows, 5) != SQLITE_BLOB ||
        sqlite3_column_bytes(rows, 5) != HEDGE_HASH_SIZE)
        return fault(v, "changed", expected, "changed: its columns are not of the journal's types");
    r->seq = (uint64_t)seq;
    r->kind = sqlite3_column_int64(rows, 1);
    r->ts_ns = sqlite3_column_int64(rows, 2);
    r->asset = (const char *)sqlite3_column_text(rows, 3);
    r->record = sqlite3_column_blob(rows, 4);
    r->record_size = (size_t)sqlite3_column_bytes(rows, 4);
    r->hash = sqlite3_column_blob(rows, 5);
    return true;
}

/* The record says what the row says. */
static bool check_columns(verification *v, const row *r, const hedge_record *record)
{
    const char *column = record->kind != r->kind                ? "kind"
                         : record->ts_ns != r->ts_ns            ? "ts_ns"
                         : r->asset == NULL                     ? "asset"
                         : strcmp(record->asset, r->asset) != 0 ? "asset"
                                                                : NULL;

    if (record->writer != v->file.writer)
        return fault(v, "changed", r->seq,
                     "written by %016" PRIx64 ", but the journal's writer is %016" PRIx64,
                     record->writer, v->file.writer);
    if (column != NULL)
        return fault(v, "changed", r->seq, "changed: its column %s differs from the record",
                     column);
    return true;
}

static bool check_record(verification *v, const row *r, hedge_record *record)
{
    uint8_t hash[HEDGE_HASH_SIZE];

    if (r->record == NULL || hedge_record_decode(r->record, r->record_size, record) != HEDGE_OK)
        return fault(v, "changed", r->seq, "changed: its bytes are not a record");
    if (record->seq != r->seq)
        return fault(v, "reordered", r->seq,
                     "changed or reordered: its bytes are those of record %" PRIu64, record->seq);
    if (hedge_record_chain(v->hash, r->record, r->record_size, hash) != HEDGE_OK ||
        memcmp(hash, r->hash, sizeof hash) != 0)
        return fault(v, "changed", r->seq,
                     "changed: its hash does not follow from its bytes and record %" PRIu64,
                     v->seq);
    if (!check_columns(v, r, record)) return false;
    if ((record->kind == HEDGE_RECORD_DECISION || record->kind == HEDGE_RECORD_POLICY) &&
        !policy_set_has(&v->policies, record->policy_hash)) {
        char name[HEX_MAX];

        number_write_hex(record->policy_hash, HEDGE_HASH_SIZE, name);
        return fault(v, "policy", r->seq, "its policy %.12s is not in the journal", name);
    }
    memcpy(v->hash, hash, sizeof v->hash);
    return true;
}

/* The head that was kept elsewhere is the hash of that record here too. */
static bool check_head(verification *v)
{
    if (!v->head.given || v->head.seq != v->seq) return true;
    if (memcmp(v->head.hash, v->hash, sizeof v->hash) == 0) return true;
    return fault(v, "rewritten", v->seq,
                 "rewritten: the chain is whole, but its hash is not the one of the kept head");
}

static void count_record(verification *v, const hedge_record *record)
{
    if (v->seq == 0) v->first_ts_ns = record->ts_ns;
    v->last_ts_ns = record->ts_ns;
    v->seq = record->seq;
    if (record->kind != HEDGE_RECORD_DECISION) return;
    v->decisions++;
    if (record->decision.status != HEDGE_OK) v->rejections++;
}

static bool walk_records(verification *v)
{
    sqlite3_stmt *rows = NULL;
    bool fine = check_head(v);
    int step = SQLITE_DONE;

    sqlite3_prepare_v2(v->file.db,
                       "SELECT seq, kind, ts_ns, asset, record, hash FROM records ORDER BY seq", -1,
                       &rows, NULL);
    while (fine && (step = sqlite3_step(rows)) == SQLITE_ROW) {
        hedge_record record = HEDGE_INIT(hedge_record);
        row r = {0};

        fine = read_row(v, rows, &r) && check_record(v, &r, &record);
        if (fine) {
            count_record(v, &record);
            fine = check_head(v);
        }
    }
    if (fine && step != SQLITE_DONE)
        fine = fault(v, "damaged", v->seq + 1, "damaged file: %s", sqlite3_errmsg(v->file.db));
    sqlite3_finalize(rows);
    if (fine && v->head.given && v->head.seq > v->seq)
        fine = fault(v, "truncated", v->seq + 1,
                     "truncated: the journal ends at record %" PRIu64
                     ", but the kept head is record %" PRIu64,
                     v->seq, v->head.seq);
    return fine;
}

static bool verify_journal(verification *v)
{
    static const char *const names[] = {NULL, "unreadable", "in_use", "not_a_journal"};
    char message[MESSAGE_MAX] = "";
    const journal_fault opened = journal_file_open(v->path, &v->file, message);

    if (opened != JOURNAL_FINE) return fault(v, names[opened], 0, "%s", message);
    if (!policy_set_read(v->file.db, &v->policies, message, sizeof message))
        return fault(v, "policy", 0, "%s", message);
    return walk_records(v);
}

/* ---- what is said about it ---------------------------------------------- */

static void write_time(int64_t ts_ns, char text[TIME_MAX])
{
    int64_t seconds = ts_ns / 1000000000;
    int64_t rest = ts_ns % 1000000000;
    time_t time;
    struct tm parts;
    size_t n;

    if (rest < 0) {
        rest += 1000000000;
        seconds--;
    }
    time = (time_t)seconds;
    gmtime_r(&time, &parts);
    n = strftime(text, TIME_MAX, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + n, TIME_MAX - n, ".%09" PRId64 "Z", rest);
}

static void print_text(const verification *v)
{
    char text[NUMBER_TEXT_MAX], first[TIME_MAX], last[TIME_MAX], hash[HEX_MAX];

    if (v->fault != NULL && v->bad_seq > 0) {
        fprintf(stderr, "%s: record %" PRIu64 ": %s\n", v->path, v->bad_seq, v->message);
        return;
    }
    if (v->fault != NULL) {
        fprintf(stderr, "%s: %s\n", v->path, v->message);
        return;
    }
    printf("%s: whole\n", v->path);
    number_write_grouped(v->seq, text);
    printf("  records     %s\n", text);
    number_write_grouped(v->decisions, text);
    printf("  decisions   %s\n", text);
    number_write_grouped(v->rejections, text);
    printf("  rejections  %s\n", text);
    printf("  policies    %zu", v->policies.count);
    if (v->policies.reworded > 0)
        printf(" (%zu worded otherwise by this build, %s)", v->policies.reworded, hedge_version());
    putchar('\n');
    if (v->seq > 0) {
        write_time(v->first_ts_ns, first);
        write_time(v->last_ts_ns, last);
        printf("  first       %s\n  last        %s\n", first, last);
    }
    printf("  writer      %016" PRIx64 "\n", v->file.writer);
    number_write_hex(v->hash, sizeof v->hash, hash);
    printf("  head        %" PRIu64 ":%s\n", v->seq, hash);
    if (v->head.given) printf("  kept head   %" PRIu64 ", in the chain\n", v->head.seq);
}

static void write_json(const verification *v)
{
    char text[TIME_MAX], hash[HEX_MAX];
    json j = {stdout, false};

    json_open_object(&j, NULL);
    json_text(&j, "path", v->path);
    json_bool(&j, "ok", v->fault == NULL);
    if (v->fault != NULL) {
        json_text(&j, "fault", v->fault);
        if (v->bad_seq > 0) json_integer(&j, "seq", (int64_t)v->bad_seq);
        json_text(&j, "message", v->message);
    } else {
        json_integer(&j, "records", (int64_t)v->seq);
        json_integer(&j, "decisions", (int64_t)v->decisions);
        json_integer(&j, "rejections", (int64_t)v->rejections);
        json_integer(&j, "policies", (int64_t)v->policies.count);
        json_integer(&j, "policies_reworded", (int64_t)v->policies.reworded);
        write_time(v->first_ts_ns, text);
        json_text(&j, "first_time", v->seq > 0 ? text : NULL);
        write_time(v->last_ts_ns, text);
        json_text(&j, "last_time", v->seq > 0 ? text : NULL);
        snprintf(text, sizeof text, "%016" PRIx64, v->file.writer);
        json_text(&j, "writer", text);
        json_open_object(&j, "head");
        json_integer(&j, "seq", (int64_t)v->seq);
        number_write_hex(v->hash, sizeof v->hash, hash);
        json_text(&j, "hash", hash);
        json_close_object(&j);
    }
    json_close_object(&j);
    putchar('\n');
}

/* ---- the command -------------------------------------------------------- */

/* SEQ:HASH, the number in decimal and the hash as 64 hexadecimal digits. */
static bool read_anchor(const char *text, anchor *head)
{
    const char *colon = strchr(text, ':');
    char seq[NUMBER_TEXT_MAX];

    if (colon == NULL || (size_t)(colon - text) >= sizeof seq) return false;
    memcpy(seq, text, (size_t)(colon - text));
    seq[colon - text] = '\0';
    head->given = true;
    return number_read_whole(seq, 0, INT64_MAX, &head->seq) &&
           number_read_hex(colon + 1, sizeof head->hash, head->hash);
}

static int run(const command *self, int argc, char **argv)
{
    verification v = {.file = {.lock = -1}};
    const char *head = NULL;
    bool as_json = false;
    const option options[] = {{"head", &head, NULL}, {"json", NULL, &as_json}};
    int result;

    if (!options_read(self, options, sizeof options / sizeof options[0], &argc, argv, &result))
        return result;
    if (argc == 0) return usage_error(self, "FILE is missing");
    if (argc > 1) return usage_error(self, "unexpected argument '%s'", argv[1]);
    if (head != NULL && !read_anchor(head, &v.head))
        return usage_error(self, "--head: '%s' is not SEQ:HASH, the hash as 64 hex digits", head);
    v.path = argv[0];
    if (verify_journal(&v))
        result = RESULT_OK;
    else if (strcmp(v.fault, "unreadable") == 0 || strcmp(v.fault, "in_use") == 0)
        result = RESULT_USAGE;
    else
        result = RESULT_BAD_DATA;
    if (as_json)
        write_json(&v);
    else
        print_text(&v);
    policy_set_free(&v.policies);
    journal_file_close(&v.file);
    return result;
}

const command verify_command = {
    .name = "verify",
    .summary = "walk a journal's chain and find what was changed, removed or reordered",
    .help =
        "Example:\n"
        "  hedge verify hedge-journal.db\n"
        "  hedge verify hedge-journal.db --head 48211:5f0c1d7ab2c4…\n"
        "\n"
        "Reads every record in order: none missing, each hash made of the one before and the\n"
        "record's bytes, each record what its row says, each policy the text its hash names.\n"
        "Names the first record that is not whole. A journal cut off at its end is whole in\n"
        "itself: compare it with a head kept elsewhere (GET /readyz shows it, and so does this\n"
        "command). Nothing is written, and a journal left by a killed daemon is read with its\n"
        "-wal file. A running daemon owns its journal: then this says so, with exit code 2.\n"
        "\n"
        "Usage: hedge verify [OPTION...] FILE\n"
        "\n"
        "Options:\n"
        "  --head SEQ:HASH  a head kept elsewhere, which must be in the chain\n"
        "  --json           one JSON object\n" HELP_EXIT_CODES,
    .run = run,
};
