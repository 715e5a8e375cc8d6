# SPDX-License-Identifier: MIT
"""Memory that runs out in the threads that talk to Redis, ClickHouse and Postgres.

The daemon lives, goes on deciding, and comes back by itself: quotes are fresh again, and every
record is shipped once. `test_out_of_memory_feeds.py COUNT [TEST]` tries so many points of each
kind, 0: all."""
import http.client
import unittest

import clickhouse_server
import faults_memory
import memory_walk
import redis_server
import shipping
from daemon import Daemon, now_ms, wait_until
from memory_walk import RULES, Outcomes

BACK_S = 30  # the longest pause between two attempts, twice, on a busy machine


class Feed(memory_walk.Case):
    """What a feed does is not asked for, so each point waits until something has failed."""

    def daemon(self, **settings):
        memory = faults_memory.Memory()
        d = Daemon(RULES, wrapper=memory.wrapper, **settings)
        self.addCleanup(d.__exit__)
        return d, memory

    def total(self, memory, act):
        """How many allocations act() and what it waits for make."""
        memory.fail(memory_walk.NEVER)
        act()
        memory.stop()
        return memory.seen

    def disturb(self, d, memory, name, numbers, cause, recovered):
        """cause() lets a thread work; then some allocation of it fails; then all is well again."""
        outcomes = Outcomes()
        for for_ever in (False, True):
            for n in memory_walk.some(numbers, memory_walk.POINTS * (1 if for_ever else 2) // 2):
                memory.fail(n, for_ever)
                cause()
                wait_until(lambda: memory.failed or not d.alive(), "an allocation fails", BACK_S)
                memory.stop()
                where = (f"{name}, allocation {n}{' and all after it' if for_ever else ''}, asked "
                         f"for by {memory.caller}")
                try:
                    recovered(where)
                except (OSError, http.client.HTTPException) as fault:
                    raise AssertionError(f"{where}: {fault}, ended with {d.process.wait(10)}: "
                                         f"{d.log()}") from fault
                outcomes.note("recovered")
        self.report(name, outcomes)


@unittest.skipUnless(faults_memory.available(), "HEDGE_FAULTS_MEMORY names no library to preload")
@unittest.skipUnless(redis_server.available(), "redis-server is not installed")
class Redis(Feed):
    def test_scores_come_again(self):
        with redis_server.Redis() as server, server.client() as pipe:
            d, memory = self.daemon(redis_url=server.url(0))
            sent = [0]

            def connected():
                with d.client() as c:
                    return c.metric("hedge_redis_connected") == 1

            def publish():
                sent[0] = max(sent[0] + 1, now_ms())
                return pipe.publish("BTC", {"score": 0.62, "ts": sent[0], "confidence": 0.9})

            def arrives():
                with d.client() as c:
                    return c.quote("BTC").get("ts_ms") == sent[0]

            def again(where):
                wait_until(connected, f"{where}: connected {d.log()}", BACK_S)
                publish()
                wait_until(arrives, f"{where}: a score arrives {d.log()}", BACK_S)
            again("at first")
            print(flush=True)
            self.disturb(d, memory, "a message of Redis", range(24), publish, again)
            # A new connection: its server ends the old one.
            self.disturb(d, memory, "a connection to Redis", range(160),
                         lambda: pipe.call("CLIENT", "KILL", "TYPE", "pubsub"), again)
            self.assertEqual(d.stop(), 0)


@unittest.skipUnless(faults_memory.available(), "HEDGE_FAULTS_MEMORY names no library to preload")
@unittest.skipUnless(clickhouse_server.available(), "clickhouse-server is not installed")
class ClickHouse(Feed):
    def test_depth_comes_again(self):
        with clickhouse_server.ClickHouse() as server:
            d, memory = self.daemon(clickhouse_url=server.url(), clickhouse_interval_ms=50)

            def polls(result):
                with d.client() as c:
                    return c.metric("hedge_clickhouse_polls_total", result=result)

            def arrives(where):
                ts = now_ms()
                server.insert_deltas([(ts, "BTC", "bid", 99.5, 500.0),
                                      (ts, "BTC", "ask", 100.5, 500.0)])

                def there():
                    with d.client() as c:
                        return c.quote("BTC").get("depth_ts_ms") == ts
                wait_until(there, f"{where}: a book arrives {d.log()}", BACK_S)
                with d.client() as c:
                    wait_until(lambda: c.metric("hedge_clickhouse_up") == 1, f"{where}: up", BACK_S)
            arrives("at first")

            def some_polls():
                before = polls("ok")
                wait_until(lambda: polls("ok") > before + 1, "a poll", BACK_S)
            print(flush=True)
            self.disturb(d, memory, "polls of ClickHouse", range(self.total(memory, some_polls)),
                         lambda: None, arrives)
            self.assertEqual(d.stop(), 0)


@unittest.skipUnless(faults_memory.available(), "HEDGE_FAULTS_MEMORY names no library to preload")
class Postgres(Feed, shipping.Case):
    def serve_to(self, db):
        d, memory = self.daemon(db_dsn=db.dsn())
        self.quote(d)
        self.wait_shipped(d)
        return d, memory

    def decide(self, d):
        with d.client() as c:
            self.assert_status(c.hedge(), 200)

    def test_every_record_is_shipped(self):
        db = self.database()
        d, memory = self.serve_to(db)
        ids = set()

        def again(where):
            with d.client() as c:
                answer = wait_until(lambda: (lambda a: a if a.status == 200 else None)(c.hedge()),
                                    f"{where}: it decides")
                ids.add(answer.json["decision_id"])
            self.wait_shipped(d, BACK_S)

        def ask():
            """What is decided while memory is short may be refused."""
            one = {"asset": "BTC", "amount_usd": 7.0}
            answer = self.ask(d, ("decide", "POST", "/hedge", one, {}))
            if answer is not None and answer.status == 200:
                ids.add(answer.json["decision_id"])

        def ship():
            self.decide(d)
            self.wait_shipped(d)
        print(flush=True)
        total = self.total(memory, ship)
        self.disturb(d, memory, "decisions that are shipped", range(total), ask, again)

        def cut():
            for pid in db.backends():
                db.query(f"SELECT pg_terminate_backend({pid})")
        self.disturb(d, memory, "a connection to Postgres", range(400), cut, again)
        self.wait_shipped(d, BACK_S)
        self.assert_answered(db, ids)
        self.assert_whole(db, d)
        self.assertEqual(d.stop(), 0)


if __name__ == "__main__":
    memory_walk.main()
