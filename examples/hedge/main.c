/* SPDX-License-Identifier: MIT
 * main.c: `hedge`, the command line of Hedge-Engine; finds the command and runs it. */
#include <errno.h>
#include <hedge/hedge.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "options.h"

static const command *const commands[] = {
    &eval_command,   &size_command,   &check_command,  &plot_command,
    &verify_command, &replay_command, &diff_command,   &explain_command,
    &status_command, &halt_command,   &resume_command, &token_command,
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static void print_help(FILE *out)
{
    fputs("Example:\n"
          "  hedge size --asset BTC --amount 250000 --score 0.62 --depth 78034.12\n"
          "\n"
          "hedge sizes hedges from sustainability scores and book depth, checks the policies\n"
          "that decide, audits the journal of what was decided, and halts a daemon.\n"
          "\n"
          "Usage: hedge COMMAND [OPTION...] [ARGUMENT...]\n"
          "\n"
          "Commands:\n",
          out);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\n"
          "'hedge COMMAND --help' explains one; 'hedge --version' names this "
          "build.\n" HELP_EXIT_CODES,
          out);
}

static int unknown_word(const char *word)
{
    static const char *const options[] = {"help", "version"};
    const bool is_option = word[0] == '-';
    const char *names[COMMAND_COUNT];
    const char *near;

    for (size_t i = 0; i < COMMAND_COUNT; i++)
        names[i] = commands[i]->name;
    near = is_option ? nearest_name(word + strspn(word, "-"), options, 2)
                     : nearest_name(word, names, COMMAND_COUNT);
    fprintf(stderr, "hedge: unknown %s '%s'", is_option ? "option" : "command", word);
    if (near != NULL) fprintf(stderr, "; did you mean '%s%s'?", is_option ? "--" : "", near);
    fputs("\nTry 'hedge --help'.\n", stderr);
    return RESULT_USAGE;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return RESULT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        (strcmp(argv[1], "help") == 0 && argc == 2)) {
        print_help(stdout);
        return RESULT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("hedge %s\n", hedge_version());
        return RESULT_OK;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(argv[1], commands[i]->name) == 0)
            return commands[i]->run(commands[i], argc - 1, argv + 1);
    return unknown_word(argv[1]);
}

int main(int argc, char **argv)
{
    int result;

    if (hedge_abi_version() != HEDGE_ABI_VERSION) {
        fprintf(stderr, "hedge: built for ABI %u of libhedge, but the one loaded has ABI %u\n",
                HEDGE_ABI_VERSION, hedge_abi_version());
        return RESULT_USAGE;
    }
    result = run(argc, argv);
    /* A full disk must not look like success. */
    if (fclose(stdout) != 0) {
        fprintf(stderr, "hedge: cannot write the output: %s\n", strerror(errno));
        return RESULT_USAGE;
    }
    return result;
}
