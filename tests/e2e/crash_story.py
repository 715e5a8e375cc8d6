# SPDX-License-Identifier: MIT
"""The lives of a daemon on one journal, traced: what it asked of the disk, and what it promised.

HEDGE_CRASH_TRACE names the library to preload, crash_trace.c."""
import http.client
import json
import os
import random
import shutil
import sqlite3
import threading

import crash_disk
import daemon
import journal
import oracle
import stand
from crash_disk import Event
from daemon import Daemon

RULES = oracle.policy(calm=True)
QUOTE = {"score": 0.5, "depth1pct_usd": 5e5}
JOURNAL = "journal.db"
WAL = JOURNAL + "-wal"
CONNECTIONS = 4
LONG_S = 300.0  # what takes longer hangs
HALTED = oracle.ASSETS[-1]  # the one that is halted and resumed
SAME = ("hedge_pct", "notional_usd", "confidence", "score", "effective_score")


def available():
    return os.path.exists(os.environ.get("HEDGE_CRASH_TRACE", ""))


class Load:
    """Connections that decide, one by one, in batches and under keys, and that halt and resume."""

    def __init__(self, port, luck, count, keys):
        """count: requests altogether. keys: {key: (body, decision_id or None)}, also of old."""
        self.port, self.left, self.keys = port, count, keys
        self.heard, self.faults, self.lock = 0, [], threading.Lock()
        self.ids = set()
        self.threads = [threading.Thread(target=self._run, args=(i, random.Random(luck.random())),
                                         daemon=True) for i in range(CONNECTIONS)]
        for t in self.threads:
            t.start()

    def _run(self, number, luck):
        try:
            with daemon.Client(self.port) as c:
                while self._take():
                    self._ask(c, luck, number)
        except (OSError, http.client.HTTPException):
            pass  # killed, as meant; else what it says at its end tells
        except Exception as fault:  # pylint: disable=broad-except
            self.faults.append(f"{type(fault).__name__}: {fault}")

    def _take(self):
        with self.lock:
            self.left -= 1
            return self.left >= 0

    def _ask(self, c, luck, number):
        way = luck.random()
        one = {"asset": luck.choice(oracle.ASSETS), "amount_usd": luck.randint(1, 10 ** 6) / 100}
        if number == 0 and way < 0.25:
            order = {"reason": "a crash", "asset": HALTED}
            answer = c.post(luck.choice(("/halt", "/resume")), order)
            ids = [answer.json["record"]] if answer.json.get("changed") else []
        elif way < 0.4:
            ids, answer = self._ask_by_key(c, luck, one)
        elif way < 0.5:
            answer = c.post("/hedge/batch", {"requests": [one] * luck.randint(2, 12)})
            ids = [d["decision_id"] for d in answer.json.get("decisions", ())
                   if "decision_id" in d]
        else:
            answer = c.post("/hedge", one)
            ids = [answer.json.get("decision_id")]
        if answer.status == 200:
            self.ids.update(ids)
        elif answer.code != "halted":
            self.faults.append(repr(answer))
        self.heard += 1

    def _ask_by_key(self, c, luck, one):
        """Under a new key, or an old one once more, which gets the same answer."""
        with self.lock:
            known = [k for k, (_, answered) in self.keys.items() if answered]
            key = luck.choice(known) if known and luck.random() < 0.3 else luck.randbytes(90).hex()
            body, before = self.keys.setdefault(key, (one, None))
        answer = c.post("/hedge", body, headers={"Idempotency-Key": key})
        if answer.status != 200:
            return [], answer
        told = answer.json["decision_id"]
        if before not in (None, told):
            self.faults.append(f"key {key} was answered by {before}, then by {told}")
        with self.lock:
            self.keys[key] = (body, told)
        return [told], answer

    def join(self):
        for t in self.threads:
            t.join(LONG_S)


class Promise:
    """An answer: the records it tells of, and the event by which it left."""
    __slots__ = ("event", "until", "first", "last", "waits")

    def __init__(self, event, seqs, waits):
        self.event, self.until = event, None  # until: a kill has taken it back
        self.first, self.last, self.waits = min(seqs), max(seqs), waits


