# SPDX-License-Identifier: MIT
"""Memory that runs out where it must not let anybody in, or a halt out: tokens, keys, certificates,
and the kill switch.

A bad token, a missing certificate never gets an answer of 2xx; a good one gets its answer, 503, or
its connection is closed, and never a 401. An acknowledged halt or resume holds, is in the journal
and is there after kill -9; one that is refused is not done, or the answer says so.
`test_out_of_memory_guarded.py COUNT [TEST]` tries so many points of each kind, 0: all."""
import http.client
import os
import ssl
import threading
import unittest

import certificates
import daemon
import faults_memory
import halts
import journal
import memory_walk
import oracle
import tls_world
import tokens
from daemon import Daemon, wait_until
from memory_walk import QUOTE, RULES, SILENT_S, Outcomes

# Of the points of an order: a halt that was not latched takes a second to be.
ORDERS = {"commit": 4, "async": 2}
BAD_USD = 6666.0  # asked for by nobody who may
CLOSED = (OSError, http.client.HTTPException)  # ssl.SSLError is an OSError


class Bearer(daemon.Client):
    """A connection that shows a token."""

    def __init__(self, port, token, timeout=30.0):
        super().__init__(port, timeout)
        self.head = tokens.bearer(token)

    def ask(self, method, path, body=None, headers=None, **query):
        return super().ask(method, path, body, {**self.head, **(headers or {})}, **query)


