# SPDX-License-Identifier: MIT
"""The policy changes while requests run: each answer belongs to exactly one policy."""
import os
import signal
import threading
import time

import daemon
import oracle
from daemon import Daemon, write_file

SEEN = {"score": 0.62, "confidence": 0.9, "score_ts_ns": 0, "depth1pct_usd": 78034.12,
        "depth_ts_ns": 0}
QUOTE = {k: SEEN[k] for k in ("score", "confidence", "depth1pct_usd")}
WATCH_S = 10.0
BAD = "curve: {method: pchip,\n  knots: [[0, 0.5], [1, 0.4]]}\n"  # decreasing, in line 2


def rules(i):
    """Policy i: its curve, cap, weight and blend differ from every other's."""
    return oracle.policy(
        calm=True, max_hedge_pct=1.0 - i / 100,
        curve={"method": ("pchip", "steffen", "linear")[i % 3],
               "knots": [[0.0, 0.01 * i], [0.1, 0.2 + 0.01 * i], [0.7, 0.75], [1.0, 1.0]]},
        liquidity={"weight": "ratio", "half_depth_usd": 400000.0 + 10000 * i},
        confidence={"blend": ("min", "harmonic", "geometric", "product")[i % 4],
                    "freshness": "none"})


class Load:
    """Threads that ask without a pause and compare each answer with its policy's oracle."""

    def __init__(self, d, known, threads=8):
        self.daemon, self.known = d, known
        self.expected = {}
        self.stop, self.failures, self.counts = threading.Event(), [], {}
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.ask, args=(i,), daemon=True)
                        for i in range(threads)]
        for t in self.threads:
            t.start()

    def expect(self, digest, asset, amount):
        key = (digest, asset, amount)
        if key not in self.expected:
            self.expected[key] = oracle.decide(self.known[digest], asset, {"amount_usd": amount},
                                               SEEN)
        return self.expected[key]

    def ask(self, number):
        try:
            with self.daemon.client() as c:
                turn = 0
                while not self.stop.is_set():
                    turn += 1
                    asset, amount = oracle.ASSETS[turn % 4], 1000.0 * (number + 1)
                    if turn % 20:
                        answer = c.hedge(asset, amount)
                        got = [answer.json]
                    else:
                        one = {"asset": asset, "amount_usd": amount}
                        answer = c.post("/hedge/batch", {"requests": [one] * 10})
                        got = answer.json["decisions"]
                    if answer.status != 200:
                        raise AssertionError(repr(answer))
                    if len({g["policy"] for g in got}) != 1:
                        raise AssertionError(f"a batch with two policies: {got}")
                    digest = got[0]["policy"]
                    if digest not in self.known:
                        raise AssertionError(f"an unknown policy {digest}: {got[0]}")
                    for each in got:
                        wrong = oracle.differences(each, self.expect(digest, asset, amount))
                        if wrong:
                            raise AssertionError(f"mixed policies? {wrong} {each}")
                    with self.lock:
                        self.counts[digest] = self.counts.get(digest, 0) + len(got)
        except Exception as e:  # pylint: disable=broad-except
            self.failures.append(f"client {number}: {type(e).__name__}: {e}")

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join(30)
        return self.failures


