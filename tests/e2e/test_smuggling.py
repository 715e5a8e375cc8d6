# SPDX-License-Identifier: MIT
"""Requests of which two readers could make two different ones: refused, the connection closed, and
nothing behind them done.

Each is sent with a good request behind it, the marker. Had the daemon taken a part of the refused
one for a request, or gone on behind it, the marker would be in the journal."""
import socket
import time

import daemon
import oracle
from daemon import raw

BODY = b'{"asset":"BTC","amount_usd":1000}'
QUOTE = {"score": 0.62, "confidence": 0.9, "depth1pct_usd": 78034.12}
HOST = b"Host: 127.0.0.1"
MARKER = b"POST /hedge HTTP/1.1\r\n%s\r\nContent-Length: %d\r\n\r\n%s" % (HOST, len(BODY), BODY)


def post(*headers, body=BODY, line=b"POST /hedge HTTP/1.1", host=HOST, end=b"\r\n"):
    head = [line] + ([host] if host is not None else []) + list(headers)
    return end.join(head) + end + end + body


def get(target=b"/quotes", version=b"HTTP/1.1", method=b"GET", *headers, host=HOST):
    return post(*headers, body=b"", line=b" ".join((method, target, version)), host=host)


LENGTH = b"Content-Length: %d" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked"
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)

