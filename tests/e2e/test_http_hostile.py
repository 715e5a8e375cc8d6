# SPDX-License-Identifier: MIT
"""Malformed, oversized, smuggled and slow requests: the daemon answers or hangs up, and lives."""
import json
import math
import random
import socket
import time

import daemon
import oracle
from daemon import MIB, raw

BODY = b'{"asset":"BTC","amount_usd":1000}'
QUOTE = {"score": 0.62, "confidence": 0.9, "depth1pct_usd": 78034.12}
SEED = 20240412
HOST = b"Host: 127.0.0.1"
SLOW = 300  # connections that send a byte now and then


def request(line=b"POST /hedge HTTP/1.1", headers=(HOST,), body=BODY, length=None):
    head = list(headers)
    if length is not False:
        head.append(b"Content-Length: %d" % (len(body) if length is None else length))
    return line + b"\r\n" + b"\r\n".join(head) + b"\r\nConnection: close\r\n\r\n" + body


def status(answer):
    """The status of the first answer in a raw reply, None if the connection was just closed."""
    if not answer.startswith(b"HTTP/1."):
        return None
    return int(answer.split(b" ", 2)[1])


KNOWN = {"asset", "amount_usd", "override_score"}


def acceptable(body):
    """Whether a strict reader may take the body for a request, by another reader of JSON."""
    def unique(pairs):
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise ValueError("a repeated member")
        return dict(pairs)

    def refuse(word):
        raise ValueError(word)

    def sound(value):
        if isinstance(value, str):
            return "\0" not in value and not any(0xD800 <= ord(c) < 0xE000 for c in value)
        if isinstance(value, dict):
            return all(sound(k) and sound(v) for k, v in value.items())
        if isinstance(value, list):
            return all(map(sound, value))
        return isinstance(value, bool) or value is None or math.isfinite(value)
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=unique, parse_constant=refuse,
                           parse_int=float)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and sound(value) and set(value) <= KNOWN


