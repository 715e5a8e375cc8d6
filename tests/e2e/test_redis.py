# SPDX-License-Identifier: MIT
"""The feed from Redis: real servers that come and go, and false ones that misbehave."""
import json
import time
import unittest

import daemon
import oracle
import redis_server
from daemon import Daemon, MIB, now_ms
from redis_server import Fake, Redis

RULES = oracle.policy(calm=True, assets=(*oracle.ASSETS, "OLD"))
RECOVERY_S = 12.0  # the longest pause between two attempts, and some


def messages(client, result):
    return client.metric("hedge_redis_messages_total", result=result)


def connected(client):
    return client.metric("hedge_redis_connected") == 1


@unittest.skipUnless(redis_server.available(), "redis-server is not installed")
class Feed(daemon.Case):
    """One redis-server and one daemon for all."""

    @classmethod
    def setUpClass(cls):
        cls.redis = Redis()
        cls.pipe = cls.redis.client()
        cls.daemon = Daemon(RULES, redis_url=cls.redis.url(0))
        cls.client = cls.daemon.client()
        daemon.wait_until(lambda: connected(cls.client), "connected to Redis")
        cls.last = now_ms()

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        with cls.daemon as d:
            code = d.stop()
        cls.pipe.close()
        cls.redis.kill()
        assert code == 0, f"SIGTERM ended it with {code}"

    def stamp(self):
        """A time in ms later than any before it, and not in the future."""
        type(self).last = max(self.last + 1, now_ms())
        time.sleep(max(0, self.last - now_ms()) / 1000)
        return self.last

    def send(self, asset="BTC", **message):
        self.assertEqual(self.pipe.publish(asset, message), 1, "the daemon has subscribed")

    def wait_for(self, asset, **members):
        def holds():
            quote = self.client.quote(asset)
            return quote if all(quote.get(k) == v for k, v in members.items()) else None
        return daemon.wait_until(holds, f"{asset} has {members}, it is "
                                        f"{self.client.quote(asset)}", 5)

    def test_a_message_is_the_quote(self):
        ts = self.stamp()
        self.send(score=0.62, ts=ts, confidence=0.9)
        self.wait_for("BTC", score=0.62, confidence=0.9, ts_ms=ts)
        ts = self.stamp()
        self.send(score=0.25, ts=ts)
        got = self.wait_for("BTC", score=0.25, confidence=1, ts_ms=ts)
        self.assertEqual(got["previous_score"], 0.62)

    def test_seconds_and_milliseconds(self):
        ts = self.stamp()
        self.send("ETH", score=0.5, ts=ts / 1000)
        self.wait_for("ETH", ts_ms=ts)
        ts = self.stamp()
        self.send("ETH", score=0.5, ts=ts)
        self.wait_for("ETH", ts_ms=ts)
        self.send("OLD", score=0.5, ts=1752480000.123)
        self.wait_for("OLD", ts_ms=1752480000123)
        self.send("OLD", score=0.5, ts=1752480000124)
        self.wait_for("OLD", ts_ms=1752480000124)

    def test_each_asset_has_its_channel(self):
        ts = self.stamp()
        for i, asset in enumerate(oracle.ASSETS):
            self.send(asset, score=0.4 + i / 100, ts=ts)
        for i, asset in enumerate(oracle.ASSETS):
            self.wait_for(asset, score=0.4 + i / 100, ts_ms=ts)

    def test_an_older_message_is_ignored_and_counted(self):
        ts = self.stamp()
        self.send("LTC", score=0.5, ts=ts)
        self.wait_for("LTC", ts_ms=ts)
        before = messages(self.client, "older")
        self.send("LTC", score=0.9, ts=ts - 1)
        self.send("LTC", score=0.9, ts=(ts - 1000) / 1000)
        daemon.wait_until(lambda: messages(self.client, "older") == before + 2, "counted as older")
        self.assertEqual(self.client.quote("LTC")["score"], 0.5)

    def test_malformed_messages_are_counted_and_change_nothing(self):
        ts = self.stamp()
        self.send("BTC", score=0.5, confidence=0.75, ts=ts)
        self.wait_for("BTC", ts_ms=ts)
        new = ts + 1
        bad = [
            b"", b"hello", b"{", b"[]", b"null", b"1", b'"x"', b'{"score":0.5', b"{}",
            {"ts": new}, {"score": 0.5}, {"score": "0.5", "ts": new}, {"score": None, "ts": new},
            {"score": True, "ts": new}, {"score": [0.5], "ts": new}, {"score": 0.5, "ts": "now"},
            {"score": 0.5, "ts": None}, {"score": 1.001, "ts": new}, {"score": -0.001, "ts": new},
            {"score": 0.5, "ts": new, "confidence": 1.5},
            {"score": 0.5, "ts": new, "confidence": -0.1},
            {"score": 0.5, "ts": new, "confidence": "high"},
            {"score": 0.5, "ts": -5}, {"score": 0.5, "ts": new + 3600000},
            {"score": 0.5, "ts": (new + 3600000) / 1000}, {"score": 0.5, "ts": 1e300},
            b'{"score":NaN,"ts":%d}' % new, b'{"score":Infinity,"ts":%d}' % new,
            b'{"score":1e999,"ts":%d}' % new, b'{"score":0.5,"ts":1e999}',
            b'{"score":0.5,"ts":%d}x' % new, b'{"score":0.5,"ts":%d}\0' % new,
            b'{"score":0.5,"ts":%d,"note":"\xff"}' % new, b"\xff\xfe\x00\x01", b"\0" * 100,
            b"[" * 20000, b'{"score":0.5,"score":0.6,"ts":%d}' % new,
        ]
        before, applied = messages(self.client, "malformed"), messages(self.client, "applied")
        for message in bad:
            self.pipe.publish("BTC", message)
        daemon.wait_until(lambda: messages(self.client, "malformed") >= before + len(bad),
                          f"{len(bad)} malformed messages counted", 10)
        self.assertEqual(messages(self.client, "malformed"), before + len(bad))
        self.assertEqual(messages(self.client, "applied"), applied)
        held = self.client.quote("BTC")
        self.assertEqual((held["score"], held["confidence"], held["ts_ms"]), (0.5, 0.75, ts))
        self.assertTrue(connected(self.client), "a bad message is no reason to reconnect")
        ts = self.stamp()
        self.send("BTC", score=0.6, ts=ts)
        self.wait_for("BTC", score=0.6, ts_ms=ts)

    def test_a_flood_of_bad_messages_is_logged_at_a_bounded_rate(self):
        lines, count = len(self.daemon.lines), messages(self.client, "malformed")
        begin = time.monotonic()
        for _ in range(20):
            self.pipe.calls([("PUBLISH", "sentiment:latest:BTC", "junk")] * 500)
        daemon.wait_until(lambda: messages(self.client, "malformed") == count + 10000,
                          "10,000 malformed messages counted", 20)
        seconds = time.monotonic() - begin
        self.assertLess(len(self.daemon.lines) - lines, 30 * (seconds + 2),
                        "log lines for 10,000 bad messages")

    def test_other_channels_and_assets_do_no_harm(self):
        before = self.client.get("/quotes").json["quotes"]
        for name in ("DOGE", "", "btc", "BTC ", "A" * 1000, "BTC:x"):
            self.pipe.publish(name, {"score": 0.99, "ts": self.stamp()})
        ts = self.stamp()
        self.send("BTC", score=0.61, ts=ts)
        self.wait_for("BTC", ts_ms=ts)
        after = self.client.get("/quotes").json["quotes"]
        self.assertEqual([q["asset"] for q in after], [q["asset"] for q in before])
        self.assertNotIn(0.99, [q.get("score") for q in after])

    def test_a_burst_ends_at_the_last_message(self):
        ts = self.stamp() - 1000000
        for start in range(0, 10000, 500):
            self.pipe.calls([("PUBLISH", "sentiment:latest:XRP",
                              json.dumps({"score": (start + i) / 10000,
                                          "ts": self.last + start + i - 10000}))
                             for i in range(500)])
        self.assertGreater(self.last, ts)
        self.wait_for("XRP", score=0.9999, ts_ms=self.last - 1)


