# SPDX-License-Identifier: MIT
"""Slow, silent and greedy connections beside a good caller, who must not notice."""
import resource
import select
import socket
import time

import daemon
import oracle
from daemon import Daemon, MIB, wait_until
from good_caller import Good

BODY = b'{"asset":"BTC","amount_usd":1000}'
QUOTE = {"score": 0.62, "confidence": 0.9, "depth1pct_usd": 78034.12}
HOST = b"Host: 127.0.0.1"
ASK = b"POST /hedge HTTP/1.1\r\n%s\r\nContent-Length: %d\r\n\r\n%s" % (HOST, len(BODY), BODY)
PAGE = b"GET /decisions?limit=1000 HTTP/1.1\r\n%s\r\n\r\n" % HOST
SLOW = 500
PEERS = [f"127.0.0.{i}" for i in range(2, 10)]  # the good one is 127.0.0.1
HEAD_S, BODY_S, ANSWER_S, IDLE_S, TURN_S, SLACK_S = 2.0, 2.0, 5.0, 15.0, 2.0, 5.0


def connect(port, peer="127.0.0.1", timeout=10.0, receive=None):
    s = socket.socket()
    if receive is not None:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    s.settimeout(timeout)
    s.bind((peer, 0))
    s.connect(("127.0.0.1", port))
    return s


def fill(d):
    """Enough decisions that a page of them is 1.3 MB."""
    with d.client() as c:
        assert c.put("/quotes/BTC", QUOTE).status == 200
        requests = [{"asset": "BTC", "amount_usd": 1 + i} for i in range(1000)]
        for _ in range(2):
            assert c.post("/hedge/batch", {"requests": requests}).status == 200


