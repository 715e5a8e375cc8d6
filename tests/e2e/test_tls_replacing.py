# SPDX-License-Identifier: MIT
"""Certificates that are replaced while the daemon serves, and clients that stall or come in masses."""
import os
import shutil
import socket
import ssl
import threading
import time

import daemon
from certificates import Authority
from daemon import MIB, wait_until
from tls_world import NO_ANSWER, TlsCase, TlsClient, context, world

SWAPS = 200
HANDSHAKES = 2000
SILENT = 100
GROWTH = 16 * MIB  # of memory over 1,000 handshakes: noise, not a leak of each


class Replacing(TlsCase):
    def shown(self, d, pair=None):
        """The serial number of the certificate that the daemon shows to a new client."""
        how = context(world().root.cert, pair)
        with socket.create_connection(("127.0.0.1", d.port), 30) as plain:
            with how.wrap_socket(plain, server_hostname="localhost") as s:
                return s.getpeercert()["serialNumber"]

    def test_two_hundred_swaps_under_load_lose_no_request(self):
        d = self.start(tls_handshakes_per_s=0)  # as fast as they come
        self.serve(d)
        pairs = [world().root.server(), world().server]
        done, wrong, counts = threading.Event(), [], [0, 0]

        def ask(i, stay):
            c = TlsClient(d.port, context(world().root.cert))
            while not done.is_set():
                try:
                    answer = c.hedge()
                    if answer.status != 200:
                        wrong.append(answer)
                    counts[i] += 1
                    if not stay:
                        c.close()
                except NO_ANSWER as error:
                    wrong.append(error)
            c.close()
        threads = [threading.Thread(target=ask, args=(i, i == 0)) for i in range(2)]
        for t in threads:
            t.start()
        try:
            with TlsClient(d.port, context(world().root.cert)) as c:
                for i in range(SWAPS):
                    self.place(pairs[i % 2])
                    d.signal(daemon.signal.SIGHUP)
                    wait_until(lambda i=i: c.metric("hedge_tls_reloads_total", result="ok") > i,
                               f"swap {i}", 30)
                self.assertEqual(c.metric("hedge_tls_reloads_total", result="refused"), 0)
        finally:
            done.set()
            for t in threads:
                t.join()
        self.assertFalse(wrong, f"{len(wrong)} of {counts}: {wrong[:3]}")
        self.assertGreater(min(counts), 10, counts)
        print(f"{SWAPS} swaps, {counts[0]} requests on one connection, {counts[1]} on one each")

    def test_files_are_seen_without_a_signal(self):
        """As Kubernetes swaps them: a link to a folder, behind links to the files."""
        pairs = [world().server, world().root.server()]
        for i, pair in enumerate(pairs):
            os.mkdir(os.path.join(self.folder, f"v{i}"))
            shutil.copy(pair.cert, os.path.join(self.folder, f"v{i}", "tls.crt"))
            shutil.copy(pair.key, os.path.join(self.folder, f"v{i}", "tls.key"))
        os.symlink("v0", os.path.join(self.folder, "..data"))
        for name in (self.cert, self.key):
            os.remove(name)
            os.symlink(os.path.join("..data", os.path.basename(name)), name)
        d = self.start()
        c = self.client(d)
        self.assert_status(c.get("/healthz"), 200)
        before = self.shown(d)
        os.symlink("v1", os.path.join(self.folder, "..data_tmp"))
        os.replace(os.path.join(self.folder, "..data_tmp"), os.path.join(self.folder, "..data"))
        wait_until(lambda: self.shown(d) != before, "the new certificate", 20)
        self.assert_status(c.get("/healthz"), 200, "the connection from before goes on")

    def test_bytes_written_in_place_are_seen(self):
        d = self.start()
        before = self.shown(d)
        other = world().root.server()
        for source, target in ((other.cert, self.cert), (other.key, self.key)):
            with open(source, "rb") as f, open(target, "r+b") as out:
                data = f.read()
                out.write(data)
                out.truncate(len(data))
        wait_until(lambda: self.shown(d) != before, "the new certificate", 20)

    def test_half_of_a_replacement_changes_nothing(self):
        d = self.start()
        before, other = self.shown(d), world().root.server()
        c = self.client(d)
        shutil.copy(other.cert, self.cert)
        d.signal(daemon.signal.SIGHUP)
        event = wait_until(lambda: d.events("tls_refused"), "the mismatch in the log", 20)[0]
        self.assertIn("does not fit the key", event["message"])
        self.assertEqual(self.shown(d), before)
        reasons = c.get("/readyz").json["reasons"]
        self.assertTrue(any(r["code"] == "tls_refused" and "does not fit" in r["detail"]
                            for r in reasons), reasons)
        self.assertEqual(c.metric("hedge_tls_ok"), 0)
        self.assertEqual(c.metric("hedge_tls_reloads_total", result="refused"), 1)
        shutil.copy(other.key, self.key)
        wait_until(lambda: self.shown(d) != before, "the other half", 20)
        self.assertTrue(wait_until(lambda: d.events("tls_healed"), "a word that it is well"))
        self.assertEqual(c.metric("hedge_tls_ok"), 1)

    def test_a_short_mismatch_is_not_told(self):
        d = self.start()
        before, other = self.shown(d), world().root.server()
        shutil.copy(other.cert, self.cert)
        d.signal(daemon.signal.SIGHUP)
        self.assertEqual(self.shown(d), before)
        shutil.copy(other.key, self.key)
        wait_until(lambda: self.shown(d) != before, "the new certificate", 20)
        if d.events("tls_refused"):
            self.skipTest("this machine took over 2 seconds between the two halves")

    def test_a_bad_set_keeps_the_old_one(self):
        d = self.start()
        c, before = self.client(d), self.shown(d)
        bad = {"expired on": lambda: self.place(world().root.server(start=-9, end=-1)),
               "everybody": lambda: (self.place(world().root.server()), os.chmod(self.key, 0o644)),
               "No such file": lambda: os.remove(self.cert),
               "holds no certificate": lambda: daemon.write_file(self.cert, "gone\n")}
        for i, (word, spoil) in enumerate(bad.items()):
            self.place(world().server)
            spoil()
            d.signal(daemon.signal.SIGHUP)
            wait_until(lambda word=word: any(word in e["message"] for e in d.events("tls_refused")),
                       f"{word} in the log", 20)
            self.assertEqual(self.shown(d), before)
            self.assertGreaterEqual(c.metric("hedge_tls_reloads_total", result="refused"), i + 1)
        self.place(world().server)
        wait_until(lambda: c.metric("hedge_tls_ok") == 1, "good again", 20)
        self.assertEqual(self.shown(d), before)

    def test_a_new_list_shuts_out_whom_it_names(self):
        authority = Authority(self.folder, "firm")
        good, bad = authority.issue("good"), authority.issue("bad")
        revoked = os.path.join(self.folder, "crl.pem")
        shutil.copy(authority.revoked(), revoked)
        d = self.start(tls_client_ca=authority.cert, tls_client_crl=revoked)
        stays, c = self.client(d, bad), self.client(d, good)
        self.assert_status(stays.get("/healthz"), 200)
        authority.revoke(bad)
        shutil.copy(authority.revoked(), revoked)
        d.signal(daemon.signal.SIGHUP)
        wait_until(lambda: c.metric("hedge_tls_reloads_total", result="ok") == 1, "the new list", 20)
        self.assert_shut_out(d, bad)
        self.assert_status(stays.get("/healthz"), 200, "until it hangs up")
        self.serve(d, good)

    def test_a_new_authority_is_believed_and_the_old_one_no_longer(self):
        bundle = os.path.join(self.folder, "ca.pem")
        shutil.copy(world().root.cert, bundle)
        d = self.start(tls_client_ca=bundle)
        c, newcomer = self.client(d, world().client), world().other.issue("newcomer")
        self.assert_status(c.get("/healthz"), 200)
        self.assert_shut_out(d, newcomer)
        shutil.copy(world().other.cert, bundle)
        d.signal(daemon.signal.SIGHUP)
        wait_until(lambda: c.metric("hedge_tls_reloads_total", result="ok") == 1, "the new one", 20)
        self.serve(d, newcomer)
        self.assert_shut_out(d, world().client)


