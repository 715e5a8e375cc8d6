# SPDX-License-Identifier: MIT
"""A handshake costs the server a signature before the client has shown anything: one address begins
so many of them a second, and is dropped before the next."""
import os
import socket
import ssl
import statistics
import subprocess
import sys
import time
import unittest

import certificates
import daemon
import oracle
from certificates import Authority
from daemon import Daemon, wait_until
from good_caller import Good
from tls_world import TlsClient

PER_S = 5
FLOOD = 4000  # connections of one address, each to begin a handshake
BUSY, QUIET = "127.0.0.2", "127.0.0.3"  # the good one is 127.0.0.1
QUOTE = {"score": 0.62, "confidence": 0.9, "depth1pct_usd": 78034.12}


def setUpModule():
    if not certificates.available():
        raise unittest.SkipTest("no openssl command")


def shake(port, how, peer):
    """A connection of an address after its handshake; OSError where it is dropped."""
    s = how.wrap_socket(socket.socket(), server_hostname="localhost")
    try:
        s.settimeout(20)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.bind((peer, 0))
        s.connect(("127.0.0.1", port))
        return s
    except OSError:
        s.close()
        raise


def flood(port, authority, peer, n):
    """Begins n handshakes, one after the other; says how many were done."""
    how, done = ssl.create_default_context(cafile=authority), 0
    for _ in range(n):
        try:
            shake(port, how, peer).close()
            done += 1
        except OSError:
            pass
    return done