class Slow:
    """One that sends the bytes of `data`, one a step, from `sent` on."""

    def __init__(self, port, peer, data, sent, receive=None):
        self.socket = connect(port, peer, receive=receive)
        self.data, self.sent, self.begin, self.ended = data, sent, time.monotonic(), None
        self.got = b""
        self.socket.setblocking(False)
        self.socket.send(data[:sent])

    def step(self, reads=True):
        if self.ended is not None:
            return
        try:
            if reads:
                part = self.socket.recv(65536)
                self.got = (self.got + part)[:400]
                if not part:
                    raise ConnectionResetError
        except BlockingIOError:
            pass
        except OSError:
            self.end()
            return
        try:
            self.sent += self.socket.send(self.data[self.sent:self.sent + 1])
        except BlockingIOError:
            pass
        except OSError:
            self.end()

    def hung_up(self):
        """Whether the other end is gone, without reading."""
        watch = select.poll()
        watch.register(self.socket, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
        return bool(watch.poll(0))

    def end(self):
        if self.ended is None:
            self.ended = time.monotonic() - self.begin
        self.socket.close()


class Starve(daemon.Case):
    @classmethod
    def setUpClass(cls):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        cls.daemon = Daemon(oracle.policy(calm=True))
        fill(cls.daemon)

    @classmethod
    def tearDownClass(cls):
        with cls.daemon as d:
            code = d.stop()
        assert code == 0, f"SIGTERM ended it with {code}"

    def slow(self, data, sent, n=SLOW, **more):
        return [Slow(self.daemon.port, PEERS[i % len(PEERS)], data, sent, **more) for i in range(n)]

    def run_slow(self, what, crowd, allowed_s, every=0.25, reads=True):
        """Steps the crowd until the last has ended; the good caller runs meanwhile."""
        end = time.monotonic() + allowed_s + 20
        with Good(self.daemon.client()) as good:
            while any(each.ended is None for each in crowd) and time.monotonic() < end:
                for each in crowd:
                    if each.ended is None and not reads and each.hung_up():
                        each.end()
                    each.step(reads)
                time.sleep(every)
        good.report(what)
        lasted = [each.ended for each in crowd]
        for each in crowd:
            each.end()
        self.assertEqual(good.failed[:3], [])
        self.assertEqual(lasted.count(None), 0, f"of {len(lasted)} were never ended")
        print(f"{what}: the longest lasted {max(lasted):.1f} s", flush=True)
        self.assertLess(max(lasted), allowed_s + SLACK_S)

    def test_slow_heads(self):
        crowd = self.slow(b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n" + b"X: y\r\n" * 400, 1)
        self.run_slow(f"{SLOW} slow heads", crowd, HEAD_S, every=0.5)
        told = sum(b" 408 " in each.got for each in crowd)
        self.assertGreater(told, SLOW // 2, "most are told 408")

    def test_silent_ones(self):
        self.run_slow(f"{SLOW} silent ones", self.slow(b"", 0), HEAD_S)

    def test_slow_bodies(self):
        head = b"POST /hedge HTTP/1.1\r\n%s\r\nContent-Length: 500\r\n\r\n" % HOST
        crowd = self.slow(head + b" " * 500, len(head) + 1)
        self.run_slow(f"{SLOW} slow bodies", crowd, HEAD_S + BODY_S, every=0.5)
        self.assertGreater(sum(b" 408 " in each.got for each in crowd), SLOW // 2)

    def test_slow_second_heads(self):
        first = b"GET /healthz HTTP/1.1\r\n%s\r\n\r\n" % HOST
        crowd = self.slow(first + b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 400, len(first) + 1)
        self.run_slow(f"{SLOW} slow second heads", crowd, IDLE_S, every=1.0)

    def test_those_that_never_read(self):
        crowd = self.slow(PAGE * 50, len(PAGE) * 50, receive=4096)
        self.run_slow(f"{SLOW} that never read", crowd, HEAD_S + TURN_S + ANSWER_S, every=0.5,
                      reads=False)

    def test_who_does_not_read_leaves_large_answers_to_others(self):
        d, c = self.serve(oracle.policy(calm=True), http_answer_ms=60000)
        fill(d)

        def ask(peer):
            with connect(d.port, peer, timeout=30) as s:
                s.sendall(PAGE)
                return s.recv(12)[9:]
        crowd = []
        try:
            for _ in range(100):  # twice as many as all answers that may be sent at once
                crowd.append(connect(d.port, PEERS[0], receive=4096))
                crowd[-1].sendall(PAGE)
            wait_until(lambda: ask(PEERS[0]) == b"503", "it has its share", 30)
            for _ in range(10):
                self.assert_status(c.get("/decisions?limit=1000"), 200)
            self.assertEqual(ask(PEERS[0]), b"503")
        finally:
            for s in crowd:
                s.close()
        wait_until(lambda: ask(PEERS[0]) == b"200", "it reads again", 30)
        self.assertEqual(d.stop(), 0)

    def test_idle_ones_make_room(self):
        """Almost as many as there may be, all kept alive: new ones are let in at once."""
        crowd = []
        try:
            for i in range(750):
                s = connect(self.daemon.port, PEERS[i % len(PEERS)])
                s.sendall(b"GET /healthz HTTP/1.1\r\n%s\r\n\r\n" % HOST)
                crowd.append(s)
            with Good(self.daemon.client()) as good:
                time.sleep(3)
            good.report("750 idle ones")
            self.assertEqual(good.failed[:3], [])
        finally:
            for s in crowd:
                s.close()

    def test_600_idle_ones_stay_and_are_served(self):
        crowd = [connect(self.daemon.port, PEERS[i % len(PEERS)]) for i in range(600)]
        try:
            with Good(self.daemon.client()) as good:
                for _ in range(3):
                    for s in crowd:
                        s.sendall(ASK)
                    for s in crowd:
                        self.assertIn(b"HTTP/1.1 200", s.recv(65536))
            good.report("600 kept alive")
            self.assertEqual(good.failed[:3], [])
        finally:
            for s in crowd:
                s.close()

    def test_one_peer_has_its_share(self):
        crowd, answers = [], {200: 0, 429: 0}
        try:
            for _ in range(300):
                s = connect(self.daemon.port, "127.0.0.20")
                s.sendall(b"GET /healthz HTTP/1.1\r\n%s\r\n\r\n" % HOST)
                answer = s.recv(65536)
                status = int(answer.split(b" ", 2)[1])
                answers[status] += 1
                if status == 429:
                    self.assertIn(b"Retry-After: 1\r\n", answer)
                    self.assertIn(b"Connection: close\r\n", answer)
                    self.assertIn(b"too_many_connections", answer)
                    self.assertEqual(s.recv(100), b"", "a connection too many stays open")
                    s.close()
                else:
                    crowd.append(s)
            self.assertEqual(answers, {200: 256, 429: 44})
            with self.daemon.client() as c:
                self.assert_status(c.hedge(), 200, "another peer")
            crowd.pop().close()  # one that goes makes room for one

            def let_in():
                with connect(self.daemon.port, "127.0.0.20") as s:
                    s.sendall(b"GET /healthz HTTP/1.1\r\n%s\r\nConnection: close\r\n\r\n" % HOST)
                    return b" 200 " in s.recv(65536)
            wait_until(let_in, "another is let in")
        finally:
            for s in crowd:
                s.close()

    def test_2000_of_one_peer(self):
        with Good(self.daemon.client()) as good:
            crowd = []
            for _ in range(2000):
                crowd.append(connect(self.daemon.port, "127.0.0.21"))
            wait_until(lambda: all(self.gone(s) for s in crowd), "all are ended", 20, 0.25)
        good.report("2,000 silent ones of one peer")
        for s in crowd:
            s.close()
        self.assertEqual(good.failed[:3], [])

    @staticmethod
    def gone(s):
        watch = select.poll()
        watch.register(s, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
        return bool(watch.poll(0))

    def test_a_flood_of_connections_leaves_no_trace(self):
        def flood(n):
            for i in range(n):
                s = connect(self.daemon.port, PEERS[i % len(PEERS)])
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                s.close()
        flood(2000)
        before = self.daemon.memory()["VmRSS"]
        begin = time.monotonic()
        with Good(self.daemon.client()) as good:
            flood(20000)
        took = time.monotonic() - begin
        good.report(f"20,000 connections in {took:.1f} s")
        after = self.daemon.memory()["VmRSS"]
        print(f"resident before {before / MIB:.1f} MiB, after {after / MIB:.1f} MiB", flush=True)
        self.assertEqual(good.failed[:3], [])
        if not daemon.SLOW:  # a sanitizer keeps what was freed
            self.assertLess(after - before, 32 * MIB)


class Limits(daemon.Case):
    """Daemons with limits of their own."""

    def test_silent_ones_may_be_the_first(self):
        # Nobody has asked anything yet. civetweb's own deadline, of the longer one, is a minute off.
        with Daemon(oracle.policy(calm=True), http_head_ms=300, http_body_ms=60000) as d:
            crowd = [connect(d.port) for _ in range(8)]
            try:
                wait_until(lambda: all(Starve.gone(s) for s in crowd), "all are ended", 20, 0.05)
            finally:
                for s in crowd:
                    s.close()

    def test_over_the_most_there_may_be_is_503(self):
        with Daemon(oracle.policy(calm=True), http_connections=64, http_connections_per_peer=0,
                    http_body_ms=60000) as d:  # the crowd stays until it is dismissed
            crowd = [connect(d.port) for _ in range(64)]
            try:
                for s in crowd:
                    s.sendall(b"POST /hedge HTTP/1.1\r\n%s\r\nContent-Length: 9\r\n\r\n" % HOST)
                answers = []
                for _ in range(8):
                    with connect(d.port) as s:
                        s.sendall(ASK)
                        answers.append(s.recv(65536))
                        self.assertEqual(s.recv(100), b"", "it stays open")
                for answer in answers:
                    self.assertIn(b"HTTP/1.1 503", answer)
                    self.assertIn(b"Retry-After: 1\r\n", answer)
                    self.assertIn(b'"overloaded"', answer)
            finally:
                for s in crowd:
                    s.close()
            with d.client() as c:
                wait_until(lambda: c.get("/healthz").status == 200, "it serves again")
            self.assertEqual(d.stop(), 0)

    def test_few_descriptors_mean_few_connections_and_a_word_of_it(self):
        def few(n):
            return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))
        with Daemon(oracle.policy(calm=True), before=few(300)) as d:
            warned = d.events("fewer_connections")
            self.assertEqual([(e["asked"], e["most"]) for e in warned], [(768, 156)])
            crowd = [connect(d.port) for _ in range(500)]

            def serves():
                try:
                    with d.client() as c:
                        return c.get("/healthz").status == 200
                except OSError:
                    return False
            wait_until(serves, "it serves when the silent ones have had their time")
            for s in crowd:
                s.close()
            self.assertEqual(d.stop(), 0)
        with Daemon(oracle.policy(calm=True), start=False, before=few(150)) as d:
            with self.assertRaises(AssertionError) as refused:
                d.start()
            self.assertIn("RLIMIT_NOFILE", str(refused.exception))

    def test_a_soft_limit_is_raised(self):
        def soft():
            _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        with Daemon(oracle.policy(calm=True), before=soft) as d:
            self.assertEqual(d.events("fewer_connections"), [])
            self.assertEqual(d.stop(), 0)


if __name__ == "__main__":
    daemon.main()
