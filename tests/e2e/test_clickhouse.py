# SPDX-License-Identifier: MIT
"""The feed from ClickHouse: real servers that come and go, and false ones that misbehave."""
import json
import os
import shutil
import ssl
import subprocess
import time
import unittest
from unittest import mock

import clickhouse_server
import daemon
import oracle
from clickhouse_server import ClickHouse, Fake, http_reply
from daemon import Daemon, MIB, now_ms

ASSETS = (*oracle.ASSETS, "SOL", "DOT", "ADA")
RULES = oracle.policy(calm=True, assets=ASSETS)
FAST = {"clickhouse_interval_ms": 50}
RECOVERY_S = 15.0  # the longest pause, the time-out, a server's start, and some
QUICK_S = 15.0  # for stopping, where the time-out is a minute


def line(asset="BTC", bid=99.5, ask=100.5, depth=200.0, ts=None, **more):
    row = {"asset": asset, "best_bid": bid, "best_ask": ask, "depth1pct_usd": depth,
           "ts_ms": now_ms() if ts is None else ts, **more}
    return json.dumps({k: v for k, v in row.items() if v != "absent"}) + "\n"


def book(asset, ts, bid=99.5, ask=100.5, size=1.0):
    return [(ts, asset, "bid", bid, size), (ts, asset, "ask", ask, size)]


def up(client):
    return client.metric("hedge_clickhouse_up") == 1


def books(client, result):
    return client.metric("hedge_clickhouse_books_total", result=result)


def polls(client, result):
    return client.metric("hedge_clickhouse_polls_total", result=result)


class FeedCase(daemon.Case):
    def serve(self, rules=RULES, **settings):
        return super().serve(rules, **{**FAST, **settings})

    def reasons(self, client, code=None, asset=None):
        return [r for r in client.get("/readyz").json["reasons"]
                if code in (None, r["code"]) and asset in (None, r.get("asset"))]

    def wait_up(self, client, d=None, timeout=10):
        daemon.wait_until(lambda: up(client), f"ClickHouse answers {d and d.log()}", timeout)

    def wait_depth(self, client, asset, depth, ts=None):
        def holds():
            quote = client.quote(asset)
            return quote.get("depth1pct_usd") == depth and ts in (None, quote["depth_ts_ms"])
        daemon.wait_until(holds, f"{asset} has {depth} of {ts}", 5)

    def wait_polls(self, client, n=2):
        """Until n more polls have gone well, so that what was there has been seen."""
        begin = polls(client, "ok")
        daemon.wait_until(lambda: polls(client, "ok") >= begin + n, f"{n} polls", 10)

    def stop(self, d, c):
        """Ends the daemon without a connection to wait for; how long that took."""
        c.close()
        begin = time.monotonic()
        self.assertEqual(d.stop(), 0)
        return time.monotonic() - begin


