# SPDX-License-Identifier: MIT
"""A setting that cannot be understood stops the start with a message that names it."""
import base64
import json
import os
import re
import socket
import subprocess

import daemon
import oracle
from daemon import Daemon

BAD_CONFIG = 78  # EX_CONFIG
BAD = {
    "HEDGE_ENV": ("production", "DEV", "dev "),
    "HEDGE_API_PORT": ("x", "-1", "65536", "80.5", "8000 ", "0x50", "99999999999999999999", "+1"),
    "HEDGE_API_HOST": ("not a host", "256.1.1.1", "127.0.0.1:80", "::", "127.1"),
    "HEDGE_HTTP_CONNECTIONS": ("63", "8193", "x", "1e3", "-1", "1024 "),
    "HEDGE_HTTP_CONNECTIONS_PER_PEER": ("-1", "8193", "many"),
    "HEDGE_HTTP_HEAD_MS": ("99", "60001", "2s"),
    "HEDGE_HTTP_BODY_MS": ("99", "60001", "0"),
    "HEDGE_HTTP_ANSWER_MS": ("99", "60001", "x"),
    "HEDGE_HTTP_IDLE_MS": ("99", "3600001", "-1"),
    "HEDGE_TLS_HANDSHAKES_PER_S": ("-1", "100001", "many", "1e3"),
    "HEDGE_DURABILITY": ("sync", "COMMIT", "1"),
    "HEDGE_REDIS_URL": ("localhost", "http://127.0.0.1:6379", "redis://", "redis://127.0.0.1:x",
                        "redis://127.0.0.1:99999", "redis://127.0.0.1:6379/abc",
                        "redis://127.0.0.1:6379/-1", "rediss://127.0.0.1:6379",
                        "redis://u:p%zz@127.0.0.1:6379", "redis://127.0.0.1:6379/0?x=1"),
    "HEDGE_CLICKHOUSE_URL": ("127.0.0.1:8123", "tcp://127.0.0.1:9000", "http://", "http:///",
                             "HTTP://h", "http://h:x", "http://h:0", "http://h:65536",
                             "http://h:", "http://h h",
                             "http://h/path", "http://h/?user=u", "http://h/?database=",
                             "http://h/?database=a&password=b", "http://h/?database=a%zz",
                             "http://h/?database=a b", "http://h/#f", "http://[::1", "http://[x]:1",
                             "http://[::1]x:1", "http://u:p%0d%0aX-Y: z@h", "http://u%00:p@h",
                             "http://u:p%zz@h", "http://" + "u" * 200 + ":p@h",
                             "http://" + "h" * 300, "file:///etc/passwd"),
    "HEDGE_CLICKHOUSE_QUERY_FILE": ("/nowhere/depth.sql", "/", "/dev/null", "/dev/zero"),
    "HEDGE_CLICKHOUSE_INTERVAL_MS": ("x", "49", "60001", "-1", "1e3", "1000.5", "1000 "),
    "HEDGE_CLICKHOUSE_TIMEOUT_MS": ("x", "49", "60001", "0", "2s"),
    "HEDGE_MAX_HEDGE_PCT": ("1.01", "-0.1", "nan", "inf", "x", "0,5", "50%", "0.5x", " 0.5"),
    "HEDGE_STALE_SCORE_S": ("0", "-1", "nan", "inf", "3s", "x", "86401"),
    "HEDGE_LOG_DECISIONS": ("2", "yes please", "-1"),
    "HEDGE_DB_DSN": ("hedge", "postgresql://u:p@x@127.0.0.1/hedge", "host=127.0.0.1 nonsense=1",
                     "postgresql://127.0.0.1:5432/hedge?nonsense=1", "password=two words"),
    "HEDGE_JOURNAL_KEEP_S": ("-1", "x", "1.5", "3153600001", "7d"),
    "HEDGE_SPLINE_KNOTS": ("/nowhere/knots.yaml",),
    "HEDGE_POLICY": ("/nowhere/policy.yaml",),
}
MISSPELT = {
    "HEDGE_JWT_KEY": "k", "HEDGE_JWT_SECRET": "me",
    "HEDGE_TLS_CIPHERS": "ALL", "HEDGE_TLS_CLIENT_NAME": "desk",
}
# What was written, and what must have been meant (None: nobody can tell).
MEANT = {
    "HEDGE_JOURNL": "HEDGE_JOURNAL", "HEDGE_JURNAL": "HEDGE_JOURNAL",
    "HEDGE_JOURNALS": "HEDGE_JOURNAL", "HEDGE_DURABILTY": "HEDGE_DURABILITY",
    "HEDGE_POLICYS": "HEDGE_POLICY", "HEDGE_REDIS_URI": "HEDGE_REDIS_URL",
    "HEDGE_MAX_REQUEST_PER_S": "HEDGE_MAX_REQUESTS_PER_S", "HEDGE_DB_DSN_FIL": "HEDGE_DB_DSN_FILE",
    "HEDGE_Env": "HEDGE_ENV", "HEDGE_SOMETHING_ELSE": None, "HEDGE_X": None, "HEDGE_": None,
    "HEDGE_" + "X" * 300: None,
}
# As Kubernetes makes them for services that are called hedge-engine, hedge and hedge-db.
KUBERNETES = {
    "HEDGE_ENGINE_SERVICE_HOST": "10.0.0.11", "HEDGE_ENGINE_SERVICE_PORT": "8000",
    "HEDGE_ENGINE_SERVICE_PORT_HTTP": "8000", "HEDGE_ENGINE_PORT": "tcp://10.0.0.11:8000",
    "HEDGE_ENGINE_PORT_8000_TCP": "tcp://10.0.0.11:8000",
    "HEDGE_ENGINE_PORT_8000_TCP_PROTO": "tcp", "HEDGE_ENGINE_PORT_8000_TCP_PORT": "8000",
    "HEDGE_ENGINE_PORT_8000_TCP_ADDR": "10.0.0.11", "HEDGE_PORT": "udp://10.0.0.11:53",
    "HEDGE_SERVICE_HOST": "fd00::1", "HEDGE_DB_PORT_5432_TCP": "tcp://[fd00::1]:5432",
}
NOT_KUBERNETES = {
    "HEDGE_PORT": "8000", "HEDGE_SERVICE_HOST": "0.0.0.0:80", "HEDGE_SERVICE_PORT": "many",
    "HEDGE_ENGINE_PORT": "http://10.0.0.11:80", "HEDGE_ENGINE_PORT_8000_TCP": "yes",
    "HEDGE_ENGINE_PORT_8000_TCP_PROTO": "https", "HEDGE_ENGINE_PORT_8000_TCP_ADDR": "here",
    "HEDGE_ENGINE_HOST": "10.0.0.11", "HEDGE_DB_PORT": "tcp://db:", "HEDGE_API_PORT_": "tcp",
}
# Of the programs beside the daemon: whoever uses both sets them for both.
ELSEWHERE = {"HEDGE_TOKEN": "a.b.c", "HEDGE_CA": "/ca.pem", "HEDGE_CLIENT_CERT": "/c.pem",
             "HEDGE_CLIENT_KEY": "/k.pem", "HEDGE_LIBRARY": "/libhedge.so.0"}
