# SPDX-License-Identifier: MIT
"""Records and daemons that lie to `hedge verify`, `replay`, `explain` and `diff`, one lie each."""
import copy
import json
import shutil
import socket
import subprocess
import threading

import daemon
import oracle
import test_audit
import test_audit_sources
from cli import BAD_DATA, CLI, USAGE, hedge, strict_json
from daemon import Daemon
from test_audit import OTHER, RULES, SHADOW


def once(text):
    """One JSON object that has no member twice."""
    def pairs(members):
        assert len({name for name, _ in members}) == len(members), members
        return dict(members)
    return json.loads(text, object_pairs_hook=pairs)


class Dripping:
    """Answers with a byte now and then, and never ends."""

    def __init__(self):
        self.ended = threading.Event()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()
        self.asked = subprocess.Popen([CLI, "verify", "--url", self.url], stderr=subprocess.PIPE,
                                      text=True)

    def serve(self):
        made, _ = self.socket.accept()
        with made:
            made.recv(9999)
            made.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not self.ended.wait(0.5):
                try:
                    made.sendall(b" ")
                except OSError:
                    return

    def close(self):
        self.ended.set()
        self.socket.close()
        self.asked.kill()
        self.asked.communicate()


DRIPPING = None


def setUpModule():
    global DRIPPING
    DRIPPING = Dripping()  # it takes a minute: the other tests run meanwhile


def tearDownModule():
    DRIPPING.close()


