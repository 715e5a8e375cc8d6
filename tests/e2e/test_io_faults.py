# SPDX-License-Identifier: MIT
"""Each call that the journal makes of its files fails in each way, at a start, under decisions and
under halts and resumes.

What was acknowledged is in the journal, whose chain is whole; the daemon lives and heals, or says
what is wrong and ends. An acknowledged halt or resume is so, and is so after kill -9.
`test_io_faults.py COUNT` tries so many calls of each kind and fault in a
row of starts, and of decisions, 0: all; otherwise few."""
import collections
import os
import random
import sys
import unittest

import daemon
import faults
import halts
import journal
import oracle
from daemon import Daemon
from halts import ALL

RULES = oracle.policy(calm=True)
QUOTE = {"score": 0.5, "depth1pct_usd": 5e5}
REFUSALS = ("journal_failed", "journal_full")
NUMBERS = ("EIO", "ENOSPC", "EINTR", "EAGAIN", "EMFILE", "SHORT")
CALLS = ("open", "read", "write", "fsync", "ftruncate", "unlink", "fallocate", "mmap", "rename")
IN_HALVES = ("read", "write")
ONCE = ("EINTR", "SHORT")  # no kernel does this for ever, and SQLite tries again until it works
EXITS = (75, 78)
SEED = int(os.environ.get("HEDGE_SEED", "0")) or random.SystemRandom().randrange(1, 10 ** 9)
KILLED = 0.4  # of the orders, right behind the answer
NEVER = 1 << 40
most = 3  # points of each call and fault, spread over all there are


def points(total):
    """The calls that fail, of `total`."""
    if not most or total <= most:
        return list(range(total))
    return sorted({round(i * (total - 1) / max(1, most - 1)) for i in range(most)})


def pairs():
    for call in CALLS:
        for number in NUMBERS:
            if number != "SHORT" or call in IN_HALVES:
                yield call, number


