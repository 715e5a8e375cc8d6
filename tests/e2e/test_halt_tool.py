# SPDX-License-Identifier: MIT
"""`hedge halt`, `hedge resume` and `hedge status`: the kill switch from a command line."""
import json
import os
import pwd
import socket
import subprocess
import time

import daemon
import oracle
import tokens
from halts import ALL, Case, halted, order, quote_all


class Tool(Case):
    def test_several_daemons(self):
        a, first = self.serve()
        b, second = self.serve()
        urls = ("--url", a.url, "--url", b.url + "/")
        code, out, err = daemon.hedge("halt", "--reason", "a drill", "--actor", "anna", *urls)
        self.assertEqual((code, err), (0, ""), out)
        self.assertEqual(out.count("everything is halted"), 2)
        for c in (first, second):
            self.assertEqual(c.get("/halt").json["halted"][0]["actor"], "anna")
            self.assertEqual(halted(c), {ALL: "a drill"})
        code, out, _ = daemon.hedge("resume", "--reason", "r", "--asset", "BTC", *urls, "--json")
        answer = json.loads(out)
        self.assertEqual((code, answer["ok"]), (1, False))
        self.assertEqual([d["code"] for d in answer["daemons"]], ["halted_all"] * 2)
        self.assertEqual(daemon.hedge("resume", "--reason", "r", *urls)[0], 0)
        b.kill()
        code, out, err = daemon.hedge("halt", "--reason", "two", "--asset", "BTC", *urls)
        self.assertEqual(code, 1)
        self.assertIn("BTC is halted", out)
        self.assertIn("1 of 2 daemons did not do it", err)
        self.assertIn(f"{b.url}: no answer", err)
        self.assertEqual(halted(first), {"BTC": "two"})
        code, out, _ = daemon.hedge("halt", "--reason", "three", "--asset", "BTC", "--url", a.url,
                                    "--json")
        one = json.loads(out)["daemons"][0]
        self.assertEqual((code, one["ok"], one["changed"]), (0, True, False))
        self.assertEqual(one["halted"][0]["reason"], "three")
        self.assertEqual(one["record"], one["halted"][0]["record"])

    def test_wrong_words(self):
        _, c = self.serve()
        url = f"http://127.0.0.1:{c.connection.port}"
        for words in (("halt",), ("halt", "--reason"), ("halt", "BTC", "--reason", "r"),
                      ("halt", "--reason", "r", "--asset="), ("resume",), ("status", "x"),
                      ("halt", "--reason", "r", "--url", "x"),
                      ("halt", "--reason", "r", "--url", "http://a@b"),
                      ("halt", "--reson", "r")):
            self.assertEqual(daemon.hedge(*words)[0], 2, words)
        for words in (("--reason", "r", "--asset", "BTX"), ("--reason", "a\nb"),
                      ("--reason", "r", "--actor", "a b"), ("--reason", "\x1b[2J")):
            code, out, err = daemon.hedge("halt", *words, "--url", url)
            self.assertEqual(code, 1, words)
            self.assertNotIn("\x1b", out + err)
        self.assertEqual(halted(c), {})

    def test_status(self):
        d, c = self.serve()

        def status(*more):
            code, out, err = daemon.hedge("status", "--url", d.url, *more)
            self.assertEqual(err, "")
            return code, out
        code, out = status()
        self.assertEqual(code, 1)
        self.assertIn(": unready", out)
        self.assertIn("no_quote BTC", out)
        quote_all(c)
        code, out = status()
        self.assertEqual(code, 0, out)
        for words in (": ready", "halted    nothing", c.get("/curve").json["policy"],
                      c.get("/readyz").json["journal"]["hash"], "quote     BTC, score 0."):
            self.assertIn(words, out)
        self.assertNotIn("shipping", out)
        self.halt(c, "a drill", "ETH", actor="anna")
        code, out = status()
        self.assertEqual(code, 1, "something is halted")
        self.assertIn(": degraded", out)
        self.assertRegex(out, r"halted    ETH since 20\d\d-\S+Z by anna: a drill\n")
        self.halt(c, "all of it")
        code, out = status("--json")
        told = json.loads(out)
        self.assertEqual((code, told["ok"]), (1, False))
        one = told["daemons"][0]
        self.assertEqual((one["status"], one["ready"], one["missing"]), ("halted", False, []))
        self.assertEqual(one["halted"], c.get("/halt").json["halted"])
        self.assertEqual(one["journal"], c.get("/readyz").json["journal"])
        self.assertEqual([q["asset"] for q in one["quotes"]], sorted(oracle.ASSETS))
        d.kill()
        code, out = status()
        self.assertEqual(code, 1)
        self.assertIn(": unreachable", out)

    def test_a_daemon_that_is_named_twice_is_asked_once(self):
        d, c = self.serve()
        code, out, _ = daemon.hedge("halt", "--reason", "r", "--url", d.url, "--url", d.url + "/",
                                    "--url", d.url, "--json")
        self.assertEqual((code, len(json.loads(out)["daemons"])), (0, 1))
        self.assertEqual(c.metric("hedge_halts_total"), 1)
        code, out, _ = daemon.hedge("status", "--url", d.url, "--url", d.url + "//", "--json")
        self.assertEqual((code, len(json.loads(out)["daemons"])), (1, 1))

    def test_answers_are_told_as_they_come(self):
        """One daemon takes the request and says nothing: what it did is not known."""
        d, c = self.serve()
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            for verb, done in (("halt", "is halted"), ("resume", "is resumed")):
                process = subprocess.Popen([daemon.program("HEDGE_CLI"), verb, "--reason", "r",
                                            "--url", url, "--url", d.url], text=True,
                                           env=daemon.environment({}), stdout=subprocess.PIPE,
                                           stderr=subprocess.PIPE)
                self.assertEqual(process.stdout.readline(), f"{d.url}: everything {done}\n")
                self.assertIsNone(process.poll(), "the other one is still waited for")
                _, err = process.communicate(timeout=60)
                self.assertEqual(process.returncode, 1)
                self.assertRegex(err, rf"{url}: no answer: .*; not known whether it {done}: ask "
                                      "hedge status\n")
                self.assertIn("of 1 of 2 daemons it is not known", err)
                self.assertNotIn("did not do it", err)
        self.assertEqual(halted(c), {})

    def run_with(self, token, *words):
        done = subprocess.run([daemon.program("HEDGE_CLI"), *words], timeout=60, text=True,
                              env={**daemon.environment({}), "HEDGE_TOKEN": token},
                              stdin=subprocess.DEVNULL, capture_output=True)
        return done.returncode, done.stdout, done.stderr

    def test_a_token_in_the_shell_hides_nobody(self):
        """A daemon without keys takes the login name, though there is a token."""
        d, c = self.serve()
        login = pwd.getpwuid(os.geteuid()).pw_name
        for verb in ("halt", "resume"):
            code, _, err = self.run_with("a.b.c", verb, "--reason", "r", "--url", d.url)
            self.assertEqual((code, err), (0, ""))
        self.assertEqual([r["note"] for r in c.records() if r["kind"] in ("halt", "resume")],
                         [f"{login} r"] * 2)

    def test_a_token_says_who(self):
        if not tokens.available():
            self.skipTest("no python3-cryptography")
        issuer = tokens.Issuer(("ES256",))
        path = os.path.join(daemon.new_folder(), "keys.json")
        tokens.write_jwks(path, issuer.jwks())
        d, c = self.serve(jwt_keys=path, jwt_issuer=tokens.ISSUER, jwt_audience=tokens.AUDIENCE)
        good = issuer.token()

        def halts(token, *more):
            return self.run_with(token, "halt", "--reason", "r", "--url", d.url, *more)
        code, _, err = halts(good)
        self.assertEqual((code, err), (0, ""))
        notes = [r["note"] for r in c.ask("GET", "/decisions", headers=tokens.bearer(good))
                 .json["records"] if r["kind"] == "halt"]
        self.assertEqual(notes, ["alice r"], "once, and by the token's name")
        code, _, err = halts(good, "--actor", "anna")
        self.assertEqual(code, 1, "who names somebody means it")
        self.assertIn("422: actor: the token says who", err)
        now = int(time.time())
        for claims, word in (({"exp": now - 900}, "expired"),
                             ({"nbf": now + 900}, "not valid yet")):
            code, _, err = halts(issuer.token(**claims))
            self.assertEqual(code, 1)
            self.assertRegex(err, rf"401: .*{word}.*clocks")
        self.assertNotIn("clocks", halts("a.b.c")[2])

    def test_a_refusal_names_the_member(self):
        d, _ = self.serve()
        for words, member in ((("--reason", "a\nb"), "reason"),
                              (("--reason", "r", "--asset", "BTX"), "asset"),
                              (("--reason", "r", "--actor", "a b"), "actor")):
            _, _, err = daemon.hedge("halt", *words, "--url", d.url)
            self.assertIn(f"{d.url}: 422: {member}: ", err)

    def test_a_halt_that_is_not_on_disk(self):
        d, c = self.serve()
        os.rename(d.journal_path, d.journal_path + ".away")
        code, _, err = daemon.hedge("halt", "--reason", "r", "--url", d.url)
        self.assertEqual(code, 1)
        self.assertIn("503: all assets are halted now, but would not be after a restart", err)
        self.assertNotIn("did not do it", err)
        self.assertIn("NOT ON DISK", daemon.hedge("status", "--url", d.url)[1])
        os.rename(d.journal_path + ".away", d.journal_path)
        daemon.wait_until(lambda: c.metric("hedge_halts_unlatched") == 0, "it is latched")
        code, out, _ = daemon.hedge("halt", "--reason", "s", "--url", d.url)
        self.assertEqual(code, 0)
        self.assertIn("was halted before; it is on disk now", out)

    def test_explain_says_who_and_why(self):
        d, c = self.serve()
        orders = (("/halt", ALL, "halted"), ("/halt", "BTC", "halted"), ("/resume", ALL, "resumed"))
        ids = []
        for path, asset, _ in orders:
            body = order("a drill  of all", asset, actor="anna")
            ids.append(c.post(path, body).json["record"])
        for (_, asset, word), name in zip(orders, ids):
            code, out, err = daemon.hedge("explain", name, "--url", d.url)
            self.assertEqual((code, err), (0, ""))
            self.assertIn(f", {asset or 'everything'}, by ", out)
            self.assertIn(f" {word} by anna\n", out)
            self.assertIn(" because: a drill  of all\n", out)
            told = json.loads(daemon.hedge("explain", name, "--url", d.url, "--json")[1])
            self.assertIn('"actor": "anna", "reason": "a drill  of all"', json.dumps(told))


if __name__ == "__main__":
    daemon.main()