@unittest.skipUnless(clickhouse_server.available(), "clickhouse-server is not installed")
class Feed(FeedCase):
    """One clickhouse-server for all; each test has assets or a daemon of its own."""

    @classmethod
    def setUpClass(cls):
        cls.server = ClickHouse(password="s3cret!@:/%")

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()

    def setUp(self):
        for table in ("order_book_deltas", "order_book_levels"):
            self.server.query(f"TRUNCATE TABLE {table}")

    def test_depth_reaches_the_quotes_and_decides(self):
        d, c = self.serve(clickhouse_url=self.server.url())
        self.wait_up(c, d)
        self.wait_polls(c)
        self.assertNotIn("depth1pct_usd", c.quote("BTC"), "no books, no depth")
        self.assert_status(c.put("/quotes/BTC", {"score": 0.62}), 200)
        self.assert_problem(c.hedge(), 503, "no_quote")
        ts = now_ms()
        self.server.insert_deltas(book("BTC", ts, size=500.0) + book("ETH", ts - 7))
        self.wait_depth(c, "BTC", 100000.0, ts)
        self.wait_depth(c, "ETH", 200.0, ts - 7)
        answer = c.hedge(amount=1000.0)
        self.assert_status(answer, 200)
        self.assertEqual(answer.json["liquidity_weight"], 100000.0 / 600000.0)
        self.assertEqual(c.records()[-1]["quote"]["depth1pct_usd"], 100000.0)
        self.server.insert_deltas([(ts + 1, "BTC", "bid", 99.5, 300.0)])
        self.wait_depth(c, "BTC", 99.5 * 300 + 100.5 * 500, ts + 1)
        self.assertEqual(self.reasons(c, asset="BTC"), [])
        found = c.metrics()
        self.assertGreater(found[("hedge_clickhouse_query_seconds", ())], 0)
        self.assertEqual(polls(c, "failed"), 0)
        self.assertEqual(len(d.events("clickhouse_connected")), 1)
        self.stop(d, c)
        self.assertNotIn("s3cret", "\n".join(d.lines))

    def test_a_quiet_book_grows_stale_and_comes_back(self):
        rules = oracle.policy(calm=True, limits={"stale_depth_ms": 600}, assets=ASSETS)
        _, c = self.serve(rules, clickhouse_url=self.server.url())
        self.assert_status(c.put("/quotes/BTC", {"score": 0.62}), 200)
        for _ in range(2):
            ts = now_ms()
            self.server.insert_deltas(book("BTC", ts, size=500.0))
            self.wait_depth(c, "BTC", 100000.0, ts)
            daemon.wait_until(lambda: c.hedge().status == 503, "it grows stale", 5)
            self.assert_problem(c.hedge(), 503, "stale_depth")
            self.wait_polls(c)
            self.assertEqual(c.quote("BTC")["depth_ts_ms"], ts, "polling does not make it younger")
            self.assertTrue(self.reasons(c, "stale_depth", "BTC"))
            self.assertTrue(up(c), "the server is well")

    def test_crossed_and_one_sided_books_are_named_and_not_taken(self):
        d, c = self.serve(clickhouse_url=self.server.url())
        ts = now_ms()
        self.server.insert_deltas(book("SOL", ts) + book("DOT", ts))
        self.wait_depth(c, "SOL", 200.0, ts)
        self.wait_depth(c, "DOT", 200.0, ts)
        self.assertEqual(self.reasons(c, "crossed_book") + self.reasons(c, "one_sided_book"), [])
        self.server.insert_deltas([(ts + 1, "SOL", "bid", 101.25, 9.0),
                                   (ts + 1, "DOT", "ask", 100.5, 0.0)])
        crossed = daemon.wait_until(lambda: self.reasons(c, "crossed_book", "SOL"), "crossed", 5)
        self.assertRegex(crossed[0]["detail"], r"101\.25.*100\.5\b")
        one_sided = daemon.wait_until(lambda: self.reasons(c, "one_sided_book", "DOT"), "empty", 5)
        self.assertRegex(one_sided[0]["detail"], r"99\.5.*none")
        self.assertGreater(books(c, "crossed"), 0)
        self.assertGreater(books(c, "one_sided"), 0)
        for asset in ("SOL", "DOT"):
            self.assertEqual((c.quote(asset)["depth1pct_usd"], c.quote(asset)["depth_ts_ms"]),
                             (200.0, ts), "what was held stays, and ages")
        self.server.insert_deltas([(ts + 2, "SOL", "bid", 101.25, 0.0),
                                   (ts + 2, "DOT", "ask", 100.5, 1.0)])
        self.wait_depth(c, "SOL", 200.0, ts + 2)
        self.wait_depth(c, "DOT", 200.0, ts + 2)
        self.assertEqual(self.reasons(c, "crossed_book") + self.reasons(c, "one_sided_book"), [])
        told = [(e["asset"], e["result"]) for e in d.events("clickhouse_book")]
        self.assertEqual(sorted(told), [("DOT", "applied"), ("DOT", "one_sided"),
                                        ("SOL", "applied"), ("SOL", "crossed")])

    def test_unknown_assets_and_older_books_are_counted(self):
        _, c = self.serve(clickhouse_url=self.server.url())
        ts = now_ms() - 5000
        self.assert_status(c.put("/quotes/ADA", {"depth1pct_usd": 7.0, "depth_ts_ms": ts + 1}), 200)
        self.server.insert_deltas(book("ADA", ts) + book("DOGE", ts))
        daemon.wait_until(lambda: books(c, "older") > 0, "older", 5)
        daemon.wait_until(lambda: books(c, "unknown_asset") > 0, "unknown asset", 5)
        self.assertEqual(c.quote("ADA")["depth1pct_usd"], 7.0)
        self.assertIsNone(c.quote("DOGE"))
        self.assertEqual(books(c, "applied"), 0)

    def test_a_book_from_the_future_is_refused_until_its_time(self):
        _, c = self.serve(clickhouse_url=self.server.url())
        ts = now_ms() + 3000
        self.server.insert_deltas(book("BTC", ts) + book("ETH", now_ms() + 100))
        daemon.wait_until(lambda: books(c, "future") > 0, "from the future", 5)
        self.assertTrue(self.reasons(c, "future_book", "BTC"))
        self.assertNotIn("depth1pct_usd", c.quote("BTC"))
        self.wait_depth(c, "ETH", 200.0)
        self.wait_depth(c, "BTC", 200.0, ts)
        self.assertEqual(self.reasons(c, "future_book"), [])

    def test_books_that_are_gone_keep_no_reason(self):
        _, c = self.serve(clickhouse_url=self.server.url())
        self.server.insert_deltas([(now_ms(), "BTC", "bid", 99.5, 1.0)])
        daemon.wait_until(lambda: self.reasons(c, "one_sided_book", "BTC"), "one-sided", 5)
        self.server.query("TRUNCATE TABLE order_book_levels")
        daemon.wait_until(lambda: not self.reasons(c, "one_sided_book"), "gone", 5)

    def test_assets_of_a_new_policy_are_read(self):
        d, c = self.serve(clickhouse_url=self.server.url())
        self.server.insert_deltas([(now_ms(), "DOGE", "bid", 99.5, 1.0)] + book("PEPE", now_ms()))
        daemon.wait_until(lambda: books(c, "unknown_asset") >= 2, "unknown assets", 5)
        daemon.write_file(d.policy_path, oracle.text(oracle.policy(assets=("DOGE", "BTC", "PEPE"))))
        self.assert_status(c.post("/curve/reload"), 200)
        self.wait_depth(c, "PEPE", 200.0)
        daemon.wait_until(lambda: self.reasons(c, "one_sided_book", "DOGE"), "one-sided", 5)
        self.assertEqual(self.reasons(c, "one_sided_book", "BTC"), [])

    def test_users_passwords_and_databases(self):
        reader = "reader:r3ader%3A%20pw@"
        self.server.query("CREATE DATABASE IF NOT EXISTS md")
        self.server.query("CREATE TABLE IF NOT EXISTS md.order_book_levels "
                          "AS default.order_book_levels ENGINE = ReplacingMergeTree(ts_ms) "
                          "ORDER BY (asset, side, price)")
        self.server.query("TRUNCATE TABLE md.order_book_levels")
        ts = now_ms()
        self.server.insert_deltas(book("BTC", ts))
        self.server.query(f"INSERT INTO md.order_book_levels VALUES ({ts}, 'BTC', 'bid', 10, 2), "
                          f"({ts}, 'BTC', 'ask', 10.5, 2), ({ts}, 'BTC', 'ask', 10.1, 1)")
        for url, depth in ((self.server.url(), 200.0), (self.server.url(reader), 200.0),
                           (self.server.url(reader, "md"), 30.1), (self.server.url() + "/", 200.0)):
            d, c = self.serve(clickhouse_url=url)
            self.wait_depth(c, "BTC", depth, ts)
            self.stop(d, c)
            for secret in ("s3cret", "r3ader"):
                self.assertNotIn(secret, "\n".join(d.lines), "a password in the log")

    def test_wrong_credentials_do_not_connect_and_do_not_leak(self):
        for credentials in ("default:wr0ng-pass@", "nobody:wr0ng-pass@", "reader@", ":wr0ng-pass@"):
            d, c = self.serve(clickhouse_url=self.server.url(credentials))
            daemon.wait_until(lambda: polls(c, "failed") > 0, f"{credentials} is refused")
            self.assertFalse(up(c))
            detail = self.reasons(c, "clickhouse_unreachable")[0]["detail"]
            self.assertRegex(detail, r"HTTP status [45]\d\d: Code: ", credentials)
            self.assertNotIn("wr0ng-pass", detail)
            self.stop(d, c)
            self.assertNotIn("wr0ng-pass", "\n".join(d.lines))

    def test_a_query_of_ones_own(self):
        folder = daemon.new_folder()
        path = os.path.join(folder, "depth.sql")
        ts = now_ms()
        good = (f"SELECT 'BTC' AS asset, toFloat64(99) AS best_bid, toFloat64(100) AS best_ask, "
                f"1234.5 AS depth1pct_usd, toFloat64({ts}) AS ts_ms")
        for text in (good, good + ";\n", f"-- mine\n{good}\nFORMAT JSONEachRow\n"):
            daemon.write_file(path, text)
            d, c = self.serve(clickhouse_url=self.server.url(), clickhouse_query_file=path)
            self.wait_depth(c, "BTC", 1234.5, ts)
            self.stop(d, c)
        for text, said in (
                (good.replace("1234.5 AS depth1pct_usd, ", ""), "depth1pct_usd: missing"),
                (good + ", 1 AS more", "more: unknown member"),
                (good.replace(f"toFloat64({ts})", f"toUInt64({ts})"), "ts_ms: must be a number"),
                (good.replace("1234.5", "0. / 0."), "depth1pct_usd: must be"),
                (good.replace("1234.5", "-1."), "depth1pct_usd: must be"),
                (good + " FORMAT TabSeparated", "not JSON"),
                ("SELECT nothing FROM nowhere", "HTTP status 404: Code: 60"),
                ("SELECT throwIf(number = 100000) FROM numbers(200000)", "Code: "),
                ("this is not SQL", "HTTP status 400: Code: 62")):
            daemon.write_file(path, text)
            d, c = self.serve(clickhouse_url=self.server.url(), clickhouse_query_file=path)
            daemon.wait_until(lambda: polls(c, "failed") > 0, text)
            self.assertIn(said, self.reasons(c, "clickhouse_unreachable")[0]["detail"], text)
            self.assertFalse(up(c), text)
            daemon.wait_until(lambda: d.events("clickhouse_unreachable"), text)  # read from a pipe
            self.assertNotIn("depth1pct_usd", c.quote("BTC"), text)
            self.stop(d, c)