class Records(test_audit.AuditCase):
    def at(self, wanted=lambda r: True):
        return next(i for i, r in enumerate(self.records) if i > 50 and r["kind"] == 1 and
                    r["decision"]["flags"] == 0 and r["decision"]["hedge_pct"] > 0 and wanted(r))

    def test_a_time_that_is_not_the_decisions(self):
        for at in (self.at(), self.at() + 1):
            path = self.copied(lambda rs, i=at: rs[i].update(ts_ns=rs[i]["ts_ns"] - 30 * 86400 *
                                                             10**9))
            self.found("time of its decision", "verify", path, fault="changed", seq=at + 1)

    def test_replay_says_where_it_ends(self):
        at = self.at()
        path = self.copied(lambda rs: rs[at]["decision"].update(hedge_pct=0.99))
        self.sql(path, f"UPDATE records SET record = x'00' WHERE seq = {at + 9}")
        code, out, err = hedge("replay", path)
        self.assertEqual(code, BAD_DATA)
        self.assertRegex(err, f"(?s)record {at + 1}: its inputs.*record {at + 9}: .*not a record")
        self.assertIn(f"{at + 8} records before", err)
        self.assertRegex(out, rf"records +{at + 8}\n")
        code, out, _ = hedge("replay", path, "--json")
        answer = once(out)
        self.assertEqual((code, answer["fault"], answer["first"]["seq"], answer["complete"],
                          answer["stopped"]["seq"], answer["stopped"]["fault"], answer["records"]),
                         (BAD_DATA, "differs", at + 1, False, at + 9, "changed", at + 8))

    def test_inputs_that_nobody_can_decide(self):
        at = self.at()

        def change(rs):
            for r in rs[at:at + 2]:
                r["request"]["flags"] = 1 << 20
                r["decision"] = {**dict.fromkeys(r["decision"], 0), "status": -1}
        path = self.copied(change)
        self.assertRegex(hedge("replay", path)[2], f"record {at + 1}: its inputs cannot be decided")
        answer = once(hedge("replay", path, "--json")[1])
        self.assertEqual((answer["differences"], answer["first"]["decidable"]), (2, False))
        code, out, _ = hedge("explain", at + 1, path)
        self.assertEqual(code, BAD_DATA)
        self.assertIn("cannot decide these inputs", out)
        self.assertNotIn("same bits", out)
        answer = once(hedge("explain", at + 1, path, "--json")[1])
        self.assertEqual((answer["ok"], answer["recomputed"]["decidable"]), (False, False))

    def test_numbers_out_of_all_range(self):
        at = self.at()
        new = self.file("new.yaml", oracle.text(OTHER))

        def change(rs):
            rs[at]["decision"].update(status=2**31 - 1, hedge_pct=0.2)
            rs[at]["quote"].update(score_ts_ns=-2**63, depth_ts_ns=2**63 - 1)
        path = self.copied(change)
        once(self.run_ok("diff", new, path, "--json"))
        code, out, _ = hedge("explain", at + 1, path)
        self.assertEqual(code, BAD_DATA)
        self.assertIn("9223372036854.775 ms old", out)
        path = self.copied(lambda rs: rs[at]["decision"].update(hedge_pct=0.2, notional_usd=0.0))
        out = hedge("explain", at + 1, path)[1]
        self.assertNotIn("* 0.2 = ", out)
        self.assertRegex(out, r"notional_usd .*NOT the recorded 0\n")

    def test_nothing_moves_the_cursor(self):
        at = self.at()
        evil = "\x1b[2K\x7f\u009b8m\nx"

        def change(rs):
            rs[at].update(build=evil, note=evil, asset=evil)
        path = self.copied(change)
        for words in (("replay", path), ("explain", at + 1, path),
                      ("diff", self.file("new.yaml", oracle.text(OTHER)), path)):
            _, out, err = hedge(*words)
            for bad in "\x1b\x7f\u009b":
                self.assertNotIn(bad, out + err, words)
            self.assertIn(r"\x1b[2K\x7f\x9b8m\x0ax", out + err)

    def test_every_outcome_is_one_object(self):
        new = self.file("new.yaml", oracle.text(OTHER))
        broken = self.sql(self.copied(), "UPDATE records SET record = x'00' WHERE seq = 9")
        broken = shutil.move(broken, broken + ".broken")
        bare = self.sql(self.copied(), "DELETE FROM policies")
        first = self.decisions()[0]["seq"]
        for words in (("diff",), ("diff", new), ("diff", "none.yaml", self.path), ("explain",),
                      ("diff", self.file("bad.yaml", "curve: 7\n"), self.path), ("verify",),
                      ("diff", new, "none.db"), ("diff", new, broken), ("explain", "x", self.path),
                      ("diff", new, self.path, "--since=x"), ("explain", "5"), ("replay",),
                      ("diff", new, self.path, "--svg", "/none/x"), ("explain", "9", broken),
                      ("explain", "99999", self.path), ("explain", first, bare),
                      ("verify", self.path, "--head", "0:" + "0" * 64), ("verify", "a", "b"),
                      ("replay", "none.db"), ("replay", broken), ("verify", broken)):
            plain = hedge(*words)[0]
            code, out, err = hedge(*words, "--json")
            self.assertEqual((code, err), (plain, ""), words)
            self.assertIn(code, (BAD_DATA, USAGE), words)
            answer = once(out)
            self.assertIs(answer["ok"], False, words)
            self.assertTrue(answer["fault"] and answer["message"], words)
        for command in ("verify", "replay", "diff", "explain"):
            self.assertNotIn("3 the decision", self.run_ok(command, "--help"))

    def test_honest_rejections_and_zeros(self):
        rules = oracle.policy(calm=True, limits={"min_confidence": 0.5}, assets={"BTC": {}})
        with Daemon(rules) as served:
            with served.client() as c:
                c.put("/quotes/BTC", {"score": .5, "confidence": .9, "depth1pct_usd": 1e5})
                c.hedge("BTC", 100.0)
                c.put("/quotes/BTC", {"score": -0.0, "confidence": .9, "depth1pct_usd": 1e8})
                c.hedge("BTC", 100.0)
                c.post("/hedge", b'{"asset":"BTC","amount_usd":-0.0,"override_score":-0.0}')
                last = c.get("/readyz").json["journal"]["seq"]
            said = "".join(self.run_ok("explain", n, "--url", served.url)
                           for n in range(1, last + 1))
            self.run_ok("verify", "--url", served.url)
            self.refused(USAGE, "no record", "explain", last + 1, "--url", served.url)
        self.assertNotIn("NOT", said)
        self.assertIn("(0 in the record, as on every rejection)", said)