class Reload(daemon.Case):
    def serve(self, policy=None, **settings):
        d = Daemon(policy or rules(0), **settings)
        self.addCleanup(d.__exit__)
        c = d.client()
        self.addCleanup(c.close)
        for asset in oracle.ASSETS:
            self.assert_status(c.put(f"/quotes/{asset}", QUOTE), 200)
        return d, c

    def learn(self, d, c, count):
        """{hash: policy} of the first policies, each loaded once by POST /curve/reload."""
        known = {}
        for i in range(count):
            write_file(d.policy_path, oracle.text(rules(i)))
            answer = c.post("/curve/reload")
            self.assert_status(answer, 200)
            known[answer.json["policy"]] = rules(i)
        self.assertEqual(len(known), count, "each policy has a hash of its own")
        return known

    def live(self, c):
        return c.get("/curve").json["policy"]

    def wait_live(self, c, digest, why):
        daemon.wait_until(lambda: self.live(c) == digest, f"{why}: {digest[:12]} is live", WATCH_S)

    def degraded(self, c):
        answer = c.get("/readyz")
        return answer.json["status"] == "degraded" and answer

    def test_every_way_to_replace_the_file_under_load(self):
        d, c = self.serve()
        known = self.learn(d, c, 6)
        hashes = list(known)
        load = Load(d, known)
        try:
            for turn in range(12):
                i = turn % 6
                content = oracle.text(rules(i))
                way = ("rename", "in place", "in two writes")[turn % 3]
                if way == "rename":
                    write_file(d.policy_path, content)
                elif way == "in place":
                    with open(d.policy_path, "w", encoding="utf-8") as f:
                        f.write(content)
                else:
                    with open(d.policy_path, "w", encoding="utf-8") as f:
                        f.write(content[:len(content) // 2])
                        f.flush()
                        time.sleep(0.05)
                        f.write(content[len(content) // 2:])
                self.wait_live(c, hashes[i], way)
            for turn in range(30):
                i = (turn + 1) % 6
                write_file(d.policy_path, oracle.text(rules(i)))
                if turn % 2:
                    d.signal(signal.SIGHUP)
                    self.wait_live(c, hashes[i], "SIGHUP")
                else:
                    answer = c.post("/curve/reload")
                    self.assert_status(answer, 200)
                    self.assertEqual(answer.json["policy"], hashes[i])
            write_file(d.policy_path, BAD)
            daemon.wait_until(lambda: self.degraded(c), "a bad file degrades", WATCH_S)
            os.unlink(d.policy_path)
            for _ in range(20):
                self.assert_problem(c.post("/curve/reload"), 422)
            write_file(d.policy_path, oracle.text(rules(3)))
            self.wait_live(c, hashes[3], "after a missing file")
        finally:
            failures = load.end()
        self.assertEqual(failures, [])
        total = sum(load.counts.values())
        print(f"\n  {total} answers over {len(load.counts)} policies, none failed or mixed")
        self.assertEqual(set(load.counts), set(known), "every policy has decided something")
        self.assertEqual(c.metric("hedge_journal_lost_total"), 0)
        self.assertEqual(d.stop(), 0)

    def test_a_reload_storm_under_load(self):
        d, c = self.serve()
        known = self.learn(d, c, 4)
        load = Load(d, known, threads=4)
        begin, turns = time.monotonic(), 0
        try:
            while time.monotonic() - begin < 3:
                write_file(d.policy_path, oracle.text(rules(turns % 4)))
                d.signal(signal.SIGHUP)
                self.assert_status(c.post("/curve/reload"), 200)
                turns += 1
        finally:
            failures = load.end()
        self.assertEqual(failures, [])
        print(f"\n  {turns} reloads, {sum(load.counts.values())} answers")
        self.assertEqual(d.stop(), 0)

    def test_a_mounted_config_map(self):
        d = Daemon(start=False)
        self.addCleanup(d.__exit__)
        mount = os.path.join(d.folder, "mount")
        os.mkdir(mount)

        def publish(i, bad=False):
            """What a kubelet does: a new folder, and the link ..data renamed over the old one."""
            folder = f"..2024_{publish.count}"
            publish.count += 1
            os.mkdir(os.path.join(mount, folder))
            content = rules(i)
            knots = "\n".join(f"- {{score: {s}, hedge: {h}}}" for s, h in content["curve"]["knots"])
            content["curve"] = {"method": content["curve"]["method"], "knots": "knots.yaml"}
            for name, data in (("policy.yaml", BAD if bad else oracle.text(content)),
                               ("knots.yaml", knots + "\n")):
                with open(os.path.join(mount, folder, name), "w", encoding="utf-8") as f:
                    f.write(data)
            os.symlink(folder, os.path.join(mount, "..data_tmp"))
            os.replace(os.path.join(mount, "..data_tmp"), os.path.join(mount, "..data"))
        publish.count = 0
        publish(0)
        for name in ("policy.yaml", "knots.yaml"):
            os.symlink(os.path.join("..data", name), os.path.join(mount, name))
        d.settings["HEDGE_POLICY"] = os.path.join(mount, "policy.yaml")
        d.start()
        with d.client() as c:
            seen = {self.live(c)}
            for i in (1, 2, 0, 3):
                before = self.live(c)
                publish(i)
                daemon.wait_until(lambda b=before: self.live(c) != b, f"policy {i} is seen", WATCH_S)
                got = c.get("/curve").json
                self.assertEqual(got["knots"], rules(i)["curve"]["knots"])
                self.assertEqual(got["max_hedge_pct"], rules(i)["max_hedge_pct"])
                seen.add(got["policy"])
            self.assertEqual(len(seen), 4)
            publish(1, bad=True)
            daemon.wait_until(lambda: "policy" in str(c.get("/readyz").json["reasons"]),
                              "a bad map is refused", WATCH_S)
            self.assertEqual(c.get("/curve").json["knots"], rules(3)["curve"]["knots"])
            publish(2)
            daemon.wait_until(lambda: c.metric("hedge_policy_ok") == 1, "healed", WATCH_S)

    def test_a_bad_file_leaves_the_old_policy_and_says_where(self):
        d, c = self.serve()
        old = self.live(c)
        self.assertEqual(c.get("/readyz").json["status"], "ready")
        self.assertEqual(c.metric("hedge_policy_ok"), 1)
        bad = {"decreasing hedges": (BAD, 2), "an unknown key": ("max_hedge_pct: 1.0\nzzz: 1\n", 2),
               "not YAML": ("curve: {method: pchip\n\n\n", None), "empty": ("", None),
               "a duplicate key": ("max_hedge_pct: 1\nmax_hedge_pct: 0.5\n", 2),
               "out of range": ("max_hedge_pct: 1.5\n", 1),
               "not a number": ("\n\nmax_hedge_pct: .nan\n", 3),
               "a missing file of knots": ("curve: {knots: nowhere.yaml}\n", None),
               "binary": ("\x01\x02\x00", None)}
        for why, (content, line) in bad.items():
            refused = len([r for r in c.records() if r["kind"] == "policy_refused"])
            write_file(d.policy_path, content)
            answer = c.post("/curve/reload")
            self.assert_problem(answer, 422, why=why)
            self.assertTrue(answer.json.get("file", "").endswith(".yaml"), f"{why} {answer}")
            if line:
                self.assertEqual(answer.json.get("line"), line, f"{why} {answer}")
            ready = c.get("/readyz")
            self.assert_status(ready, 200, why)
            self.assertEqual(ready.json["status"], "degraded", f"{why} {ready}")
            reasons = str(ready.json["reasons"])
            self.assertIn(".yaml", reasons, why)
            if line:
                self.assertRegex(reasons, rf"\b{line}\b", f"{why}: the line is named")
            self.assertEqual(c.metric("hedge_policy_ok"), 0, why)
            got = c.hedge()
            self.assert_status(got, 200, why)
            self.assertEqual(got.json["policy"], old, why)
            self.assertTrue(any(".yaml" in line and "refused" in line for line in d.lines),
                            f"{why}: a log line says so: {d.log()}")
            after = [r for r in c.records() if r["kind"] == "policy_refused"]
            self.assertGreater(len(after), refused, f"{why}: the refusal is a record")
            self.assertTrue(after[-1]["note"], why)
            write_file(d.policy_path, oracle.text(rules(0)))
            self.assert_status(c.post("/curve/reload"), 200, why)
            self.assertEqual(c.get("/readyz").json["status"], "ready", why)
            self.assertEqual(c.metric("hedge_policy_ok"), 1, why)

    def test_a_missing_file_and_its_return(self):
        d, c = self.serve()
        old = self.live(c)
        os.unlink(d.policy_path)
        self.assert_problem(c.post("/curve/reload"), 422)
        self.assertEqual(c.hedge().json["policy"], old)
        self.assertTrue(self.degraded(c))
        write_file(d.policy_path, oracle.text(rules(1)))
        daemon.wait_until(lambda: self.live(c) != old, "the file's return is seen", WATCH_S)
        self.assertEqual(c.get("/readyz").json["status"], "ready")

    def test_a_policy_that_went_live_is_in_the_journal(self):
        d, c = self.serve()
        known = self.learn(d, c, 3)
        hashes = [r["policy"] for r in c.records() if r["kind"] == "policy"]
        self.assertEqual(set(known), set(hashes))
        before = c.get("/readyz").json["journal"]["seq"]
        answer = c.post("/curve/reload").json
        self.assertEqual((answer["changed"], answer["policy"]), (False, answer["previous"]))
        self.assertEqual(c.get("/readyz").json["journal"]["seq"], before, "nothing changed")

    def test_the_same_meaning_in_other_words_has_the_same_hash(self):
        d, c = self.serve(oracle.policy())
        old = self.live(c)
        write_file(d.policy_path, "# the defaults, said twice\n- {score: 0, hedge: 0.05}\n"
                   "- {score: 0.30, hedge: 25.0e-2}\n- {hedge: 0.75, score: 0.7}\n"
                   "- score: 1\n  hedge: 1.0\n")
        answer = c.post("/curve/reload")
        self.assert_status(answer, 200)
        self.assertEqual((answer.json["policy"], answer.json["changed"]), (old, False))

    def test_an_asset_that_comes_and_goes(self):
        d, c = self.serve(oracle.policy(calm=True, assets=("BTC", "ETH", "LTC", "XRP")))
        write_file(d.policy_path, oracle.text(oracle.policy(calm=True, assets=("SOL", "BTC"))))
        self.assert_status(c.post("/curve/reload"), 200)
        self.assert_status(c.hedge("BTC"), 200, "its quote is still held")
        self.assert_problem(c.hedge("ETH"), 422, "unknown_asset")
        self.assert_problem(c.put("/quotes/ETH", QUOTE), 404, "unknown_asset")
        self.assert_problem(c.hedge("SOL"), 503, "no_quote")
        self.assert_status(c.put("/quotes/SOL", QUOTE), 200)
        self.assert_status(c.hedge("SOL"), 200)
        self.assertEqual([q["asset"] for q in c.get("/quotes").json["quotes"]], ["BTC", "SOL"])

    def test_knots_and_limits_from_the_environment_survive_a_reload(self):
        folder = daemon.new_folder()
        knots = os.path.join(folder, "knots.yaml")
        write_file(knots, "- {score: 0, hedge: 0.5}\n- {score: 1, hedge: 0.9}\n")
        d, c = self.serve(oracle.policy(calm=True), spline_knots=knots, max_hedge_pct="0.6")
        for i in range(2):
            got = c.get("/curve").json
            self.assertEqual((got["knots"], got["max_hedge_pct"]), ([[0, 0.5], [1, 0.9]], 0.6))
            write_file(d.policy_path, oracle.text(rules(i)))
            self.assert_status(c.post("/curve/reload"), 200)
        old = self.live(c)
        write_file(knots, "- {score: 0, hedge: 0.25}\n- {score: 1, hedge: 0.9}\n")
        daemon.wait_until(lambda: self.live(c) != old, "the file of knots is watched", WATCH_S)
        self.assertEqual(c.get("/curve").json["knots"][0], [0, 0.25])


if __name__ == "__main__":
    daemon.main()
