/* SPDX-License-Identifier: MIT
 * A curve is tried once for a build and a journal; whoever stops it has no certificate. */
#include "certificate.h"

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct scene {
    char folder[64], path[128], policy_path[128];
    journal *journal;
    hedge_policy *policy;
} scene;

static scene scene_new(void)
{
    scene s = {.folder = "/tmp/hedge-certificate-XXXXXX"};
    hedge_error error = HEDGE_INIT(hedge_error);
    char message[JOURNAL_MESSAGE_MAX];
    journal_options options = {.path = s.path};
    bool busy;
    FILE *file;

    cr_assert_not_null(mkdtemp(s.folder));
    snprintf(s.path, sizeof(s.path), "%s/journal.db", s.folder);
    snprintf(s.policy_path, sizeof(s.policy_path), "%s/policy.yaml", s.folder);
    file = fopen(s.policy_path, "w");
    cr_assert_not_null(file);
    fputs("- {score: 0, hedge: 0.1}\n- {score: 1, hedge: 0.9}\n", file);
    fclose(file);
    cr_assert_eq(hedge_policy_load(s.policy_path, &error, &s.policy), HEDGE_OK, "%s",
                 error.message);
    s.journal = journal_open(&options, message, &busy);
    cr_assert_not_null(s.journal, "%s", message);
    return s;
}

static void scene_free(scene *s)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char path[160];

    cr_expect(journal_close(s->journal));
    hedge_policy_free(s->policy);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", s->path, ends[i]);
        unlink(path);
    }
    unlink(s->policy_path);
    rmdir(s->folder);
}

/* Says stop from the call on that it counts down to. */
static bool stops_after(void *context)
{
    return atomic_fetch_sub((atomic_int *)context, 1) <= 0;
}

static certificate_result ensure(const scene *s, int calls, bool behind)
{
    atomic_int left = calls;
    const certificate_options options = {
        .threads = 2, .behind = behind, .stop = stops_after, .context = &left};
    hedge_error error = HEDGE_INIT(hedge_error);

    return certificate_ensure(s->journal, s->policy, &options, &error);
}

Test(certificate, whoever_stops_it_has_none)
{
    scene s = scene_new();

    cr_expect_eq(ensure(&s, 0, false), CERTIFICATE_STOPPED, "before the first curve");
    cr_expect_eq(ensure(&s, 2, false), CERTIFICATE_STOPPED, "amid a curve");
    cr_expect_eq(ensure(&s, 2, true), CERTIFICATE_STOPPED, "behind everything else");
    cr_expect_eq(ensure(&s, 0, false), CERTIFICATE_STOPPED, "nothing was kept of them");
    scene_free(&s);
}

Test(certificate, what_was_tried_is_not_tried_again, .timeout = 110)
{
    scene s = scene_new();

    cr_assert_eq(ensure(&s, 1 << 30, false), CERTIFICATE_GOOD);
    cr_expect_eq(ensure(&s, 0, false), CERTIFICATE_GOOD, "it is in the journal: there is no work");
    scene_free(&s);
}
