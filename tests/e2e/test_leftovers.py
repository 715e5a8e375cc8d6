# SPDX-License-Identifier: MIT
"""What one caller has sent is out of reach for the next, who gets the same thread and its buffer.

A message of blanks and an empty line ends no request line, and a parser that goes by its buffer's size
would read on in what an earlier connection left there: another caller's request, with its token."""
import json
import socket
import ssl
import time
import unittest

import certificates
import daemon
import oracle
from daemon import Daemon

QUOTE = {"score": 0.62, "confidence": 0.9, "depth1pct_usd": 780341.2}
CONNECTIONS = 64  # the fewest: each thread is met soon
THREADS = CONNECTIONS + 16
SECRET = b"31337421"
MARK = b"6666"


def post(amount):
    body = b'{"asset":"BTC","amount_usd":%s}' % amount
    return (b"POST /hedge HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%s"
            % (len(body), body))


def is_decided(amount, records):
    return b'"amount_usd":%s}' % amount in records


class Leftovers(daemon.Case):
    tls = None

    @classmethod
    def setUpClass(cls):
        settings = {"http_connections": CONNECTIONS, "http_connections_per_peer": 0}
        if cls.tls is not None:
            if not certificates.available():
                raise unittest.SkipTest("no openssl to make certificates with")
            folder = daemon.new_folder()
            pair = certificates.Authority(folder, "ca").server()
            settings.update(tls_cert=pair.cert, tls_key=pair.key, tls_handshakes_per_s=0)
            cls.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            cls.tls.check_hostname = False
            cls.tls.verify_mode = ssl.CERT_NONE
        cls.daemon = Daemon(policy=oracle.policy(calm=True), **settings)

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    def ask(self, *parts):
        """Sends the parts one after the other on a new connection; what comes back."""
        s = socket.create_connection(("127.0.0.1", self.daemon.port), timeout=10)
        answer = b""
        try:
            if self.tls is not None:
                s = self.tls.wrap_socket(s)
            for i, part in enumerate(parts):
                if i > 0:
                    time.sleep(0.01)  # so that they are received apart
                s.sendall(part)
            s.settimeout(5)
            while True:
                more = s.recv(65536)
                if not more:
                    break
                answer += more
                if b"Connection: keep-alive" in answer:
                    break
        except OSError:
            pass
        finally:
            s.close()
        return answer

    def quote(self):
        body = json.dumps(QUOTE).encode()
        self.assertIn(b" 200 ", self.ask(
            b"PUT /quotes/BTC HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)))

    def decided(self):
        """The amounts that were decided."""
        text = self.ask(b"GET /decisions?limit=1000 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                        b"Connection: close\r\n\r\n")
        self.assertIn(b" 200 ", text[:20])
        return text.partition(b"\r\n\r\n")[2]

    def test_a_request_is_not_asked_again_by_another(self):
        self.quote()
        victim = post(b"1000")
        for _ in range(THREADS):  # two at once: the second one's bytes are moved, and a copy stays
            self.ask(victim + victim)
        evil = b'{"asset":"BTC","amount_usd":%s}' % MARK
        for _ in range(2 * THREADS):
            answer = self.ask(b" " * (len(victim) - 4) + b"\r\n\r\n", evil)
            self.assertNotIn(b" 200 ", answer[:20], answer)
            self.assertNotIn(b"decision_id", answer)
        decided = self.decided()
        self.assertTrue(is_decided(b"1000", decided))
        self.assertFalse(is_decided(MARK, decided))

    def test_a_body_is_not_read_by_another(self):
        self.quote()
        victim = post(SECRET)
        for _ in range(THREADS):
            self.ask(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n" +
                     b"\r\n\r\n" * 500)
        for _ in range(THREADS):
            self.ask(victim)
        probe = b"GET / HTTP/"
        for n in range(len(victim) - 24, len(victim)):
            for _ in range(8):
                answer = self.ask(b" " * (n - len(probe) - 4) + b"\r\n\r\n" + probe)
                self.assertNotIn(SECRET[-4:], answer)

    def test_blanks_in_front_are_refused(self):
        for blanks in (b" ", b"\r\n", b"\n", b"\r\n\r\n", b"   \r\n\r\n"):
            answer = self.ask(blanks + post(MARK))
            self.assertTrue(not answer or b" 400 " in answer[:20], (blanks, answer))
            self.assertLessEqual(answer.count(b"HTTP/1.1 "), 1, (blanks, answer))
            answer = self.ask(post(b"1000") + blanks + post(MARK))
            self.assertNotIn(b'"amount_usd":' + MARK, answer, blanks)
        self.assertFalse(is_decided(MARK, self.decided()))

    def test_requests_in_one_packet_and_in_pieces_are_served(self):
        self.quote()
        one = post(b"1000")
        for parts in ((one, one), (one + one,), (one[:20], one[20:]), (one[:-5], one[-5:]),
                      (one + one[:30], one[30:]), (one + one[:-3], one[-3:])):
            with self.subTest(parts=[len(p) for p in parts]):
                self.assertIn(b" 200 ", self.ask(*parts)[:20])


class LeftoversOfTls(Leftovers):
    tls = True


if __name__ == "__main__":
    daemon.main()
