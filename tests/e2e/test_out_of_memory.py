# SPDX-License-Identifier: MIT
"""Memory that runs out: each allocation of the daemon's process fails, once and for good.

A start works, or ends with 75 and a word. A request is answered rightly, is refused with 503, or
its connection is closed; the daemon lives, and answers the next one. What was acknowledged is in
the journal. `test_out_of_memory.py COUNT [TEST]` tries so many allocations of a start, 0: each;
which ones is drawn by a seed that is printed."""
import http.client
import os
import random
import socket
import subprocess
import sys
import time
import unittest

import daemon
import faults_memory
import journal
import oracle
from daemon import Daemon

RULES = oracle.policy(calm=True)
QUOTE = {"score": 0.5, "depth1pct_usd": 5e5}
SEED = int(os.environ.get("HEDGE_SEED", "0")) or random.SystemRandom().randrange(1, 10 ** 9)
STARTS = 100  # of which a fifth for good: those take seconds to give up
EXIT_LATER = 75
REFUSALS = ("out_of_memory", "journal_failed", "journal_full", "not_loaded")
NEVER = 1 << 40
SILENT_S = 1  # without an answer, and without the end of the connection
# civetweb drops a request whose address it cannot copy, and keeps the connection until it has been
# idle for its time: test_a_silent_connection_ends. It may not be the first whose memory fails.
DROPPED = "libcivetweb"


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


@unittest.skipUnless(faults_memory.available(), "HEDGE_FAULTS_MEMORY names no library to preload")
class Starts(daemon.Case):
    def start(self, memory):
        """A daemon that may have started, and why not."""
        d = Daemon(RULES, start=False, wrapper=memory.wrapper)
        self.addCleanup(d.__exit__)
        try:
            d.start()
        except AssertionError as why:
            return d, str(why)
        return d, None

    def count(self):
        memory = faults_memory.Memory()
        memory.fail(NEVER)
        d, why = self.start(memory)
        self.assertIsNone(why)
        total = memory.seen
        memory.stop()
        d.kill()
        return total

    def end_of(self, d):
        """The exit code of one that is ending; None: it is not."""
        try:
            return d.process.wait(10)
        except subprocess.TimeoutExpired:
            return None

    def judge(self, memory, n, for_ever, outcomes):
        where = f"allocation {n} of a start{' and all after it' if for_ever else ''}"
        memory.fail(n, for_ever)
        d, why = self.start(memory)
        memory.stop()
        where += f" fails, asked for by {memory.caller}"
        if why is None:
            try:
                with d.client(timeout=5) as c:
                    c.put("/quotes/BTC", QUOTE)
                    answer = c.hedge()
            except OSError as fault:
                answer = daemon.Answer(0, {}, repr(fault).encode())
            if answer.status != 200:  # a thread's memory: noticed after it listens
                ended = self.end_of(d)
            else:
                ended = d.process.poll()
            if answer.status != 200 and ended != EXIT_LATER:
                outcomes.faults.append(f"{where}: started, and answers {answer!r}: {d.log()}")
            outcomes.note("started" if ended is None else "ended with 75")
            d.kill()
            return
        code = d.process.poll()
        said = d.events("start_refused")
        d.kill()
        if code == EXIT_LATER and said and said[0].get("message"):
            outcomes.note("refused with 75")
        else:
            outcomes.note("wrong")
            outcomes.faults.append(f"{where}: {why}")

    def test_each_allocation_of_a_start(self):
        total, luck, memory = self.count(), random.Random(SEED), faults_memory.Memory()
        print(f"\n  seed {SEED}, {total} allocations", flush=True)
        for for_ever in (False, True):
            outcomes = Outcomes()
            wanted = min(total, STARTS or total) // (5 if for_ever else 1)
            points = sorted(luck.sample(range(total), wanted))
            for n in points:
                self.judge(memory, n, for_ever, outcomes)
            print(f"  {'and all after it' if for_ever else 'once'}: {outcomes}", flush=True)
            for fault in outcomes.faults[:40]:
                print("  " + fault, flush=True)
            self.assertEqual(len(outcomes.faults), 0, f"seed {SEED}")


