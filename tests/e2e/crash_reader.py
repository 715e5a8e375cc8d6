# SPDX-License-Identifier: MIT
"""Looks at what a crash has left of a journal, and says what no crash may leave."""
import os
import sqlite3
import tempfile

import daemon
import journal
from crash_story import JOURNAL


class Broken(Exception):
    """What no crash may leave."""


class Found:
    """What a journal that a crash has left says; head 0: it was not born yet."""

    def __init__(self, base=0, head=0):
        self.base, self.head = base, head


class Reader:
    """Looks at images by `hedge verify` and by an independent reader; knows those it has seen."""

    def __init__(self, story):
        memory = "/dev/shm"  # where there is one: nothing in it has to outlast anything
        self.scratch = tempfile.TemporaryDirectory(  # pylint: disable=consider-using-with
            prefix="hedge-e2e-", dir=memory if os.access(memory, os.W_OK) else None)
        self.story, self.folder, self.seen = story, self.scratch.name, {}
        self.path = os.path.join(self.folder, JOURNAL)

    def close(self):
        self.scratch.cleanup()

    def look(self, image):
        """What is in an image: Found, or Broken."""
        known = tuple((name, len(image[name]), hash(image[name])) for name in sorted(image))
        if known not in self.seen:
            for name in os.listdir(self.folder):
                os.unlink(os.path.join(self.folder, name))
            for name, data in image.items():
                with open(os.path.join(self.folder, name), "wb") as f:
                    f.write(data)
            self.seen[known] = self._look()
        return self.seen[known]

    def _look(self):
        if not os.path.exists(self.path):
            return Found()
        if os.path.exists(self.path + "-journal"):  # verify would have to undo what it holds
            self._tables()
        code, out, err = daemon.hedge("verify", self.path)
        if code:
            if not self._tables():
                return Found()
            raise Broken(f"hedge verify: {code} {out.strip()} {err.strip()}")
        base = sqlite3.connect(self.path)
        try:
            return self._read(base)
        except (sqlite3.Error, KeyError, ValueError) as fault:
            raise Broken(f"{type(fault).__name__}: {fault}") from fault
        finally:
            base.close()

    def _tables(self):
        try:
            base = sqlite3.connect(self.path)
            try:
                return base.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            finally:
                base.close()
        except sqlite3.Error as fault:
            raise Broken(f"it cannot be read: {fault}") from fault

    def _read(self, base):
        sound = base.execute("PRAGMA integrity_check").fetchone()[0]
        if sound != "ok":
            raise Broken(f"integrity_check: {sound}")
        found = self._read_chain(base)
        halts = dict(base.execute("SELECT asset, seq FROM halts"))
        if halts != self.story.halted(found.head):
            raise Broken(f"behind record {found.head} {halts} is halted, not "
                         f"{self.story.halted(found.head)}")
        if dict(base.execute("SELECT key, record FROM keys")) != self.story.keys_at(found.head):
            raise Broken(f"its keys are not those of its {found.head} records")
        policies = {row[0].hex() for row in base.execute("SELECT hash FROM policies")}
        for row in base.execute("SELECT record FROM records WHERE kind = 4"):
            if journal.decode(row[0])["policy_hash"] not in policies:
                raise Broken("a policy that went live is missing")
        return found

    def _read_chain(self, base):
        """Its records are the story's, from where its chain begins, without a gap."""
        truth = self.story.truth
        rows = base.execute("SELECT seq, record, hash FROM records ORDER BY seq").fetchall()
        said = base.execute("SELECT value FROM journal WHERE key = 'base'").fetchone()
        first = int(said[0].partition(":")[0]) if said else 0
        found = Found(first, rows[-1][0] if rows else first)
        if [r[0] for r in rows] != list(range(first + 1, found.head + 1)):
            raise Broken(f"{len(rows)} records up to {found.head} behind {first}: one is missing")
        for seq, record, digest in rows:
            if truth.get(seq) != (record, digest):
                raise Broken(f"record {seq} is not what was written")
        if first and said[0] != f"{first}:{truth[first][1].hex()}":
            raise Broken(f"the base is {said[0]}")
        return found
