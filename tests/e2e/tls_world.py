# SPDX-License-Identifier: MIT
"""Authorities, certificates, and clients of a daemon that speaks TLS: the fixture of test_tls*.py."""
import http.client
import os
import ssl
import threading
import unittest
import warnings

import certificates
import daemon
import oracle
from certificates import Authority
from daemon import Client, Daemon

QUOTE = {"score": 0.62, "confidence": 0.9, "depth1pct_usd": 78034.12}
NO_ANSWER = (OSError, http.client.HTTPException)  # ssl.SSLError is an OSError


def context(authority, pair=None, least=None, most=None, ciphers=None, protocols=None):
    """A client's; `authority`: a file of whom it believes."""
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with warnings.catch_warnings():  # of old versions: that is what is tested
        warnings.simplefilter("ignore", DeprecationWarning)
        c.minimum_version = least or ssl.TLSVersion.TLSv1_2
        if most is not None:
            c.maximum_version = most
    if ciphers is not None:
        c.set_ciphers(ciphers)
    if protocols is not None:
        c.set_alpn_protocols(protocols)
    c.load_verify_locations(authority)
    if pair is not None:
        c.load_cert_chain(pair.cert, pair.key)
    return c


class TlsClient(Client):
    """One keep-alive connection over TLS."""

    def __init__(self, port, how, timeout=30.0):
        super().__init__(port, timeout)
        self.connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=timeout,
                                                      context=how)


class World:
    """The authorities and the certificates that the tests share; making them takes a second."""

    def __init__(self):
        self.folder = daemon.new_folder()
        self.root = Authority(self.folder, "root")
        self.other = Authority(self.folder, "other")
        self.between = Authority(self.folder, "between", parent=self.root)
        self.server = self.root.server()
        self.client = self.root.issue("client", ("DNS:desk.example", "URI:spiffe://firm/desk"))


_world = []


def world():
    if not _world:
        _world.append(World())
    return _world[0]


@unittest.skipUnless(certificates.available(), "no openssl command")
class TlsCase(daemon.Case):
    def setUp(self):
        self.folder = daemon.new_folder()
        self.cert = os.path.join(self.folder, "tls.crt")
        self.key = os.path.join(self.folder, "tls.key")
        self.place(world().server)

    def place(self, pair):
        certificates.place(pair, self.cert, self.key)

    def start(self, mutual=False, **settings):
        if mutual:
            settings.setdefault("tls_client_ca", world().root.cert)
        d = Daemon(policy=oracle.policy(calm=True), tls_cert=self.cert, tls_key=self.key, **settings)
        self.addCleanup(self.end, d)
        return d

    def end(self, d):
        code = d.process.poll()
        d.__exit__()
        self.assertIn(code, (None, 0), f"it ended by itself: {d.log()}")

    def client(self, d, pair=None, **more):
        c = TlsClient(d.port, context(world().root.cert, pair, **more))
        self.addCleanup(c.close)
        return c

    def serve(self, d, pair=None):
        with TlsClient(d.port, context(world().root.cert, pair)) as c:
            self.assert_status(c.put("/quotes/BTC", QUOTE), 200)
            self.assert_status(c.hedge(), 200)

    def assert_shut_out(self, d, pair=None, why="", **more):
        """The handshake fails: TLS 1.3 lets a client find out at its first read. In a thread of
        its own: OpenSSL keeps what went wrong for a thread, and Python 3.13 may then take it for
        a fault of the next connection."""
        found = []

        def attempt():
            try:
                with TlsClient(d.port, context(world().root.cert, pair, **more)) as c:
                    found.append(c.get("/healthz"))
            except NO_ANSWER as error:
                found.append(error)
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
        self.assertEqual(len(found), 1, why)
        self.assertIsInstance(found[0], NO_ANSWER, why)