# What is said of where the body ends.
LENGTHS = {
    "a length, then chunked": (post(LENGTH, CHUNKED), 400),
    "chunked, then a length": (post(CHUNKED, LENGTH, body=CHUNKS), 400),
    "chunked and a length of 0": (post(CHUNKED, b"Content-Length: 0", body=CHUNKS), 400),
    "chunked and an overlong length": (post(CHUNKED, b"Content-Length: 5000", body=CHUNKS), 400),
    "two lengths, the same": (post(LENGTH, LENGTH), 400),
    "two lengths, different": (post(LENGTH, b"Content-Length: 3"), 400),
    "two lengths, one in capitals": (post(LENGTH, b"CONTENT-LENGTH: 3"), 400),
    "a list of lengths": (post(b"Content-Length: 33, 33"), 400),
    "a list of different lengths": (post(b"Content-Length: 4, 33"), 400),
    "a sign": (post(b"Content-Length: +33"), 400),
    "a negative length": (post(b"Content-Length: -1"), 400),
    "negative nothing": (post(b"Content-Length: -0"), 400),
    "hexadecimal": (post(b"Content-Length: 0x21"), 400),
    "an exponent": (post(b"Content-Length: 3e1"), 400),
    "a fraction": (post(b"Content-Length: 33.0"), 400),
    "a space inside": (post(b"Content-Length: 3 3"), 400),
    "a space behind": (post(LENGTH + b" "), 400),
    "words behind": (post(b"Content-Length: 33bytes"), 400),
    "words": (post(b"Content-Length: many"), 400),
    "in quotes": (post(b'Content-Length: "33"'), 400),
    "empty": (post(b"Content-Length:"), 400),
    "only a space": (post(b"Content-Length: "), 400),
    "20 digits": (post(b"Content-Length: 36893488147419103265"), 413),
    "2 to the 63": (post(b"Content-Length: 9223372036854775808"), 413),
    "2 to the 64 and 33": (post(b"Content-Length: 18446744073709551649"), 413),
    "1 MiB and a byte": (post(b"Content-Length: 1048577"), 413),
    "no length": (post(), 411),
    "no length, a line of dashes": (post(b"Content_Length: 33"), 411),
    "chunked": (post(CHUNKED, body=CHUNKS), 411),
    "chunked in capitals": (post(b"TRANSFER-ENCODING: CHUNKED", body=CHUNKS), 411),
    "chunked twice": (post(CHUNKED, CHUNKED, body=CHUNKS), 400),
    "chunked of 1.0": (post(CHUNKED, body=CHUNKS, line=b"POST /hedge HTTP/1.0"), 400),
    "xchunked": (post(b"Transfer-Encoding: xchunked", body=CHUNKS), 400),
    "identity": (post(b"Transfer-Encoding: identity", LENGTH), 400),
    "identity without a length": (post(b"Transfer-Encoding: identity"), 400),
    "chunked, identity": (post(b"Transfer-Encoding: chunked, identity", body=CHUNKS), 400),
    "identity, chunked": (post(b"Transfer-Encoding: identity, chunked", body=CHUNKS), 400),
    "gzip, chunked": (post(b"Transfer-Encoding: gzip, chunked", body=CHUNKS), 400),
    "chunked in quotes": (post(b'Transfer-Encoding: "chunked"', body=CHUNKS), 400),
    "an empty encoding": (post(b"Transfer-Encoding:", LENGTH), 400),
    "chunked behind a tab": (post(b"Transfer-Encoding:\tchunked", body=CHUNKS), 400),
    "chunked behind a vertical tab": (post(b"Transfer-Encoding: \x0bchunked", body=CHUNKS), 400),
    "a space behind chunked": (post(CHUNKED + b" ", body=CHUNKS), 400),
    "chunked, comma": (post(CHUNKED + b",", body=CHUNKS), 400),
    "a length, a space, a colon": (post(b"Content-Length : 33"), 400),
    "an encoding, a space, a colon": (post(b"Transfer-Encoding : chunked", LENGTH), 400),
    "an encoding on a folded line": (post(b"Transfer-Encoding:\r\n chunked", LENGTH), 400),
    "a length behind a fold": (post(b"X: a\r\n b", LENGTH), 400),
    "a length on a folded line": (post(b"X: a\r\n " + LENGTH), 400),
    "a fold at once": (post(LENGTH, line=b"POST /hedge HTTP/1.1\r\n X: y"), 400),
    "bad chunk sizes": (post(CHUNKED, body=b"zz\r\n%s\r\n0\r\n\r\n" % BODY), 411),
    "a negative chunk": (post(CHUNKED, body=b"-1\r\n%s\r\n0\r\n\r\n" % BODY), 411),
    "a chunk of 2 to the 64": (post(CHUNKED, body=b"1" + b"0" * 16 + b"\r\n" + BODY), 411),
    "no last chunk": (post(CHUNKED, body=b"%x\r\n%s\r\n" % (len(BODY), BODY)), 411),
    "an extension of 1 MB": (post(CHUNKED, body=b"5;" + b"x" * 1000000 + b"\r\n12345\r\n0\r\n\r\n"),
                             411),
    "a trailer": (post(CHUNKED, body=CHUNKS[:-2] + LENGTH + b"\r\n\r\n"), 411),
    "a body where there is none": (post(LENGTH, line=b"GET /quotes HTTP/1.1"), 400),
    "a body to a reload": (post(LENGTH, line=b"POST /curve/reload HTTP/1.1"), 400),
    "an encoding where there is no body": (post(CHUNKED, body=CHUNKS, line=b"GET /quotes HTTP/1.1"),
                                           411),
    "something else expected": (post(LENGTH, b"Expect: 200-ok"), 417),
    "expected twice": (post(LENGTH, b"Expect: 100-continue", b"Expect: 100-continue"), 417),
}