class Pages(test_audit_sources.AuditCase):
    @classmethod
    def setUpClass(cls):
        folder = daemon.new_folder()
        daemon.write_file(folder + "/shadow.yaml", oracle.text(SHADOW))
        with Daemon(RULES, folder=folder, shadow_policy=folder + "/shadow.yaml") as served:
            with served.client() as c:
                test_audit.mixed_load(c, 2)
                cls.page = c.get("/decisions", limit=1000).json
                cls.policies = {r["policy"]: c.get("/policies/" + r["policy"]).body
                                for r in cls.page["records"] if r["policy"] != "0" * 64}

    def pretend(self, page, raw=lambda body: body):
        def answer(path):
            if path.startswith("/policies/"):
                return 200, self.policies[path.rsplit("/", 1)[1]], {}
            after, limit = (int(p.split("=")[1]) for p in path.split("?")[1].split("&"))
            part = [r for r in page["records"] if r["seq"] > after][:limit]
            return 200, raw(json.dumps({**page, "records": part}).encode()), {}
        made = test_audit_sources.Pretender(answer)
        self.addCleanup(made.close)
        return made.url

    def lie(self, change, at=0):
        page = copy.deepcopy(self.page)
        change(page, page["records"][at])
        return self.pretend(page)

    def test_every_member_is_the_records(self):
        self.run_ok("verify", "--url", self.pretend(self.page))
        newer = self.lie(lambda p, r: r.update(unheard_of={"x": [1]}))
        self.run_ok("verify", "--url", newer)
        at = next(i for i, r in enumerate(self.page["records"]) if r["kind"] == "decision" and
                  "score" in r["quote"] and "depth1pct_usd" in r["quote"])
        r = self.page["records"][at]
        for part in (r, r["request"], r["quote"], r["decision"]):
            for name in part:
                if name in ("seq", "record", "hash"):
                    continue
                for value in (None, 0.12345, "\x00", "gone"):
                    def change(_, r, p=part, n=name, v=value):
                        of = r if p is self.page["records"][at] else \
                            next(r[k] for k in ("request", "quote", "decision")
                                 if p is self.page["records"][at][k])
                        if v == "gone":
                            del of[n]
                        else:
                            of[n] = v
                    code, _, err = hedge("verify", "--url", self.lie(change, at))
                    self.assertIn(code, (BAD_DATA, USAGE), (name, value))
                    if value != "\x00":
                        self.assertIn(f"record {at + 1}: changed", err, (name, value))
        for change in (lambda _, r: r["request"].update(override_score=0.5),
                       lambda _, r: r.update(flags=["halted"])):
            if "override_score" not in r["request"]:
                self.found("changed", "verify", "--url", self.lie(change, at), fault="changed",
                           seq=at + 1)
        self.found("decision_id", "verify", "--url",
                   self.lie(lambda _, r: r.update(decision_id="x")), fault="changed", seq=1)

    def test_what_could_be_read_in_two_ways_is_no_page(self):
        for raw in (lambda b: b + b"}}", lambda b: b + b"\0", lambda b: b'{"writer":"",' + b[1:],
                    lambda b: b.replace(b'"note": "', b'"note": "", "note": "', 1),
                    lambda b: b.replace(b'"note": "', b'"note": "\\u0000', 1),
                    lambda b: b.replace(b'"seq": ', b'"x": ' + b"[" * 40 + b"]" * 40 + b',"seq": ',
                                        1)):
            self.found("not a page", "verify", "--url", self.pretend(self.page, raw),
                       fault="not_a_page", code=USAGE)

    def test_heads(self):
        n = len(self.page["records"])
        zero = {"seq": 0, "hash": "0" * 64}
        for change in (lambda p, _: p.pop("head"), lambda p, _: p.update(head=None)):
            self.found("its head is not", "verify", "--url", self.lie(change), fault="not_a_page",
                       code=USAGE)
        for change in (lambda p, _: p.update(head=zero),
                       lambda p, _: p.update(base=p["head"]),
                       lambda p, _: p.update(head={"seq": 5, "hash": p["records"][4]["hash"]}),
                       lambda p, _: p.update(records=[]), lambda p, _: p["records"].pop()):
            url = self.lie(change)
            for command in ("verify", "replay"):
                code, out, err = hedge(command, "--url", url, "--json")
                self.assertEqual((code, err), (BAD_DATA, ""), out)
                self.assertIn(strict_json(out)["fault"], ("truncated", "damaged"))
        self.refused(BAD_DATA, "the head is record", "explain", n, "--url",
                     self.lie(lambda p, _: p["records"].pop()))


class Time(test_audit_sources.AuditCase):
    def test_a_dripping_answer_ends(self):
        _, err = DRIPPING.asked.communicate(timeout=120)
        self.assertEqual(DRIPPING.asked.returncode, USAGE)
        self.assertRegex(err, "cannot be read: .*timed out")


if __name__ == "__main__":
    daemon.main()