@unittest.skipUnless(faults_memory.available(), "HEDGE_FAULTS_MEMORY names no library to preload")
@unittest.skipUnless(tokens.available(), "python3-cryptography is not installed")
class Tokens(memory_walk.Case):
    def setUp(self):
        self.issuer, self.serial = tokens.Issuer(), 0
        self.token = self.issuer.token("ES256")

    def serve(self, **settings):
        memory = faults_memory.Memory()
        self.keys = os.path.join(daemon.new_folder(), "keys.json")
        tokens.write_jwks(self.keys, self.issuer.jwks())
        d = Daemon(RULES, wrapper=memory.wrapper, jwt_keys=self.keys, jwt_issuer=tokens.ISSUER,
                   jwt_audience=tokens.AUDIENCE, **settings)
        self.addCleanup(d.__exit__)
        with self.client(d) as c:
            for asset in oracle.ASSETS:
                self.assert_status(c.ask("PUT", f"/quotes/{asset}", QUOTE), 200)
        return d, memory

    def client(self, d, timeout=30.0):
        return Bearer(d.port, self.token, timeout)

    def fresh(self, alg, **claims):
        """A token that no daemon has seen."""
        self.serial += 1
        return self.issuer.token(alg, sub=f"caller-{self.serial}", **claims)

    def by(self, token, method="GET", path="/quotes", body=None):
        return ("by token", method, path, body, tokens.bearer(token))

    def good(self, memory, again):
        """What an answer to a good token may be; afterwards it is let in."""
        def judge(answer, for_ever):
            after = again()
            if after is None or after.status != 200:
                return None
            return self.right(answer, "by token", memory.caller, for_ever)
        return judge

    def never(self, memory):
        """What an answer to a bad token may be: anything but good."""
        def judge(answer, for_ever):
            if answer is not None and answer.status in (401, 403):
                return str(answer.status)
            if answer is not None and answer.status == 200:
                return None
            return self.right(answer, "by token", memory.caller, for_ever)
        return judge

    def test_a_good_token_is_let_in_or_told_why_not(self):
        d, memory = self.serve()
        print(flush=True)
        for alg in tokens.ALGS:
            last = []

            def once():
                last[:] = [self.by(self.fresh(alg))]
                return self.ask(d, last[0])
            once()  # each thread and the library have made what they keep
            self.report(f"{alg}, seen for the first time", self.try_points(
                d, memory, once, self.good(memory, lambda: self.ask(d, last[0])),
                2 * memory_walk.POINTS))

    def test_every_route_by_a_token_that_is_known(self):
        d, memory = self.serve()
        kept, head = [], self.issuer.token("HS256")
        with self.client(d) as c:
            policy = c.get("/curve").json["policy"]
        print(flush=True)
        one = {"asset": "BTC", "amount_usd": 1000.0}
        for method, path, body in (
                ("POST", "/hedge", one), ("POST", "/hedge", {**one, "override_score": 0.4}),
                ("POST", "/hedge/batch", {"requests": [one] * 5}), ("PUT", "/quotes/BTC", QUOTE),
                ("GET", "/quotes", None), ("GET", "/curve?points=20", None),
                ("GET", "/decisions?limit=20", None), ("GET", f"/policies/{policy}", None),
                ("POST", "/curve/reload", None), ("GET", "/metrics", None), ("GET", "/halt", None)):
            def once():
                answer = self.ask(d, self.by(head, method, path, body))
                self.acknowledge(answer, kept)
                return answer
            self.report(f"{method} {path[:20]}", self.try_points(
                d, memory, once, self.good(memory, once), both=False))
        with self.client(d) as c:
            self.assertGreater(c.metric("hedge_auth_remembered_total"), 0)
        self.check(d, kept)

    def test_a_bad_token_is_never_let_in(self):
        d, memory = self.serve()
        keys, forged = self.issuer.keys, tokens.Issuer()
        self.token = self.issuer.token()
        print(flush=True)
        kinds = {"forged": lambda alg: forged.keys[alg].token(header=keys[alg].header()),
                 "none": lambda alg: f"{tokens.encode({'alg': 'none', 'kid': keys[alg].kid})}."
                                     f"{tokens.encode(tokens.claims_of())}.AA",
                 "expired": lambda alg: self.fresh(alg, exp=1000000000),
                 "another's": lambda alg: self.fresh(alg, aud="another"),
                 "of another issuer": lambda alg: self.fresh(alg, iss="https://x.example"),
                 "without the scope": lambda alg: self.fresh(alg, scope="read quote")}
        for kind, make in kinds.items():
            for alg in (tokens.ALGS if kind == "forged" else ("HS256", "ES256")):
                body = {"asset": "BTC", "amount_usd": BAD_USD}
                once = lambda: self.ask(d, self.by(make(alg), "POST", "/hedge", body))  # noqa: E731
                self.report(f"{kind}, {alg}", self.try_points(d, memory, once, self.never(memory)))
        self.assertEqual(d.stop(), 0)
        _, rows = journal.rows(d.journal_path)
        self.assertEqual([r["seq"] for r in journal.walk(rows)[0] if r["kind"] == 1], [],
                         "nobody who may has asked")

    def test_keys_that_are_changed_are_the_old_ones_or_the_new(self):
        d, memory = self.serve()
        stranger, old = tokens.Issuer(), self.issuer
        outcomes, taken = Outcomes(), lambda: len(d.events("jwt_keys_live"))

        def status(token):
            answer = self.ask(d, self.by(token))
            return answer.status if answer is not None else None

        def change():
            """A new set of keys is written, and taken or not: (its issuer, whether it was)."""
            new, before = tokens.Issuer(("HS256", "ES256", "EdDSA")), taken()
            tokens.write_jwks(self.keys, new.jwks())
            wait_until(lambda: taken() > before or memory.failed, "a look at the keys")
            return new

        for for_ever in (False, True):
            memory.fail(memory_walk.NEVER)
            old = change()
            memory.stop()
            total = memory.seen
            for n in memory_walk.some(range(total), 6 if for_ever else None):
                memory.fail(n, for_ever)
                new = change()
                self.assertNotEqual(status(stranger.token("HS256")), 200, "while memory is short")
                memory.stop()
                where = f"allocation {n}, for ever {for_ever}, asked for by {memory.caller}"
                self.assertTrue(d.alive(), f"{where}: {d.log()}")
                by_old, by_new = status(old.token("ES256")), status(new.token("ES256"))
                if (by_old, by_new) not in ((200, 401), (401, 200), (200, 200)):
                    outcomes.faults.append(f"{where}: old {by_old}, new {by_new}")
                outcomes.note("the old ones" if by_old == 200 else "the new ones")
                self.assertEqual(status(stranger.token("HS256")), 401, where)
                wait_until(lambda: status(new.token("EdDSA")) == 200, f"{where}: the new ones")
                self.assertEqual(status(old.token("ES256")), 401, where)
                old = new
        print(flush=True)
        self.report("a change of keys", outcomes)
        self.token = old.token("ES256")
        with self.client(d) as c:
            wait_until(lambda: c.metric("hedge_jwt_keys_ok") == 1, "nothing is amiss")


