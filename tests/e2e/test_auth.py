# SPDX-License-Identifier: MIT
"""Who may ask: tokens, keys, scopes, callers. Tokens are made by another implementation, forged
ones by hand. Skipped where python3-cryptography is missing."""
import json
import os
import re
import threading
import time
import unittest

import cli
import daemon
import journal
import tokens
from daemon import Daemon
from forgeries import bad_claims, forgeries, head_of, hs_over
from tokens import ALGS, AUDIENCE, ISSUER, SCOPES, bearer, claims_of, encode

try:
    import jwt as pyjwt
except ImportError:
    pyjwt = None

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
QUOTE = {"score": 0.62, "confidence": 0.9, "depth1pct_usd": 78034.12}
BTC = {"asset": "BTC", "amount_usd": 250000.0}
LINE = "[{score: 0, hedge: 0}, {score: 1, hedge: 1}]"
# Which scope each route takes; None: nobody is asked. A route that is not here fails the test.
TAKES = {
    ("POST", "/hedge"): "size", ("POST", "/hedge/batch"): "size",
    ("PUT", "/quotes/{asset}"): "quote", ("GET", "/quotes"): "read", ("GET", "/curve"): "read",
    ("POST", "/curve/reload"): "admin", ("GET", "/decisions"): "read",
    ("GET", "/policies/{hash}"): "read", ("GET", "/healthz"): None, ("GET", "/readyz"): None,
    ("GET", "/metrics"): "read", ("POST", "/halt"): "halt", ("POST", "/resume"): "halt",
    ("GET", "/halt"): "read", ("GET", "/openapi.json"): None,
}
BODIES = {"/hedge": BTC, "/hedge/batch": {"requests": [BTC]}, "/quotes/{asset}": QUOTE,
          "/halt": {"reason": "a test"}, "/resume": {"reason": "a test"}}


def routes():
    """(method, path) of every row of the daemon's own table."""
    with open(os.path.join(ROOT, "hedged", "routes.c"), encoding="utf-8") as f:
        table = f.read().split("routes[] = {")[1].split("\n};")[0]
    rows = re.findall(r'\.method = "(\w+)",\s*\.path = "([^"]+)"', table)
    assert len(rows) == table.count(".handle"), "every row was read"
    return rows


