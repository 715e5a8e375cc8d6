# SPDX-License-Identifier: MIT
"""The load of soak.py: a steady mix of requests, and what else happens to a daemon in its life."""
import collections
import contextlib
import http.client
import itertools
import random
import socket
import threading
import time

import daemon
import oracle

QUOTE = {"score": 0.5, "confidence": 0.9, "depth1pct_usd": 1e6}
FED, HALTED, PUT = oracle.ASSETS, "HLT", "MAN"  # fed by servers; halted now and then; by PUT
# What the documentation declares for a server that is away and for a halt.
DECLARED = {"stale_score", "stale_depth", "no_quote", "halted"}


def rules(cap):
    return oracle.policy(limits={"stale_score_ms": 1000.0, "stale_depth_ms": 2000.0},
                         max_hedge_pct=cap,
                         assets={**{a: {} for a in FED}, HALTED: {}, PUT: {}})


class Tally:
    """What was heard since the last look, and in all."""

    def __init__(self):
        self.lock, self.took = threading.Lock(), []
        self.requests = self.declared = self.decided = 0
        self.wrong = []
        self.codes = collections.Counter()

    def note(self, took_s, decided=0, declared=None, wrong=None):
        with self.lock:
            self.took.append(took_s)
            self.requests += 1
            self.decided += decided
            if declared:
                self.declared += 1
                self.codes[declared] += 1
            if wrong:
                self.wrong.append(f"{time.strftime('%H:%M:%S')} {wrong}"[:300])

    def since(self):
        """The durations since the last call, in order."""
        with self.lock:
            took, self.took = sorted(self.took), []
        return took


class Caller:
    """One connection that asks `rate` times a second, of everything there is."""

    def __init__(self, port, tally, rate, seed, halts):
        self.port, self.tally, self.rate, self.halts = port, tally, rate, halts
        self.luck, self.numbers, self.ending = random.Random(seed), itertools.count(1), False
        self.seed = seed
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        turn = time.monotonic()
        with daemon.Client(self.port) as c:
            while not self.ending:
                turn += 1 / self.rate if self.rate else 0.0
                time.sleep(max(0.0, turn - time.monotonic()))
                turn = max(turn, time.monotonic() - 1.0)  # what was missed is not made up for
                begin = time.monotonic()
                try:
                    decided, declared, wrong = self._one(c)
                except (OSError, http.client.HTTPException) as e:
                    decided, declared, wrong = 0, None, repr(e)
                    c.close()
                self.tally.note(time.monotonic() - begin, decided, declared, wrong)

    def _one(self, c):
        """Asks once: (decisions made, a declared code or None, what is wrong or None)."""
        kind, n = self.luck.random(), next(self.numbers)
        if kind < 0.70:
            return self._hedge(c, self.luck.choice(FED + (PUT,)), n, {})
        if kind < 0.78:
            return self._keyed(c, n)
        if kind < 0.84:
            return self._batch(c, n)
        if kind < 0.90:
            return self._plain(c.put(f"/quotes/{self.luck.choice((PUT, HALTED))}", QUOTE))
        if kind < 0.905:
            return self._hedge(c, HALTED, n, {})
        return self._plain(c.get(self.luck.choice(
            ("/quotes", "/curve?points=101", "/readyz", "/metrics", "/healthz", "/openapi.json",
             "/decisions?limit=20", "/halt" if self.halts else "/curve"))), ready=True)

    @staticmethod
    def _plain(answer, ready=False):
        if answer.status == 200 or (ready and answer.status == 503 and "reasons" in answer.json):
            return 0, None, None
        if answer.status == 409 and answer.code == "older_quote":
            return 0, answer.code, None  # another caller was faster
        return 0, None, repr(answer)

    def _hedge(self, c, asset, n, headers):
        answer = c.ask("POST", "/hedge", {"asset": asset, "amount_usd": 1.0 + n}, headers)
        again = "Idempotency-Replayed" in answer.headers
        if answer.status == 200:
            return int(not again), None, None
        if answer.status == 503 and answer.code in DECLARED:
            return int(not again), answer.code, None
        return 0, None, repr(answer)

    def _keyed(self, c, n):
        """The same request twice under one key: one decision, the same bytes."""
        headers = {"Idempotency-Key": f"{self.seed}-{n}-{time.time_ns()}"}
        body = {"asset": PUT, "amount_usd": 1.0 + n}
        first = c.ask("POST", "/hedge", body, headers)
        second = c.ask("POST", "/hedge", body, headers)
        if (first.status, first.body) != (second.status, second.body):
            return 1, None, f"a key's answers differ: {first!r} {second!r}"
        if first.status == 200 or first.code in DECLARED:
            return 1, None if first.status == 200 else first.code, None
        return 0, None, repr(first)

    def _batch(self, c, n):
        answer = c.post("/hedge/batch", {"requests": [
            {"asset": a, "amount_usd": 1.0 + n} for a in FED + (PUT,) for _ in range(2)]})
        if answer.status != 200:
            return 0, None, repr(answer)
        codes = {d["code"] for d in answer.json["decisions"] if "code" in d}
        wrong = None if codes <= DECLARED else repr(answer)
        return len(answer.json["decisions"]), next(iter(codes), None), wrong

    def end(self):
        self.ending = True
        self.thread.join(60)


