# SPDX-License-Identifier: MIT
"""Passwords and tokens are said nowhere: not in the log, an answer, a problem, a metric, the journal
or the command line, whatever becomes of the server they are for."""
import os
import subprocess

import daemon
import oracle
import postgres_server
import redis_server
from clickhouse_server import Fake as FakeHttp, http_reply
from daemon import Daemon

REDIS, CLICKHOUSE, DATABASE, TOKEN = ("canary-redis-41c7", "canary-house-9d20", "canary-base-77ae",
                                      "canary-token-c3b1")
CANARIES = (REDIS, CLICKHOUSE, DATABASE, TOKEN)
PAGES = ("/metrics", "/readyz", "/healthz", "/quotes", "/curve", "/decisions", "/nowhere")
NOBODY = 65534
FAST = {"clickhouse_interval_ms": 50, "clickhouse_timeout_ms": 500}


class Secrets(daemon.Case):
    def assert_silent(self, where, said):
        said = said if isinstance(said, bytes) else said.encode()
        for canary in CANARIES:
            self.assertNotIn(canary.encode(), said, where)

    def ask_everything(self, d, c):
        """Good and bad requests, each with a token; all that is said."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        out = [c.ask("GET", page, headers=headers) for page in PAGES]
        out.append(c.ask("GET", f"/decisions?after={TOKEN}", headers=headers))
        out.append(c.ask("PUT", "/quotes/BTC", {"score": 0.5, "depth1pct_usd": 9e4}, headers))
        for body in ({"asset": "BTC", "amount_usd": 1.0}, {"asset": "BTC"}, {"nonsense": 1}):
            out.append(c.ask("POST", "/hedge", body, headers))
        out.append(c.ask("POST", "/curve/reload", None, headers))
        for answer in out:
            self.assert_silent("an answer", answer.body + str(answer.headers).encode())

    def assert_nowhere(self, d, c):
        self.ask_everything(d, c)
        with open(f"/proc/{d.process.pid}/cmdline", "rb") as f:
            self.assert_silent("the command line", f.read())
        c.close()
        self.assertEqual(d.stop(), 0)
        self.assertTrue(d.lines)
        self.assert_silent("the log", "\n".join(d.lines))
        for name in os.listdir(d.folder):
            with open(os.path.join(d.folder, name), "rb") as f:
                self.assert_silent(name, f.read())

    def serve(self, redis, house, base, **more):
        return Daemon(oracle.policy(), redis_url=f"redis://u:{REDIS}@127.0.0.1:{redis}",
                      clickhouse_url=f"http://u:{CLICKHOUSE}@127.0.0.1:{house}",
                      db_dsn=f"postgresql://u:{DATABASE}@127.0.0.1:{base}/d?sslmode=disable",
                      log_decisions=1, **FAST, **more)

    def wait_faults(self, d):
        for names in (("redis_unreachable",), ("clickhouse_unreachable",),
                      ("postgres_unreachable", "ship_fault")):
            daemon.wait_until(lambda: any(e["event"] in names for e in d.events()),
                              f"{names}: something is wrong: {d.log()}", 15)

    # ---- what may become of a server
    def test_servers_that_are_down(self):
        with self.serve(*(daemon.free_port() for _ in range(3))) as d, d.client() as c:
            self.wait_faults(d)
            self.assert_nowhere(d, c)

    def test_servers_that_talk_garbage(self):
        garbage = b"\x00\xff what is this?\r\n" * 40
        with redis_server.Fake(garbage, hold=False) as redis, FakeHttp(garbage, hold=False) as house, \
                redis_server.Fake(garbage, hold=False) as base:
            with self.serve(redis.port, house.port, base.port) as d, d.client() as c:
                self.wait_faults(d)
                self.assert_nowhere(d, c)

    def test_servers_that_refuse_the_password(self):
        said = http_reply("Code: 193, e.displayText() = wrong password\n", "403 Forbidden")
        with FakeHttp(said) as house:
            redis = redis_server.Redis(password="another") if redis_server.available() else None
            base = None
            if postgres_server.available():
                base = postgres_server.Postgres(password="another")
            try:
                ports = (redis.port if redis else daemon.free_port(), house.port,
                         base.port if base else daemon.free_port())
                with self.serve(*ports) as d, d.client() as c:
                    self.wait_faults(d)
                    self.assert_nowhere(d, c)
            finally:
                for server in (redis, base):
                    if server:
                        server.kill()

    # ---- the start and the tool
    def test_values_that_are_refused_are_not_repeated(self):
        folder = daemon.new_folder()
        policy = os.path.join(folder, "policy.yaml")
        daemon.write_file(policy, oracle.text(oracle.policy()))
        for name, values in {
                "HEDGE_REDIS_URL": (f"redis://u:{REDIS}@h:x", f"tcp://u:{REDIS}@h", f"{REDIS}"),
                "HEDGE_CLICKHOUSE_URL": (f"http://u:{CLICKHOUSE}@h:x", f"u:{CLICKHOUSE}@h",
                                         f"http://h/?password={CLICKHOUSE}"),
                "HEDGE_DB_DSN": (f"postgresql://u:{DATABASE}@x@127.0.0.1/d", f"password={DATABASE} x",
                                 f"postgresql://u:a:{DATABASE}@h/d?nonsense=1", DATABASE)}.items():
            for value in values:
                for arguments in ((), ("--check",), ("--init-db",)):
                    code, out, err = daemon.run(arguments, folder, HEDGE_POLICY=policy,
                                                HEDGE_API_PORT="0", **{name: value})
                    self.assertEqual(code, 78, f"{name} {arguments}: {out} {err}")
                    self.assertIn(name, err)
                    self.assert_silent(f"{name} {arguments}", out + err)

    def test_the_tool_does_not_repeat_them(self):
        dsn = f"postgresql://u:{DATABASE}@127.0.0.1:{daemon.free_port()}/d"
        base = daemon.environment({"HEDGE_DB_DSN": dsn, "HEDGE_TOKEN": TOKEN})
        for arguments in (("verify", "--db", "env"),
                          ("verify", "--url", f"http://127.0.0.1:{daemon.free_port()}")):
            done = subprocess.run([daemon.program("HEDGE_CLI"), *arguments], env=base, check=False,
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assert_silent(arguments, done.stdout + done.stderr)

    # ---- tokens, and memory
    def keys(self, folder):
        code, _, err = daemon.hedge("token", "keys", "--kid", "k", "--out", folder)
        self.assertEqual(code, 0, err)
        code, token, err = daemon.hedge("token", "sign", "--key", f"{folder}/k.key.json", "--sub",
                                        "alice", "--scope", "size read quote admin", "--iss", "i",
                                        "--aud", "a")
        self.assertEqual(code, 0, err)
        return {"jwt_keys": f"{folder}/k.jwks.json", "jwt_issuer": "i", "jwt_audience": "a"}, \
            token.strip()

    def test_tokens_good_and_bad_are_said_nowhere(self):
        folder = daemon.new_folder()
        keys, token = self.keys(folder)
        signature = token.rsplit(".", 1)[1]
        with Daemon(oracle.policy(), log_decisions=1, **keys) as d, d.client() as c:
            good = {"Authorization": f"Bearer {token}"}
            said = [c.ask("PUT", "/quotes/BTC", {"score": 0.5, "depth1pct_usd": 9e4}, good),
                    c.ask("POST", "/hedge", {"asset": "BTC", "amount_usd": 1.0}, good),
                    c.ask("GET", "/decisions", headers=good)]
            for answer in said:
                self.assertIn(answer.status, (200, 204), answer)
            for bad in (f"Bearer {TOKEN}", f"Bearer {token[:-4]}AAAA", f"Basic {TOKEN}",
                        f"Bearer {TOKEN}.{TOKEN}.{TOKEN}"):
                said.append(c.ask("GET", "/decisions", headers={"Authorization": bad}))
                self.assert_problem(said[-1], 401)
            for answer in said:
                self.assertNotIn(signature, str(answer.headers) + answer.body.decode())
                self.assert_silent("an answer", answer.body + str(answer.headers).encode())
            c.close()
            self.assertEqual(d.stop(), 0)
            self.assertNotIn(signature, "\n".join(d.lines))
            self.assert_silent("the log", "\n".join(d.lines))
            for name in os.listdir(d.folder):
                with open(os.path.join(d.folder, name), "rb") as f:
                    self.assertNotIn(signature.encode(), f.read(), name)

    def test_in_production_its_memory_is_its_own(self):
        root = os.geteuid() == 0
        for environment, owner in (("prod", 0), ("dev", NOBODY if root else os.geteuid())):
            folder = daemon.new_folder()
            keys, _ = self.keys(folder)

            def become_nobody():
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)

            if root:
                os.chown(folder, NOBODY, NOBODY)
                os.chmod(keys["jwt_keys"], 0o644)
            with Daemon(oracle.policy(), folder=folder, env=environment,
                        before=become_nobody if root else None, **keys) as d, d.client() as c:
                # What may not be dumped belongs to root in /proc, and cannot be traced or dumped.
                self.assertEqual(os.stat(f"/proc/{d.process.pid}/environ").st_uid, owner,
                                 environment)
                self.assert_status(c.get("/healthz"), 200)


if __name__ == "__main__":
    daemon.main()