@unittest.skipUnless(clickhouse_server.available(), "clickhouse-server is not installed")
class Outages(FeedCase):
    def test_absent_at_the_start_then_killed_and_restarted(self):
        port, folder = daemon.free_port(), None
        d, c = self.serve(clickhouse_url=f"http://127.0.0.1:{port}")
        daemon.wait_until(lambda: polls(c, "failed") > 0, "a failed poll")
        self.assertTrue(self.reasons(c, "clickhouse_unreachable")[0]["detail"])
        self.assert_status(c.put("/quotes/BTC", {"score": 0.5, "depth1pct_usd": 78034.0,
                                                 "depth_ts_ms": now_ms() - 60000}), 200)
        self.assert_status(c.hedge(), 200, "it decides without ClickHouse")
        for turn in range(2):
            server = ClickHouse(port=port, folder=folder)
            try:
                folder = server.folder
                self.wait_up(c, d, RECOVERY_S)
                ts = now_ms()
                server.insert_deltas(book("BTC", ts, size=600.0))
                self.wait_depth(c, "BTC", 120000.0, ts)
            finally:
                server.kill()
            daemon.wait_until(lambda: not up(c), "the loss is seen", 10)
            self.assertTrue(self.reasons(c, "clickhouse_unreachable"))
            self.assert_status(c.hedge(), 200, "it decides on what it holds")
            self.assertEqual(len(d.events("clickhouse_connected")), turn + 1)
            self.assertEqual(len(d.events("clickhouse_lost")), turn + 1)
        self.stop(d, c)

    def test_frozen_and_thawed(self):
        with ClickHouse() as server:
            d, c = self.serve(clickhouse_url=server.url(), clickhouse_timeout_ms=300)
            self.wait_up(c, d)
            server.freeze()
            daemon.wait_until(lambda: not up(c), "a frozen server is seen", 10)
            detail = self.reasons(c, "clickhouse_unreachable")[0]["detail"]
            self.assertRegex(detail, "(?i)timed? ?out")
            server.thaw()
            self.wait_up(c, d, RECOVERY_S)
            self.stop(d, c)

    def test_stopping_does_not_wait_for_a_frozen_server(self):
        with ClickHouse() as server:
            d, c = self.serve(clickhouse_url=server.url(), clickhouse_timeout_ms=60000)
            self.wait_up(c, d)
            server.freeze()
            time.sleep(0.2)  # longer than the pause: a poll is under way
            self.assertLess(self.stop(d, c), QUICK_S)