@unittest.skipUnless(redis_server.available(), "redis-server is not installed")
class ComingAndGoing(daemon.Case):
    def test_an_oversized_message_silences_no_other_asset(self):
        for size in (70000, 2 * MIB):
            with self.subTest(size=size), Redis() as redis, redis.client() as pipe, \
                    Daemon(RULES, redis_url=redis.url()) as d, d.client() as c:
                daemon.wait_until(lambda: connected(c), "connected")
                pipe.publish("BTC", b'{"score":0.5,"ts":%d,"x":"%s"}' % (now_ms(), b"y" * size))
                time.sleep(0.5)

                def heard(asset):
                    pipe.publish(asset, {"score": 0.44, "ts": now_ms()})
                    return c.quote(asset).get("score") == 0.44
                daemon.wait_until(lambda: heard("ETH"), f"ETH is heard beside {size} bytes for BTC",
                                  RECOVERY_S, every=0.2)
                daemon.wait_until(lambda: heard("BTC"), "BTC's next message is heard", RECOVERY_S,
                                  every=0.2)
                self.assertTrue(d.alive())

    def test_the_keys_are_read_on_connect(self):
        with Redis() as redis, redis.client() as pipe:
            ts = now_ms()
            for i, asset in enumerate(oracle.ASSETS[:3]):
                pipe.publish(asset, {"score": 0.3 + i / 10, "ts": ts, "confidence": 0.8})
            pipe.call("LPUSH", "sentiment:latest:XRP", "a list, not a string")
            with Daemon(RULES, redis_url=redis.url()) as d, d.client() as c:
                for i, asset in enumerate(oracle.ASSETS[:3]):
                    daemon.wait_until(lambda a=asset: c.quote(a).get("ts_ms") == ts,
                                      f"{asset} is read from its key")
                    self.assertEqual(c.quote(asset)["score"], 0.3 + i / 10)
                self.assertNotIn("score", c.quote("XRP"))
                pipe.call("DEL", "sentiment:latest:XRP")
                pipe.publish("XRP", {"score": 0.7, "ts": ts})
                daemon.wait_until(lambda: c.quote("XRP").get("score") == 0.7, "XRP's message")
                self.assertEqual(d.stop(), 0)

    def test_passwords_users_and_databases(self):
        cases = (({"password": "s3cret!@:/%"}, ":s3cret%21%40%3A%2F%25@", None),
                 ({"password": "pw", "user": "reader"}, "reader:pw@", None),
                 ({"password": "plain"}, ":plain@", 3), ({}, "", 5))
        for arguments, credentials, db in cases:
            with Redis(**arguments) as redis, redis.client(db or 0) as pipe:
                ts = now_ms()
                pipe.call("SET", "sentiment:latest:BTC", json.dumps({"score": 0.5, "ts": ts}))
                url = redis.url(db, credentials)
                with Daemon(RULES, redis_url=url) as d, d.client() as c:
                    daemon.wait_until(lambda: c.quote("BTC").get("ts_ms") == ts, f"{url} is read")
                    pipe.publish("BTC", {"score": 0.6, "ts": ts + 1})
                    daemon.wait_until(lambda: c.quote("BTC")["score"] == 0.6, f"{url} is heard")
                    self.assertNotIn("s3cret", d.log(), "a password in the log")

    def test_wrong_credentials_do_not_connect_and_do_not_leak(self):
        for arguments, credentials in (({"password": "right"}, ":wr0ng-pass@"),
                                       ({"password": "right"}, ""),
                                       ({"password": "right", "user": "u"}, "v:wr0ng-pass@")):
            with Redis(**arguments) as redis:
                url = redis.url(None, credentials)
                with Daemon(RULES, redis_url=url) as d, d.client() as c:
                    daemon.wait_until(lambda: any("redis" in line.lower() for line in d.lines[1:]),
                                      f"{url}: a log line about Redis: {d.log()}")
                    self.assertFalse(connected(c), url)
                    self.assertNotIn("wr0ng-pass", "\n".join(d.lines))
                    self.assertTrue(any("redis" in str(r).lower()
                                        for r in c.get("/readyz").json["reasons"]),
                                    c.get("/readyz"))

    def test_absent_at_the_start_then_killed_and_restarted(self):
        port = daemon.free_port()
        with Daemon(RULES, redis_url=f"redis://127.0.0.1:{port}/0") as d, d.client() as c:
            self.assertFalse(connected(c))
            self.assert_status(c.put("/quotes/BTC", {"score": 0.5, "depth1pct_usd": 78034.0}), 200)
            self.assert_status(c.hedge(), 200, "it decides without Redis")
            last = 0.0
            for turn in range(3):
                redis = Redis(port=port)
                try:
                    daemon.wait_until(lambda: connected(c), f"turn {turn}: connected", RECOVERY_S)
                    total = c.metric("hedge_redis_connects_total")
                    self.assertGreater(total, last)
                    last = total
                    with redis.client() as pipe:
                        ts = now_ms()
                        daemon.wait_until(lambda: pipe.publish("BTC", {"score": 0.3, "ts": ts}) == 1,
                                          "subscribed", 5)
                        daemon.wait_until(lambda: c.quote("BTC").get("ts_ms") == ts, "heard")
                finally:
                    redis.kill()
                daemon.wait_until(lambda: not connected(c), "the loss is seen", 10)
                self.assert_status(c.hedge(), 200, "it decides on what it holds")
            self.assertEqual(d.stop(), 0)

    def test_what_was_set_while_away_is_read_again(self):
        port = daemon.free_port()
        redis = Redis(port=port)
        with Daemon(RULES, redis_url=f"redis://127.0.0.1:{port}") as d, d.client() as c:
            daemon.wait_until(lambda: connected(c), "connected")
            with redis.client() as pipe:  # cut the connections, not the server
                ts = now_ms()
                pipe.call("SET", "sentiment:latest:ETH", json.dumps({"score": 0.44, "ts": ts}))
                pipe.call("CLIENT", "KILL", "TYPE", "pubsub")
            daemon.wait_until(lambda: c.quote("ETH").get("score") == 0.44, "read again", RECOVERY_S)
        redis.kill()