NOBODY = 65534


def settings_in_the_source():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                        "../../hedged/settings_names.c")
    with open(path, encoding="utf-8") as f:
        table = re.search(r"known\[\] = \{(.*?)\};", f.read(), re.S).group(1)
    return set(re.findall(r'"(HEDGE_\w+)"', table))


class Settings(daemon.Case):
    @classmethod
    def setUpClass(cls):
        cls.folder = daemon.new_folder()
        cls.policy = os.path.join(cls.folder, "policy.yaml")
        daemon.write_file(cls.policy, oracle.text(oracle.policy()))

    def run_with(self, *arguments, **settings):
        base = {"HEDGE_ENV": "dev", "HEDGE_API_PORT": "0", "HEDGE_POLICY": self.policy,
                "HEDGE_JOURNAL": os.path.join(self.folder, "journal.db")}
        base.update(settings)
        return daemon.run(arguments, self.folder, **base)

    def prod(self):
        """Settings that start in production."""
        keys = os.path.join(self.folder, "keys.json")
        secret = base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
        daemon.write_file(keys, json.dumps({"keys": [
            {"kty": "oct", "alg": "HS256", "kid": "one", "use": "sig", "k": secret}]}))
        os.chmod(keys, 0o600)
        return {"HEDGE_ENV": "prod", "HEDGE_JWT_KEYS": keys, "HEDGE_JWT_ISSUER": "us",
                "HEDGE_JWT_AUDIENCE": "hedged"}

    def test_each_bad_value_is_78_and_named(self):
        for name, values in BAD.items():
            for value in values:
                for arguments in ((), ("--check",)):
                    code, _, err = self.run_with(*arguments, **{name: value})
                    why = f"{name}={value!r} {arguments}: {err}"
                    self.assertEqual(code, BAD_CONFIG, why)
                    said = value if name in ("HEDGE_SPLINE_KNOTS", "HEDGE_POLICY") else name
                    self.assertIn(said, err, why)

    def test_what_this_version_does_not_support_is_refused(self):
        for name, value in MISSPELT.items():
            code, _, err = self.run_with(**{name: value})
            self.assertEqual(code, BAD_CONFIG, f"{name}: {err}")
            self.assertIn(name, err)
            self.assertIn("no such setting", err.lower(), name)

    def test_a_clickhouse_url_is_understood_and_never_repeated(self):
        for url in ("http://127.0.0.1", "https://ch.example.com", "http://ch_1.x-y:8123/",
                    "http://u:p%40%2F@[::1]:8123/?database=md", "http://u@h?database=a%20b",
                    "https://:pw@h:8443"):
            code, out, err = self.run_with("--check", HEDGE_CLICKHOUSE_URL=url)
            self.assertEqual(code, 0, f"{url}: {err}")
        for url in ("http://u:s3cret@h:x", "http://u:s3cret@h/s3cret", "s3cret",
                    "http://u:s3cret%@h"):
            code, out, err = self.run_with("--check", HEDGE_CLICKHOUSE_URL=url)
            self.assertEqual((code, "s3cret" in out + err), (BAD_CONFIG, False), err)

    def test_a_query_file_has_its_bounds(self):
        path = os.path.join(self.folder, "query.sql")
        for text, good in (("SELECT 1", True), ("x" * 16383, True), ("x" * 16384, False),
                           ("", False), (" ;\n", False), ("SELECT\0 1", False)):
            daemon.write_file(path, text)
            code, _, err = self.run_with("--check", HEDGE_CLICKHOUSE_QUERY_FILE=path,
                                         HEDGE_CLICKHOUSE_URL="http://h")
            self.assertEqual(code, 0 if good else BAD_CONFIG, f"{text[:20]!r}: {err}")
            self.assertEqual("HEDGE_CLICKHOUSE_QUERY_FILE" in err, not good, err)

    def test_a_password_that_is_misread_is_refused_and_not_shown(self):
        for dsn in ("postgresql://u:SECRETW/abc@127.0.0.1:5432/db",
                    "postgresql://u:hunter@2:SECRETW@127.0.0.1:5432/db",
                    "postgresql://u:SECRETW@half2/rest0word@127.0.0.1/db",
                    "host=a port=SECRETW",
                    "host=a port=70000", "host=u@SECRETW"):
            code, out, err = self.run_with("--check", HEDGE_DB_DSN=dsn)
            self.assertEqual(code, BAD_CONFIG, dsn)
            self.assertIn("HEDGE_DB_DSN", err)
            for part in ("SECRETW", "hunter", "half2", "rest0"):
                self.assertNotIn(part, out + err, dsn)
        for dsn in ("postgresql://u:a%2Fb%40c@127.0.0.1:5432/db?sslmode=disable&application_name=a@b",
                    "postgresql://u@h1:5432,h2:5433/db", "postgresql:///db?host=/run/postgresql",
                    "host=/tmp port=5432 password='a@b:c/d'", "postgresql://[::1]:5432/db"):
            code, out, err = self.run_with("--check", HEDGE_DB_DSN=dsn)
            self.assertEqual(code, 0, err)

    def test_a_pipe_for_the_query_is_refused_at_once(self):
        path = os.path.join(daemon.new_folder(), "query.sql")
        os.mkfifo(path)
        code, _, err = self.run_with("--check", HEDGE_CLICKHOUSE_QUERY_FILE=path,
                                     HEDGE_CLICKHOUSE_URL="http://127.0.0.1:1")
        self.assertEqual((code, "is not a file" in err), (BAD_CONFIG, True), err)

    def test_an_empty_setting_is_off(self):
        empty = dict.fromkeys(("HEDGE_REDIS_URL", "HEDGE_CLICKHOUSE_URL", "HEDGE_DB_DSN", "HEDGE_ENV",
                               "HEDGE_MAX_HEDGE_PCT", "HEDGE_SPLINE_KNOTS", "HEDGE_API_HOST"), "")
        code, _, err = self.run_with("--check", **empty)
        self.assertEqual(code, 0, err)

    def warned(self, err):
        return [e for e in map(json.loads, err.splitlines()) if e["event"] == "unknown_setting"]

    def test_a_name_of_no_setting_is_warned_of_in_dev_and_refused_in_prod(self):
        prod = self.prod()
        for name, meant in MEANT.items():
            code, _, err = self.run_with("--check", **{name: "x"})
            self.assertEqual(code, 0, err)
            warning, = self.warned(err)
            self.assertEqual((warning["level"], warning["name"], warning.get("did_you_mean")),
                             ("warn", name[:100], meant))
            for arguments in ((), ("--check",)):
                code, _, err = self.run_with(*arguments, **{**prod, name: "x"})
                self.assertEqual(code, BAD_CONFIG, f"{name} {err}")
                self.assertIn(f"{name[:100]}: there is no such setting", err)
                self.assertEqual(f"did you mean {meant}?" in err, meant is not None, err)
            code, _, err = self.run_with("--check", **{**prod, name: ""})
            self.assertEqual((code, self.warned(err)), (0, []), "what is empty is not set")
        code, _, err = self.run_with("--check", HEDGE_JWT_ISUER="x")
        self.assertEqual((code, "did you mean HEDGE_JWT_ISSUER?" in err), (BAD_CONFIG, True), err)

    def test_what_kubernetes_makes_is_warned_of_everywhere(self):
        for more in ({}, self.prod()):
            code, _, err = self.run_with("--check", **more, **KUBERNETES)
            self.assertEqual(code, 0, err)
            self.assertEqual({w["name"] for w in self.warned(err)}, set(KUBERNETES))
        for name, value in NOT_KUBERNETES.items():
            code, _, err = self.run_with("--check", **{**self.prod(), name: value})
            self.assertEqual((code, name in err), (BAD_CONFIG, True), f"{name}={value} {err}")

    def test_the_settings_of_the_programs_beside_it_are_known(self):
        for more in ({}, self.prod()):
            code, _, err = self.run_with("--check", **more, **ELSEWHERE)
            self.assertEqual((code, err), (0, ""))

    def test_prod_asks_for_a_journal_that_lies_where_it_lay(self):
        prod = self.prod()
        for path in ("", "journal.db", "./journal.db", "data/journal.db"):
            for arguments in ((), ("--check",)):
                code, _, err = self.run_with(*arguments, **{**prod, "HEDGE_JOURNAL": path})
                self.assertEqual(code, BAD_CONFIG, f"{path!r} {err}")
                self.assertIn("HEDGE_JOURNAL", err)
                self.assertIn("absolute", err)
                code, _, err = self.run_with("--check", HEDGE_JOURNAL="")
                self.assertEqual(code, 0, err)

    def test_check_looks_where_the_journal_is_to_lie(self):
        folder = daemon.new_folder()
        daemon.write_file(os.path.join(folder, "file"), "x")
        for path, word in (("/nowhere/journal.db", "No such file"), (folder, "not a file"),
                           ("nowhere/journal.db", "No such file"), ("/dev/null", "not a file"),
                           (os.path.join(folder, "file", "journal.db"), "its folder"),
                           ("/" + "x" * 5000, "HEDGE_JOURNAL")):
            code, _, err = self.run_with("--check", HEDGE_JOURNAL=path)
            self.assertEqual((code, "HEDGE_JOURNAL" in err, word in err), (BAD_CONFIG, True, True),
                             err)
        path = os.path.join(folder, "journal.db")
        code, out, err = self.run_with("--check", HEDGE_JOURNAL=path)
        self.assertEqual((code, f"a new journal {path}" in out), (0, True), out + err)
        with Daemon(oracle.policy(), folder=folder) as d:
            self.assertEqual(d.stop(), 0)
        for where in (path, os.path.relpath(path, self.folder)):
            code, out, err = self.run_with("--check", HEDGE_JOURNAL=where)
            self.assertEqual((code, "a new journal" in out), (0, False), out + err)

    def test_check_sees_that_a_journal_cannot_be_written(self):
        folder = daemon.new_folder()
        policy, path = os.path.join(folder, "policy.yaml"), os.path.join(folder, "journal.db")
        daemon.write_file(policy, oracle.text(oracle.policy()))
        daemon.write_file(path, "")
        who = {"user": NOBODY, "extra_groups": ()} if os.geteuid() == 0 else {}

        def check():
            settings = {"HEDGE_POLICY": policy, "HEDGE_JOURNAL": path}
            try:
                done = subprocess.run([daemon.program("HEDGED"), "--check"], cwd="/", check=False,
                                      env=daemon.environment(settings), capture_output=True,
                                      timeout=60, **who)
            except PermissionError:
                self.skipTest("another user may not run this hedged")
            return done.returncode, done.stderr.decode()

        for folder_mode, mode, good in ((0o777, 0o666, True), (0o555, 0o666, False),
                                        (0o777, 0o444, False)):
            os.chmod(folder, folder_mode)
            os.chmod(path, mode)
            code, err = check()
            self.assertEqual((code, "Permission denied" in err),
                             (0, False) if good else (BAD_CONFIG, True), err)
        os.chmod(folder, 0o700)

    def test_a_journal_that_is_made_new_is_said_aloud(self):
        folder = daemon.new_folder()
        for empty in (False, True):
            path = os.path.join(folder, f"journal-{empty}.db")
            if empty:
                daemon.write_file(path, "")
            for start in range(2):
                with Daemon(oracle.policy(), folder=folder,
                            journal=os.path.basename(path) if start else path) as d:
                    said = [(e["level"], e["journal"]) for e in d.events("journal_created")]
                    self.assertEqual(said, [] if start else [("warn", os.path.realpath(path))])
                    listening, = d.events("listening")
                    self.assertEqual(listening["journal"], os.path.realpath(path))
                    self.assertEqual(d.stop(), 0)
        with Daemon(oracle.policy(), journal="other.db") as d:
            created, = d.events("journal_created")
            self.assertEqual(created["journal"],
                             os.path.join(os.path.realpath(d.folder), "other.db"))

    def test_prod_and_open_addresses_need_keys(self):
        for settings in ({"HEDGE_ENV": "prod"}, {"HEDGE_API_HOST": "0.0.0.0"},
                         {"HEDGE_API_HOST": "192.0.2.1"},
                         {"HEDGE_ENV": "prod", "HEDGE_API_HOST": "0.0.0.0"}):
            for arguments in ((), ("--check",)):
                code, _, err = self.run_with(*arguments, **settings)
                self.assertEqual(code, BAD_CONFIG, f"{settings} {arguments}: {err}")
                self.assertRegex(err.lower(), r"key|token|jwt", f"{settings}: {err}")

    def test_a_bad_policy_stops_the_start_with_its_line(self):
        bad = os.path.join(self.folder, "bad.yaml")
        daemon.write_file(bad, "max_hedge_pct: 1.0\n\nzzz: 1\n")
        for arguments in ((), ("--check",)):
            code, _, err = self.run_with(*arguments, HEDGE_POLICY=bad)
            self.assertEqual(code, BAD_CONFIG, err)
            self.assertIn("bad.yaml", err)
            self.assertIn("zzz", err)
            self.assertRegex(err, r"\b3\b", "the line is named")

    def test_check_is_silent_about_nothing_and_leaves_no_trace(self):
        folder = daemon.new_folder()
        path = os.path.join(folder, "journal.db")
        code, out, err = self.run_with("--check", HEDGE_JOURNAL=path)
        self.assertEqual(code, 0, err)
        self.assertTrue(out or err, "it says that all is well")
        self.assertEqual(os.listdir(folder), [], "no journal is made by a check")

    def test_help_and_version(self):
        code, out, err = self.run_with("--help")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(set(re.findall(r"\bHEDGE_\w+", out)), settings_in_the_source())
        for line in out.splitlines():
            self.assertLess(len(line), 100, line)
        for argument in ("--check", "--init-db", "--version"):
            self.assertIn(argument, out)
        code, out, err = self.run_with("--version")
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"\b\d+\.\d+\.\d+\+")
        for arguments in (("--zzz",), ("start",), ("--help", "x"), ("-x",)):
            code, out, err = self.run_with(*arguments)
            if arguments[0] != "--help":
                self.assertGreater(code, 0, arguments)
                self.assertIn(arguments[0], err)

    def test_help_and_version_do_not_look_at_settings(self):
        for argument in ("--help", "--version"):
            self.assertEqual(self.run_with(argument, HEDGE_API_PORT="x", HEDGE_POLICY="/no")[0], 0)

    def test_a_port_in_use_stops_the_start(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = str(s.getsockname()[1])
            code, _, err = self.run_with(HEDGE_API_PORT=port)
        self.assertEqual((code, f"127.0.0.1:{port}: it is in use" in err), (75, True), err)
        code, _, err = self.run_with(**self.prod(), HEDGE_API_HOST="192.0.2.1",
                                     HEDGE_API_PORT=port)
        self.assertEqual((code, "cannot listen on 192.0.2.1" in err, "in use" in err),
                         (75, True, False), err)

    def test_an_address_of_its_own(self):
        port = daemon.free_port()
        with Daemon(oracle.policy(), api_port=port) as d:
            self.assertEqual(d.url, f"http://127.0.0.1:{port}")
            self.assertEqual([e["event"] for e in d.events()[:2]],
                             ["journal_created", "listening"], "the first lines on stderr")
            self.assertEqual(d.stop(), 0)
        with Daemon(oracle.policy(), api_host="127.0.0.2") as d:
            self.assertTrue(d.url.startswith("http://127.0.0.2:"), d.url)
            self.assertEqual(d.stop(), 0)

    def test_the_settings_take_effect(self):
        knots = os.path.join(self.folder, "knots.yaml")
        daemon.write_file(knots, "- {score: 0, hedge: 0.1}\n- {score: 1, hedge: 0.3}\n")
        with Daemon(oracle.policy(calm=True), spline_knots=knots, max_hedge_pct="0.25",
                    log_decisions="1") as d, d.client() as c:
            got = c.get("/curve").json
            self.assertEqual((got["knots"], got["max_hedge_pct"]), ([[0, 0.1], [1, 0.3]], 0.25))
            c.put("/quotes/BTC", {"score": 0.5, "depth1pct_usd": 5e5})
            self.assert_status(c.hedge(amount=4321.5, override_score=1), 200)
            logged, = daemon.wait_until(lambda: d.events("decision"),
                                        "HEDGE_LOG_DECISIONS=1 logs the decision")
            self.assertEqual((logged["asset"], logged["amount_usd"], logged["hedge_pct"]),
                             ("BTC", 4321.5, c.records()[-1]["decision"]["hedge_pct"]))
            self.assertEqual(logged["seq"], c.records()[-1]["seq"])
        with Daemon(oracle.policy(calm=True), log_decisions="0") as d, d.client() as c:
            c.put("/quotes/BTC", {"score": 0.5, "depth1pct_usd": 5e5})
            self.assert_status(c.hedge(), 200)
            self.assertEqual(d.stop(), 0)
            self.assertEqual(d.events("decision"), [])
            self.assertEqual(len(d.events()), len(d.lines), f"every line is JSON: {d.log()}")

    def test_signals_end_it_in_order(self):
        for number in (daemon.signal.SIGTERM, daemon.signal.SIGINT):
            with Daemon(oracle.policy()) as d:
                d.signal(number)
                self.assertEqual(d.process.wait(10), 0, f"signal {number}")

    def test_a_closed_stderr_does_not_end_it(self):
        with Daemon(oracle.policy(calm=True), log_decisions="1") as d, d.client() as c:
            c.put("/quotes/BTC", {"score": 0.5, "depth1pct_usd": 5e5})
            os.close(os.dup(d.process.stderr.fileno()))
            for _ in range(10):
                self.assert_status(c.hedge(), 200)


if __name__ == "__main__":
    daemon.main()
