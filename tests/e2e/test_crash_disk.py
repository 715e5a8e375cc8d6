# SPDX-License-Identifier: MIT
"""Power is lost at any moment, and what was not flushed vanishes, tears or comes out of order.

A daemon's calls are written down while it decides, halts, resumes, folds its WAL, lets records
go, stops, is killed and starts again (crash_trace.c, crash_story.py). At moments of that trace the
files are made as a crash may leave them (crash_disk.py), and looked at: the journal is whole and
holds what was acknowledged, or, with async, all but what came behind the last commit but one.
Some images a daemon is started on, and its trace is crashed in turn.

`test_crash_disk.py COUNT [SEED]` tries so many moments; otherwise few."""
import collections
import random
import shutil
import sys
import time
import unittest

import crash_disk
import crash_story
import daemon
import journal
import postgres_server
import stand
from crash_reader import Broken, Reader
from crash_story import HALTED, JOURNAL, WAL, Story

moments = 50 if daemon.SLOW else 200
seed = random.SystemRandom().randrange(1, 10 ** 9)
A_STORY = 500     # moments of one story at most
AGAIN_EVERY = 50  # moments to one whose image a daemon is started on
AGAIN = 10        # moments of that daemon's trace


class Crashes:
    """Moments of a story, and what a crash at each may leave."""

    def __init__(self, story, luck, counts, again=True):
        self.story, self.luck, self.counts, self.again = story, luck, counts, again
        self.reader, self.wrong, self.loss_ms, self.loss = Reader(story), [], 0.0, 0

    def moments(self, count):
        """Event numbers before which the power goes, half of them where the rare things are."""
        events = self.story.events
        last, rare, disk = len(events), set(), self.story.new_disk()
        for number, e in enumerate(events):
            disk.apply(e)
            name = disk.files[e.file].name if e.kind in (crash_disk.WRITTEN, crash_disk.SIZED,
                                                         crash_disk.FLUSHED) else ""
            usual = name == WAL and (e.kind == crash_disk.FLUSHED
                                     or e.kind == crash_disk.WRITTEN and e.at > 0)
            if e.kind != crash_disk.SENT and not usual:
                rare.update(range(max(1, number - 2), min(last, number + 7)))
        rare = sorted(rare)
        out = set(self.luck.sample(rare, min(len(rare), count // 2)))
        return sorted(out | set(self.luck.sample(range(1, last + 1), min(last, count - len(out)))))

    def run(self, count):
        moments = self.moments(count)
        restarted = set(self.luck.sample(moments, max(1, len(moments) // AGAIN_EVERY)))
        restarted.update([m for m in moments if m < self.story.promises[0].event][-2:-1])
        disk, number = self.story.new_disk(), 0
        for moment in moments:
            while number < moment:
                disk.apply(self.story.events[number])
                number += 1
            self.counts["moments"] += 1
            for fate in crash_disk.fates(self.luck) if disk.pending() else [crash_disk.Nothing()]:
                self._try(disk.left(fate), moment, type(fate).__name__.lower(),
                          self.again and moment in restarted)
        self.counts["different images"] += len(self.reader.seen)
        self.reader.close()

    def _try(self, image, moment, fate, restart):
        self.counts["images"] += 1
        where = f"{self.story.durability}, event {moment} of {len(self.story.events)}, {fate}"
        try:
            found = self.reader.look(image)
            self.compare(found, moment)
            if restart:
                self._start(image, found, where)
        except (Broken, AssertionError) as fault:
            self.wrong.append(f"{where}: {fault}")

    def compare(self, found, moment):
        """What was promised before that moment is there, and no answer by halves."""
        lost = []
        if found.head < self.story.floor:
            raise Broken(f"{found.head} of {self.story.floor} records survived the crash before")
        for p in self.story.promises:
            if p.event >= moment:
                break
            if p.until is not None and moment > p.until:
                continue  # its numbers were given anew
            if p.first <= found.head < p.last:
                raise Broken(f"a batch is there up to {found.head} of {p.first} to {p.last}")
            if p.last > found.head:
                lost.append(p)
        kept = [p for p in lost if p.waits]
        if kept:
            raise Broken(f"{len(kept)} answers were given, such as record {kept[0].last}, and "
                         f"the journal ends at {found.head}")
        if lost:
            self._measure(lost, found, moment)

    def _measure(self, lost, found, moment):
        """Async: all that was given before the last commit but one is there."""
        commits = [c for c in self.story.commits if c < moment][-2:]
        if len(commits) == 2 and lost[0].event < commits[0]:
            raise Broken(f"record {lost[0].last} was given at event {lost[0].event}, two commits "
                         f"ended since, at {commits}, and the journal ends at {found.head}")
        events = self.story.events
        end = events[min(moment, len(events) - 1)].ns
        self.loss_ms = max(self.loss_ms, (end - events[lost[0].event].ns) / 1e6)
        self.loss = max(self.loss, sum(p.last - p.first + 1 for p in lost))

    # ---- a daemon on what is left
    def _start(self, image, found, where):
        """It knows what is halted, decides, and its own trace may be crashed."""
        story = self.story
        now = story.halted(found.head)
        again = Story(story.durability, self.luck, image, floor=found.head,
                      keys={k: v for k, v in story.keys.items()
                            if v[1] and journal.seq_of(v[1]) <= found.head})
        again.truth = {seq: story.truth[seq] for seq in range(1, found.base + 1)}
        self.counts["starts"] += 1

        def first(c):
            told = {h.get("asset", "") for h in c.get("/halt").json["halted"]}
            if told != set(now):
                raise Broken(f"the daemon holds {told} halted, not {set(now)}")
            c.put(f"/quotes/{HALTED}", crash_story.QUOTE)
            if (c.hedge(HALTED).code == "halted") != (HALTED in now):
                raise Broken(f"{HALTED} is halted: {HALTED in now}; {c.hedge(HALTED)!r}")
        again.live(20, first=first)
        again.end()
        for seq in range(found.base + 1, found.head + 1):
            if again.truth[seq] != story.truth[seq]:
                raise Broken(f"the daemon has changed record {seq}")
        crashes = Crashes(again, self.luck, self.counts, again=False)
        crashes.run(AGAIN)
        self.counts["moments of their traces"] += AGAIN
        self.wrong += [f"{where}: then {each}" for each in crashes.wrong]
        self.loss_ms, self.loss = max(self.loss_ms, crashes.loss_ms), max(self.loss, crashes.loss)
        shutil.rmtree(again.folder)


@unittest.skipUnless(crash_story.available(), "HEDGE_CRASH_TRACE does not name the library")
class Crash(daemon.Case):
    def story(self, durability, luck, postgres=None):
        """A daemon stops, is killed, and stops: each life begins where the one before ended."""
        story = Story(durability, luck, dsn=postgres.dsn() if postgres else None)
        story.live(400, folds=True)
        story.live(400, killed=True)
        story.live(300)
        story.end(postgres)
        return story

    def crash(self, durability, share, postgres=None):
        """Stories until so many of all moments are tried."""
        luck, counts = random.Random(seed), collections.Counter()
        total, begin, loss_ms, loss, wrong = round(moments * share), time.monotonic(), 0, 0, []
        while counts["moments"] < total:
            story = self.story(durability, luck, postgres)
            began = sum(e.kind == crash_disk.WRITTEN and e.at == 0 and len(e.data) == 32
                        for e in story.events)  # the heads of its WAL
            self.assertGreater(began, 2, "it was made and folded, and its WAL never began anew")
            counts.update(stories=1, answers=len(story.promises), WALs=began)
            crashes = Crashes(story, luck, counts)
            crashes.run(min(A_STORY, total - counts["moments"]))
            wrong += crashes.wrong
            loss_ms, loss = max(loss_ms, crashes.loss_ms), max(loss, crashes.loss)
            shutil.rmtree(story.folder)
        said = ", ".join(f"{n} {what}" for what, n in counts.items())
        name = durability + (", with records that leave" if postgres else "")
        print(f"\n  {name}, seed {seed}: {said}; {len(wrong)} wrong; "
              f"{time.monotonic() - begin:.0f} s", flush=True)
        if durability == "async":
            print(f"  async: at most {loss} acknowledged decisions were lost, the oldest of them "
                  f"{loss_ms:.1f} ms old", flush=True)
        self.assertEqual(wrong[:5], [], f"seed {seed}")

    def test_commit(self):
        self.crash("commit", 0.6)

    def test_async(self):
        self.crash("async", 0.2)

    @unittest.skipUnless(postgres_server.available(), "no PostgreSQL")
    def test_records_that_leave(self):
        postgres = postgres_server.Postgres()
        self.addCleanup(postgres.kill)
        stand.init_db(postgres.dsn())
        self.crash("commit", 0.2, postgres)

    def test_a_disk_that_lies_is_found(self):
        """One flush that did nothing, of the file, its WAL or the folder, and nothing behind it."""
        luck = random.Random(seed)
        story = Story("commit", luck)
        story.live(400, folds=True)
        story.end()
        for name in (JOURNAL, WAL, ""):
            self.lie(story, name, luck)

    def lie(self, story, name, luck):
        """Lies of flushes that what was promised before the next one of that file relied on."""
        disk, flushes = story.new_disk(), []
        for number, e in enumerate(story.events):
            disk.apply(e)
            if e.kind == crash_disk.FOLDER and name == "" or (
                    e.kind == crash_disk.FLUSHED and disk.files[e.file].name == name):
                flushes.append(number)
        spans, tried = list(zip(flushes, flushes[1:] + [len(story.events)])), 0
        for lied, moment in luck.sample(spans, len(spans)):
            told = [p.last for p in story.promises if lied < p.event < moment]
            if tried == 3 or not told or self.left(story, lied)[0].head >= max(told):
                continue
            tried += 1
            self.assertIsNone(self.left(story, moment)[1])
            _, fault = self.left(story, moment, lambda number, _, lied=lied: number == lied)
            print(f"\n  a lie of {name or 'the folder'} at event {lied}: {str(fault)[:150]}",
                  flush=True)
            self.assertIsNotNone(fault, f"seed {seed}")
        self.assertGreater(tried, 0, f"nothing relies on a flush of {name!r}")

    def left(self, story, moment, lies=None):
        """What is found, and what is wrong, where nothing arrives that is not flushed."""
        disk, crashes, found = story.new_disk(lies), Crashes(story, None, None), None
        for e in story.events[:moment]:
            disk.apply(e)
        try:
            found = crashes.reader.look(disk.left(crash_disk.Nothing()))
            crashes.compare(found, moment)
        except Broken as fault:
            return found, fault
        finally:
            crashes.reader.close()
        return found, None


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].isdigit():
        moments = int(sys.argv.pop(1))
        if len(sys.argv) > 1 and sys.argv[1].isdigit():
            seed = int(sys.argv.pop(1))
    daemon.main()