# How the head is written.
HEADS = {
    "a blank line in front": (b"\r\n" + post(LENGTH), 400),
    "blanks in front": (b"  " + post(LENGTH), 400),
    "LF alone": (post(LENGTH, end=b"\n"), 400),
    "one LF alone": (post(b"X: y\n" + LENGTH), 400),
    "LF behind the request line": (post(LENGTH, line=b"POST /hedge HTTP/1.1\nX: y"), 400),
    "LF at the end": (post(LENGTH + b"\n", body=b"\n" + BODY), 400),
    "CR alone": (post(b"X: y\r" + LENGTH), 400),
    "CR CR LF": (post(b"X: y\r", LENGTH), 400),
    "CR CR LF behind the request line": (post(LENGTH, line=b"POST /hedge HTTP/1.1\r"), 400),
    "LF CR": (post(b"X: y\n\r" + LENGTH), 400),
    "NUL in a value": (post(b"X: a\0b", LENGTH), 400),
    "NUL in a name": (post(b"X\0: y", LENGTH), 400),
    "NUL behind a name": (post(b"Transfer-Encoding\0: chunked", LENGTH), 400),
    "DEL in a value": (post(b"X: \x7f", LENGTH), 400),
    "a control character in a value": (post(b"X: a\x01b", LENGTH), 400),
    "a space in front of a name": (post(b" X: y", LENGTH), 400),
    "a space behind a name": (post(b"X : y", LENGTH), 400),
    "a space in a name": (post(b"X Y: z", LENGTH), 400),
    "a tab behind a name": (post(b"X\t: y", LENGTH), 400),
    "a bracket in a name": (post(b"X(y): z", LENGTH), 400),
    "a name beyond ASCII": (post(b"X\xc3\xa9: z", LENGTH), 400),
    "no name": (post(b": y", LENGTH), 400),
    "no name in the first": (post(b": y", HOST, LENGTH, host=None), 400),
    "no colon": (post(b"Xy", LENGTH), 400),
    "65 headers, the length last": (post(*[b"X-%d: y" % i for i in range(63)], LENGTH), 431),
    "a second length as the 65th": (post(LENGTH, *[b"X-%d: y" % i for i in range(62)],
                                         b"Content-Length: 3"), 431),
    "200 headers": (post(LENGTH, *[b"X-%d: y" % i for i in range(200)]), 431),
    "a head over 16 KiB": (post(LENGTH, b"X: " + b"y" * 20000), (400, 413, 431)),
    "a target over 16 KiB": (get(b"/quotes?asset=" + b"B" * 20000), (400, 414, 431)),
    "HTTP/0.9": (b"GET /quotes\r\n\r\n", 400),
    "HTTP/0.9 by number": (get(version=b"HTTP/0.9"), (400, 505)),
    "HTTP/2.0": (get(version=b"HTTP/2.0"), (400, 505)),
    "HTTP/1.2": (get(version=b"HTTP/1.2"), (400, 505)),
    "HTTP/1.10": (get(version=b"HTTP/1.10"), (400, 505)),
    "http/1.1": (get(version=b"http/1.1"), 400),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "a method in small letters": (get(method=b"get"), 400),
    "a method nobody knows": (get(method=b"BREW"), (400, 501)),
    "a method that is none of ours": (get(method=b"DELETE"), 405),
    "CONNECT": (get(b"127.0.0.1:80", method=b"CONNECT"), 400),
    "a tab in the request line": (get(b"/quotes", b"\tHTTP/1.1"), 400),
    "two spaces in front of the target": (get(b" /quotes"), 400),
    "two spaces behind the target": (get(b"/quotes "), 400),
    "a space behind the version": (get(version=b"HTTP/1.1 "), 400),
    "a target without a slash": (get(b"quotes"), 400),
    "%00": (get(b"/quotes%00"), 400),
    "%00 in the query": (get(b"/decisions?asset=BTC%00x"), 400),
    "%zz": (get(b"/%zz"), 400),
    "half a %": (get(b"/quotes%4"), 400),
    "%zz in the query": (get(b"/decisions?asset=%zz"), 400),
    "a target beyond ASCII": (get(b"/quotes/\xc3\xa9"), 400),
    "a backslash": (get(b"/quotes\\BTC"), 400),
    "a fragment": (get(b"/quotes#BTC"), 400),
    "two slashes": (get(b"//quotes"), 404),
    "dots": (get(b"/decisions/../quotes"), 404),
    "an escaped slash": (get(b"/policies%2fx"), 404),
    "another host in the target": (get(b"http://evil.example:PORT/quotes"), (400, None)),
    "another port in the target": (get(b"http://127.0.0.1:1/quotes"), (400, None)),
    "*": (get(b"*", method=b"OPTIONS"), (400, None)),
    "no Host": (post(LENGTH, host=None), 400),
    "Host twice": (post(HOST, LENGTH), 400),
    "two different Hosts": (post(b"Host: localhost", LENGTH), 400),
    "an empty Host": (post(LENGTH, host=b"Host:"), 400),
    "a Host with a space": (post(LENGTH, host=b"Host: 127.0.0.1 x"), 400),
    "a Host with a path": (post(LENGTH, host=b"Host: 127.0.0.1/x"), 400),
    "a Host with a user": (post(LENGTH, host=b"Host: me@127.0.0.1"), 400),
    "a Host and a comma": (post(LENGTH, host=b"Host: 127.0.0.1,localhost"), 400),
    "a Host with a bad port": (post(LENGTH, host=b"Host: 127.0.0.1:x"), 400),
    "a Host with port 0": (post(LENGTH, host=b"Host: 127.0.0.1:0"), 400),
    "a Host with port 65536": (post(LENGTH, host=b"Host: 127.0.0.1:65536"), 400),
    "a Host in half a bracket": (post(LENGTH, host=b"Host: [::1"), 400),
    "a name that was pointed here": (post(LENGTH, host=b"Host: evil.example"), 403),
    "a name that begins like ours": (post(LENGTH, host=b"Host: 127.0.0.1.evil.example"), 403),
    "an address that is not ours": (post(LENGTH, host=b"Host: 192.0.2.1"), 403),
}

