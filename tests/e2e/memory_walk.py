# SPDX-License-Identifier: MIT
"""Walks through the allocations of what a daemon is asked: each fails, once and for good.

HEDGE_SEED repeats a run, whose seed is printed; HEDGE_MEMORY_POINTS or a test's COUNT sets how many
points of a kind are tried where there are many, 0: each."""
import http.client
import os
import random
import sys

import daemon
import journal
import oracle

RULES = oracle.policy(calm=True)
QUOTE = {"score": 0.5, "depth1pct_usd": 5e5}
SEED = int(os.environ.get("HEDGE_SEED", "0")) or random.SystemRandom().randrange(1, 10 ** 9)
POINTS = int(os.environ.get("HEDGE_MEMORY_POINTS", "8"))
_luck = random.Random(SEED)
REFUSALS = ("out_of_memory", "journal_failed", "journal_full", "not_loaded")
NEVER = 1 << 40
SILENT_S = 1  # without an answer, and without the end of the connection
# civetweb drops a request whose address it cannot copy, and keeps the connection until it has been
# idle for its time: test_a_silent_connection_ends. It may not be the first whose memory fails.
DROPPED = "libcivetweb"


def some(population, most=None):
    """So many of them, POINTS by default, in their order."""
    wanted = POINTS and (most or POINTS)
    return sorted(_luck.sample(population, min(len(population), wanted or len(population))))


class Outcomes:
    """What came of the points that were tried, and who asked for the memory."""

    def __init__(self):
        self.points, self.counts, self.faults = 0, {}, []

    def note(self, what):
        self.points += 1
        self.counts[what] = self.counts.get(what, 0) + 1

    def __str__(self):
        return f"{self.points} points: " + ", ".join(
            f"{n} {what}" for what, n in sorted(self.counts.items()))


class Case(daemon.Case):
    """What is asked is (name, method, path, body, headers)."""

    def client(self, d, timeout=30.0):
        """A connection of its own."""
        return d.client(timeout)

    def ask(self, d, what):
        """The answer on a connection of its own; None: closed without one; status 0: neither."""
        _, method, path, body, headers = what
        try:
            with self.client(d, SILENT_S) as c:
                return c.ask(method, path, body, headers)
        except TimeoutError:
            return daemon.Answer(0, {}, b"silent")
        except (OSError, http.client.HTTPException):
            return None

    def acknowledge(self, answer, kept):
        if answer is None or answer.status != 200:
            return
        try:
            body = answer.json
        except ValueError:
            return
        for each in body.get("decisions", [body]) if isinstance(body, dict) else []:
            if "decision_id" in each:
                kept.append(each["decision_id"])

    def right(self, answer, name, caller, for_ever):
        """What a reply may be while memory is short; None: it is wrong."""
        if answer is None:
            return "closed"
        if answer.status == 0 and (for_ever or caller.startswith(DROPPED)):
            return "silent"
        if answer.status == 200:
            return "answered"
        if answer.status != 503:
            return None
        try:
            said = answer.json
        except ValueError:
            return None
        unready = name == "ready" and said.get("status") == "unready"
        return "503" if unready or said.get("code") in REFUSALS else None

    def judge(self, answer, name, memory, for_ever, where, outcomes):
        outcome = self.right(answer, name, memory.caller, for_ever)
        outcomes.note(outcome or "wrong")
        if outcome is None:
            outcomes.faults.append(f"{where}: {answer!r}")

    def heal(self, d, kept, waits):
        """Whatever failed is tried again by the next decision and the next look at the policy.

        Who does not wait for the disk waits here: the writer may not have come to it yet."""
        with self.client(d) as c:
            answer = c.hedge()
            if answer.status == 503:  # async: what was acknowledged is tried again, and goes first
                self.assertTrue(waits, f"the next decision {answer!r}")
                answer = daemon.wait_until(
                    lambda: (lambda a: a if a.status == 200 else None)(c.hedge()), "it decides")
            self.assert_status(answer, 200, "the next decision")
            kept.append(answer.json["decision_id"])
            if "policy_refused" in str(c.get("/readyz").json):
                self.assert_status(c.post("/curve/reload"), 200)
            made = journal.seq_of(kept[-1])
            daemon.wait_until(
                lambda: (lambda a: a["status"] == "ready" and a["journal"]["seq"] >= made)(
                    c.get("/readyz").json), "it is ready, and has written all")

    def walk(self, d, memory, what, kept, outcomes):
        """Every allocation of a request, until none is left to fail."""
        for for_ever in (False, True):
            n = 0
            while True:
                where = f"{what[0]}, allocation {n}{' and all after it' if for_ever else ''}"
                memory.fail(n, for_ever)
                answer = self.ask(d, what)
                memory.stop()
                triggered = memory.failed > 0
                where += f", asked for by {memory.caller}"
                if not d.alive():
                    raise AssertionError(f"{where}: it ended with {d.process.poll()}: {d.log()}")
                self.acknowledge(answer, kept)
                if triggered:
                    self.judge(answer, what[0], memory, for_ever, where, outcomes)
                self.heal(d, kept, d.settings.get("HEDGE_DURABILITY") == "async")
                after = self.ask(d, what)
                self.acknowledge(after, kept)
                if after is None or after.status != 200:
                    outcomes.faults.append(f"{where}: the next one is {after!r}")
                if not triggered:
                    break
                n += 1

    def check(self, d, kept):
        self.assertEqual(d.stop(), 0)
        writer, rows = journal.rows(d.journal_path)
        made = {journal.decision_id(writer, r["seq"]) for r in journal.walk(rows)[0]
                if r["kind"] == 1}
        self.assertEqual(sorted(set(kept) - made)[:3], [], "acknowledged and not in the journal")
        self.assertEqual(daemon.hedge("verify", d.journal_path)[0], 0)
        return len(made)

    # ---- where there are many points
    def points(self, memory, act, most):
        """Some of the allocations that act() makes, each where there are few: their numbers."""
        act()  # what is made once and kept is made
        memory.fail(NEVER)
        act()
        memory.stop()
        total = memory.seen
        return some(range(total), most)

    def try_points(self, d, memory, act, judge, most=None, both=True):
        """Each of some points, once and for good: act(), whose result judge() names; None: wrong.

        judge(result, for_ever) is called when there is memory again."""
        outcomes = Outcomes()
        for for_ever in (False, True)[:1 + both]:
            for n in self.points(memory, act, most):
                memory.fail(n, for_ever)
                result = act()
                memory.stop()
                where = (f"allocation {n}{' and all after it' if for_ever else ''}, asked for by "
                         f"{memory.caller}")
                if not d.alive():
                    raise AssertionError(f"{where}: it ended with {d.process.poll()}: {d.log()}")
                outcome = judge(result, for_ever)
                if memory.failed:
                    outcomes.note(outcome or "wrong")
                if outcome is None:
                    outcomes.faults.append(f"{where}: {result!r}")
        return outcomes

    def report(self, name, outcomes):
        print(f"  {name:<28} {outcomes}", flush=True)
        for fault in outcomes.faults[:20]:
            print("  " + fault, flush=True)
        self.assertEqual(len(outcomes.faults), 0, f"{name}, seed {SEED}")


def main():
    """As daemon.main(), with a COUNT in front."""
    global POINTS
    if len(sys.argv) > 1 and sys.argv[1].isdigit():
        POINTS = int(sys.argv.pop(1))
    print(f"seed {SEED}, {POINTS or 'all'} points of a kind", flush=True)
    daemon.main()
