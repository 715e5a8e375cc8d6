# SPDX-License-Identifier: MIT
"""The wall clock of a running daemon is set forward and back, and drifts, while feeds go on.

The feeds live on the same machine: their times step with the daemon's clock.
What is held may then be old or from the future, and only that may trip. faults.c
moves the clock; the steady one stays as it is.
"""
import random
import threading
import time
import unittest

import daemon
import faults
import journal
import oracle
import redis_server
from daemon import Daemon

RULES = oracle.policy()  # what ships: scores live 3 s, depths 5 s, clocks may differ by 250 ms
SKEW_S = 0.25
STEPS_S = (3600.0, -3600.0, 1.0, -1.0, 86400.0, -86400.0, 0.2, -0.2, 2.9, -2.9, 60.0, -60.0)
MAY_TRIP = ("stale_score", "stale_depth", "clock_skew", "no_quote")


class PutFeed:
    """Score and depth over HTTP, with the times of the stepped clock."""

    def __init__(self, clock, client):
        self.clock, self.client, self.turn = clock, client, 0

    def score(self, asset="BTC"):
        self.turn += 1
        return self.client.put(f"/quotes/{asset}", {"score": 0.4 + self.turn % 7 / 100,
                                                    "ts_ms": self.clock.now_ms()})

    def depth(self, asset="BTC"):
        return self.client.put(f"/quotes/{asset}", {"depth1pct_usd": 5e5,
                                                    "depth_ts_ms": self.clock.now_ms()})

    def both(self, asset="BTC"):
        return self.score(asset), self.depth(asset)