class Hostile(daemon.SharedCase):
    @classmethod
    def setUpClass(cls):
        cls.begin(oracle.policy(calm=True), {"BTC": QUOTE}, http_connections_per_peer=0)

    def raw(self, data, **more):
        return raw(self.daemon.port, data, **more)

    def assert_serves(self, why=""):
        self.assertTrue(self.daemon.alive(), f"the daemon died: {why} {self.daemon.log()}")
        with self.daemon.client() as c:
            self.assert_status(c.hedge(), 200, why)

    def decisions(self):
        with self.daemon.client() as c:
            return c.get("/readyz").json["journal"]["seq"]

    def test_the_raw_request_itself_is_good(self):
        answer = self.raw(request())
        self.assertEqual(status(answer), 200, answer)
        self.assertEqual(status(self.raw(request(line=b"GET /healthz HTTP/1.0", body=b""))), 200)

    def test_a_body_without_a_length_is_411(self):
        for line in (b"POST /hedge HTTP/1.1", b"POST /hedge/batch HTTP/1.1",
                     b"PUT /quotes/BTC HTTP/1.1"):
            answer = self.raw(request(line=line, body=b"", length=False))
            self.assertEqual(status(answer), 411, (line, answer))
            self.assertIn(b"length_required", answer, line)
        chunked = self.raw(request(headers=(HOST, b"Transfer-Encoding: chunked"), length=False,
                                   body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)))
        self.assertIn(status(chunked), (400, 411), chunked)
        self.assert_serves()

    def test_too_large_is_413_and_a_full_mebibyte_is_not(self):
        exact = BODY + b" " * (MIB - len(BODY))
        self.assert_status(self.client.post("/hedge", exact), 200)
        for length in (MIB + 1, 10 * MIB, 1 << 40, (1 << 63) - 1):
            answer = self.raw(request(length=length), timeout=5)
            self.assertEqual(status(answer), 413, (length, answer))
            self.assertIn(b"too_large", answer)
        answer = self.raw(request(body=BODY + b" " * MIB))
        self.assertIn(status(answer), (413, None), answer[:300])
        self.assert_serves()

    def test_what_could_be_smuggled_is_refused_and_decides_nothing(self):
        head = self.decisions()
        two = [HOST, b"Content-Length: %d" % len(BODY)]
        cases = {
            "two lengths": request(headers=two, length=len(BODY) + 1),
            "a length and chunked": request(headers=(HOST, b"Transfer-Encoding: chunked")),
            "chunked in capitals": request(headers=(HOST, b"TRANSFER-ENCODING: Chunked")),
            "a length with a sign": request(headers=(HOST, b"Content-Length: +33"),
                                            length=False),
            "a negative length": request(headers=(HOST, b"Content-Length: -1"), length=False),
            "a hexadecimal length": request(headers=(HOST, b"Content-Length: 0x21"),
                                            length=False),
            "a length of words": request(headers=(HOST, b"Content-Length: many"),
                                         length=False),
            "a length and a list": request(headers=(HOST, b"Content-Length: 33, 33"),
                                           length=False),
            "a length beyond 64 bits": request(
                headers=(HOST, b"Content-Length: 36893488147419103265"), length=False),
            "a length with a tail": request(headers=(HOST, b"Content-Length: 33x"),
                                            length=False),
            "no Host": request(headers=(b"X: y",)),
            "two Hosts": request(headers=(HOST, b"Host: localhost")),
        }
        for why, data in cases.items():
            with self.subTest(why):
                answer = self.raw(data)
                got = status(answer)
                self.assertTrue(got is None or 400 <= got < 500, f"{why}: {answer[:300]!r}")
        self.assertEqual(self.decisions(), head, "a refused request was decided")
        self.assert_serves()

    def test_malformed_requests_do_not_kill_it(self):
        cases = (
            b"\r\n\r\n", b"\0" * 1000, b"GET\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost\r\n\r\n", b"\xff\xfe\xfd / HTTP/1.1\r\n\r\n",
            b"POST /hedge HTTP/1.1\nHost: x\nContent-Length: 2\n\n{}",
            b"GET " + b"/" * 100000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
            b"GET / HTTP/1.1\r\nX: " + b"y" * 200000 + b"\r\n\r\n",
            b"GET http://[::1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            b"GET * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            b"CONNECT x:443 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            b"BREW /hedge HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /%zz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            b"GET /quotes/%00%ff%2f HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            b"GET /decisions?after=%00&limit=%ff&%zz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            b"GET /curve?" + b"a=b&" * 5000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 600,
            request(length=1000), request() + b"junk behind it",
            b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n",
            b"POST /hedge HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\n"
            b"Content-Length: 33\r\n\r\n",
        )
        for data in cases:
            answer = self.raw(data, timeout=3, half_close=True)
            got = status(answer)
            self.assertTrue(got is None or got < 500 or got in (501, 505),
                            f"{data[:60]!r}: {answer[:200]!r}")
            self.assertTrue(self.daemon.alive(), f"{data[:60]!r} killed it: {self.daemon.log()}")
        self.assert_serves()

    def test_random_damage_to_a_good_request_never_gives_a_500(self):
        luck = random.Random(SEED)
        good = request()
        for turn in range(300):
            data = bytearray(good)
            for _ in range(luck.randint(1, 4)):
                at = luck.randrange(len(data))
                kind = luck.randrange(3)
                if kind == 0:
                    data[at] = luck.randrange(256)
                elif kind == 1:
                    del data[at:at + luck.randint(1, 9)]
                else:
                    data[at:at] = luck.choice((b"\0", b"\r\n", b"\xff", b"{", b'"', b"9" * 30))
                if not data:
                    data = bytearray(b"x")
            answer = self.raw(bytes(data), timeout=3, half_close=True)
            got = status(answer)
            why = f"seed {SEED}, turn {turn}: {bytes(data)!r} -> {answer[:300]!r}"
            self.assertTrue(got is None or got < 500 or got in (501, 505), why)
            if got in (400, 413, 422) and b"application/problem+json" in answer:
                head, body = answer.split(b"\r\n\r\n", 1)
                size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.assertEqual(json.loads(body[:size])["status"], got, why)
        self.assert_serves()

    def test_damaged_bodies_are_taken_just_where_a_strict_reader_takes_them(self):
        luck = random.Random(SEED)
        seeds = (BODY, b'{"asset":"BTC","amount_usd":12.5e2,"override_score":0.25}',
                 b' { "amount_usd" : -0 , "asset" : "\\u0042TC" } ', b'{"asset":"\xc3\xa9\xe2\x82\xac",'
                 b'"amount_usd":1e308}', b'{"asset":"\\ud83d\\ude00","amount_usd":[true,null,{"a":[]}]}')
        pieces = (b"0", b"9", b"e", b"-", b"+", b".", b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":",
                  b" ", b"\t", b"\x0b", b"\x00", b"\x7f", b"\x80", b"\xc3", b"\xed\xa0\x80", b"\\u0000",
                  b"\\ud800", b"\\n", b"null", b"NaN", b"/", b"'", b"\xef\xbb\xbf", b"1e999", b"\xf4\x90")
        taken = 0
        for turn in range(4000):
            data = bytearray(luck.choice(seeds))
            for _ in range(luck.choice((0, 1, 1, 1, 2, 3))):
                at = luck.randrange(len(data) + 1)
                end = at + luck.choice((0, 0, 1, 1, 2, 6))
                data[at:end] = luck.choice((b"", luck.choice(pieces), bytes([luck.randrange(256)])))
            answer = self.client.post("/hedge", bytes(data))
            why = f"seed {SEED}, turn {turn}: {bytes(data)!r} -> {answer!r}"
            self.assertIn(answer.status, (200, 400, 422), why)
            self.assertEqual(answer.status != 400, acceptable(bytes(data)), why)
            if answer.status != 200:
                self.assert_problem_object(answer.json, answer.status, why=why)
            taken += answer.status != 400
        self.assertGreater(taken, 400)
        self.assertLess(taken, 3600)

    def test_requests_in_one_write_are_answered_one_by_one(self):
        one = b"POST /hedge HTTP/1.1\r\n%s\r\nContent-Length: %d\r\n\r\n%s" % (
            HOST, len(BODY), BODY)
        answer = self.raw(one * 9 + request())
        self.assertEqual(answer.count(b"HTTP/1.1 200"), 10, answer[:300])

    def test_a_request_in_single_bytes_is_answered(self):
        with socket.create_connection(("127.0.0.1", self.daemon.port), timeout=10) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in request():
                s.sendall(bytes([byte]))
            self.assertEqual(status(s.recv(65536)), 200)

    def test_keep_alive_costs_no_delay(self):
        begin = time.monotonic()
        for _ in range(50):
            self.assert_status(self.client.get("/healthz"), 200)
        took = time.monotonic() - begin
        self.assertLess(took, 1.5, "50 requests on one connection; 40 ms each means Nagle's delay")

    def test_good_requests_are_answered_beside_slow_ones(self):
        slow = request(body=b" " * 500)
        body = slow.index(b"\r\n\r\n") + 4
        crawlers = []
        try:
            for i in range(SLOW):
                s = socket.create_connection(("127.0.0.1", self.daemon.port), timeout=5)
                s.setblocking(False)
                sent = body if i % 2 else 0  # half are slow from the first byte, half in the body
                s.send(slow[:sent + 1])
                crawlers.append([s, sent + 1])
            answered, slowest = 0, 0.0
            for _ in range(20):
                for each in crawlers:
                    try:
                        each[1] += each[0].send(slow[each[1]:each[1] + 1])
                    except OSError:
                        pass
                begin = time.monotonic()
                try:
                    with self.daemon.client(timeout=5) as c:
                        answered += c.hedge().status == 200
                except OSError:
                    pass
                slowest = max(slowest, time.monotonic() - begin)
                if answered == 0 and slowest > 4:
                    break
                time.sleep(0.1)
        finally:
            for s, _ in crawlers:
                s.close()
        self.assertEqual(answered, 20, f"beside {SLOW} slow ones, the slowest {slowest:.1f} s")

    def test_a_reply_to_head_has_no_body(self):
        answer = self.raw(request(line=b"HEAD /healthz HTTP/1.1", body=b"", length=False))
        self.assertEqual(status(answer), 405, answer)
        self.assertEqual(answer.split(b"\r\n\r\n", 1)[1], b"", "a body behind HEAD")

    def test_a_browsers_preflight_is_not_granted(self):
        answer = self.raw(request(line=b"OPTIONS /hedge HTTP/1.1", body=b"", length=False, headers=(
            HOST, b"Origin: http://evil.example", b"Access-Control-Request-Method: POST")))
        self.assertEqual(status(answer), 403, answer)
        self.assertNotIn(b"access-control-allow", answer.lower())

    def test_a_page_of_another_origin_may_not_post(self):
        good = json.dumps({"asset": "BTC", "amount_usd": 1}).encode()
        for origin, expected in ((b"http://evil.example", 403), (b"null", 403),
                                 (b"http://127.0.0.1", 200)):
            answer = self.raw(request(body=good, headers=(HOST, b"Origin: " + origin)))
            self.assertEqual(status(answer), expected, (origin, answer))

    def test_expect_100_continue_is_answered_at_once(self):
        good = json.dumps({"asset": "BTC", "amount_usd": 1}).encode()
        whole = request(body=good, headers=(HOST, b"Expect: 100-continue"))
        head = whole[:whole.index(b"\r\n\r\n") + 4]
        with socket.create_connection(("127.0.0.1", self.daemon.port), timeout=5) as s:
            s.sendall(head)
            self.assertIn(b" 100 ", s.recv(4096))
            s.sendall(good)
            self.assertIn(b" 200 ", s.recv(4096).split(b"\r\n", 1)[0])

    def test_memory_stays_bounded(self):
        before = self.daemon.memory()["VmRSS"]
        for _ in range(20):
            self.client.post("/hedge", BODY + b" " * (MIB - len(BODY)))
            self.raw(request(length=MIB - 1), timeout=0.05)
        for _ in range(200):
            self.raw(b"GET /healthz HTTP/1.1\r\n", timeout=0.001)
        self.assert_serves()
        after = self.daemon.memory()["VmRSS"]
        self.assertLess(after - before, 128 * MIB, f"grew from {before} to {after} bytes")


if __name__ == "__main__":
    daemon.main()