def peak(port, seconds=5.0, callers=4):
    """Requests a second that as many callers reach without a pause."""
    tally = Tally()
    every = [Caller(port, tally, 0, i, False) for i in range(callers)]
    time.sleep(seconds)
    for each in every:
        each.end()
    if tally.wrong:
        raise AssertionError(f"while the peak was looked for: {tally.wrong[:3]}")
    return tally.requests / seconds, tally.decided


def ask_at_length(s, requests):
    """Sends (path, headers, body) one after the other; the decisions in the answers."""
    decided = 0
    for path, more, body in requests:
        s.sendall(f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}"
                  f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = b""
        while b"\r\n\r\n" not in answer or not answer.endswith(b"}"):
            part = s.recv(65536)
            if not part:
                break
            answer += part
        decided += answer.count(b'"decision_id"')
    return decided


def meet_every_thread(port, n):
    """Holds n connections at once, so that each is a thread's own, and asks on each what takes the
    most of its stack. What a thread touches for the first time is no growth. Returns the decisions."""
    held, decided = [], 0
    one = b'{"asset":"%s","amount_usd":1000}' % FED[0].encode()
    many = b'{"requests":[%s]}' % b",".join([one] * 20)
    try:
        for i in range(n):
            s = socket.create_connection(("127.0.0.1", port), timeout=30,
                                         source_address=(f"127.0.0.{2 + i % 8}", 0))
            held.append(s)
            with contextlib.suppress(OSError):  # it may be closed for others' sake
                decided += ask_at_length(s, (("/hedge", f"Idempotency-Key: soak-{i}\r\n", one),
                                             ("/hedge/batch", "", many)))
    finally:
        for s in held:
            s.close()
    return decided


# ---- what happens besides ----------------------------------------------------------------------

class Trouble:
    """Reloads, halts, cuts of servers and slow clients, each in its turn until the end."""

    def __init__(self, d, proxies, tally, halts):
        self.d, self.proxies, self.tally, self.halts = d, proxies, tally, halts
        self.counts = collections.Counter()
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self._repeat, args=each, daemon=True)
                        for each in ((20.0, self._reload), (45.0, self._cut), (60.0, self._slow),
                                     (30.0, self._halt))]
        for t in self.threads:
            t.start()

    def _repeat(self, every_s, act):
        n = 0
        while not self.ending.wait(every_s):
            n += 1
            try:
                act(n)
                self.counts[act.__name__.strip("_")] += 1
            except (OSError, http.client.HTTPException, AssertionError) as e:
                self.tally.note(0.0, wrong=f"{act.__name__}: {e!r}")

    def _reload(self, n):
        """Every fifth file is bad, and the one before stays."""
        bad = n % 5 == 0
        text = "max_hedge_pct: 7\n" if bad else oracle.text(rules(0.9 + n % 2 / 10))
        daemon.write_file(self.d.policy_path, text)
        with self.d.client() as c:
            answer = c.post("/curve/reload")
        if answer.status != (422 if bad else 200):
            raise AssertionError(repr(answer))

    def _cut(self, n):
        name, proxy = self.proxies[n % len(self.proxies)]
        self.counts[f"cut {name}"] += 1
        proxy.refuse()
        proxy.cut()
        self.ending.wait(3)
        proxy.pass_()

    def _slow(self, _n):
        """Twenty that send half a request and then nothing for a while."""
        links = [socket.create_connection(("127.0.0.1", self.d.port), timeout=5) for _ in range(20)]
        try:
            for s in links:
                s.sendall(b"POST /hedge HTTP/1.1\r\nHost: x\r\nContent-Length: 33\r\n\r\n{")
            self.ending.wait(5)
        finally:
            for s in links:
                s.close()

    def _halt(self, n):
        if not self.halts:
            return
        with self.d.client() as c:
            for path in ("/halt", "/resume"):
                answer = c.post(path, {"asset": HALTED, "reason": f"soak {n}"})
                if answer.status != 200:
                    raise AssertionError(repr(answer))
                self.ending.wait(2)

    def end(self):
        self.ending.set()
        for t in self.threads:
            t.join(30)
        for _, proxy in self.proxies:
            proxy.pass_()
