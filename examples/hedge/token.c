/* SPDX-License-Identifier: MIT
 * token.c: `hedge token`, makes keys and tokens, and shows what a token says. */
#include "token.h"

#include <string.h>

#include "command.h"
#include "options.h"

static int run_token(const command *self, int argc, char **argv)
{
    static const char *const names[] = {"keys", "sign", "show"};
    static int (*const runs[])(const command *, int, char **) = {token_run_keys, token_run_sign,
                                                                 token_run_show};
    const char *near;

    if (argc < 2) return usage_error(self, "say what to do: keys, sign or show");
    for (size_t i = 0; i < 3; i++)
        if (strcmp(argv[1], names[i]) == 0) return runs[i](self, argc - 1, argv + 1);
    if (argv[1][0] == '-') { /* --help, or what no option is */
        int result = RESULT_USAGE;

        if (!options_read(self, NULL, 0, &argc, argv, &result)) return result;
        return usage_error(self, "say what to do: keys, sign or show");
    }
    near = nearest_name(argv[1], names, 3);
    if (near != NULL) return usage_error(self, "cannot %s; did you mean '%s'?", argv[1], near);
    return usage_error(self, "cannot %s; it can do keys, sign and show", argv[1]);
}

const command token_command = {
    .name = "token",
    .summary = "make keys and tokens for hedged, show what a token says",
    .help =
        "Example:\n"
        "  hedge token keys --alg ES256 --kid dev-1\n"
        "  export HEDGE_TOKEN=$(hedge token sign --key dev-1.key.json --sub alice \\\n"
        "    --scope 'size read' --iss dev --aud hedged)\n"
        "  echo $HEDGE_TOKEN | hedge token show\n"
        "\n"
        "keys makes a private key (KID.key.json, mode 0600) and the set of keys that hedged\n"
        "checks tokens with (KID.jwks.json, for HEDGE_JWT_KEYS). HS256 has one secret for\n"
        "both: one file, KID.jwks.json, mode 0600. No file is ever written over.\n"
        "sign prints a token on stdout. show reads a token from stdin and prints its header\n"
        "and claims; it does not check the signature.\n"
        "\n"
        "Usage: hedge token keys [--alg ALG] --kid KID [--out DIR]\n"
        "       hedge token sign --key FILE --sub NAME --scope SCOPES --iss ISSUER\n"
        "                        --aud AUDIENCE [--for TIME]\n"
        "       hedge token show\n"
        "\n"
        "Options:\n"
        "  --alg ALG       ES256 (default), EdDSA, RS256 or HS256\n"
        "  --kid KID       the key's name: letters, digits, - . _\n"
        "  --out DIR       where the files go; the working directory\n"
        "  --key FILE      the private key\n"
        "  --sub NAME      who the token is for; decisions are recorded under this name\n"
        "  --scope SCOPES  of size, override, quote, read, admin, halt, with spaces between\n"
        "  --iss ISSUER    as HEDGE_JWT_ISSUER has it\n"
        "  --aud AUDIENCE  as HEDGE_JWT_AUDIENCE has it\n"
        "  --for TIME      how long it is good: 90s, 30m, 8h (default 1h), 30d\n" HELP_EXIT_CODES,
    .run = run_token,
};