@unittest.skipUnless(faults_memory.available(), "HEDGE_FAULTS_MEMORY names no library to preload")
class Halts(memory_walk.Case, halts.Case):
    """Orders, each from a known state; what it is afterwards is what was said."""

    def ask_order(self, path, asset):
        return ("order", "POST", path, halts.order("a test", asset), {})

    def now(self, d):
        """{asset: its halt}. On a busy machine a connection may run into its time."""
        def ask():
            try:
                with d.client() as c:
                    return c.get("/halt").json["halted"],
            except CLOSED as fault:
                if d.process.poll() is not None:
                    raise AssertionError(f"it ended with {d.process.poll()}: {d.log()}") from fault
                return None
        return {h.get("asset", halts.ALL): h for h in wait_until(ask, "GET /halt is answered")[0]}

    def latched(self, d):
        """What is halted, when all of it is on disk."""
        return wait_until(lambda: (lambda now: all(h["latched"] for h in now.values())
                                   and {"halted": now})(self.now(d)),
                          f"every halt is latched: {d.log()}", 20)["halted"]

    def set_up(self, d, halted, asset):
        """Only the asset is halted, or nothing is."""
        with d.client() as c:
            for each in self.now(d):  # async: what failed may be under way still, and goes first
                answer = wait_until(
                    lambda a=each: (lambda r: r if r.status == 200 else None)(
                        c.post("/resume", halts.order("before a point", a))), "it is resumed")
                if "record" in answer.json:
                    self.acknowledged.append(("/resume", answer.json["record"]))
            if halted:
                record = self.halt(c, "before a point", asset)["record"]
                self.acknowledged.append(("/halt", record))

    def holds(self, answer, halting, asset, now):
        """Whether what was said is so."""
        there = asset in now
        if answer.status == 200:
            said = answer.json
            record = now[asset]["record"] if there else None
            return there == halting and (not halting or said["record"] == record)
        if answer.status != 503:
            return False
        if answer.code == "out_of_memory" and "may have been done" in answer.json["detail"]:
            return True
        if answer.code in ("halt_not_latched", "journal_failed"):
            return there  # halted now; or halted as before; or not resumed
        return answer.code in memory_walk.REFUSALS and there != halting

    def name(self, answer):
        return "200" if answer.status == 200 else f"503 {answer.code}"

    def restart(self, d):
        d.kill()
        d.start()
        with d.client() as c:
            halts.quote_all(c)

    def check_restart(self, d, where):
        """After kill -9 it is what it was."""
        before = self.latched(d)
        self.restart(d)
        self.assertEqual(self.now(d), before, where)

    def orders(self, d, memory, path, asset):
        halting, outcomes, tried = path == "/halt", Outcomes(), 0

        for for_ever in (False, True):
            total = self.count(d, memory, path, asset)
            for n in memory_walk.some(range(total), ORDERS[d.settings["HEDGE_DURABILITY"]]):
                self.set_up(d, not halting, asset)
                memory.fail(n, for_ever)
                answer = self.ask(d, self.ask_order(path, asset))
                memory.stop()
                where = (f"{path} {asset or 'all'}, allocation {n}, for ever {for_ever}, asked for "
                         f"by {memory.caller}: {answer!r}")
                self.assertTrue(d.alive(), f"{where}: {d.log()}")
                if answer is None or answer.status == 0:  # it may still come to its end: not later
                    self.restart(d)
                    outcomes.note("no answer")
                    continue
                if not self.holds(answer, halting, asset, self.now(d)):
                    outcomes.faults.append(f"{where}, and now {self.now(d)}")
                outcomes.note(self.name(answer))
                if answer.status == 200:
                    self.acknowledged.append((path, answer.json["record"]))
                with d.client() as c:
                    decided = c.hedge(asset or "BTC").status
                if (decided == 503) != (asset in self.latched(d)):
                    outcomes.faults.append(f"{where}, and then a decision is {decided}")
                if tried % 3 == 0:
                    self.check_restart(d, where)
                tried += 1
        self.report(f"{path} {asset or 'all'}", outcomes)

    def count(self, d, memory, path, asset):
        self.set_up(d, path != "/halt", asset)
        memory.fail(memory_walk.NEVER)
        self.assert_status(self.ask(d, self.ask_order(path, asset)), 200)
        memory.stop()
        return memory.seen

    def walk_orders(self, durability):
        memory, self.acknowledged = faults_memory.Memory(), []
        d = Daemon(RULES, wrapper=memory.wrapper, durability=durability)
        self.addCleanup(d.__exit__)
        with d.client() as c:
            halts.quote_all(c)
        print(flush=True)
        for path, asset in (("/halt", halts.ALL), ("/halt", "BTC"), ("/resume", halts.ALL),
                            ("/resume", "BTC")):
            self.orders(d, memory, path, asset)
        self.set_up(d, True, "ETH")
        self.report("GET /halt", self.try_points(
            d, memory, lambda: self.ask(d, ("halts", "GET", "/halt", None, {})),
            lambda answer, for_ever: self.right(answer, "halts", memory.caller, for_ever)
            if answer is None or answer.status != 200 or answer.json["halted"][0]["asset"] == "ETH"
            else None))
        self.assertEqual(d.stop(), 0)
        writer, _ = journal.rows(d.journal_path)
        kinds = {journal.decision_id(writer, r["seq"]): r["kind"]
                 for r in self.check_journal(d.journal_path)}
        for path, record in self.acknowledged:
            self.assertEqual(kinds.get(record), halts.HALT if path == "/halt" else halts.RESUME)
        print(f"  {len(self.acknowledged)} acknowledged, each in the journal", flush=True)

    def test_what_is_said_of_an_order_is_so(self):
        self.walk_orders("commit")

    def test_what_is_said_of_an_order_is_so_when_nobody_waits_for_the_disk(self):
        self.walk_orders("async")