class FalseServers(daemon.Case):
    """Whatever answers on the port, the daemon serves on and its memory stays bounded."""

    SERVERS = {
        "garbage": {"answer": b"\x00\xff\x17 what is this\r\n" * 50},
        "HTTP": {"answer": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"},
        "a huge aggregate": {"answer": b"*2147483647\r\n"},
        "a larger aggregate": {"answer": b"*9223372036854775807\r\n"},
        "aggregates in aggregates": {"flood": b"*1\r\n" * 4096},
        "huge aggregates in aggregates": {"answer": b"*2147483647\r\n" * 8},
        "a huge bulk": {"answer": b"$536870912\r\n", "flood": b"x" * 65536, "most": 300 * MIB},
        "a huge bulk that never comes": {"answer": b"$9223372036854775800\r\n"},
        "an endless line": {"flood": b"+" + b"x" * 65535, "most": 300 * MIB},
        "an error": {"answer": b"-LOADING try again later\r\n"},
        "negative lengths": {"answer": b"*-7\r\n$-9\r\n"},
        "answers to nothing": {"flood": b"+OK\r\n" * 4096, "most": 64 * MIB, "on_connect": True},
        "a hang-up": {"answer": b"+OK\r\n", "hold": False},
        "never a word": {"answer": None},
    }

    def test_each(self):
        for name, behaviour in self.SERVERS.items():
            with self.subTest(server=name), Fake(**behaviour) as fake, \
                    Daemon(RULES, redis_url=fake.url()) as d, d.client() as c:
                before = d.memory()
                daemon.wait_until(lambda: fake.connections > 0, f"{name}: it connects")
                self.assert_status(c.put("/quotes/BTC", {"score": 0.5, "depth1pct_usd": 9e4}), 200)
                end = time.monotonic() + 1.5
                while time.monotonic() < end:
                    self.assert_status(c.hedge(), 200, name)
                    time.sleep(0.02)
                after = d.memory()
                self.assertLess(after["VmHWM"] - before["VmRSS"], 96 * MIB, f"{name}: memory used")
                self.assertLess(after["VmPeak"] - before["VmPeak"], 1024 * MIB,
                                f"{name}: memory reserved")
                self.assertLess(fake.connections, 40, f"{name}: it hammers the server")
                c.close()
                self.assertEqual(d.stop(), 0, name)


if __name__ == "__main__":
    daemon.main()
