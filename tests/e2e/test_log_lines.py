# SPDX-License-Identifier: MIT
"""Whatever strangers write, a log line is one line of JSON without a byte that steers a terminal."""
import json
import os
import struct
import subprocess

import daemon
import oracle
import redis_server
from clickhouse_server import Fake as FakeHttp, http_reply
from daemon import Daemon

# A line's ends, a colour, DEL, what steers a terminal in one byte and in UTF-8, no UTF-8 at all, a
# forged line.
NASTY = (b'x\r\ny\x1b[31mred\x7f\x9b31m\xc2\x9b31m\xff\xc3(\xed\xa0\x80'
         b'"}\n{"ts":"1970","level":"info","event":"forged"}\n')
NASTY_TEXT = NASTY.decode("utf-8", "surrogateescape")


def is_calm(line):
    return not any(b < 0x20 or b == 0x7f for b in line) and b"\xc2\x9b" not in line


class LogLines(daemon.Case):
    def assert_lines(self, raw, *events):
        """Every line is a JSON object of ours; the events are among them."""
        lines = raw.split(b"\n")
        self.assertEqual(lines.pop(), b"", "the last line has no end")
        seen = set()
        for line in lines:
            self.assertTrue(is_calm(line), line)
            event = json.loads(line.decode("utf-8", "strict"))
            self.assertIsInstance(event, dict, line)
            for name in ("ts", "level", "event"):
                self.assertIsInstance(event.get(name), str, line)
            seen.add(event["event"])
        self.assertNotIn("forged", seen)
        for event in events:
            self.assertIn(event, seen, raw)

    def start(self, folder, arguments=(), **settings):
        """The bytes of stderr of a start that is refused."""
        base = {"HEDGE_ENV": "dev", "HEDGE_API_PORT": "0", "HEDGE_CERTIFY": "0",
                "HEDGE_POLICY": os.path.join(folder, "policy.yaml"),
                "HEDGE_JOURNAL": os.path.join(folder, "journal.db"), **settings}
        done = subprocess.run([daemon.program("HEDGED"), *arguments], env=daemon.environment(base),
                              cwd=folder, capture_output=True, timeout=60, check=False,
                              stdin=subprocess.DEVNULL)
        self.assertNotEqual(done.returncode, 0, settings)
        return done.stderr

    def folder(self):
        folder = daemon.new_folder()
        daemon.write_file(os.path.join(folder, "policy.yaml"), oracle.text(oracle.policy()))
        return folder

    def test_settings(self):
        folder = self.folder()
        for name in ("HEDGE_ENV", "HEDGE_API_HOST", "HEDGE_API_PORT", "HEDGE_DURABILITY",
                     "HEDGE_MAX_HEDGE_PCT", "HEDGE_STALE_SCORE_S", "HEDGE_REDIS_URL",
                     "HEDGE_CLICKHOUSE_URL", "HEDGE_CLICKHOUSE_QUERY_FILE", "HEDGE_DB_DSN",
                     "HEDGE_DB_DSN_FILE", "HEDGE_SPLINE_KNOTS", "HEDGE_POLICY", "HEDGE_SHADOW_POLICY",
                     "HEDGE_JWT_KEYS", "HEDGE_CERTIFY"):
            with self.subTest(setting=name):
                raw = self.start(folder, **{name: NASTY_TEXT})
                self.assert_lines(raw, "start_refused")
        raw = self.start(folder, HEDGE_JOURNAL="/nowhere/" + NASTY_TEXT)
        self.assert_lines(raw, "start_refused")
        # A name of no setting is warned of, whatever it is made of.
        raw = self.start(folder, ("--check",), **{"HEDGE_" + NASTY_TEXT.replace("=", ""): "1",
                                                  "HEDGE_API_PORT": "x"})
        self.assert_lines(raw, "unknown_setting", "start_refused")

    def test_policies(self):
        folder = self.folder()
        escaped = "\\x1b[31m\\n\\r\\x7f\\u009b31m"
        for content in (NASTY, b"curve: {method: " + NASTY + b"}\n",
                        f'assets: {{"{escaped}": {{}}}}\n'.encode(),
                        f'"{escaped}": 1\n'.encode(),
                        f'curve: {{method: "{escaped}"}}\n'.encode(),
                        f'curve: {{knots: "{escaped}"}}\n'.encode()):
            with open(os.path.join(folder, "policy.yaml"), "wb") as f:
                f.write(content)
            with self.subTest(policy=content):
                self.assert_lines(self.start(folder), "start_refused")
        with Daemon(oracle.policy()) as d, d.client() as c:
            with open(d.policy_path, "wb") as f:
                f.write(f'curve: {{method: "{escaped}"}}\n'.encode())
            answer = c.post("/curve/reload")
            self.assertGreaterEqual(answer.status, 400, answer)
            self.assertTrue(is_calm(answer.body), answer)
            self.assert_daemon(d, c, "policy_refused")

    def assert_daemon(self, d, c, *events):
        for event in events:
            daemon.wait_until(lambda: d.events(event), f"{event}: {d.log()}", 15)
        for page in ("/readyz", "/quotes", "/metrics"):
            body = c.get(page).body
            for line in body.split(b"\n"):
                self.assertTrue(is_calm(line), f"{page}: {line}")
        c.close()
        d.stop()
        raw = "".join(line + "\n" for line in d.lines).encode("utf-8", "surrogateescape")
        self.assert_lines(raw, *events)

    def test_requests(self):
        with Daemon(oracle.policy(), log_decisions=1) as d, d.client() as c:
            for head in (b"GET /" + NASTY.replace(b"\n", b"").replace(b"\r", b"") + b" HTTP/1.1",
                         b"POST /hedge HTTP/1.1\r\nX-A: \x1b[31m\x9b\xff\r\nIdempotency-Key: \x1b[2J"):
                daemon.raw(d.port, head + b"\r\nHost: h\r\nConnection: close\r\n\r\n", timeout=5)
            c.ask("PUT", "/quotes/BTC", {"score": 0.5, "depth1pct_usd": 9e4})
            for asset in ("\x1b[31m", "B\r\nTC", "\u009b31m", "BTC\x00", "BTC"):
                answer = c.post("/hedge", {"asset": asset, "amount_usd": 1.0})
                self.assertTrue(is_calm(answer.body), answer)
            self.assert_daemon(d, c, "decision")

    def test_redis(self):
        flat = NASTY.replace(b"\r", b"").replace(b"\n", b"")
        with redis_server.Fake(b"-ERR " + flat + b"\r\n", hold=False) as fake:
            with Daemon(oracle.policy(), redis_url=fake.url()) as d, d.client() as c:
                self.assert_daemon(d, c, "redis_unreachable")
        if not redis_server.available():
            return
        with redis_server.Redis() as server, server.client() as publisher:
            with Daemon(oracle.policy(), redis_url=server.url()) as d, d.client() as c:
                daemon.wait_until(lambda: d.events("redis_connected"), "connected")
                for payload in (NASTY, b'{"score":"' + flat.replace(b'"', b"") + b'"}',
                                b'{"\\u001b[31m\\r\\n":1}', b'{"score":2,"ts":1,"x\\u009b":1}'):
                    publisher.publish("BTC", payload)
                self.assert_daemon(d, c, "redis_malformed")

    def test_clickhouse(self):
        for reply in (http_reply(b"Code: 1 " + NASTY.replace(b"\r\n", b" "), "500 \x1b[31mno"),
                      http_reply(NASTY), b"HTTP/1.1 200 \x1b[31m\x9b\r\nX: \xff\r\n\r\n" + NASTY):
            with self.subTest(reply=reply), FakeHttp(reply, hold=False) as fake:
                with Daemon(oracle.policy(), clickhouse_url=fake.url(),
                            clickhouse_interval_ms=50) as d, d.client() as c:
                    self.assert_daemon(d, c, "clickhouse_unreachable")

    def test_postgres(self):
        fields = b"SFATAL\0VFATAL\0C28P01\0M" + NASTY + b"\0D" + NASTY + b"\0\0"
        said = b"E" + struct.pack("!I", len(fields) + 4) + fields
        with redis_server.Fake(said, hold=False) as fake:
            with Daemon(oracle.policy(), db_dsn=f"postgresql://u:p@127.0.0.1:{fake.port}/d?"
                                                "sslmode=disable") as d, d.client() as c:
                daemon.wait_until(lambda: d.events("ship_fault") or
                                  d.events("postgres_unreachable"), d.log(), 15)
                self.assert_daemon(d, c)


if __name__ == "__main__":
    daemon.main()
