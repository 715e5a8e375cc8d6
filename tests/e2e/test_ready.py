# SPDX-License-Identifier: MIT
"""GET /readyz: whoever asks is told the status, and only who may read what is behind it."""
import os

import daemon
import oracle
from daemon import Daemon, free_port, wait_until

QUOTE = {"score": 0.62, "confidence": 0.9, "depth1pct_usd": 78034.12}
EVERY = "size override quote admin halt"  # but read


class Ready(daemon.Case):
    @classmethod
    def setUpClass(cls):
        cls.folder = daemon.new_folder()
        code, _, err = daemon.hedge("token", "keys", "--kid", "k", "--out", cls.folder)
        assert code == 0, err
        cls.keys = {"jwt_keys": f"{cls.folder}/k.jwks.json", "jwt_issuer": "i", "jwt_audience": "a"}

    def token(self, scope):
        code, out, err = daemon.hedge("token", "sign", "--key", f"{self.folder}/k.key.json",
                                      "--sub", "bob", "--scope", scope, "--iss", "i", "--aud", "a")
        self.assertEqual(code, 0, err)
        return {"Authorization": f"Bearer {out.strip()}"}

    def assert_bare(self, answer, codes, why):
        """Status and codes, and not a byte else."""
        self.assertEqual(set(answer.json), {"status", "reasons"}, why)
        self.assertEqual([set(r) for r in answer.json["reasons"]], [{"code"}] * len(codes), why)
        self.assertEqual({r["code"] for r in answer.json["reasons"]}, codes, why)

    def test_a_stranger_is_told_status_and_codes_alone(self):
        port = free_port()  # nobody listens there
        with Daemon(oracle.policy(), **self.keys, clickhouse_interval_ms=50,
                    clickhouse_url=f"http://127.0.0.1:{port}/") as d, d.client() as c:
            reader = self.token("read")

            def whole():
                return c.ask("GET", "/readyz", headers=reader)
            wait_until(lambda: str(port) in whole().body.decode(), "the fault of the poll is known")
            good = whole()
            self.assertEqual(good.status, 503)
            self.assertIn("journal", good.json)
            assets = {r["asset"] for r in good.json["reasons"] if r["code"] == "no_quote"}
            self.assertEqual(assets, set(oracle.ASSETS))
            self.assertTrue(all(r["detail"] for r in good.json["reasons"]))
            for headers in (None, self.token(EVERY)):
                answer = c.ask("GET", "/readyz", headers=headers)
                self.assertEqual(answer.status, good.status, headers)
                self.assertEqual(answer.headers["Retry-After"], good.headers["Retry-After"])
                self.assertEqual(answer.json["status"], good.json["status"])
                self.assert_bare(answer, {"clickhouse_unreachable", "no_quote"}, headers)
            for value in ("Bearer x.y.z", "Bearer ", "Basic Ym9iOmJvYg==",
                          reader["Authorization"][:-9]):
                self.assert_problem(c.ask("GET", "/readyz", headers={"Authorization": value}), 401,
                                    "unauthorized")
            self.assertEqual(d.stop(), 0)

    def test_files_and_halts_are_not_told_either(self):
        with Daemon(oracle.policy(calm=True), **self.keys) as d, d.client() as c:
            order = self.token("quote halt")
            for asset in oracle.ASSETS:
                self.assert_status(c.ask("PUT", f"/quotes/{asset}", QUOTE, order), 200)
            self.assertEqual(c.get("/readyz").json, {"status": "ready", "reasons": []})
            asset = oracle.ASSETS[0]
            c.ask("POST", "/halt", {"asset": asset, "reason": "a drill"}, order)
            daemon.write_file(d.policy_path, "max_hedge_pct: 7\n")
            wait_until(lambda: d.events("policy_refused"), "the file is refused")
            answer = c.get("/readyz")
            self.assertEqual((answer.status, answer.json["status"]), (200, "degraded"))
            self.assert_bare(answer, {"policy_refused", "halted"}, "no token")
            said = c.ask("GET", "/readyz", headers=self.token("read")).body.decode()
            for words in (os.path.basename(d.policy_path), "max_hedge_pct", asset, '"hash"'):
                self.assertIn(words, said)

    def test_without_keys_everybody_is_told_all(self):
        with Daemon(oracle.policy()) as d, d.client() as c:
            for headers in (None, {"Authorization": "Basic Ym9iOmJvYg=="}):
                answer = c.ask("GET", "/readyz", headers=headers).json
                self.assertGreater(answer["journal"]["seq"], 0)
                self.assertEqual([r["asset"] for r in answer["reasons"]], list(oracle.ASSETS))

    def test_the_tool_says_as_much_as_its_token_may_see(self):
        with Daemon(oracle.policy(), **self.keys) as d:
            code, out, _ = daemon.hedge("status", "--url", d.url.rstrip("/"))
            self.assertEqual(code, 1)
            self.assertIn("  reason    no_quote\n", out)
            self.assertNotIn("  journal ", out)


if __name__ == "__main__":
    daemon.main()
