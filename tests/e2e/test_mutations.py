# SPDX-License-Identifier: MIT
"""20,000 mutated requests; HEDGE_SEED repeats a run, whose seed is printed."""
import os
import random

import daemon
import mutations

COUNT = 20_000


class Mutations(daemon.Case):
    def test_every_reply_is_a_declared_one(self):
        seed = os.environ.get("HEDGE_SEED") or str(random.SystemRandom().randrange(10**9))
        print(f"seed {seed}", flush=True)
        answers = mutations.run(COUNT, seed)
        # That it gets through to every part, too.
        for name in ("200", "400 bad_json", "400 bad_member", "422 bad_value", "422 unknown_asset",
                     "404 not_found", "405 method_not_allowed", "400 bad_request"):
            self.assertGreater(answers[name], 0, f"{name} in {answers}")


if __name__ == "__main__":
    daemon.main()