@unittest.skipUnless(faults_memory.available(), "HEDGE_FAULTS_MEMORY names no library to preload")
class Requests(daemon.Case):
    def requests(self, policy_hash):
        """(name, method, path, body, headers), each of which is answered with 200."""
        one = {"asset": "BTC", "amount_usd": 1000.0}
        return (
            ("decide", "POST", "/hedge", one, {}),
            ("override", "POST", "/hedge", {**one, "override_score": 0.4}, {}),
            ("batch", "POST", "/hedge/batch", {"requests": [one] * 5}, {}),
            ("large batch", "POST", "/hedge/batch", {"requests": [one] * 40}, {}),
            ("quote", "PUT", "/quotes/BTC", QUOTE, {}),
            ("quotes", "GET", "/quotes", None, {}),
            ("curve", "GET", "/curve?points=200", None, {}),
            ("reload", "POST", "/curve/reload", None, {}),
            ("records", "GET", "/decisions?limit=100", None, {}),
            ("of an asset", "GET", "/decisions?asset=BTC&limit=5", None, {}),
            ("policy", "GET", f"/policies/{policy_hash}", None, {}),
            ("alive", "GET", "/healthz", None, {}),
            ("ready", "GET", "/readyz", None, {}),
            ("metrics", "GET", "/metrics", None, {}),
        )

    def ask(self, d, what):
        """The answer on a connection of its own; None: closed without one; status 0: neither."""
        _, method, path, body, headers = what
        try:
            with d.client(timeout=SILENT_S) as c:
                return c.ask(method, path, body, headers)
        except TimeoutError:
            return daemon.Answer(0, {}, b"silent")
        except (OSError, http.client.HTTPException):
            return None

    def keyed(self, what, n):
        return (*what[:4], {"Idempotency-Key": f"key-{n}"})

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
        if not answer.body:
            return "503"
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
        with d.client() as c:
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

    def all_routes(self, **settings):
        memory, kept, total = faults_memory.Memory(), [], 0
        d = Daemon(RULES, wrapper=memory.wrapper, **settings)
        self.addCleanup(d.__exit__)
        with d.client() as c:
            for asset in oracle.ASSETS:
                self.assert_status(c.put(f"/quotes/{asset}", QUOTE), 200)
            policy_hash = c.hedge().json["policy"]
        faults = []
        for what in self.requests(policy_hash):
            outcomes = Outcomes()
            self.walk(d, memory, what, kept, outcomes)
            print(f"  {what[0]:<12} {outcomes}", flush=True)
            total += outcomes.points
            faults += outcomes.faults
        for fault in faults[:60]:
            print("  " + fault, flush=True)
        self.assertEqual(len(faults), 0)
        made = self.check(d, kept)
        print(f"  {total} points; {len(kept)} acknowledged, {made} in the journal", flush=True)

    def test_each_allocation_of_each_route(self):
        print(flush=True)
        self.all_routes()

    def test_a_silent_connection_ends(self):
        memory = faults_memory.Memory()
        with Daemon(RULES, wrapper=memory.wrapper) as d:
            memory.fail(0)
            begin = time.monotonic()
            with socket.create_connection(("127.0.0.1", d.port), timeout=25) as s:
                s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                answer = s.recv(4096)
            memory.stop()
            self.assertEqual(memory.failed, 1)
            print(f"\n  {memory.caller} fails: {answer[:40]} after "
                  f"{time.monotonic() - begin:.1f} s", flush=True)
            with d.client() as c:
                self.assert_status(c.get("/healthz"), 200)

    def test_each_allocation_of_each_route_when_nobody_waits_for_the_disk(self):
        print(flush=True)
        self.all_routes(durability="async")

    def test_a_key_is_never_decided_twice(self):
        memory, kept = faults_memory.Memory(), []
        d = Daemon(RULES, wrapper=memory.wrapper)
        self.addCleanup(d.__exit__)
        with d.client() as c:
            self.assert_status(c.put("/quotes/BTC", QUOTE), 200)
        what = ("keyed", "POST", "/hedge", {"asset": "BTC", "amount_usd": 7.0}, {})
        n, triggered = 0, True
        while triggered:
            memory.fail(n)
            first = self.ask(d, self.keyed(what, n))
            memory.stop()
            triggered = memory.failed > 0
            again = self.ask(d, self.keyed(what, n))
            self.assertIsNotNone(again)
            self.assert_status(again, 200, f"allocation {n}")
            if first is not None and first.status == 200:
                self.assertEqual(first.json["decision_id"], again.json["decision_id"])
            kept.append(again.json["decision_id"])
            n += 1
        self.assertEqual(len(set(kept)), n)
        self.assertEqual(self.check(d, kept), n, "one decision a key")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].isdigit():
        STARTS = int(sys.argv.pop(1))
    daemon.main()