class Story:
    """Lives of a daemon on one journal, from an empty folder or from what a crash has left."""

    def __init__(self, durability, luck, files=None, dsn=None, floor=0, keys=None):
        """files: {name: bytes}; floor: the newest record that is safe in them."""
        self.durability, self.luck, self.dsn = durability, luck, dsn
        self.folder, self.floor = os.path.realpath(daemon.new_folder()), floor
        self.path = os.path.join(self.folder, JOURNAL)
        self.events, self.promises, self.keys = [], [], dict(keys or {})
        self.answers = {}  # decision_id: what was answered
        for name, data in (files or {}).items():
            with open(os.path.join(self.folder, name), "wb") as f:
                f.write(data)
        self.base = {self._inode(name): (name, data) for name, data in (files or {}).items()}
        self.disk = self.new_disk()
        self.truth, self.kept_keys, self.orders, self.commits = {}, [], [], []

    def new_disk(self, lies=None):
        return crash_disk.Disk(self.base, lies)

    def _inode(self, name):
        return os.stat(os.path.join(self.folder, name)).st_ino

    # ---- its lives
    def live(self, count, killed=False, folds=False, first=None):
        """One life with so many requests; killed: so many answers, and then kill -9.

        folds: more of them until the WAL was folded into the file, and some behind that.
        first(client) is called when it listens."""
        trace = os.path.join(self.folder, "trace")
        with open(trace, "wb"):
            pass
        more = {"db_dsn": self.dsn, "journal_keep_s": 0} if self.dsn else {}
        ids = set()
        with Daemon(RULES, folder=self.folder, wrapper=self._wrapper(trace),
                    durability=self.durability, **more) as d:
            with d.client() as c:
                if first:
                    first(c)
                for asset in oracle.ASSETS:
                    assert c.put(f"/quotes/{asset}", QUOTE).status == 200
            size = os.path.getsize(self.path)
            ids |= self._load(d, count, killed)
            while folds:
                folds = os.path.getsize(self.path) == size
                ids |= self._load(d, 100)
            if not killed:
                self._end_in_order(d)
        begin = len(self.events)
        self.events += crash_disk.read_trace(trace, begin, killed)
        self._catch_up(begin, killed)
        self._read_promises(begin)
        unseen = {i for i in ids if i not in self.answers}
        assert not unseen, f"{len(unseen)} answers left by no call that is traced"
        if killed:
            self._forget_unwritten(begin)
        os.unlink(trace)

    def _wrapper(self, trace):
        return ["env", "LD_PRELOAD=" + os.path.abspath(os.environ["HEDGE_CRASH_TRACE"]),
                "CRASH_TRACE=" + trace, "CRASH_PATH=" + self.path,
                "ASAN_OPTIONS=" + os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"]

    def _load(self, d, count, killed=False):
        """The identities that were answered."""
        load = Load(d.port, self.luck, 10 ** 9 if killed else count, self.keys)
        if killed:
            daemon.wait_until(lambda: load.heard >= count or load.faults, "answers", LONG_S,
                              0.001)
            d.kill()
        load.join()
        assert not load.faults, load.faults[:3]
        return load.ids

    def _end_in_order(self, d):
        if self.dsn:
            with d.client() as c:
                daemon.wait_until(lambda: c.get("/decisions", limit=1).json["base"]["seq"] > 0,
                                  "records that leave the file", LONG_S)
        if d.stop(LONG_S) != 0:
            raise AssertionError(f"a stop that was not in order: {d.log()}")

    def _catch_up(self, begin, killed):
        """What the events say must be what is there."""
        for event in self.events[begin:]:
            self.disk.apply(event)
        there = {}
        for name in os.listdir(self.folder):
            if name.startswith(JOURNAL) and not name.endswith("-shm"):
                with open(os.path.join(self.folder, name), "rb") as f:
                    there[name] = f.read()
        model = self.disk.whole()
        assert set(there) == set(model), f"{set(there)} are there, the trace makes {set(model)}"
        for name, data in there.items():
            if data == model[name]:
                continue
            if not killed:
                raise AssertionError(f"{name} is not what its trace makes of it")
            self._adopt(name, model[name], data)

    def _adopt(self, name, known, data):
        """A kill came between a call and its event."""
        same = next((i for i, (a, b) in enumerate(zip(known, data)) if a != b),
                    min(len(known), len(data)))
        inode, ns = self._inode(name), self.events[-1].ns
        for event in (Event(crash_disk.SIZED, inode, len(data), ns),
                      Event(crash_disk.WRITTEN, inode, same, ns, data[same:])):
            self.events.append(event)
            self.disk.apply(event)

    def _forget_unwritten(self, begin):
        """A kill loses what async had not written, and its numbers are given anew."""
        copy = journal.copy(self.path, os.path.join(daemon.new_folder(), JOURNAL))
        head = max(r[0] for r in journal.rows(copy)[1])
        shutil.rmtree(os.path.dirname(copy))
        for p in self.promises:
            if p.event >= begin and p.last > head:
                assert not p.waits, f"record {p.last} was promised, the head is {head}"
                p.until = len(self.events)
        for name in [i for i in self.answers if journal.seq_of(i) > head]:
            del self.answers[name]

    # ---- what was promised
    def _read_promises(self, begin):
        by_key = {told for _, told in self.keys.values()}
        for number, event in enumerate(self.events[begin:], begin):
            if event.kind != crash_disk.SENT or not event.data.startswith(b"HTTP/1.1 "):
                continue
            body = event.data.partition(b"\r\n\r\n")[2]
            if b'"decision_id"' not in body and b'"changed":true' not in body:
                continue
            said = json.loads(body)
            if "records" in said:
                continue  # a page of GET /decisions
            is_order = "changed" in said
            answers = {a["record" if is_order else "decision_id"]: a
                       for a in said.get("decisions", [said])
                       if is_order or "decision_id" in a}
            self.answers.update(answers)
            told = sorted(answers)
            waits = self.durability != "async" or is_order or told[0] in by_key
            self.promises.append(Promise(number, [journal.seq_of(i) for i in told], waits))

    # ---- what is true at its end
    def end(self, postgres=None):
        """Reads the journal of the last life, which has ended in order."""
        writer, rows = journal.rows(self.path)
        if postgres:
            self.truth = stand.shipped(postgres, writer)
        self.truth.update({r[0]: (r[4], r[5]) for r in rows})
        records = stand.walk(self.truth)
        for r in records:
            if r["kind"] in (6, 7):
                self.orders.append((r["seq"], r["kind"] == 6, r["asset"]))
            answer = self.answers.get(journal.decision_id(writer, r["seq"]))
            if r["kind"] == 1 and answer and "hedge_pct" in answer:
                wrong = [n for n in SAME if r["decision"][n] != answer[n]]
                assert not wrong, f"record {r['seq']} is not {answer}"
        unknown = {i for i in self.answers if journal.decision_id(writer, journal.seq_of(i)) != i
                   or journal.seq_of(i) > len(records)}
        assert not unknown, f"{unknown} are of no record"
        base = sqlite3.connect(self.path)
        self.kept_keys = sorted((journal.decode(record)["seq"], key, record) for key, record in
                                base.execute("SELECT key, record FROM keys"))
        base.close()
        self._find_commits()

    def _find_commits(self):
        """The flushes behind a frame that ends a transaction: its header names a size."""
        disk, ends = self.new_disk(), False
        for number, event in enumerate(self.events):
            disk.apply(event)
            if event.kind not in (crash_disk.WRITTEN, crash_disk.FLUSHED):
                continue
            if disk.files[event.file].name != WAL:
                continue
            if event.kind == crash_disk.WRITTEN:
                ends = ends or (len(event.data) == 24 and event.data[4:8] != bytes(4))
            elif ends:
                self.commits.append(number)
                ends = False

    def halted(self, seq):
        """{asset: the number of its newest halt} behind record `seq`."""
        out = {}
        for number, is_halt, asset in self.orders:
            if number > seq:
                break
            if is_halt:
                out[asset] = number
            else:
                out.pop(asset, None)
        return out

    def keys_at(self, seq):
        return {key: record for number, key, record in self.kept_keys if number <= seq}