@unittest.skipUnless(faults.available(), "HEDGE_FAULTS does not name the library to preload")
class ClockSteps(daemon.Case):
    def serve(self, rules=RULES, **settings):
        clock = faults.Faults()
        d = Daemon(rules, wrapper=clock.wrapper, **settings)
        self.addCleanup(d.__exit__)
        c = d.client()
        self.addCleanup(c.close)
        self.client = c
        return clock, d, c, PutFeed(clock, c)

    def check(self, d):
        """Ends the daemon: every record's ages are what its times say, and none that was
        answered is further from the future than the skew."""
        self.assertTrue(d.alive())
        self.client.close()  # or the daemon would give it two seconds to leave
        self.assertEqual(d.stop(), 0)
        _, rows = journal.rows(d.journal_path)
        records, _ = journal.walk(rows)
        decisions = [r for r in records if r["kind"] == 1]
        for r in decisions:
            quote, made = r["quote"], r["decision"]
            if made["status"] == oracle.CODE["no_quote"]:
                continue  # which has no ages
            for name, there, ts in (("score", journal.SCORE, "score_ts_ns"),
                                    ("depth", journal.DEPTH, "depth_ts_ns")):
                if quote["flags"] & there:
                    age = made[name + "_age_ns"]
                    self.assertEqual(age, made["ts_ns"] - quote[ts], r)
                    if made["status"] == 0:
                        self.assertGreaterEqual(age, -SKEW_S * 1e9, r)
        code, out, err = daemon.hedge("verify", d.journal_path)
        self.assertEqual(code, 0, f"{out} {err}")
        return decisions

    def assert_good(self, answer, why):
        self.assert_status(answer, 200, why)

    def assert_metrics_agree(self, clock, c, why):
        """Ages in GET /quotes and /metrics are those of the stepped clock."""
        before = clock.now_ns()
        quote = c.quote("BTC")
        age = c.metric("hedge_quote_age_seconds", asset="BTC", input="score")
        after = clock.now_ns()
        for seen in (quote["age_ms"] / 1e3, age):
            self.assertGreaterEqual(seen, 0.0, why)  # what is ahead of the clock is not old
            self.assertGreaterEqual(seen, before / 1e9 - quote["ts_ms"] / 1e3 - 0.002, why)
            self.assertLessEqual(seen, max(0.0, after / 1e9 - quote["ts_ms"] / 1e3 + 0.002), why)

    def test_the_first_update_after_each_step_heals(self):
        """Whatever the step: score and depth arrive once, and the next decision is good."""
        clock, d, c, feed = self.serve()
        at = 0.0
        for step in STEPS_S:
            feed.both()
            self.assert_good(c.hedge(), f"before {step}")
            at += step
            clock.shift(at)
            answer = c.hedge()
            if step > 5:
                self.assert_problem(answer, 503, ("stale_score", "stale_depth"), f"step {step}")
            elif step < -SKEW_S:
                self.assert_problem(answer, 503, "clock_skew", f"step {step}")
            else:
                self.assert_good(answer, f"step {step}: what is held is neither old nor early")
            self.assert_metrics_agree(clock, c, f"step {step}")
            for heard in feed.both():
                if step < 0 and step >= -SKEW_S:  # held is newer, and stays until time is there
                    self.assertIn(heard.status, (200, 409), f"step {step} {heard!r}")
                else:
                    self.assert_status(heard, 200, f"step {step}")
            self.assert_good(c.hedge(), f"after {step}, and one update of each")
            self.assert_status(c.get("/readyz"), 200, f"after {step}")
        self.assertGreater(len(self.check(d)), 2 * len(STEPS_S))

    def test_a_step_back_keeps_the_half_that_is_still_good(self):
        """The score is from the future after the step, the depth is not: one new score heals."""
        for late, early in (("score", "depth"), ("depth", "score")):
            clock, d, c, feed = self.serve()
            with self.subTest(from_the_future=late):
                getattr(feed, early)()
                clock.shift(1.5)
                getattr(feed, late)()
                self.assert_good(c.hedge(), "one is 1.5 s old, the other new")
                clock.shift(0.5)
                self.assert_problem(c.hedge(), 503, "clock_skew", f"the {late} is 1 s early")
                self.assert_status(getattr(feed, late)(), 200)
                self.assert_good(c.hedge(), f"the {early} is 0.5 s old, the {late} new")
            self.check(d)

    def test_small_steps_never_trip(self):
        """Steps within the skew, forward and back, with a slow feed: nothing is ever refused."""
        clock, d, c, feed = self.serve()
        luck, at = random.Random(7), 0.0
        feed.both()
        for turn in range(300):
            at += luck.uniform(-0.2, 0.2)
            if turn % 3 == 0:
                at = max(-0.1, min(at, 0.1))
                feed.both()
            clock.shift(max(-0.1, min(at, 0.1)))
            self.assert_good(c.hedge(), f"turn {turn}")
        self.check(d)

    def test_a_drifting_clock_never_trips(self):
        """A tenth too fast, then a tenth too slow: feeds drift with it."""
        clock, d, c, feed = self.serve()
        begin, turns = time.monotonic(), 0
        while (gone := time.monotonic() - begin) < 4.0 or turns < 110:
            turns += 1
            clock.shift(gone / 10 if gone < 2 else 0.2 - (gone - 2) / 10)
            for heard in feed.both():
                self.assertIn(heard.status, (200, 409), repr(heard))
            self.assert_good(c.hedge(), f"after {gone:.3f} s")
        self.assertGreater(len(self.check(d)), 100)

    def test_durations_are_measured_with_the_steady_clock(self):
        """Deadlines, probes and the like do not see a step: nothing hangs, nothing hurries."""
        clock, d, c, feed = self.serve()
        for at in (86400.0 * 365, -86400.0 * 365, 0.0):
            clock.shift(at)
            feed.both()
            begin = time.monotonic()
            for _ in range(50):
                self.assert_good(c.hedge(), f"shift {at}")
            self.assert_status(c.post("/curve/reload"), 200, f"shift {at}")
            self.assertLess(time.monotonic() - begin, 20, f"shift {at}")
            with d.client() as other:
                self.assert_status(other.get("/healthz"), 200, f"shift {at}")
        self.check(d)

    def test_before_1970_is_refused_and_passes(self):
        """A clock that was lost altogether."""
        clock, d, c, feed = self.serve()
        feed.both()
        self.assert_good(c.hedge(), "before")
        clock.shift(-time.time() - 3600)
        self.assert_problem(c.hedge(), 503, "clock_skew", "the clock says 1969")
        clock.shift(0)
        feed.both()
        self.assert_good(c.hedge(), "after")
        self.check(d)

    @unittest.skipUnless(redis_server.available(), "no redis-server")
    def test_a_redis_feed_goes_on_through_steps(self):
        """Scores by Redis each 20 ms, depths by PUT each 50 ms, decisions all the time."""
        redis = redis_server.Redis()
        self.addCleanup(redis.kill)
        clock, d, c, feed = self.serve(redis_url=redis.url())
        daemon.wait_until(lambda: c.metric("hedge_redis_connected") == 1, "redis is connected")
        sent, wrong, ending = [0], [], threading.Event()
        stepping, steps = threading.Lock(), [0]

        def scores():
            try:
                with redis.client() as r:
                    while not ending.wait(0.02):
                        now_ns = clock.now_ns()
                        r.publish("BTC", {"score": 0.5, "ts": now_ns / 1e9})
                        sent[0] = now_ns
            except Exception as e:  # pylint: disable=broad-except
                wrong.append(repr(e))

        def depths():
            try:
                with d.client() as own:
                    mine = PutFeed(clock, own)
                    while not ending.wait(0.05):
                        with stepping:
                            before = steps[0]
                        heard = mine.depth()
                        with stepping:  # a time from before a step back is rightly from the future
                            stepped = steps[0] != before
                        if heard.status not in ((200, 409, 422) if stepped else (200, 409)):
                            wrong.append(repr(heard))
            except Exception as e:  # pylint: disable=broad-except
                wrong.append(repr(e))

        threads = [threading.Thread(target=t, daemon=True) for t in (scores, depths)]
        for t in threads:
            t.start()
        try:
            at, trips = 0.0, {}
            for step in STEPS_S:
                daemon.wait_until(lambda: c.hedge().status == 200, f"good before {step}", 5)
                at += step
                with stepping:
                    clock.shift(at)
                    steps[0] += 1
                stepped = clock.now_ns()
                begin = time.monotonic()
                codes = []
                while time.monotonic() - begin < 0.4:
                    quote = c.quote("BTC")
                    fresh = all(
                        stepped - 2e6 <= quote.get(name, 0) * 1e6 <= clock.now_ns() + 2e6
                        for name in ("ts_ms", "depth_ts_ms"))
                    answer = c.hedge()
                    if answer.status != 200:
                        codes.append(answer.code)
                        self.assertIn(answer.code, MAY_TRIP, f"step {step}")
                        self.assertFalse(fresh, f"step {step}: {answer!r} with {quote}")
                trips[step] = len(codes)
                if -SKEW_S <= step <= 2.9 - 0.05:
                    self.assertEqual(codes, [], f"step {step}: nothing is old or early")
                for what in (c.hedge, lambda: c.get("/readyz")):
                    daemon.wait_until(lambda: what().status == 200, f"good after {step}", 5)
            print(f"\n  trips by step: {trips}", flush=True)
        finally:
            ending.set()
            for t in threads:
                t.join(10)
        self.assertEqual(wrong[:3], [])
        self.assertGreater(len(self.check(d)), 200)


if __name__ == "__main__":
    daemon.main()