@unittest.skipUnless(tokens.available(), "python3-cryptography is not installed")
class Auth(daemon.Case):
    @classmethod
    def setUpClass(cls):
        cls.issuer = tokens.Issuer()

    def serve(self, jwks=None, **settings):
        path = os.path.join(daemon.new_folder(), "keys.json")
        tokens.write_jwks(path, jwks or self.issuer.jwks())
        d = Daemon(policy=LINE, **{"jwt_keys": path, "jwt_issuer": ISSUER,
                                   "jwt_audience": AUDIENCE, **settings})
        self.addCleanup(d.__exit__)
        d.keys_path = path
        return d

    def get(self, client, token, path="/quotes"):
        return client.ask("GET", path, headers=bearer(token))

    def assert_refused(self, answer, why):
        self.assert_problem(answer, 401, "unauthorized", why)
        challenge = answer.headers["WWW-Authenticate"]
        self.assertRegex(challenge, r'^Bearer realm="hedged", error="invalid_token", '
                                    r'error_description="[^"\\]+"$', why)

    # ---- good ones
    def test_each_algorithm_of_another_implementation(self):
        with self.serve().client() as c:
            for alg in ALGS:
                for _ in range(3):  # afresh, and remembered
                    self.assert_status(self.get(c, self.issuer.token(alg)), 200, alg)
                self.assert_status(self.get(c, self.issuer.token(alg, aud=["x", AUDIENCE])), 200)
                self.assert_status(self.get(c, self.issuer.token(alg, scope="openid read x")), 200)
            token = self.issuer.token()
            for scheme in ("Bearer", "bearer", "BEARER", "Bearer "):
                answer = c.ask("GET", "/quotes", headers={"Authorization": f"{scheme} {token}"})
                self.assert_status(answer, 200, scheme)

    @unittest.skipUnless(pyjwt, "python3-jwt is not installed")
    def test_tokens_of_pyjwt_are_good_here_and_ours_there(self):
        with self.serve().client() as c:
            for alg in ALGS:
                key = self.issuer.keys[alg]
                secret = key.secret if alg == "HS256" else key.private
                token = pyjwt.encode(claims_of(), secret, algorithm=alg, headers={"kid": key.kid})
                self.assert_status(self.get(c, token), 200, alg)
        folder = daemon.new_folder()
        for alg in ALGS:
            code, _, err = daemon.hedge("token", "keys", "--alg", alg, "--kid", alg, "--out",
                                        folder)
            self.assertEqual(code, 0, err)
            jwks_path = os.path.join(folder, f"{alg}.jwks.json")
            key_path = os.path.join(folder, f"{alg}.key.json")
            code, token, err = daemon.hedge(
                "token", "sign", "--key", jwks_path if alg == "HS256" else key_path, "--sub", "bob",
                "--scope", "size read", "--iss", ISSUER, "--aud", AUDIENCE, "--for", "8h")
            self.assertEqual(code, 0, err)
            with open(jwks_path, encoding="utf-8") as f:
                public = pyjwt.PyJWKSet.from_dict(json.load(f)).keys[0]
            got = pyjwt.decode(token.strip(), public.key, algorithms=[alg], audience=AUDIENCE,
                               issuer=ISSUER)
            self.assertEqual((got["sub"], got["scope"], got["exp"] - got["iat"]),
                             ("bob", "size read", 8 * 3600))
            with self.serve(jwt_keys=jwks_path).client() as c:
                self.assert_status(self.get(c, token.strip()), 200, alg)

    # ---- forged ones
    def test_no_forgery_passes(self):
        d = self.serve()
        forged = forgeries(self.issuer)
        self.assertGreater(len(forged), 200)
        with d.client() as c:
            for _ in range(2):  # nothing that was refused is remembered
                for what, token in forged.items():
                    self.assert_refused(self.get(c, token), what)
            for alg in ALGS:
                self.assert_status(self.get(c, self.issuer.token(alg)), 200)
            text = self.get(c, self.issuer.token(), "/metrics").body.decode()
        refused = sum(v for (name, _), v in daemon.parse_metrics(text).items()
                      if name == "hedge_auth_refused_total")
        self.assertEqual(refused, 2 * len(forged))
        said = "\n".join(d.lines) + text
        for token in list(forged.values()) + [self.issuer.token()]:
            for part in token.split("."):
                if len(part) > 20:
                    self.assertNotIn(part, said, "a token is in the log or the metrics")
        self.assertNotIn(self.issuer.keys["HS256"].jwk["k"], said)

    def test_no_bad_claim_passes(self):
        with self.serve().client() as c:
            for alg in ("ES256", "HS256"):
                key = self.issuer.keys[alg]
                for what, claims in bad_claims().items():
                    self.assert_refused(self.get(c, key.token(claims)), what)
                for text in ('{"exp":%d,"sub":"a","sub":"b","iss":"%s","aud":"hedged"}',
                             '{"exp":%d,"exp":1e400,"sub":"b","iss":"%s","aud":"hedged"}',
                             '{"exp":1e400,"was":%d,"sub":"b","iss":"%s","aud":"hedged"}',
                             '{"exp":%d,"sub":"b","iss":"%s","aud":"hedged"}x'):
                    text %= (time.time() + 60, ISSUER)
                    token = hs_over(key, head_of(key), encode(text))
                    self.assert_refused(self.get(c, token), text)

    def test_other_headers(self):
        d = self.serve()
        token = self.issuer.token()
        with d.client() as c:
            for value in (None, "", "Basic YTpi", token, f"Token {token}", "Bearer", "Digest x",
                          f"Bearer,{token}"):
                head = {} if value is None else {"Authorization": value}
                answer = c.ask("GET", "/quotes", headers=head)
                self.assert_problem(answer, 401, "unauthorized", repr(value))
                if value in (None, "", "Basic YTpi"):
                    self.assertEqual(answer.headers["WWW-Authenticate"], 'Bearer realm="hedged"')
            self.assert_problem(c.ask("GET", f"/quotes?access_token={token}"), 401)
        head = f"GET /quotes HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        self.assertIn(b" 200 ", daemon.raw(d.port, (head + "Connection: close\r\n\r\n").encode()))
        two = f"{head}Authorization: Bearer {token}\r\n\r\n".encode()
        self.assertIn(b" 400 ", daemon.raw(d.port, two).split(b"\r\n")[0])
        for size in (9000, 12000, 1 << 20):
            answer = daemon.raw(d.port, b"GET /quotes HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: "
                                b"Bearer " + b"a" * size + b"\r\nConnection: close\r\n\r\n")
            self.assertNotIn(b" 200 ", answer.split(b"\r\n")[0])
            if size < 16000:
                self.assertIn(b" 401 ", answer.split(b"\r\n")[0])
        self.assertTrue(d.alive())

    def test_a_type_that_is_demanded(self):
        key = self.issuer.keys["ES256"]
        with self.serve(jwt_typ="at+jwt").client() as c:
            for typ, good in (("at+jwt", True), ("application/at+jwt", True), ("AT+JWT", True),
                              ("JWT", False), ("", False)):
                answer = self.get(c, key.token(header=key.header(typ=typ)))
                self.assertEqual(answer.status, 200 if good else 401, typ)
            self.assert_refused(self.get(c, key.token(header={"alg": "ES256", "kid": key.kid})),
                                "no typ")

    # ---- time
    def test_a_token_ends_though_it_is_remembered(self):
        with self.serve(jwt_leeway_s="0").client() as c:
            now = time.time()
            token = self.issuer.token(exp=now + 2)
            early = self.issuer.token(nbf=now + 1.5)
            self.assert_status(self.get(c, token), 200)
            self.assert_refused(self.get(c, early), "nbf")
            daemon.wait_until(lambda: self.get(c, early).status == 200, "nbf is over")
            daemon.wait_until(lambda: self.get(c, token).status == 401, "exp is over")
            self.assertGreaterEqual(time.time(), now + 2)
            self.assertIn("expired", self.get(c, token).json["detail"])

    def test_the_leeway(self):
        for leeway, seen in (("0", 401), ("60", 200)):
            with self.serve(jwt_leeway_s=leeway).client() as c:
                self.assertEqual(self.get(c, self.issuer.token(exp=time.time() - 20)).status, seen)
                self.assertEqual(self.get(c, self.issuer.token(nbf=time.time() + 20)).status, seen)

    # ---- scopes
    def test_every_route_takes_its_scope_and_no_other(self):
        d = self.serve()
        everything = self.issuer.token()
        with d.client() as c:
            c.ask("PUT", "/quotes/BTC", QUOTE, headers=bearer(everything))
            policy = self.get(c, everything, "/decisions").json["records"][0]["policy"]
            for method, route in routes():
                self.assertIn((method, route), TAKES, "a new route: say which scope it takes")
                wanted = TAKES[method, route]
                path = route.replace("{asset}", "BTC").replace("{hash}", policy)

                def ask(scope, method=method, path=path, route=route):
                    head = bearer(self.issuer.token(scope=scope)) if scope is not None else {}
                    body = BODIES.get(route) if method != "GET" else None
                    return c.ask(method, path, body, headers=head)

                for scope in (*SCOPES, "", " ".join(s for s in SCOPES if s != wanted)):
                    answer, why = ask(scope), f"{method} {route} with {scope!r}"
                    if wanted is None or scope == wanted:
                        self.assertIn(answer.status, (200, 201, 204), f"{why} {answer}")
                    else:
                        self.assert_problem(answer, 403, "forbidden", why)
                        self.assertIn(wanted, answer.json["detail"], why)
                        self.assertEqual(
                            answer.headers["WWW-Authenticate"],
                            f'Bearer realm="hedged", error="insufficient_scope", scope="{wanted}"')
                answer = ask(None)
                if wanted is None:
                    self.assertIn(answer.status, (200, 201, 204), route)
                else:
                    self.assert_problem(answer, 401, "unauthorized", route)

    def test_the_log_says_where_a_refused_token_came_from_and_what_it_asked_for(self):
        d = self.serve()
        with d.client() as c:
            c.connection.source_address = ("127.0.0.7", 0)
            self.get(c, "not.a.token", "/policies/" + "0" * 64 + "?x=%1b%0a")
            read = bearer(self.issuer.token(scope="read", sub="desk-7"))
            c.post("/halt", {"reason": "x"}, headers=read)
            c.ask("PUT", "/quotes/B%1b%0a", QUOTE, headers=read)
        refused = daemon.wait_until(lambda: d.events("unauthorized"), "a line for the bad token")
        self.assertEqual([(e["route"], e["peer"], e["reason"]) for e in refused],
                         [("GET /policies/{hash}", "127.0.0.7", "form")])
        refused = daemon.wait_until(lambda: len(d.events("forbidden")) == 2 and
                                    d.events("forbidden"), "a line for each refused scope")
        self.assertEqual([(e["route"], e["peer"], e["caller"]) for e in refused],
                         [("POST /halt", "127.0.0.7", "desk-7"),
                          ("PUT /quotes/{asset}", "127.0.0.7", "desk-7")])

    def test_an_override_takes_its_own_scope_and_is_not_recorded_without(self):
        with self.serve().client() as c:
            c.ask("PUT", "/quotes/BTC", QUOTE, headers=bearer(self.issuer.token()))
            plain = bearer(self.issuer.token(scope="size"))
            ask = {**BTC, "override_score": 0.3}
            answer = c.post("/hedge", ask, headers=plain)
            self.assert_problem(answer, 403, "forbidden")
            self.assertIn('scope="override"', answer.headers["WWW-Authenticate"])
            answer = c.post("/hedge", ask, headers={**plain, "Idempotency-Key": "k"})
            self.assert_problem(answer, 403, "forbidden")
            answer = c.post("/hedge/batch", {"requests": [BTC, ask, BTC]}, headers=plain)
            self.assert_status(answer, 200)
            first, second, third = answer.json["decisions"]
            self.assert_problem_object(second, 403, "forbidden")
            self.assertEqual(first["hedge_pct"], third["hedge_pct"])
            both = bearer(self.issuer.token(scope="size override"))
            self.assert_status(c.post("/hedge", ask, headers=both), 200)
            records = self.records(c)
            self.assertEqual([("override_score" in r["request"], r["note"]) for r in records],
                             [(False, "alice"), (False, "alice"), (True, "alice")])

    def records(self, client):
        found = self.get(client, self.issuer.token(), "/decisions?limit=1000").json["records"]
        return [r for r in found if r["kind"] == "decision"]

    # ---- the caller
    def test_the_caller_is_in_the_record_and_the_record_holds(self):
        d = self.serve(log_decisions="1")
        token = self.issuer.token(sub="desk-7@example.com")
        with d.client() as c:
            c.ask("PUT", "/quotes/BTC", QUOTE, headers=bearer(token))
            first = c.post("/hedge", BTC, headers=bearer(token))
            self.assert_status(first, 200)
            self.assertEqual(self.records(c)[0]["note"], "desk-7@example.com")
            logged, = daemon.wait_until(lambda: d.events("decision"), "it is logged")
            self.assertEqual(logged["caller"], "desk-7@example.com")
        url = ("--url", d.url)
        for command in ("verify", "replay"):
            code, out, err = cli.hedge(command, *url, HEDGE_TOKEN=token)
            self.assertEqual(code, 0, out + err)
        code, out, err = cli.hedge("explain", *url, first.json["decision_id"], HEDGE_TOKEN=token)
        self.assertEqual(code, 0, out + err)
        self.assertIn("desk-7@example.com", out)
        code, out, err = cli.hedge("verify", *url)
        self.assertEqual(code, 2, out)
        self.assertIn("HEDGE_TOKEN", err)
        self.assertEqual(d.stop(), 0)
        path = journal.copy(d.journal_path, os.path.join(d.folder, "copy.db"))
        for command in ("verify", "replay"):
            code, out, err = cli.hedge(command, path)
            self.assertEqual(code, 0, out + err)

    def test_a_key_belongs_to_its_caller(self):
        d = self.serve()
        heads = {name: {**bearer(self.issuer.token(sub=name)), "Idempotency-Key": "order-1"}
                 for name in ("alice", "bob", "alice-order-1")}
        with d.client() as c:
            c.ask("PUT", "/quotes/BTC", QUOTE, headers=bearer(self.issuer.token()))
            answers = {name: c.post("/hedge", BTC, headers=head) for name, head in heads.items()}
            ids = {answer.json["decision_id"] for answer in answers.values()}
            self.assertEqual(len(ids), 3, "no caller gets another's answer")
            other = c.post("/hedge", {**BTC, "amount_usd": 1}, headers=heads["bob"])
            self.assert_problem(other, 422, "key_reused")
            for name, head in heads.items():
                again = c.post("/hedge", BTC, headers=head)
                self.assertEqual(again.body, answers[name].body)
                self.assertEqual(again.headers["Idempotency-Replayed"], "true")
            d.kill()
            d.start()
        with d.client() as c:
            for name, head in heads.items():
                self.assertEqual(c.post("/hedge", BTC, headers=head).body, answers[name].body)
            self.assertEqual(len(self.records(c)), 3)

    def test_each_caller_has_a_rate_of_its_own(self):
        with self.serve(max_requests_per_s="5").client() as c:
            answers = [self.get(c, self.issuer.token("HS256", sub="bob")) for _ in range(60)]
            limited = [a for a in answers if a.status == 429]
            self.assertTrue(limited)
            self.assertEqual(answers[0].status, 200)
            self.assert_problem(limited[0], 429, "too_many_requests")
            self.assertGreaterEqual(int(limited[0].headers["Retry-After"]), 1)
            self.assert_status(self.get(c, self.issuer.token("HS256", sub="carol")), 200)
            self.assert_status(c.get("/healthz"), 200)
            daemon.wait_until(lambda: self.get(c, self.issuer.token(sub="bob")).status == 200,
                              "after a while bob may ask again", every=0.2)

    # ---- keys
    def test_keys_come_and_go_while_requests_flow(self):
        d = self.serve()
        stop, wrong = threading.Event(), []

        def ask():
            with d.client() as mine:
                token = self.issuer.token("HS256")
                while not stop.is_set():
                    answer = self.get(mine, token)
                    if answer.status != 200:
                        wrong.append(repr(answer))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for t in threads:
            t.start()
        try:
            with d.client() as c:
                token, new = self.issuer.token("ES256"), tokens.Key("EdDSA", "new")
                for _ in range(5):
                    self.assert_status(self.get(c, token), 200)
                    tokens.write_jwks(d.keys_path, {
                        "keys": [self.issuer.keys["HS256"].jwk, new.jwk]})
                    daemon.wait_until(lambda: self.get(c, token).status == 401,
                                      "a key that is gone is not accepted, remembered or not")
                    self.assert_status(self.get(c, new.token()), 200, "the new one came with it")
                    self.assertIn("kid", self.get(c, token).json["detail"])
                    tokens.write_jwks(d.keys_path, self.issuer.jwks())
                    daemon.wait_until(lambda: self.get(c, token).status == 200, "it is back")
                    self.assert_refused(self.get(c, new.token()), "and the new one is gone")
        finally:
            stop.set()
            for t in threads:
                t.join()
        self.assertEqual(wrong, [])

    def test_a_swapped_link_is_seen(self):
        folder = daemon.new_folder()  # as Kubernetes mounts a secret
        for name, algs in (("1", ("ES256", "HS256")), ("2", ("HS256",))):
            os.mkdir(os.path.join(folder, name))
            tokens.write_jwks(os.path.join(folder, name, "keys.json"), self.issuer.jwks(*algs))
        os.symlink("1", os.path.join(folder, "..data"))
        os.symlink("..data/keys.json", os.path.join(folder, "keys.json"))
        d = self.serve(jwt_keys=os.path.join(folder, "keys.json"))
        with d.client() as c:
            self.assert_status(self.get(c, self.issuer.token("ES256")), 200)
            os.symlink("2", os.path.join(folder, "..tmp"))
            os.replace(os.path.join(folder, "..tmp"), os.path.join(folder, "..data"))
            daemon.wait_until(lambda: self.get(c, self.issuer.token("ES256")).status == 401, "gone")
            self.assert_status(self.get(c, self.issuer.token("HS256")), 200)

    def test_a_bad_file_keeps_the_old_keys_and_is_told(self):
        d = self.serve()
        text = json.dumps(self.issuer.jwks())
        bad = {"torn": text[:len(text) // 2], "empty": "", "no keys": '{"keys":[]}',
               "a private half": json.dumps({"keys": [{**self.issuer.keys["ES256"].jwk,
                                                       "d": "AAAA"}]}),
               "a short secret": json.dumps({"keys": [{**self.issuer.keys["HS256"].jwk,
                                                       "k": "c2hvcnQ"}]}),
               "gone": None, "open to others": text}
        token = bearer(self.issuer.token())
        with d.client() as c:
            for what, content in bad.items():
                before = len(d.events("jwt_keys_refused"))
                if content is None:
                    os.unlink(d.keys_path)
                else:
                    with open(d.keys_path, "w", encoding="utf-8") as f:
                        f.write(content)
                    os.chmod(d.keys_path, 0o644 if what == "open to others" else 0o600)
                said = daemon.wait_until(lambda: d.events("jwt_keys_refused")[before:], what)
                self.assertIn("keys.json", said[0]["message"], what)
                self.assert_status(c.ask("GET", "/quotes", headers=token), 200, what)
                ready = c.get("/readyz").json
                self.assertIn("jwt_keys_refused", [r["code"] for r in ready["reasons"]], what)
                metrics = daemon.parse_metrics(
                    c.ask("GET", "/metrics", headers=token).body.decode())
                self.assertEqual(metrics["hedge_jwt_keys_ok", ()], 0, what)
                self.assertEqual(metrics["hedge_jwt_keys", ()], 4, what)
                self.assertEqual(len(d.events("jwt_keys_refused")), before + 1, "told once")
                tokens.write_jwks(d.keys_path, text)
                daemon.wait_until(lambda: "jwt_keys_refused" not in c.get("/readyz").body.decode(),
                                  "a good file heals")
            said = "\n".join(d.lines)
            self.assertNotIn(self.issuer.keys["HS256"].jwk["k"], said)
            self.assertNotIn("c2hvcnQ", said)
            c.ask("PUT", "/quotes/BTC", QUOTE, headers=token)
            self.assert_status(c.get("/readyz"), 200)

    def test_a_signal_reads_them_at_once(self):
        d = self.serve()
        with d.client() as c:
            tokens.write_jwks(d.keys_path, self.issuer.jwks("HS256"))
            d.signal(daemon.signal.SIGHUP)
            daemon.wait_until(lambda: self.get(c, self.issuer.token("ES256")).status == 401, "gone")

    def test_a_start_with_bad_keys_is_refused(self):
        folder = daemon.new_folder()
        policy, keys = os.path.join(folder, "policy.yaml"), os.path.join(folder, "keys.json")
        daemon.write_file(policy, LINE)
        base = {"HEDGE_POLICY": policy, "HEDGE_JOURNAL": os.path.join(folder, "j.db"),
                "HEDGE_API_PORT": "0", "HEDGE_JWT_KEYS": keys, "HEDGE_JWT_ISSUER": ISSUER,
                "HEDGE_JWT_AUDIENCE": AUDIENCE}
        good = self.issuer.jwks()
        for content, mode, word in ((good, 0o644, "chmod 600"), (good, 0o602, "chmod"),
                                    ("{", 0o600, "JSON"),
                                    ({"keys": []}, 0o600, "keys"),
                                    (self.issuer.jwks("ES256"), 0o646, "chmod o-w")):
            tokens.write_jwks(keys, content, mode)
            for arguments in ((), ("--check",)):
                code, _, err = daemon.run(arguments, folder, **base)
                self.assertEqual(code, 78, err)
                for each in ("HEDGE_JWT_KEYS", keys, word):
                    self.assertIn(each, err)
        for mode in (0o600, 0o400, 0o640):  # its group is the daemon's own
            tokens.write_jwks(keys, good, mode)
            self.assertEqual(daemon.run(("--check",), folder, **base)[0], 0)
        tokens.write_jwks(keys, self.issuer.jwks("ES256", "RS256", "EdDSA"), 0o644)
        for more in ({}, {"HEDGE_ENV": "prod"}, {"HEDGE_API_HOST": "0.0.0.0"},
                     {"HEDGE_ENV": "prod", "HEDGE_API_HOST": "192.0.2.1"}):
            code, _, err = daemon.run(("--check",), folder, **base, **more)
            self.assertEqual(code, 0, f"{more} {err}")
            code, _, err = daemon.run((), folder, **{**base, **more, "HEDGE_JWT_KEYS": ""})
            self.assertEqual(code, 78, f"{more} {err}")
        for name, value in (("HEDGE_JWT_ISSUER", ""), ("HEDGE_JWT_AUDIENCE", ""),
                            ("HEDGE_JWT_TYP", "JOSE"), ("HEDGE_JWT_LEEWAY_S", "61"),
                            ("HEDGE_JWT_LEEWAY_S", "-1"), ("HEDGE_JWT_LEEWAY_S", "x"),
                            ("HEDGE_MAX_REQUESTS_PER_S", "x"), ("HEDGE_MAX_REQUESTS_PER_S", "-1"),
                            ("HEDGE_JWT_KEYS", "/nowhere/keys.json"), ("HEDGE_JWT_ISUER", "x")):
            code, _, err = daemon.run(("--check",), folder, **{**base, name: value})
            self.assertEqual(code, 78, name)
            self.assertIn(name, err)

    def test_prod_serves_those_who_have_a_token(self):
        d = self.serve(env="prod")
        with d.client() as c:
            self.assert_problem(c.get("/quotes"), 401, "unauthorized")
            self.assert_status(self.get(c, self.issuer.token()), 200)
            self.assert_status(c.get("/healthz"), 200)
        self.assertEqual(d.events("listening")[0]["tokens"], "asked for")


class Command(cli.Case):
    """`hedge token`."""

    def test_keys_are_made_once_and_for_us_alone(self):
        os.umask(0)
        self.addCleanup(os.umask, 0o022)
        for alg in ALGS:
            out = self.run_ok("token", "keys", "--alg", alg, "--kid", alg, "--out", self.folder)
            made = sorted(os.listdir(self.folder))
            modes = {name: os.stat(os.path.join(self.folder, name)).st_mode & 0o7777
                     for name in made}
            secret = f"{alg}.jwks.json" if alg == "HS256" else f"{alg}.key.json"
            self.assertEqual(modes[secret], 0o600)
            self.assertIn(secret, out)
            with open(os.path.join(self.folder, f"{alg}.jwks.json"), encoding="utf-8") as f:
                key, = cli.strict_json(f.read())["keys"]
            self.assertEqual((key["alg"], key["kid"], key["use"]), (alg, alg, "sig"))
            self.assertFalse({"d", "p", "q", "dp", "dq", "qi"} & set(key))
            before = {name: os.stat(os.path.join(self.folder, name)).st_mtime_ns for name in made}
            self.refused(cli.USAGE, "File exists", "token", "keys", "--alg", alg, "--kid", alg,
                         "--out", self.folder)
            self.assertEqual(before, {name: os.stat(os.path.join(self.folder, name)).st_mtime_ns
                                      for name in sorted(os.listdir(self.folder))})
            for name in made:
                os.unlink(os.path.join(self.folder, name))

    def test_nothing_is_half_made(self):
        self.file("a.jwks.json", "mine")
        self.refused(cli.USAGE, "a.jwks.json", "token", "keys", "--kid", "a", "--out", self.folder)
        self.assertEqual(os.listdir(self.folder), ["a.jwks.json"])

    def test_wrong_usage_is_named(self):
        key = ("token", "keys", "--out", self.folder)
        for words, arguments in (
                ("--kid is missing", key), ("--kid ../x", (*key, "--kid", "../x")),
                ("--kid", (*key, "--kid", "a/b")), ("--kid", (*key, "--kid", "x" * 65)),
                ("--alg none", (*key, "--kid", "a", "--alg", "none")),
                ("did you mean 'sign'", ("token", "sing")), ("say what to do", ("token",)),
                ("cannot forge", ("token", "forge")),
                ("--key is missing", ("token", "sign")), ("stdin", ("token", "show", "a.b.c"))):
            self.refused(cli.USAGE, re.escape(words), *arguments)
        self.assertEqual(os.listdir(self.folder), [])
        self.run_ok(*key, "--kid", "k")
        path = os.path.join(self.folder, "k.key.json")
        good = {"key": path, "sub": "bob", "scope": "read", "iss": "i", "aud": "a"}
        for name, value, words in (
                ("scope", "raed", "did you mean 'read'"), ("scope", "xyz", "there are size"),
                ("scope", " ", "empty"), ("sub", "a b", "--sub"), ("sub", "x" * 128, "--sub"),
                ("for", "8", "--for"), ("for", "0s", "--for"), ("for", "400d", "--for"),
                ("for", "1w", "--for"), ("key", os.path.join(self.folder, "k.jwks.json"), "600"),
                ("key", "/nowhere", "cannot open")):
            options = [x for k, v in {**good, name: value}.items() for x in (f"--{k}", v)]
            out = self.refused(cli.USAGE, re.escape(words), "token", "sign", *options)
            self.assertEqual(out, "")
        os.chmod(path, 0o640)
        options = [x for k, v in good.items() for x in (f"--{k}", v)]
        self.refused(cli.USAGE, "chmod 600", "token", "sign", *options)

    def test_show_says_what_a_token_says_and_that_it_is_not_checked(self):
        token = f"{encode({'alg': 'none'})}.{encode({'sub': 'a', 'exp': 4})}.x"
        out = self.run_ok("token", "show", stdin=token + "\n")
        for word in ('"none"', '"a"', "expired", "not checked"):
            self.assertIn(word, out)
        evil = f"{encode({'alg': chr(27) + '[2J'})}.{encode({chr(27): chr(0x9b)})}.x"
        out = self.run_ok("token", "show", stdin=evil)
        self.assertFalse(set(out) & {chr(27), chr(0x9b)}, "nothing moves the cursor")
        for text in ("", "x", "a.b", "..", "a.b.c", "e30.e30", "x" * 9000, "e30.eyJhIjoxLCJhIjoyfQ.x"):
            self.refused(cli.BAD_DATA, "no token", "token", "show", stdin=text)


if __name__ == "__main__":
    daemon.main()