@unittest.skipUnless(faults.available(), "HEDGE_FAULTS does not name the library to preload")
class Walk(daemon.Case):
    def setUp(self):
        self.counts, self.wrong = collections.Counter(), []

    def report(self, what):
        tried = sum(self.counts.values())
        print(f"  {what}: {tried} points: " + ", ".join(
            f"{n} {name}" for name, n in sorted(self.counts.items())), flush=True)
        for each in self.wrong[:30]:
            print("  " + each, flush=True)
        self.assertEqual(self.wrong[:5], [])

    def check(self, path, acknowledged, where):
        """Every acknowledged decision is in the file, and its chain holds."""
        try:
            writer, rows = journal.rows(path)
            records, _ = journal.walk(rows)
        except Exception as fault:  # pylint: disable=broad-except
            self.wrong.append(f"{where}: the journal cannot be read: {fault}")
            return
        made = {journal.decision_id(writer, r["seq"]) for r in records if r["kind"] == 1}
        lost = set(acknowledged) - made
        if lost:
            self.wrong.append(f"{where}: {len(lost)} of {len(acknowledged)} are lost")
        if daemon.hedge("verify", path)[0] != 0:
            self.wrong.append(f"{where}: hedge verify {daemon.hedge('verify', path)}")

    # ---- at a start
    def seed(self, decisions):
        """A journal of an earlier life, killed, so that its log has to be read back."""
        d = Daemon(RULES)
        self.addCleanup(d.__exit__)
        kept = []
        with d.client() as c:
            c.put("/quotes/BTC", QUOTE)
            for _ in range(decisions):
                kept.append(c.hedge().json["decision_id"])
        d.kill()
        return d.journal_path, kept

    def try_start(self, disk, d):
        """None, or why it did not start."""
        try:
            d.start(timeout=10)
        except AssertionError as why:
            return str(why)
        return None

    def decide(self, d, kept):
        with d.client() as c:
            c.put("/quotes/BTC", QUOTE)
            answer = c.hedge()
            if answer.status == 200:
                kept.append(answer.json["decision_id"])
            return answer

    def one_start(self, disk, seeded, call, number, n, for_ever):
        """A start with the n-th such call failing; then one that nothing is wrong with."""
        where = f"start, {call} {n} {number}{' and all after it' if for_ever else ''}"
        d = Daemon(RULES, start=False, wrapper=disk.wrapper)
        self.addCleanup(d.__exit__)
        kept = []
        if seeded:
            journal.copy(seeded[0], d.journal_path)
            kept = list(seeded[1])
        disk.fail_at(call, number, n, for_ever)
        why = self.try_start(disk, d)
        if why is None:
            answer = self.decide(d, kept)
            if answer.status != 200 and answer.code not in REFUSALS:
                self.wrong.append(f"{where}: {answer!r}")
        _, failed = disk.stop()
        if not failed:
            d.kill()
            return False
        if why is not None:
            said = d.events("start_refused")
            if d.process.poll() not in EXITS or not said or "journal" not in said[0]["message"]:
                self.wrong.append(f"{where}: {why}")
            self.counts["refused a start"] += 1
        else:
            self.counts["started"] += 1
        d.kill()
        again = self.try_start(disk, d)
        if again is not None:
            self.wrong.append(f"{where}: the next start: {again}")
            return True
        answer = self.decide(d, kept)
        if answer.status != 200:
            self.wrong.append(f"{where}: after the next start {answer!r}")
        d.kill()
        self.check(d.journal_path, kept, where)
        return True

    def calls_of_a_start(self, disk, seeded, call):
        d = Daemon(RULES, start=False, wrapper=disk.wrapper)
        self.addCleanup(d.__exit__)
        if seeded:
            journal.copy(seeded[0], d.journal_path)
        disk.fail_at(call, "EIO", NEVER)
        d.start()
        self.decide(d, [])
        total, _ = disk.stop()
        d.kill()
        return total

    def walk_starts(self, seeded):
        disk, totals = faults.Faults(), {}
        for call in CALLS:
            totals[call] = self.calls_of_a_start(disk, seeded, call)
        print("\n  calls: " + ", ".join(f"{n} {call}" for call, n in totals.items()), flush=True)
        for call, number in pairs():
            tried = sum(self.counts.values())
            for for_ever in (False, True)[:1 if number in ONCE else 2]:
                for n in points(totals[call]):
                    self.one_start(disk, seeded, call, number, n, for_ever)
            if totals[call]:
                print(f"  {call} {number}: {sum(self.counts.values()) - tried} points, "
                      f"{len(self.wrong)} wrong so far", flush=True)

    def test_starts_with_a_new_journal(self):
        self.walk_starts(None)
        self.report("a new journal")

    def test_starts_with_a_journal_and_its_log(self):
        self.walk_starts(self.seed(40))
        self.report("a journal that was killed")

    # ---- under decisions
    def some_decisions(self, d, kept, where):
        """Enough for a few commits, and a look at the journal; each is kept or refused."""
        refused = 0
        with d.client(timeout=15) as c:
            for _ in range(4):
                answer = c.hedge()
                if answer.status == 200:
                    kept.append(answer.json["decision_id"])
                elif answer.status == 503 and answer.code in REFUSALS:
                    refused += 1
                else:
                    self.wrong.append(f"{where}: {answer!r}")
            page = c.get("/decisions", after=0, limit=3)
            if page.status not in (200, 503):
                self.wrong.append(f"{where}: {page!r}")
        return refused

    def one_decision(self, disk, d, kept, call, number, n, for_ever):
        """True if there was such a call."""
        where = f"decisions, {call} {n} {number}{' and all after it' if for_ever else ''}"
        disk.fail_at(call, number, n, for_ever)
        refused = self.some_decisions(d, kept, where)
        _, failed = disk.stop()
        if not d.alive():
            raise AssertionError(f"{where}: ended with {d.process.poll()}: {d.log()}")
        if failed:
            self.counts["refused a decision" if refused else "decided"] += 1
        with d.client() as c:
            healed = c.hedge()
        if healed.status != 200:
            self.wrong.append(f"{where}: not healed: {healed!r}")
        else:
            kept.append(healed.json["decision_id"])
        return bool(failed)

    def walk_decisions(self, number, **settings):
        disk = faults.Faults()
        d = Daemon(RULES, wrapper=disk.wrapper, **settings)
        self.addCleanup(d.__exit__)
        kept = []
        self.decide(d, kept)
        for call in CALLS:
            if number == "SHORT" and call not in IN_HALVES:
                continue
            disk.fail_at(call, number, NEVER)
            self.some_decisions(d, kept, call)
            total, _ = disk.stop()
            for for_ever in (False, True):
                if for_ever and number in ONCE:
                    continue
                for n in points(total):
                    self.one_decision(disk, d, kept, call, number, n, for_ever)
        d.kill()
        where = f"decisions, {number}"
        copy = journal.copy(d.journal_path, os.path.join(daemon.new_folder(), "copy.db"))
        self.check(copy, kept, where + ", killed")
        d.start()
        self.decide(d, kept)
        self.assertEqual(d.stop(), 0)
        self.check(d.journal_path, kept, where)

    def test_decisions(self):
        for number in NUMBERS:
            self.walk_decisions(number)
        self.report("decisions")

    # ---- under orders of the kill switch
    def order(self, d, path, acknowledged, where):
        """One of everything. True: it was acknowledged; what is in force then is what was said."""
        with d.client(timeout=15) as c:
            before = ALL in halts.halted(c)
            answer = c.post(path, halts.order("a test"))
            after = ALL in halts.halted(c)
        if answer.status == 200:
            if after != (path == "/halt"):
                self.wrong.append(f"{where}: {answer!r}, and halted: {after}")
            if "record" in answer.json:
                acknowledged.append((path, answer.json["record"]))
            return True
        if answer.status != 503 or answer.code not in (*REFUSALS, "halt_not_latched"):
            self.wrong.append(f"{where}: {answer!r}")
        elif path == "/resume" and after != before:
            self.wrong.append(f"{where}: {answer!r}, and halted: {before}, then {after}")
        elif path == "/halt" and not after and not before and answer.code == "halt_not_latched":
            self.wrong.append(f"{where}: {answer!r}, and nothing is halted")
        return False

    def make(self, d, path, acknowledged, where):
        """Without a fault, again and again until it is so and on disk."""
        def done():
            if not self.order(d, path, acknowledged, where):
                return False
            with d.client() as c:
                return all(h["latched"] for h in c.get("/halt").json["halted"])
        daemon.wait_until(done, f"{where}: {path} {d.log()}", 20)

    def one_order(self, disk, d, path, call, number, n, for_ever, acknowledged):
        """An order with the n-th such call failing, then kill -9: it is as was acknowledged."""
        where = f"{path}, {call} {n} {number}{' and all after it' if for_ever else ''}"
        other = "/resume" if path == "/halt" else "/halt"
        self.make(d, other, acknowledged, where)
        disk.fail_at(call, number, n, for_ever)
        good = self.order(d, path, acknowledged, where)
        if self.luck.random() < KILLED:
            # With the fault: nothing can be made good behind the answer.
            _, failed = disk.seen()
            d.kill()
            disk.stop()
            d.start()
            with d.client() as c:
                now = ALL in halts.halted(c)
                c.put("/quotes/BTC", QUOTE)
                decided = c.hedge().status
            if good and now != (path == "/halt"):
                self.wrong.append(f"{where}: acknowledged, and after a restart halted: {now}")
            if now != (decided == 503):
                self.wrong.append(f"{where}: halted: {now}, and a decision is {decided}")
            self.counts["killed"] += bool(failed)
        else:
            _, failed = disk.stop()
        if not d.alive():
            raise AssertionError(f"{where}: ended with {d.process.poll()}: {d.log()}")
        if failed:
            self.counts["acknowledged" if good else "refused"] += 1

    def walk_orders(self, number, luck, **settings):
        disk, acknowledged, self.luck = faults.Faults(), [], luck
        d = Daemon(RULES, wrapper=disk.wrapper, **settings)
        self.addCleanup(d.__exit__)
        self.decide(d, [])
        for call in CALLS:
            if number == "SHORT" and call not in IN_HALVES:
                continue
            for path in ("/halt", "/resume"):
                self.make(d, "/resume" if path == "/halt" else "/halt", acknowledged, "before")
                disk.fail_at(call, number, NEVER)
                self.order(d, path, acknowledged, path)
                total, _ = disk.stop()
                for for_ever in (False, True)[:1 if number in ONCE else 2]:
                    for n in points(total):
                        self.one_order(disk, d, path, call, number, n, for_ever, acknowledged)
        self.make(d, "/halt", acknowledged, "at the end")
        d.kill()
        self.check_orders(d.journal_path, acknowledged, number)

    def check_orders(self, path, acknowledged, number):
        """Each acknowledged order is a record, nothing is decided behind a halt, and the latch is
        what the records say."""
        writer, _ = journal.rows(path)
        records, latches = halts.at_rest(path)
        now, wrong = halts.fold(records)
        self.wrong += wrong
        kinds = {journal.decision_id(writer, r["seq"]): r["kind"] for r in records}
        lost = [each for each in acknowledged
                if kinds.get(each[1]) != (halts.HALT if each[0] == "/halt" else halts.RESUME)]
        if lost or now != latches or latches != {ALL}:
            self.wrong.append(f"orders, {number}: lost {lost[:3]}, latched {latches}, by the "
                              f"records {now}")
        if daemon.hedge("verify", path)[0] != 0:
            self.wrong.append(f"orders, {number}: {daemon.hedge('verify', path)}")

    def test_orders(self):
        luck = random.Random(SEED)
        print(f"\n  seed {SEED}", flush=True)
        for number in NUMBERS:
            self.walk_orders(number, luck)
        self.report("halts and resumes")

    def test_orders_when_nobody_waits_for_the_disk(self):
        luck = random.Random(SEED)
        print(f"\n  seed {SEED}", flush=True)
        for number in ("EIO", "ENOSPC"):
            self.walk_orders(number, luck, durability="async")
        self.report("halts and resumes, async")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].isdigit():
        most = int(sys.argv.pop(1))
    daemon.main()
