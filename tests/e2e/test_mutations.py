# SPDX-License-Identifier: MIT
"""20,000 mutated requests, and as many of a daemon that asks for tokens; HEDGE_SEED repeats a run,
whose seed is printed."""
import os
import random
import unittest

import daemon
import mutations
import tokens

COUNT = 20_000


class Mutations(daemon.Case):
    def attack(self, with_tokens, *reached):
        seed = os.environ.get("HEDGE_SEED") or str(random.SystemRandom().randrange(10**9))
        print(f"seed {seed}", flush=True)
        answers = mutations.run(COUNT, seed, with_tokens)
        # That it gets through to every part, too.
        for name in ("200", "400 bad_json", "400 bad_member", "422 bad_value", "422 unknown_asset",
                     "404 not_found", "405 method_not_allowed", "400 bad_request", *reached):
            self.assertGreater(answers[name], 0, f"{name} in {answers}")

    def test_every_reply_is_a_declared_one(self):
        self.attack(False)

    @unittest.skipUnless(tokens.available(), "python3-cryptography is not installed")
    def test_nobody_does_what_no_token_allows(self):
        self.attack(True, "401 unauthorized", "403 forbidden", "503 halted", "409 halted_all")


if __name__ == "__main__":
    daemon.main()