GOOD = {
    "a good request": post(LENGTH),
    "a port": post(LENGTH, host=b"Host: 127.0.0.1:8000"),
    "localhost": post(LENGTH, host=b"host: LocalHost"),
    "another loopback address": post(LENGTH, host=b"Host: 127.8.9.1"),
    "a loopback address of six": post(LENGTH, host=b"Host: [::1]:80"),
    "no space behind the colon": post(b"Content-Length:%d" % len(BODY)),
    "three spaces": post(b"Content-Length:   %d" % len(BODY)),
    "an empty value": post(b"X:", LENGTH),
    "64 headers": post(*[b"X-%d: y" % i for i in range(62)], LENGTH),
    "zeros in front": post(b"Content-Length: 000033"),
    "obsolete text in a value": post(b"X: \xe9", LENGTH),
    "1.0": post(LENGTH, line=b"POST /hedge HTTP/1.0"),
}


def read_all(s, timeout=10.0):
    """What came until the other end closed, and whether it did."""
    out = b""
    s.settimeout(timeout)
    try:
        while True:
            part = s.recv(65536)
            if not part:
                return out, True
            out += part
    except socket.timeout:
        return out, False
    except OSError:
        return out, True


class Smuggling(daemon.SharedCase):
    @classmethod
    def setUpClass(cls):
        cls.begin(oracle.policy(calm=True), {"BTC": QUOTE})

    def head(self):
        with self.daemon.client() as c:
            return c.get("/readyz").json["journal"]["seq"]

    def ask(self, data, timeout=10.0):
        """The first status (None: closed without a word), and all that came."""
        port = b"%d" % self.daemon.port
        with socket.create_connection(("127.0.0.1", self.daemon.port)) as s:
            try:
                s.sendall(data.replace(b"PORT", port))
            except OSError:
                pass
            answer, closed = read_all(s, timeout)
        self.assertTrue(closed, f"the connection stays open: {answer[:300]!r}")
        return (int(answer.split(b" ", 2)[1]) if answer else None), answer

    def assert_refused(self, table):
        for why, (data, expected) in table.items():
            with self.subTest(why):
                seq = self.head()
                expected = expected if isinstance(expected, tuple) else (expected,)
                got, answer = self.ask(data + MARKER + MARKER)
                self.assertIn(got, expected, f"{why}: {data[:200]!r} -> {answer[:400]!r}")
                self.assertEqual(answer.count(b"HTTP/1.1 "), got is not None, answer[:800])
                self.assertEqual(self.head(), seq, f"{why}: something behind it was decided")
                if got is not None:
                    self.assertIn(b"\r\nConnection: close\r\n", answer)
                    self.assertIn(b"application/problem+json", answer)

    def test_where_the_body_ends(self):
        self.assert_refused(LENGTHS)

    def test_how_the_head_is_written(self):
        self.assert_refused(HEADS)

    def test_good_ones_are_answered_and_so_is_the_marker(self):
        for why, data in GOOD.items():
            with self.subTest(why):
                seq = self.head()
                with socket.create_connection(("127.0.0.1", self.daemon.port)) as s:
                    s.sendall(data + MARKER)
                    s.shutdown(socket.SHUT_WR)
                    answer, _ = read_all(s)
                one = why == "1.0"  # closes behind its answer
                self.assertEqual(answer.count(b"HTTP/1.1 200"), 1 if one else 2, answer[:800])
                self.assertEqual(self.head(), seq + (1 if one else 2))

    def test_an_absolute_target_of_the_host_is_the_path(self):
        host = b"127.0.0.1:%d" % self.daemon.port
        got, answer = self.ask(get(b"http://%s/quotes" % host, b"HTTP/1.1", b"GET",
                                   b"Connection: close", host=b"Host: " + host))
        self.assertEqual(got, 200, answer)

    def test_blank_lines_in_front_never_shift_what_is_read(self):
        """civetweb takes the second blank line for the end of a head."""
        for blank in (b"\r\n\r\n", b"\n\n", b"\r\n\r\n\r\n\r\n", b" " * 14 + b"\n\n", b"\n" * 16):
            for inner in (MARKER, get(b"/quotes") + MARKER,
                          post(b"Content-Length: 0", body=b"", line=b"POST /hedge HTTP/1.1"),
                          post(LENGTH, body=b"") + MARKER):
                with self.subTest(blank=blank, inner=inner[:30]):
                    seq = self.head()
                    _, answer = self.ask(blank + inner + MARKER)
                    self.assertNotIn(b'"decision_id"', answer)
                    self.assertEqual(self.head(), seq, answer[:600])

    def test_what_ends_the_request_line_is_not_seen_but_shifts_nothing(self):
        """civetweb has overwritten it: CR LF, or any two of CR, LF and space."""
        for end in (b"\n ", b"\r ", b"\n\r", b"\r\r"):
            with self.subTest(end=end):
                data = b"POST /hedge HTTP/1.1" + end + post(LENGTH)[len("POST /hedge HTTP/1.1\r\n"):]
                seq = self.head()
                answer = raw(self.daemon.port, data + MARKER, timeout=5, half_close=True)
                decided = answer.count(b'"decision_id"')
                self.assertIn(decided, (0, 2), answer[:400])
                self.assertEqual(self.head(), seq + decided)

    def test_requests_in_one_packet_are_answered_in_order_until_one_is_bad(self):
        seq = self.head()
        got, answer = self.ask(MARKER + get(b"/quotes") + MARKER + b"junk\r\n\r\n" + MARKER)
        self.assertEqual(got, 200)
        statuses = [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]
        self.assertEqual(statuses, [200, 200, 200, 400], answer[:2000])
        self.assertEqual(self.head(), seq + 2)

    def test_a_body_that_is_no_json_closes_the_connection(self):
        seq = self.head()
        got, answer = self.ask(post(b"Content-Length: 5", body=b"12345") + MARKER)
        self.assertEqual((got, answer.count(b"HTTP/1.1 ")), (400, 1), answer[:600])
        self.assertEqual(self.head(), seq)

    def test_many_in_turn_leave_it_well(self):
        begin = time.monotonic()
        for data, _ in list(LENGTHS.values()) * 3:
            self.ask(data + MARKER)
        with self.daemon.client() as c:
            self.assert_status(c.hedge(), 200, f"after {time.monotonic() - begin:.1f} s")


if __name__ == "__main__":
    daemon.main()