class FalseServers(FeedCase):
    """Whatever answers on the port: the daemon serves on, takes no depth, says what is wrong."""

    @staticmethod
    def servers():
        good = line()
        three = http_reply(good * 3)
        chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n" + good.encode()
        timed_out, closed = "(?i)timed? ?out", "(?i)transfer closed|clos|end of response"
        return {
            "garbage": (Fake(b"\x00\xff\x17 what is this\r\n" * 50, hold=False),
                        "HTTP/0.9|version"),
            "a page": (Fake(http_reply("<html>\n<p>Sign in</p>\n</html>\n")), "no row of the"),
            "a JSON list": (Fake(http_reply("[1, 2]\n")), "no row of the"),
            "a redirect": (Fake(http_reply(good, "302 Found", Location="/other")), "status 302"),
            "moved": (Fake(http_reply(good, "308 Permanent Redirect",
                                      Location="http://127.0.0.1:1/")), "status 308"),
            "an error": (Fake(http_reply(good, "500 Internal Server Error")), "status 500"),
            "forbidden": (Fake(http_reply("no\nentry", "403 Forbidden")), "status 403: no$"),
            "no content": (Fake(b"HTTP/1.1 204 No Content\r\n\r\n"), "status 204"),
            "an error that says 200": (Fake(http_reply("Code: 159, e.displayText() = Timeout\n")),
                                       "Code: 159"),
            "over-long": (Fake(http_reply(good * 90000)), "8 MiB"),
            "endless": (Fake(parts=[http_reply(length=False)] + [good.encode() * 9000] * 200),
                        "8 MiB"),
            "an over-long line": (Fake(http_reply('{"asset":"' + "x" * 9 * MIB)), "8 MiB"),
            "endless headers": (Fake(parts=[b"HTTP/1.1 200 OK\r\n"]
                                     + [b"X-A: " + b"b" * 900 + b"\r\n"] * 2000), "64 KiB"),
            "endless interim replies": (Fake(parts=[b"HTTP/1.1 100 Continue\r\n\r\n"] * 20000),
                                        "64 KiB"),
            "slow": (Fake(parts=[three[:150]] + [b" "] * 100, pause=0.1), timed_out),
            "cut off": (Fake(three[:-30], hold=False), closed),
            "cut off in a chunk": (Fake(chunk, hold=False), closed),
            "cut off without a length": (Fake(http_reply(good[:-20], length=False), hold=False),
                                         "no row of the"),
            "a hang-up": (Fake(b"", hold=False), "(?i)empty reply|reset"),
            "never a word": (Fake(None), timed_out),
        }

    def test_each(self):
        for name, (fake, said) in self.servers().items():
            with self.subTest(server=name), fake:
                d = Daemon(RULES, clickhouse_url=fake.url("u:s3cret@"), clickhouse_timeout_ms=700,
                           **FAST)
                with d, d.client() as c:
                    before = d.memory()
                    daemon.wait_until(lambda: polls(c, "failed") > 0, f"{name}: it fails", 10)
                    self.assertRegex(self.reasons(c, "clickhouse_unreachable")[0]["detail"], said)
                    quote = {"score": 0.5, "depth1pct_usd": 9e4}
                    self.assert_status(c.put("/quotes/ETH", quote), 200)
                    self.assert_status(c.hedge("ETH"), 200, name)
                    self.assertFalse(up(c), name)
                    self.assertNotIn("depth1pct_usd", c.quote("BTC"), name)
                    self.assertLess(d.memory()["VmHWM"] - before["VmRSS"], 96 * MIB, name)
                    self.assertLess(fake.connections, 30, f"{name}: it hammers the server")
                    c.close()
                    self.assertEqual(d.stop(), 0, name)
                self.assertNotIn("s3cret", "\n".join(d.lines), name)
                self.assertTrue(all(head.startswith("POST /?") for head, _ in fake.requests), name)

    def test_each_line_is_judged_by_itself(self):
        bad = [line(depth="12"), line(depth=None), line(depth=-1.0), line(depth="absent"),
               line(bid="absent"), line(ask="100"), line(ts=0), line(ts=None, more=1), line(ts="x"),
               line(ts=-1.0), line(ts=1e13), line(asset=7), line(asset=None), line(asset="absent"),
               line().replace("200.0", "1e999"), line().replace("200.0", "NaN"),
               "\n", "{}\n", "[]\n",
               line().replace('"asset"', '"asset": "BTC", "asset"'), line()[:-3] + "\n",
               line()[:-1] + line()]
        ts = now_ms() - 3000
        body = line("ETH", depth=5.5, ts=ts) + "".join(bad) + line("XRP", depth=6.5, ts=ts)
        body += line("ETH", depth=7.5, ts=ts + 1) + line("SOL", depth=8.5, ts=ts + 0.25)[:-1]
        with Fake(http_reply(body)) as fake:
            d, c = self.serve(clickhouse_url=fake.url(), clickhouse_interval_ms=60000)
            self.wait_depth(c, "SOL", 8.5, ts)  # a whole object, if not a whole line
            self.wait_depth(c, "XRP", 6.5, ts)
            self.wait_depth(c, "ETH", 5.5, ts)  # its second row is malformed
            self.assertTrue(up(c))
            self.assertNotIn("depth1pct_usd", c.quote("BTC"))
            self.assertEqual(books(c, "malformed"), len(bad) + 1)
            self.assertEqual(books(c, "applied"), 3)
            lines = d.events("clickhouse_malformed")
            self.assertTrue(0 < len(lines) <= 21, "the log is bounded")
            self.stop(d, c)

    def test_a_truncated_last_line_is_malformed(self):
        with Fake(http_reply(line("ETH") + line("BTC")[:-20])) as fake:
            _, c = self.serve(clickhouse_url=fake.url())
            self.wait_depth(c, "ETH", 200.0)
            self.assertGreater(books(c, "malformed"), 0)
            self.assertNotIn("depth1pct_usd", c.quote("BTC"))

    def test_what_is_asked_and_over_one_connection(self):
        with open(clickhouse_server.DEPTH_QUERY, "rb") as f:
            shipped = f.read()
        with Fake(lambda: http_reply(line())) as fake:
            url = fake.url("re%20ader:p%40ss%3A%2F@") + "/?database=m%2Dd"
            d, c = self.serve(clickhouse_url=url)
            daemon.wait_until(lambda: polls(c, "ok") >= 5, "five polls")
            self.assertEqual(fake.connections, 1, "the connection is reused")
            head, body = fake.requests[0]
            lines = head.split("\r\n")
            self.assertRegex(lines[0], r"^POST /\?\S*wait_end_of_query=1\S* HTTP/1\.1$")
            self.assertRegex(lines[0], r"[?&]default_format=JSONEachRow[& ]")
            self.assertRegex(lines[0], r"[?&]database=m%2Dd[& ]")
            self.assertNotIn("ss", lines[0], "no credentials in what gets logged on the way")
            self.assertIn("X-ClickHouse-User: re ader", lines)
            self.assertIn("X-ClickHouse-Key: p@ss:/", lines)
            self.assertNotIn("Authorization", head)
            self.assertEqual(body, shipped, "the query that is built in is the one that is shipped")
            self.stop(d, c)

    def test_a_proxy_of_the_environment_is_not_used(self):
        with Fake(lambda: http_reply(line())) as fake, Fake(http_reply(line("ETH"))) as proxy:
            names = dict.fromkeys(("http_proxy", "all_proxy", "ALL_PROXY"), proxy.url())
            with mock.patch.dict(os.environ, {**names, "no_proxy": ""}):
                d, c = self.serve(clickhouse_url=fake.url())
                self.wait_depth(c, "BTC", 200.0)
                self.assertEqual(proxy.connections, 0)
                self.stop(d, c)

    @unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
    def test_a_certificate_nobody_vouches_for_is_not_accepted(self):
        folder = daemon.new_folder()
        key, certificate = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", key, "-out", certificate], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        with Fake(http_reply(line()), tls=context) as fake:
            d, c = self.serve(clickhouse_url=fake.url("u:s3cret@").replace("http:", "https:"))
            daemon.wait_until(lambda: polls(c, "failed") > 0, "it is refused")
            self.assertRegex(self.reasons(c, "clickhouse_unreachable")[0]["detail"], "certificate")
            self.assertEqual(fake.requests, [], "and is told no password")
            self.stop(d, c)

    def test_stopping_does_not_wait(self):
        slow = [http_reply(line() * 2)[:120]] + [b" "] * 90
        for fake in (Fake(None), Fake(parts=slow, pause=0.1)):
            with fake:
                d, c = self.serve(clickhouse_url=fake.url(), clickhouse_timeout_ms=60000)
                daemon.wait_until(lambda: fake.requests, "it has asked")
                self.assertLess(self.stop(d, c), QUICK_S)


if __name__ == "__main__":
    daemon.main()