class Bounds(TlsCase):
    def test_those_who_stall_hold_nobody_up(self):
        d = self.start()
        hello = ssl.MemoryBIO()
        with_hello = context(world().root.cert).wrap_bio(ssl.MemoryBIO(), hello,
                                                         server_hostname="localhost")
        with self.assertRaises(ssl.SSLWantReadError):
            with_hello.do_handshake()
        half = hello.read()[:100]
        sockets = []
        try:
            for i in range(2 * SILENT):
                s = socket.create_connection(("127.0.0.1", d.port), 30)
                sockets.append(s)
                if i % 2:
                    s.sendall(half)
            self.serve(d)
            # Each is hung up on by and by: the daemon says so first.
            for s in sockets:
                s.settimeout(30)
                try:
                    while s.recv(4096):
                        pass
                except ConnectionResetError:
                    pass
            self.serve(d)
        finally:
            for s in sockets:
                s.close()

    def test_one_that_trickles_is_hung_up_on(self):
        d = self.start()
        with socket.create_connection(("127.0.0.1", d.port), 30) as s:
            s.sendall(b"\x16\x03\x01\x02\x00")
            sent, end = 0, time.monotonic() + 60
            try:
                while time.monotonic() < end:
                    s.sendall(b"\x01" if sent == 0 else b"\x00")
                    sent += 1
                    time.sleep(0.1)
            except OSError:
                pass
        self.assertLess(sent, 400)
        self.serve(d)

    def test_handshakes_leave_nothing_behind(self):
        d = self.start(mutual=True, tls_client_names="desk.example", tls_handshakes_per_s=0)
        how = context(world().root.cert, world().client)

        def shake(n):
            for _ in range(n):
                with socket.create_connection(("127.0.0.1", d.port), 30) as plain:
                    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    with how.wrap_socket(plain, server_hostname="localhost") as s:
                        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                        self.assertIn(b" 200 ", s.recv(4096))

        def descriptors():
            return len(os.listdir(f"/proc/{d.process.pid}/fd"))
        shake(HANDSHAKES // 2)
        memory, files = d.memory()["VmRSS"], descriptors()
        shake(HANDSHAKES // 2)
        wait_until(lambda: descriptors() <= files, f"back to {files} descriptors")
        grown = d.memory()["VmRSS"] - memory
        print(f"{HANDSHAKES // 2} handshakes more: {grown} bytes of memory")
        if not daemon.SLOW:  # a sanitizer keeps what was freed, and looks for leaks itself
            self.assertLess(grown, GROWTH)

    def test_it_stops_in_order_with_clients_there(self):
        d = self.start(mutual=True)
        c = self.client(d, world().client)
        self.assert_status(c.get("/healthz"), 200)
        with socket.create_connection(("127.0.0.1", d.port), 30):
            self.assertEqual(d.stop(), 0)
        self.assertFalse([e for e in d.events("http")], d.log())


if __name__ == "__main__":
    daemon.main()