@unittest.skipUnless(faults_memory.available(), "HEDGE_FAULTS_MEMORY names no library to preload")
class Certificates(memory_walk.Case):
    """Mutual TLS. Each attempt has a thread of its own, as in TlsCase."""

    @classmethod
    def setUpClass(cls):
        if not certificates.available():
            raise unittest.SkipTest("no openssl command")
        cls.world = tls_world.World()
        cls.gone = cls.world.root.issue("gone")
        cls.world.root.revoke(cls.gone)
        cls.list = cls.world.root.revoked()

    def serve(self, **settings):
        memory, self.folder = faults_memory.Memory(), daemon.new_folder()
        self.cert, self.key = (os.path.join(self.folder, name) for name in ("tls.crt", "tls.key"))
        certificates.place(self.world.server, self.cert, self.key)
        d = Daemon(RULES, wrapper=memory.wrapper, tls_cert=self.cert, tls_key=self.key,
                   tls_client_ca=self.world.root.cert, tls_handshakes_per_s=0, **settings)
        self.addCleanup(d.__exit__)
        return d, memory

    def reach(self, d, pair, version=None, timeout=SILENT_S, path="/quotes"):
        """(the answer, or what went wrong; the certificate that was shown)."""
        found = []

        def attempt():
            how = tls_world.context(self.world.root.cert, pair, least=version, most=version)
            try:
                with tls_world.TlsClient(d.port, how, timeout) as c:
                    c.connection.connect()
                    shown = c.connection.sock.getpeercert(True)
                    found.append((c.get(path), shown))
            except CLOSED as error:
                found.append((error, None))
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
        return found[0]

    def may(self, memory, again):
        """For whom may come in."""
        def judge(result, for_ever):
            answer = result[0]
            after = again()[0]
            if not isinstance(after, daemon.Answer) or after.status != 200:
                return None
            if isinstance(answer, TimeoutError):
                return "silent"
            if not isinstance(answer, daemon.Answer):
                return "closed"
            return self.right(answer, "by certificate", memory.caller, for_ever)
        return judge

    def may_not(self, result, _):
        """Whom nothing lets in: not a byte of HTTP, or 403 or 503 where a name is missing."""
        if isinstance(result[0], daemon.Answer):
            return str(result[0].status) if result[0].status in self.refusals else None
        return "shut out"

    def walk_handshakes(self, d, memory, good, bad, refusals=()):
        self.refusals = refusals
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            name = version.name

            def once():
                return self.reach(d, good, version)
            once()
            self.report(f"{name}, let in", self.try_points(
                d, memory, once,
                self.may(memory, lambda: self.reach(d, good, version, timeout=30))))
            for kind, pair in bad.items():
                self.report(f"{name}, {kind}", self.try_points(
                    d, memory, lambda: self.reach(d, pair, version), self.may_not))

    def test_nobody_gets_in_without_a_certificate(self):
        w = self.world
        d, memory = self.serve(tls_client_crl=self.list)
        print(flush=True)
        self.walk_handshakes(d, memory, w.client, {
            "none": None, "of another authority": w.other.issue("client"), "revoked": self.gone,
            "of a server": w.root.issue("client", use="serverAuth")})
        self.assertEqual(d.stop(), 0)

    def test_nobody_gets_in_by_another_name(self):
        w = self.world
        d, memory = self.serve(tls_client_names="desk.example")
        print(flush=True)
        self.walk_handshakes(d, memory, w.client, {
            "of another name": w.root.issue("client", ("DNS:other.example",))}, (403, 503))
        self.assertEqual(d.stop(), 0)

    def test_certificates_that_are_changed_are_the_old_ones_or_the_new(self):
        d, memory = self.serve()
        w, outcomes, taken = self.world, Outcomes(), lambda: len(d.events("tls_taken"))
        print(flush=True)

        def change():
            new, before = w.root.server(), taken()
            certificates.place(new, self.cert, self.key)
            wait_until(lambda: taken() > before or memory.failed, f"a look: {d.log()}")
            with open(new.alone, encoding="ascii") as f:
                return ssl.PEM_cert_to_DER_cert(f.read())

        for for_ever in (False, True):
            memory.fail(memory_walk.NEVER)
            old = change()
            memory.stop()
            for n in memory_walk.some(range(memory.seen), 2 if for_ever else 5):
                memory.fail(n, for_ever)
                new = change()
                self.assertNotIsInstance(self.reach(d, None)[0], daemon.Answer)
                memory.stop()
                where = f"allocation {n}, for ever {for_ever}, asked for by {memory.caller}"
                self.assertTrue(d.alive(), f"{where}: {d.log()}")
                answer, shown = self.reach(d, w.client, timeout=30)
                if not isinstance(answer, daemon.Answer) or shown not in (old, new):
                    outcomes.faults.append(f"{where}: {answer!r}")
                outcomes.note("the old one" if shown == old else "the new one")
                wait_until(lambda: self.reach(d, w.client, timeout=30)[1] == new,
                           f"{where}: the new one", 20)
                self.assertNotIsInstance(self.reach(d, None)[0], daemon.Answer, where)
                old = new
        self.report("a change of certificates", outcomes)
        self.assertEqual(d.stop(), 0)


if __name__ == "__main__":
    memory_walk.main()
