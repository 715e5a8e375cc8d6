# SPDX-License-Identifier: MIT
"""TLS and mTLS: whom the daemon lets in, and what it refuses to start with."""
import os
import socket
import ssl
import subprocess
import tempfile
import time

import certificates
import daemon
import oracle
from certificates import Authority, Pair
from daemon import Daemon, MIB, wait_until
from tls_world import QUOTE, TlsCase, TlsClient, context, world

BAD_CONFIG = 78  # EX_CONFIG


class Settings(TlsCase):
    def refused(self, variable, word, **settings):
        base = {"HEDGE_TLS_CERT": self.cert, "HEDGE_TLS_KEY": self.key, "HEDGE_API_PORT": "0",
                "HEDGE_POLICY": os.path.join(self.folder, "policy.yaml")}
        base.update({k: v for k, v in settings.items()})
        daemon.write_file(base["HEDGE_POLICY"], oracle.text(oracle.policy()))
        for arguments in (("--check",), ()):
            code, _, err = daemon.run(arguments, self.folder, **base)
            self.assertEqual(code, BAD_CONFIG, f"{settings} {err}")
            self.assertIn(variable, err)
            self.assertIn(word, err)

    def file(self, text, mode=0o600):
        fd, path = tempfile.mkstemp(dir=self.folder)
        with os.fdopen(fd, "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def test_half_of_a_set_is_refused(self):
        ca, crl = world().root.cert, world().root.revoked()
        self.refused("HEDGE_TLS_KEY", "HEDGE_TLS_CERT", HEDGE_TLS_KEY=None)
        self.refused("HEDGE_TLS_KEY", "HEDGE_TLS_CERT", HEDGE_TLS_CERT=None)
        self.refused("HEDGE_TLS_CLIENT_CRL", "HEDGE_TLS_CLIENT_CA", HEDGE_TLS_CLIENT_CRL=crl)
        self.refused("HEDGE_TLS_CLIENT_NAMES", "HEDGE_TLS_CLIENT_CA", HEDGE_TLS_CLIENT_NAMES="a")
        self.refused("HEDGE_TLS_CLIENT_CA", "HEDGE_TLS_CERT", HEDGE_TLS_CLIENT_CA=ca,
                     HEDGE_TLS_CERT=None, HEDGE_TLS_KEY=None)
        self.refused("HEDGE_TLS_CLIENT_NAME", "no such setting", HEDGE_TLS_CLIENT_NAME="a")
        for names in (",", "a,", ",a", "a,,b", "a, b", "*.desk.example", "a" * 256):
            self.refused("HEDGE_TLS_CLIENT_NAMES", "commas", HEDGE_TLS_CLIENT_CA=ca,
                         HEDGE_TLS_CLIENT_NAMES=names)

    def test_files_that_are_not_what_they_should_be_are_refused(self):
        for variable in ("HEDGE_TLS_CERT", "HEDGE_TLS_KEY", "HEDGE_TLS_CLIENT_CA"):
            for path, word in (("/nowhere/x.pem", "No such file"), ("/dev/null", "not a file"),
                               (self.folder, "not a file"), (self.file(""), "must hold"),
                               (self.file("x" * (MIB + 1)), "must hold"),
                               (self.file("nonsense\n"), "holds no")):
                self.refused(variable, word, **{variable: path})
        with open(self.cert, encoding="ascii") as f:
            text = f.read()
        broken = self.file(text.replace("MI", "!!", 1))
        self.refused("HEDGE_TLS_CERT", "cannot be read", HEDGE_TLS_CERT=broken)
        self.refused("HEDGE_TLS_CERT", "certificate 2 cannot be read",
                     HEDGE_TLS_CERT=certificates.join(self.file(""), self.cert, broken))

    def test_a_key_that_others_may_read_is_refused(self):
        for mode, who in ((0o644, "everybody"), (0o604, "everybody"), (0o602, "anybody"),
                          (0o666, "anybody")):
            os.chmod(self.key, mode)
            self.refused("HEDGE_TLS_KEY", who)
        os.chmod(self.key, 0o640)  # the group is ours
        self.start().stop()
        if os.getuid() == 0:
            os.chown(self.key, -1, 54321)
            self.refused("HEDGE_TLS_KEY", "group 54321")

    def test_an_encrypted_key_is_refused_with_a_word(self):
        for form in (("pkcs8", "-topk8", "-v2", "aes-256-cbc"), ("ec", "-aes256")):
            path = self.file("")
            certificates.openssl(*form, "-in", self.key, "-out", path, "-passout", "pass:secret")
            os.chmod(path, 0o600)
            self.refused("HEDGE_TLS_KEY", "is encrypted", HEDGE_TLS_KEY=path)

    def test_a_certificate_no_client_would_take_is_refused(self):
        ca = world().root
        for pair, word in ((ca.server(start=-10, end=-1), "expired on"),
                           (ca.server(start=1, end=10), "not valid before"),
                           (ca.issue("server", certificates.SERVER, "clientAuth"), "for servers"),
                           (ca.server(kind="rsa1024"), "too small"),
                           (Pair(ca.server().cert, world().server.key), "does not fit the key")):
            self.place(pair)
            self.refused("HEDGE_TLS_CERT", word)

    def test_authorities_and_lists_nobody_could_pass_are_refused(self):
        w = world()
        ended = Authority(self.folder, "ended", days=-1, start=-10)
        both = certificates.join(self.file(""), w.root.cert, w.other.cert)
        for bundle, word in ((w.client.cert, "is not of an authority"),
                             (w.between.cert, "holds no root"), (ended.cert, "holds no root")):
            self.refused("HEDGE_TLS_CLIENT_CA", word, HEDGE_TLS_CLIENT_CA=bundle)
        for bundle, lists, word in ((w.root.cert, w.other.revoked(), "no list that CN=root"),
                                    (both, w.root.revoked(), "no list that CN=other"),
                                    (w.root.cert, w.root.revoked(-9, -1), "expired on"),
                                    (w.root.cert, w.root.revoked(1, 9), "is of"),
                                    (w.root.cert, w.root.cert, "holds no list")):
            self.refused("HEDGE_TLS_CLIENT_CRL", word, HEDGE_TLS_CLIENT_CA=bundle,
                         HEDGE_TLS_CLIENT_CRL=lists)

    def test_check_says_what_the_port_will_speak(self):
        policy = os.path.join(self.folder, "policy.yaml")
        daemon.write_file(policy, oracle.text(oracle.policy()))
        base = {"HEDGE_POLICY": policy, "HEDGE_TLS_CERT": self.cert, "HEDGE_TLS_KEY": self.key}
        code, out, err = daemon.run(("--check",), self.folder, **base)
        self.assertEqual(code, 0, err)
        self.assertIn("TLS as CN=server, 36", out)
        code, out, _ = daemon.run(("--check",), self.folder, **base,
                                  HEDGE_TLS_CLIENT_CA=world().root.cert)
        self.assertEqual(code, 0, err)
        self.assertIn("mTLS as CN=server", out)

    def test_one_that_ends_soon_is_warned_of(self):
        self.place(world().root.server(end=13))
        d = self.start()
        event = wait_until(lambda: d.events("tls_expiring"), "a warning")[0]
        self.assertAlmostEqual(event["days"], 13, delta=0.1)


class Protocol(TlsCase):
    def test_requests_pass_and_the_connection_stays(self):
        d = self.start()
        self.assertTrue(d.url.startswith("https://"))
        self.assertEqual(d.events("listening")[0]["tls"], "on")
        c = self.client(d)
        self.assert_status(c.put("/quotes/BTC", QUOTE), 200)
        socket_before = c.connection.sock
        for _ in range(50):
            self.assert_status(c.hedge(), 200)
        self.assertIs(c.connection.sock, socket_before)
        self.assertEqual(c.metric("hedge_tls_handshakes_total"), 1)
        body = b'{"asset":"BTC","amount_usd":1000}'
        self.assert_status(c.post("/hedge", body + b" " * (MIB - len(body))), 200)
        over = c.post("/hedge", b" ", headers={"Content-Length": str(MIB + 1)})
        self.assert_problem(over, 413, "too_large")

    def test_long_answers_pass(self):
        d = self.start()
        c = self.client(d)
        self.assert_status(c.put("/quotes/BTC", QUOTE), 200)
        for _ in range(3):
            wanted = [{"asset": "BTC", "amount_usd": float(i)} for i in range(1, 400)]
            self.assert_status(c.post("/hedge/batch", {"requests": wanted}), 200)
        answer = c.get("/decisions", limit=1000)
        self.assertGreater(len(answer.body), 200_000)
        self.assertEqual(len(answer.json["records"]), 1000)

    def test_old_versions_and_weak_suites_are_refused(self):
        d, v = self.start(), ssl.TLSVersion
        for version in (v.TLSv1, v.TLSv1_1):
            self.assert_shut_out(d, why=version, least=version, most=version,
                                 ciphers="ALL:@SECLEVEL=0")
        for suite in ("AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384"):
            self.assert_shut_out(d, why=suite, most=v.TLSv1_2, ciphers=suite)
        for version in (v.TLSv1_2, v.TLSv1_3):
            c = self.client(d, least=version, most=version)
            self.assert_status(c.get("/healthz"), 200)
            self.assertEqual(c.connection.sock.compression(), None)

    def test_the_protocol_is_agreed_upon(self):
        d = self.start()
        c = self.client(d, protocols=["h2", "http/1.1"])
        self.assert_status(c.get("/healthz"), 200)
        self.assertEqual(c.connection.sock.selected_alpn_protocol(), "http/1.1")
        self.assert_shut_out(d, protocols=["h2"])

    def test_no_session_is_resumed(self):
        d = self.start()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            how, session = context(world().root.cert, least=version, most=version), None
            for _ in range(3):
                with socket.create_connection(("127.0.0.1", d.port), 10) as plain:
                    with how.wrap_socket(plain, server_hostname="localhost", session=session) as s:
                        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                        self.assertIn(b" 200 ", s.recv(4096))
                        self.assertFalse(s.session_reused)
                        session = s.session

    def test_renegotiation_is_refused(self):
        d = self.start()
        with subprocess.Popen(["openssl", "s_client", "-tls1_2", "-connect",
                               f"127.0.0.1:{d.port}"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
            out, _ = p.communicate(b"R\n", timeout=30)  # R at a line's start asks for it
        self.assertIn(b"RENEGOTIATING", out)
        self.assertIn(b"no renegotiation", out)
        self.serve(d)

    def test_what_is_no_tls_is_hung_up_on(self):
        d = self.start()
        for data in (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\x40\x00" + b"A" * 99,
                     b"\x80" * 5000, b"\x15\x03\x03\x00\x02\x02\x28"):
            answer = daemon.raw(d.port, data, half_close=True)
            self.assertNotIn(b"HTTP/1.1 200", answer)
            self.assertNotIn(b"alive", answer)
        self.serve(d)
        self.assertEqual(d.stop(), 0)

    def test_the_library_is_ours_and_only_with_tls(self):
        """Debian's civetweb asks for libssl.so, which only libssl-dev has: it must get ours."""
        def loaded(d):
            with open(f"/proc/{d.process.pid}/maps", encoding="utf-8") as f:
                return {os.path.realpath(line.split()[-1]) for line in f if "/lib" in line}
        with_tls = self.start()
        self.serve(with_tls)
        with Daemon(policy=oracle.policy(calm=True)) as without:
            with without.client() as c:
                self.assert_status(c.get("/healthz"), 200)
            self.assertFalse([x for x in loaded(without) if x.endswith("/hedge/libssl.so")])
        for name in ("ssl", "crypto"):
            found = [x for x in loaded(with_tls) if f"/lib{name}.so" in x]
            self.assertEqual(len(found), 2, found)  # ours, and the real one that all share
            self.assertTrue(any(x.endswith(f"/hedge/lib{name}.so") for x in found), found)


class Clients(TlsCase):
    def test_a_certificate_of_the_authority_gets_in(self):
        w = world()
        chained = w.between.issue("chained")
        d = self.start(mutual=True)
        self.assertEqual(d.events("listening")[0]["tls"], "mutual")
        for pair in (w.client, chained, w.root.issue("rsa", kind="rsa"),
                     w.root.issue("no use named", use=None)):
            self.serve(d, pair)

    def test_anybody_else_is_shut_out(self):
        w = world()
        alone = os.path.join(self.folder, "alone.pem")
        key = certificates.new_key(os.path.join(self.folder, "alone.key"))
        certificates.openssl("req", "-x509", "-new", "-config", w.root.config, "-key", key, "-subj",
                             "/CN=client", "-days", "9", "-out", alone)
        d = self.start(mutual=True)
        unchained = w.between.issue("unchained")
        cases = {"none": None, "expired": w.root.issue("client", start=-9, end=-1),
                 "not yet": w.root.issue("client", start=1, end=9),
                 "another authority": w.other.issue("client", ("DNS:desk.example",)),
                 "serverAuth only": w.root.issue("client", use="serverAuth"),
                 "signed by itself": Pair(alone, key),
                 "weak": w.root.issue("client", kind="rsa1024"),
                 "intermediate missing": Pair(unchained.alone, unchained.key)}
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for why, pair in cases.items():
                self.assert_shut_out(d, pair, f"{why} {version}", least=version, most=version,
                                     ciphers="DEFAULT:@SECLEVEL=0")
        self.serve(d, w.client)
        told = {e["reason"] for e in d.events("tls_client_refused")}
        for word in ("certificate has expired", "certificate is not yet valid"):
            self.assertIn(word, told)
        with TlsClient(d.port, context(w.root.cert, w.client)) as c:
            self.assertGreaterEqual(c.metric("hedge_tls_clients_refused_total"), 14)

    def test_too_long_a_chain_is_shut_out(self):
        w, files = world(), []
        deep = w.root
        for level in range(6):
            deep = Authority(self.folder, f"deep{level}", parent=deep)
            files.insert(0, deep.cert)
        pair = deep.issue("client")
        d = self.start(mutual=True)
        self.assert_shut_out(d, Pair(certificates.join(pair.cert, pair.alone, *files), pair.key))
        self.serve(d, w.client)

    def test_one_that_is_revoked_is_shut_out(self):
        authority = Authority(self.folder, "firm")
        good, bad = authority.issue("good"), authority.issue("bad")
        authority.revoke(bad)
        d = self.start(tls_client_ca=authority.cert, tls_client_crl=authority.revoked())
        self.serve(d, good)
        self.assert_shut_out(d, bad)
        self.assertIn("certificate revoked", {e["reason"] for e in d.events("tls_client_refused")})

    def test_names_are_equal_or_forbidden(self):
        w = world()
        d = self.start(mutual=True, tls_client_names="spiffe://firm/risk,desk.example")
        self.serve(d, w.client)
        self.serve(d, w.root.issue("risk", ("DNS:else.example", "URI:spiffe://firm/risk")))
        wrong = {"no names": (), "a longer one": ("DNS:desk.example.org",),
                 "a part": ("DNS:desk",), "below it": ("DNS:a.desk.example",),
                 "a wildcard": ("DNS:*.example",), "another case": ("DNS:DESK.example",),
                 "both": ("URI:spiffe://firm/risk,desk.example".replace(",", "%2C"),),
                 "mail": ("email:desk.example@desk.example",)}
        for why, names in wrong.items():
            # The subject's common name is never looked at.
            pair = w.root.issue("desk.example", names)
            for method, path in (("GET", "/healthz"), ("GET", "/metrics"), ("POST", "/hedge"),
                                 ("GET", "/nowhere")):
                with TlsClient(d.port, context(w.root.cert, pair)) as c:
                    answer = c.ask(method, path)
                    self.assert_problem(answer, 403, "forbidden", why)
                    self.assertEqual(answer.headers["Connection"], "close")

    def test_a_list_that_has_expired_lets_nobody_in(self):
        authority = Authority(self.folder, "firm")
        pair = authority.issue("client")
        d = self.start(tls_client_ca=authority.cert,
                       tls_client_crl=authority.revoked(until=8 / 86400))
        ends = time.time() + 8
        c = self.client(d, pair)
        self.assert_status(c.get("/healthz"), 200)

        def codes():
            return {r["code"] for r in c.get("/readyz").json["reasons"]}
        wait_until(lambda: "tls_list_expired" in codes(), "readiness to say so", 20)
        # OpenSSL counts whole seconds: within the one that the list names it still holds.
        wait_until(lambda: time.time() >= ends + 1, "that second to be over", 20)
        self.assert_shut_out(d, pair)
        wait_until(lambda: d.events("tls_list_expired"), "a line in the log")


class Tool(TlsCase):
    def run_tool(self, *words, **variables):
        """(exit code, what it says)"""
        done = subprocess.run([daemon.program("HEDGE_CLI"), *words],
                              env={**daemon.environment({}), **variables}, timeout=60,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def test_the_tool_reads_a_daemon_over_mutual_tls(self):
        d = self.start(mutual=True)
        self.serve(d, world().client)
        files = {"HEDGE_CA": world().root.cert, "HEDGE_CLIENT_CERT": world().client.cert,
                 "HEDGE_CLIENT_KEY": world().client.key}

        for variables, good in ((files, True), ({**files, "HEDGE_CA": world().other.cert}, False),
                                ({"HEDGE_CA": world().root.cert}, False)):
            code, words = self.run_tool("verify", "--url", d.url, **variables)
            self.assertEqual(code == 0, good, words)

    def check_halts(self, d, c, **files):
        reason = ("--reason", "a drill", "--url", d.url)
        code, words = self.run_tool("halt", *reason, **files)
        self.assertEqual(code, 0, words)
        self.assertEqual(c.get("/halt").json["halted"][0]["reason"], "a drill")
        code, words = self.run_tool("status", "--url", d.url, **files)
        self.assertEqual(code, 1, words)
        self.assertIn("everything since", words)
        strange = [{**files, "HEDGE_CA": world().other.cert}, {}]
        if len(files) > 1:
            strange += [{"HEDGE_CA": world().root.cert}, {**files, "HEDGE_CLIENT_KEY": ""}]
        for variables in strange:
            for words in (("halt", "--asset", "BTC", *reason), ("resume", *reason),
                          ("status", "--url", d.url)):
                code, said = self.run_tool(*words, **variables)
                self.assertEqual(code, 1, f"{words} {variables} {said}")
                self.assertNotIn("a drill", said)
        self.assertEqual(len(c.get("/halt").json["halted"]), 1, "nothing of it arrived")
        code, words = self.run_tool("resume", *reason, **files)
        self.assertEqual(code, 0, words)
        self.assertEqual(c.get("/halt").json["halted"], [])

    def test_the_kill_switch_over_tls(self):
        d = self.start()
        self.check_halts(d, self.client(d), HEDGE_CA=world().root.cert)

    def test_the_kill_switch_over_mutual_tls(self):
        d = self.start(mutual=True)
        self.check_halts(d, self.client(d, world().client), HEDGE_CA=world().root.cert,
                         HEDGE_CLIENT_CERT=world().client.cert,
                         HEDGE_CLIENT_KEY=world().client.key)

    def test_an_order_that_is_reset_before_it_was_sent_is_tried_again(self):
        """The address may begin one handshake a second, and others of it were first."""
        d = self.start(tls_handshakes_per_s=1)

        def limited():
            c = self.client(d)
            try:
                return int(c.metric("hedge_tls_handshakes_limited_total"))
            finally:
                c.close()
        for turn in range(20):
            before = daemon.wait_until(lambda: self.quietly(limited), "a handshake", 20, 0.2)
            code, words = self.run_tool("halt", "--reason", f"drill {turn}", "--url", d.url,
                                        HEDGE_CA=world().root.cert)
            self.assertEqual(code, 0, words)
            if daemon.wait_until(lambda: self.quietly(limited), "a handshake", 20, 0.2) > before:
                return
        self.skipTest("so slow a machine that the tool was never turned away")

    @staticmethod
    def quietly(ask):
        """1 more than what it says, so that 0 is an answer; None: it was turned away, too."""
        try:
            return ask() + 1
        except OSError:
            return None

    def test_the_help_names_the_files(self):
        for command in ("halt", "resume", "status"):
            for name in ("HEDGE_CA", "HEDGE_CLIENT_CERT", "HEDGE_CLIENT_KEY"):
                self.assertIn(name, self.run_tool(command, "--help")[1])


if __name__ == "__main__":
    daemon.main()