class Handshakes(daemon.Case):
    @classmethod
    def setUpClass(cls):
        cls.folder = daemon.new_folder()
        cls.root = Authority(cls.folder, "root")
        cls.cert, cls.key = (os.path.join(cls.folder, name) for name in ("tls.crt", "tls.key"))
        certificates.place(cls.root.server(), cls.cert, cls.key)
        cls.how = ssl.create_default_context(cafile=cls.root.cert)

    def start(self, **settings):
        d = Daemon(oracle.policy(calm=True), tls_cert=self.cert, tls_key=self.key, **settings)
        self.addCleanup(d.__exit__)
        return d

    def client(self, d):
        c = TlsClient(d.port, self.how)
        self.addCleanup(c.close)
        return c

    def is_let_in(self, d, peer):
        try:
            shake(d.port, self.how, peer).close()
            return True
        except OSError:
            return False

    def test_one_address_is_dropped_and_others_are_not(self):
        d = self.start(tls_handshakes_per_s=PER_S)
        c = self.client(d)
        begin = time.monotonic()
        done = flood(d.port, self.root.cert, BUSY, 200)
        most = PER_S + PER_S * (time.monotonic() - begin) + 1
        self.assertGreaterEqual(done, PER_S, "as many at once as in a second")
        self.assertLessEqual(done, most)
        self.assertTrue(self.is_let_in(d, QUIET), "another address")
        self.assertEqual(c.metric("hedge_tls_handshakes_limited_total"), 200 - done)
        wait_until(lambda: c.metric("hedge_tls_handshakes_total") == done + 2,
                   "those that were done are counted, and no other was begun")
        wait_until(lambda: self.is_let_in(d, BUSY), "it is let in again", 20, 0.1)
        told = d.events("tls_handshakes_limited")
        lasted = time.monotonic() - begin
        self.assertEqual({(e["peer"], e["per_s"]) for e in told}, {(BUSY, PER_S)})
        self.assertLessEqual(len(told), lasted + 1, "a line a second, however many there are")
        self.assertEqual(d.events("http"), [], "what is dropped leaves no line of its own")
        self.assertEqual(d.stop(), 0)

    def test_what_is_dropped_costs_no_handshake(self):
        """Beside a flood of one address, a good caller of another."""
        for limit in (0, None):
            d = self.start(**({} if limit is None else {"tls_handshakes_per_s": limit}))
            with self.client(d) as c:
                self.assert_status(c.put("/quotes/BTC", QUOTE), 200)
            before, begin = self.cpu_s(d), time.monotonic()
            with Good(self.client(d)) as good:
                out = subprocess.run([sys.executable, "-B", os.path.abspath(__file__), "--flood",
                                      str(d.port), self.root.cert, BUSY, str(FLOOD)], check=True,
                                     capture_output=True, text=True, timeout=240).stdout
            spent, lasted, done = self.cpu_s(d) - before, time.monotonic() - begin, int(out)
            times = sorted(good.times)
            print(f"limit {'256' if limit is None else limit}: {FLOOD} connections in {lasted:.1f} s"
                  f", {done} handshakes, the daemon's processor time {spent:.2f} s; "
                  f"{len(times)} good requests: {len(good.failed)} failed, median "
                  f"{statistics.median(times) * 1e3:.2f} ms, p99 "
                  f"{times[int(len(times) * 0.99)] * 1e3:.2f} ms", flush=True)
            self.assertEqual(good.failed[:3], [])
            with self.client(d) as c:
                limited = c.metric("hedge_tls_handshakes_limited_total")
            self.assertEqual(limited, FLOOD - done)
            self.assertLessEqual(done, FLOOD if limit == 0 else 256 * (lasted + 1) + 1)
            if limit == 0:
                self.assertEqual(done, FLOOD, "0: any number")
            self.assertEqual(d.stop(), 0)

    @staticmethod
    def cpu_s(d):
        with open(f"/proc/{d.process.pid}/stat", encoding="utf-8") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_a_proxy_may_connect_all_of_its_connections_at_once(self):
        d = self.start(http_head_ms=20000, http_idle_ms=60000)  # the defaults of both limits agree
        crowd = []
        try:
            for _ in range(256):
                crowd.append(shake(d.port, self.how, BUSY))
            for s in crowd:
                s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            for s in crowd:
                self.assertIn(b"HTTP/1.1 200", s.recv(4096))
        finally:
            for s in crowd:
                s.close()
        self.assertEqual(d.events("tls_handshakes_limited"), [])

    def test_those_who_never_go_on_take_no_more_threads_than_one_address_may(self):
        d = self.start(tls_handshakes_per_s=0, http_connections_per_peer=3, http_head_ms=60000)
        silent = []
        try:
            for _ in range(3):
                silent.append(socket.create_connection(("127.0.0.1", d.port), 20, (BUSY, 0)))
            wait_until(lambda: not self.is_let_in(d, BUSY), "three are about their handshakes")
            self.assertTrue(self.is_let_in(d, QUIET), "another address")
            self.assertGreater(self.client(d).metric("hedge_tls_handshakes_limited_total"), 0)
            silent.pop().close()
            wait_until(lambda: self.is_let_in(d, BUSY), "one of them is gone")
        finally:
            for s in silent:
                s.close()
        wait_until(lambda: self.is_let_in(d, BUSY), "all of them are")
        self.assertEqual(d.stop(), 0)

    def test_it_stops_at_once_whoever_knocks(self):
        d = self.start(tls_handshakes_per_s=1)
        flood(d.port, self.root.cert, "127.0.0.1", 20)
        before = len(d.events("tls_handshakes_limited"))
        self.assertEqual(d.stop(), 0)
        self.assertEqual(len(d.events("tls_handshakes_limited")), before, "not its own knocks")

    def test_without_tls_it_has_no_effect_and_is_refused(self):
        for value, with_tls in (("5", False), ("0", False), ("-1", True), ("100001", True),
                                ("many", True)):
            files = {"HEDGE_TLS_CERT": self.cert, "HEDGE_TLS_KEY": self.key} if with_tls else {}
            code, _, err = daemon.run(("--check",), HEDGE_TLS_HANDSHAKES_PER_S=value, **files)
            self.assertEqual(code, 78, err)
            self.assertIn("HEDGE_TLS_HANDSHAKES_PER_S", err)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--flood"]:
        print(flood(int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])))
    else:
        daemon.main()
