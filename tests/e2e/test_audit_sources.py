# SPDX-License-Identifier: MIT
"""`hedge verify` and `hedge replay` over a running daemon (--url) and over Postgres (--db)."""
import copy
import http.server
import json
import os
import threading
import unittest

import daemon
import journal
import oracle
import postgres_server
import shipping
from cli import BAD_DATA, Case, FINE, USAGE, hedge, strict_json
from daemon import Daemon
from test_journal import RULES, mixed_load

SHADOW = oracle.policy(calm=True, max_hedge_pct=0.4, limits={"max_amount_usd": 1e6},
                       assets={"BTC": {}, "ETH": {"curve": {"method": "linear"}}})
SQL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "configs",
                   "postgres.sql")


class AuditCase(Case):
    def serve(self, **settings):
        shadow = os.path.join(self.folder, "shadow.yaml")
        daemon.write_file(shadow, oracle.text(SHADOW))
        served = Daemon(RULES, shadow_policy=shadow, **settings)
        self.addCleanup(served.__exit__)
        return served

    def found(self, words, *arguments, fault, seq=None, code=BAD_DATA, **variables):
        """The command fails and says where, as text and as JSON."""
        out = self.refused(code, words, *arguments, **variables)
        self.assertEqual(out, "")
        got, out, err = hedge(*arguments, "--json", **variables)
        answer = strict_json(out)
        self.assertEqual((got, err), (code, ""))
        self.assertEqual((answer["ok"], answer["fault"], answer.get("seq")), (False, fault, seq))
        return answer


# ---- a running daemon -----------------------------------------------------------------------

class Pretender:
    """Answers GET as a daemon might that is not to be trusted: a function of the path."""

    def __init__(self, answer):
        pretender = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                pretender.asked.append((self.path, self.headers.get("Authorization")))
                status, body, headers = answer(self.path)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:  # it hung up
                    pass

            def log_message(self, *_):
                pass
        self.asked = []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Url(AuditCase):
    def test_a_running_daemon_is_whole_and_decides_again(self):
        served = self.serve()
        with served.client() as c:
            mixed_load(c, 120)  # more records than a page holds
            head = c.get("/readyz").json["journal"]
        shown = strict_json(self.run_ok("verify", "--url", served.url, "--json"))
        self.assertEqual(shown["head"], {"seq": head["seq"], "hash": head["hash"]})
        self.assertGreater(shown["records"], 2000)
        self.assertEqual(shown["decisions"], shown["shadows"])
        self.assertEqual(shown["policies"], 2)
        self.run_ok("verify", "--url", served.url, "--head", f"{head['seq']}:{head['hash'][:13]}")
        self.found("rewritten", "verify", "--url", served.url, "--head",
                   f"{head['seq']}:{'0' * 64}", fault="rewritten", seq=head["seq"])
        again = strict_json(self.run_ok("replay", "--url", served.url, "--json"))
        self.assertEqual((again["ok"], again["decisions"], again["shadows"], again["differences"]),
                         (True, shown["decisions"], shown["shadows"], 0))
        for name in ("4", journal.decision_id(int(shown["writer"], 16), head["seq"] - 1)):
            x = strict_json(self.run_ok("explain", name, "--url", served.url, "--json"))
            self.assertEqual((x["recomputed"]["same"], x["follows"]), (True, True))
        new = self.file("new.yaml", oracle.text(SHADOW))
        answer = strict_json(self.run_ok("diff", new, "--url", served.url, "--json"))
        self.assertEqual(answer["decisions"], shown["decisions"])
        self.refused(USAGE, "in use by a running daemon.*--url", "verify", served.journal_path)
        self.assertEqual(served.stop(), 0)
        self.found("cannot be read", "verify", "--url", served.url, fault="unreadable", code=USAGE)

    def test_records_that_come_meanwhile_are_left_alone(self):
        served = self.serve()
        stop = threading.Event()

        def ask():
            with served.client() as c:
                while not stop.is_set():
                    c.hedge("BTC", 10.0)
        thread = threading.Thread(target=ask)
        thread.start()
        try:
            for _ in range(5):
                self.run_ok("verify", "--url", served.url)
        finally:
            stop.set()
            thread.join()

    def recorded(self):
        """(head page of a daemon with every record, its policies by hash)."""
        served = self.serve()
        with served.client() as c:
            mixed_load(c, 2)
            page = c.get("/decisions", limit=1000).json
            policies = {item["policy"]: c.get("/policies/" + item["policy"]).body
                        for item in page["records"] if item["policy"] != "0" * 64}
        return page, policies

    def pretend(self, page, policies):
        def answer(path):
            if path.startswith("/policies/"):
                text = policies.get(path.rsplit("/", 1)[1])
                return (200, text, {}) if text else (404, b"", {})
            after = int(path.split("after=")[1].split("&")[0])
            limit = int(path.split("limit=")[1])
            part = [r for r in page["records"] if r["seq"] > after][:limit]
            return 200, json.dumps({**page, "records": part}).encode(), {}
        made = Pretender(answer)
        self.addCleanup(made.close)
        return made

    def test_a_daemon_that_lies_is_found_out(self):
        page, policies = self.recorded()
        n = len(page["records"])
        honest = self.pretend(page, policies)
        self.run_ok("verify", "--url", honest.url)
        self.run_ok("replay", "--url", honest.url)
        at = next(i for i, r in enumerate(page["records"]) if r["kind"] == "decision"
                  and r["decision"]["hedge_pct"] > 0)
        seq = page["records"][at]["seq"]

        def lie(change):
            lying = copy.deepcopy(page)
            change(lying, lying["records"][at])
            return self.pretend(lying, policies).url

        for name, change in (
                ("hedge_pct", lambda _, r: r["decision"].update(hedge_pct=0.123)),
                ("confidence", lambda _, r: r["decision"].update(confidence=0.123)),
                ("amount_usd", lambda _, r: r["request"].update(amount_usd=7)),
                ("asset", lambda _, r: r.update(asset="OTHER")),
                ("kind", lambda _, r: r.update(kind="shadow")),
                ("status", lambda _, r: r.update(status="halted")),
                ("decision_id", lambda _, r: r.update(decision_id="x")),
                ("policy", lambda _, r: r.update(policy="0" * 64)),
                ("version", lambda _, r: r.update(version="9")),
                ("ts_ms", lambda _, r: r.update(ts_ms=r["ts_ms"] + 1))):
            self.found(f"record {seq}: changed: its column {name} differs", "verify", "--url",
                       lie(change), fault="changed", seq=seq)
        digit = page["records"][at]["record"]
        digit = digit[:-1] + ("0" if digit[-1] != "0" else "1")
        for change in (lambda _, r: r.update(record=digit), lambda _, r: r.update(hash="0" * 64),
                       lambda _, r: r.update(record="zz"), lambda _, r: r.update(hash=None),
                       lambda _, r: r.update(record="00" * 5000)):
            self.found(f"record {seq}: changed", "verify", "--url", lie(change), fault="changed",
                       seq=seq)
        self.found("missing", "verify", "--url", lie(lambda p, r: p["records"].remove(r)),
                   fault="missing", seq=seq)
        self.found(f"truncated: .* daemon's head is record {n}", "verify", "--url",
                   lie(lambda p, _: p["records"].pop()), fault="truncated", seq=n)
        self.found("rewritten: .* daemon's head", "verify", "--url",
                   lie(lambda p, _: p["head"].update(hash="1" * 64)), fault="rewritten", seq=n)
        self.found("its policy .* is not in the journal", "verify", "--url",
                   self.pretend(page, {}).url, fault="policy", seq=2)
        changed = {name: text + b" " for name, text in policies.items()}
        self.found("does not have that hash", "replay", "--url",
                   self.pretend(page, changed).url, fault="policy", seq=at + 1)

    def test_records_that_leave_meanwhile_are_not_called_missing(self):
        page, policies = self.recorded()
        asked = []

        def answer(path):
            if path.startswith("/policies/"):
                return 200, policies[path.rsplit("/", 1)[1]], {}
            asked.append(path)
            base = page["base"] if len(asked) == 1 else \
                {"seq": 5, "hash": page["records"][4]["hash"]}
            rest = [r for r in page["records"] if r["seq"] > base["seq"]]
            return 200, json.dumps({**page, "base": base, "records": rest}).encode(), {}
        made = Pretender(answer)
        self.addCleanup(made.close)
        _, out, err = hedge("verify", "--url", made.url)
        self.assertEqual(out, "")
        self.assertRegex(err, "records up to 5 left for Postgres while they were read")
        self.run_ok("verify", "--url", made.url)  # from the new base on

    def test_what_is_no_daemon_is_refused(self):
        def always(status, body, **headers):
            made = Pretender(lambda _: (status, body, headers))
            self.addCleanup(made.close)
            return made
        for body in (b"", b"hello", b"[]", b"{}", b'{"writer":"x","records":[]}',
                     b'{"writer":"0123456789abcdef","head":{"seq":1,"hash":"0"},"records":[]}',
                     b'{"writer":"0123456789abcdef","head":{"seq":-1},"records":[]}',
                     b'{"writer":"0123456789abcdef"}'):
            self.found("not a page of decisions", "verify", "--url", always(200, body).url,
                       fault="not_a_page", code=USAGE)
        elsewhere = always(302, b"", Location="http://127.0.0.1:1/")
        self.found("redirect, which is not followed", "verify", "--url", elsewhere.url,
                   fault="unreadable", code=USAGE)
        closed = always(401, b"")
        self.found("HEDGE_TOKEN", "verify", "--url", closed.url, fault="unreadable", code=USAGE)
        self.assertEqual(closed.asked[0][1], None)
        hedge("verify", "--url", closed.url, HEDGE_TOKEN="abc.def")
        self.assertEqual(closed.asked[-1][1], "Bearer abc.def")
        for token in ("abc.def\n", "abc.def\r\n"):  # as a file has it
            hedge("verify", "--url", closed.url, HEDGE_TOKEN=token)
            self.assertEqual(closed.asked[-1][1], "Bearer abc.def")
        asked = len(closed.asked)
        for token in ("Bearer s3cr.et", "bearer s3cr.et", "Bearer: s3cr.et", "Bearer", "s3cr et",
                      "s3cr.et\nX-Y: z", "s3cr\x01et", "s3cr\u00e9t", "s3cr" * 3000):
            code, out, err = hedge("verify", "--url", closed.url, HEDGE_TOKEN=token)
            self.assertEqual((code, "HEDGE_TOKEN" in err, "s3cr" in out + err),
                             (USAGE, True, False), err)
            self.assertEqual("the token alone" in err, token.lower().startswith("bearer"), err)
        self.assertEqual(len(closed.asked), asked, "and nothing was sent")
        endless = always(200, b" " * (33 << 20))
        self.found("larger than 32 MiB", "verify", "--url", endless.url, fault="unreadable",
                   code=USAGE)
        zero = {"seq": 0, "hash": "0" * 64}
        stuck = {"writer": "0123456789abcdef", "base": zero, "head": {"seq": 9, "hash": "1" * 64},
                 "records": [{"seq": 1, "hash": "1" * 64, "record": "00"}]}
        code, _, err = hedge("replay", "--url", always(200, json.dumps(stuck).encode()).url)
        self.assertEqual(code, BAD_DATA, err)
        for url in ("127.0.0.1:8000", "ftp://127.0.0.1/", "http://u:secret@127.0.0.1:8000"):
            _, _, err = hedge("verify", "--url", url)
            self.assertNotIn("secret", err)
            self.found(".", "verify", "--url", url, fault="usage", code=USAGE)
        self.refused(USAGE, "unexpected argument", "verify", "j.db", "--url", "http://127.0.0.1:1")
        self.refused(USAGE, "name one of them", "verify", "--url", "http://x", "--db", "dbname=x")


# ---- Postgres -------------------------------------------------------------------------------

TABLE = {1: "decisions", 8: "shadow_decisions"}
FLAG_NAMES = {**dict(enumerate(oracle.BREAKERS)), 29: "override", 30: "floor", 31: "capped"}


def literal(value):
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'"
    if isinstance(value, float):
        return f"'{value!r}'"
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def columns_of(r, data, digest):
    """The columns of one record's row, by docs and configs/postgres.sql alone."""
    out = {"id": journal.decision_id(r["writer"], r["seq"]), "asset": r["asset"],
           "note": r["note"], "version": r["build"], "ts_ns": r["ts_ns"],
           "policy": bytes.fromhex(r["policy_hash"]), "writer": r["writer"], "seq": r["seq"],
           "record": data, "hash": digest}
    if r["kind"] not in TABLE:
        return {"kind": journal.KINDS[r["kind"]], **out}
    asked, seen, made = r["request"], r["quote"], r["decision"]
    score, depth = seen["flags"] & journal.SCORE, seen["flags"] & journal.DEPTH
    out.update({k: made[k] for k in ("score", "hedge_pct", "confidence", "notional_usd",
                                     "effective_score", "liquidity_weight", "liquidity_quality",
                                     "score_age_ns", "depth_age_ns")})
    out.update(
        amount_usd=asked["amount_usd"], status=oracle.NAMES.get(made["status"], "ok"),
        override_score=asked["override_score"] if asked["flags"] & journal.OVERRIDE else None,
        flags="{" + ",".join(n for b, n in FLAG_NAMES.items() if made["flags"] >> b & 1) + "}",
        liquidity_depth=seen["depth1pct_usd"] if depth else None,
        quote_score=seen["score"] if score else None,
        quote_confidence=seen["confidence"] if score else None,
        previous_score=seen["previous_score"] if seen["flags"] & journal.PREVIOUS else None,
        halted=bool(seen["flags"] & journal.HALTED),
        score_ts_ns=seen["score_ts_ns"] if score else None,
        depth_ts_ns=seen["depth_ts_ns"] if depth else None)
    return out


def fill(server, path, skip=()):
    """Puts a journal file's records and policies into the tables; gives the decoded records."""
    base = journal.sqlite3.connect(path)
    texts = base.execute("SELECT hash, text FROM policies").fetchall()
    base.close()
    sql = ["BEGIN;"]
    sql += [f"INSERT INTO policies VALUES ({literal(h)}, {literal(t)}) ON CONFLICT DO NOTHING;"
            for h, t in texts]
    records = []
    for _, _, _, _, data, digest in journal.rows(path)[1]:
        r = journal.decode(data)
        records.append(r)
        if r["seq"] in skip:
            continue
        columns = columns_of(r, data, digest)
        micros = r["ts_ns"] // 1000
        names = ", ".join(["ts", *columns])
        values = ", ".join([f"to_timestamp({micros // 10**6}) + interval '{micros % 10**6} us'",
                            *map(literal, columns.values())])
        sql.append(f"INSERT INTO {TABLE.get(r['kind'], 'events')} ({names}) VALUES ({values});")
    server.query("\n".join(sql + ["COMMIT;"]))
    return records


AMOUNTS = (0.1 + 0.2, 123456789.12345679, 5e-324, 1.7976931348623157e308, 0.0001, 4503599627370497.5,
           0.0, -0.0, -1.5, 1e22)



@unittest.skipUnless(postgres_server.available(), "no PostgreSQL")
class Postgres(AuditCase):
    @classmethod
    def setUpClass(cls):
        cls.server = postgres_server.Postgres()
        with open(SQL, encoding="utf-8") as f:
            cls.server.query(f.read())
        cls.dsn = cls.server.dsn()

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()

    def setUp(self):
        super().setUp()
        self.server.query(shipping.OPEN + "TRUNCATE decisions, shadow_decisions, events, policies;")

    def journal(self, rounds=3):
        served = self.serve()
        with served.client() as c:
            mixed_load(c, rounds)
        self.assertEqual(served.stop(), 0)
        return served.journal_path

    def test_what_was_shipped_is_whole_and_decides_again(self):
        path = self.journal(40)
        records = fill(self.server, path)
        writer = f"{records[0]['writer']:016x}"
        shown = strict_json(self.run_ok("verify", "--db", self.dsn, "--json"))
        local = strict_json(self.run_ok("verify", path, "--json"))
        for name in ("records", "decisions", "rejections", "shadows", "policies", "head",
                     "writer", "first_time", "last_time"):
            self.assertEqual(shown[name], local[name], name)
        head = local["head"]
        for kept in (f"{head['seq']}:{head['hash']}", f"{writer}:{head['seq']}:{head['hash']}",
                     f"{head['seq']}:{head['hash'][:13]}"):
            self.run_ok("verify", "--db", self.dsn, "--head", kept)
        again = strict_json(self.run_ok("replay", "--db", self.dsn, "--json"))
        self.assertEqual((again["ok"], again["decisions"], again["shadows"]),
                         (True, local["decisions"], local["shadows"]))

    def test_what_a_daemon_ships_is_whole(self):
        """By the daemon itself, which forgets what has arrived."""
        db = shipping.Database(self.server)
        served = self.serve(db_dsn=db.dsn(), journal_keep_s=0)
        with served.client() as c:
            mixed_load(c, 30)
            ids = [c.hedge("BTC", amount).json["decision_id"] for amount in AMOUNTS]
            daemon.wait_until(lambda: c.metric("hedge_ship_shipped_seq") ==
                              c.get("/readyz").json["journal"]["seq"], "all is shipped", 30)
            head = c.get("/readyz").json["journal"]
            daemon.wait_until(lambda: c.metric("hedge_journal_base_seq") == head["seq"] - 1,
                              "all but one have left", 30)
            anchor = int(c.metric("hedge_journal_head_hash"))
        kept = f"{head['seq']}:{head['hash']}"
        whole = strict_json(self.run_ok("verify", "--db", db.dsn(), "--head", kept, "--json"))
        self.assertEqual((whole["records"], whole["head"]["hash"]), (head["seq"], head["hash"]))
        self.run_ok("verify", "--db", db.dsn(), "--head", f"{head['seq']}:{anchor:013x}")
        rest = strict_json(self.run_ok("verify", "--url", served.url, "--json"))
        self.assertEqual((rest["records"], rest["base"]["seq"]), (1, head["seq"] - 1))
        again = strict_json(self.run_ok("replay", "--db", db.dsn(), "--json"))
        self.assertEqual((again["ok"], again["decisions"]), (True, whole["decisions"]))
        for name in ids:
            x = strict_json(self.run_ok("explain", name, "--db", db.dsn(), "--json"))
            self.assertEqual((x["id"], x["recomputed"]["same"], x["follows"]), (name, True, True))
        self.refused(USAGE, "has left for Postgres", "explain", ids[0], "--url", served.url)
        new = self.file("new.yaml", oracle.text(SHADOW))
        answer = strict_json(self.run_ok("diff", new, "--db", db.dsn(), "--json"))
        self.assertEqual(answer["decisions"], whole["decisions"])
        self.assertEqual(served.stop(), 0)
        text = self.run_ok("verify", served.journal_path)
        self.assertIn("have left for Postgres", text)
        self.refused(USAGE, "has left the file", "verify", served.journal_path, "--head",
                     f"1:{'0' * 64}")

    def test_every_column_changed_by_hand_is_found(self):
        records = fill(self.server, self.journal())
        pick = {"decisions": next(r for r in records if r["kind"] == 1 and
                                  r["decision"]["hedge_pct"] > 0 and
                                  r["quote"]["flags"] & journal.PREVIOUS and
                                  r["request"]["flags"] & journal.OVERRIDE == 0),
                "shadow_decisions": next(r for r in records if r["kind"] == 8 and
                                         r["decision"]["hedge_pct"] > 0),
                "events": next(r for r in records if r["kind"] == 4)}
        tried = found = 0
        for table, record in pick.items():
            columns = self.server.query(
                f"SELECT column_name, data_type, is_nullable FROM information_schema.columns "
                f"WHERE table_name = '{table}' AND table_schema = 'public'")
            where = f"WHERE writer = {record['writer']} AND seq = {record['seq']}"
            self.server.query(f"CREATE TABLE kept AS SELECT * FROM {table} {where};")
            for name, kind, nullable in columns:
                for change in self.changes(name, kind, nullable):
                    with self.subTest(table=table, column=name, change=change):
                        found += self.tamper(table, where, name, change)
                        tried += 1
            self.server.query("DROP TABLE kept;")
        self.assertGreater(found, 150, f"of {tried}")
        self.run_ok("verify", "--db", self.dsn)

    @staticmethod
    def changes(name, kind, nullable):
        out = {"double precision": ["{} + 0.001", "'NaN'", "-coalesce({}, 1) - 1", "'Infinity'"],
               "numeric": ["{} + 1", "{} + 0.0000000000000001", "'NaN'", "{} * 1e400"],
               "bigint": ["{} + 1", "-coalesce({}, 1) - 1"],
               "text": ["{} || 'x'", "'halted'"],
               "boolean": ["NOT {}"],
               "uuid": ["gen_random_uuid()"],
               "bytea": ["set_byte({}, 3, get_byte({}, 3) # 1)", "'\\x00'"],
               "ARRAY": ["{} || 'floor'::text", "'[0:0]={{a}}'", "'{{NULL}}'"],
               "timestamp with time zone": ["{} + interval '1 us' * 1001", "'infinity'"]}[kind]
        if name == "kind":
            out = ["'policy_refused'", "'nonsense'"]
        return [c.format(name, name) for c in out] + (["NULL"] if nullable == "YES" else [])

    def tamper(self, table, where, name, change):
        """One change in place, undone behind. 1: it was one, and was found."""
        same = self.server.value(
            shipping.OPEN + f"UPDATE {table} SET {name} = {change} {where};"
            f"SELECT bool_and({table}.{name} IS NOT DISTINCT FROM kept.{name}) FROM kept "
            f"LEFT JOIN {table} USING (record);") == "t"
        code, out, err = hedge("verify", "--db", self.dsn)
        self.server.query(
            shipping.OPEN + f"DELETE FROM {table} USING kept WHERE {table}.received_at = kept.received_at "
            f"OR {table}.record = kept.record OR {table}.id = kept.id;"
            f"INSERT INTO {table} SELECT * FROM kept;")
        if name == "received_at" or same:
            self.assertEqual(code, FINE, err)
            return 0
        self.assertEqual((code, out), (BAD_DATA, ""), f"{name} = {change}: {err}")
        self.assertRegex(err, r"record \d+: ")
        if name not in ("seq", "writer", "record", "hash", "kind"):
            self.assertIn(f"its column {name} differs", err)
        return 1

    def test_rows_taken_away_or_put_in_are_found(self):
        records = fill(self.server, self.journal())
        writer = records[0]["writer"]
        middle = next(r["seq"] for r in records if r["seq"] > 5 and r["kind"] == 1)
        row = f"writer = {writer} AND seq = {middle}"
        self.server.query(f"CREATE TABLE kept AS SELECT * FROM decisions WHERE {row};"
                          + shipping.OPEN + f"DELETE FROM decisions WHERE {row};")
        self.found(f"record {middle}: missing: record {middle + 1} comes next .*parked", "verify",
                   "--db", self.dsn, fault="missing", seq=middle)
        self.server.query(shipping.OPEN + "INSERT INTO decisions SELECT * FROM kept;")
        self.run_ok("verify", "--db", self.dsn)
        self.server.query(shipping.OPEN + "UPDATE kept SET id = gen_random_uuid();"
                          "INSERT INTO decisions SELECT * FROM kept; DROP TABLE kept;")
        self.found(f"its place is taken by a record numbered {middle}", "verify", "--db", self.dsn,
                   fault="reordered", seq=middle + 1)

    def test_a_cut_end_is_found_by_a_kept_head_alone(self):
        path = self.journal()
        records = fill(self.server, path)
        head = strict_json(self.run_ok("verify", path, "--json"))["head"]
        writer = f"{records[0]['writer']:016x}"
        self.server.query(shipping.OPEN + f"DELETE FROM events WHERE seq = {head['seq']};")
        self.run_ok("verify", "--db", self.dsn)
        for kept in (f"{head['seq']}:{head['hash']}", f"{writer}:{head['seq']}:{head['hash']}"):
            self.found("truncated", "verify", "--db", self.dsn, "--head", kept, fault="truncated",
                       seq=head["seq"])
        self.server.query(shipping.OPEN + "TRUNCATE decisions, shadow_decisions, events;")
        self.found("no record", "verify", "--db", self.dsn, "--head",
                   f"{writer}:{head['seq']}:{head['hash']}", fault="truncated")

    def test_dropped_months_leave_a_base(self):
        path = self.journal()
        fill(self.server, path)
        _, rows = journal.rows(path)
        last = rows[len(rows) // 2]
        base = f"{last[0]}:{last[5].hex()}"
        for table in ("decisions", "shadow_decisions", "events"):
            self.server.query(shipping.OPEN + f"DELETE FROM {table} WHERE seq <= {last[0]};")
        self.found("record 1: missing: .*--base", "verify", "--db", self.dsn, fault="missing",
                   seq=1)
        shown = strict_json(self.run_ok("verify", "--db", self.dsn, "--base", base, "--json"))
        self.assertEqual(shown["records"], len(rows) - last[0])
        self.assertEqual(shown["base"]["seq"], last[0])
        self.assertIn("were not looked at", self.run_ok("verify", "--db", self.dsn, "--base", base))
        self.found(f"record {last[0] + 1}: changed", "verify", "--db", self.dsn, "--base",
                   f"{last[0]}:{'0' * 64}", fault="changed", seq=last[0] + 1)
        for words, arguments in (("only --db", (path, "--base", base)),
                                 ("SEQ:HASH", ("--db", self.dsn, "--base", base[:-1]))):
            self.found(words, "verify", *arguments, fault="usage", code=USAGE)

    def test_policies(self):
        fill(self.server, self.journal())
        self.server.query(shipping.OPEN + "CREATE TABLE kept AS SELECT * FROM policies;"
                          "ALTER TABLE policies DROP CONSTRAINT policies_check;"
                          "UPDATE policies SET text = text || ' ';")
        self.found("does not have that hash", "verify", "--db", self.dsn, fault="policy")
        self.server.query(shipping.OPEN + "DELETE FROM policies;")
        self.found("its policy .* is not in the journal", "verify", "--db", self.dsn,
                   fault="policy", seq=2)
        self.server.query(shipping.OPEN + "INSERT INTO policies SELECT * FROM kept; DROP TABLE kept;"
                          "ALTER TABLE policies ADD CHECK (hash = sha256(convert_to(text, 'UTF8')))")
        self.run_ok("verify", "--db", self.dsn)

    def test_several_writers(self):
        paths = [self.journal(2), self.journal(1)]
        heads, writers = [], []
        for path in paths:
            fill(self.server, path)
            shown = strict_json(self.run_ok("verify", path, "--json"))
            heads.append(shown["head"])
            writers.append(shown["writer"])
        shown = strict_json(self.run_ok("verify", "--db", self.dsn, "--json"))
        self.assertEqual({c["writer"]: c["head"] for c in shown["chains"]},
                         dict(zip(writers, heads)))
        self.assertEqual(shown["records"], sum(h["seq"] for h in heads))
        one = strict_json(self.run_ok("verify", "--db", self.dsn, "--writer", writers[1],
                                      "--json"))
        self.assertEqual((one["writer"], one["head"]), (writers[1], heads[1]))
        kept = [f"{w}:{h['seq']}:{h['hash']}" for w, h in zip(writers, heads)]
        self.run_ok("verify", "--db", self.dsn, "--head", kept[0], "--head", kept[1])
        crossed = f"{writers[0]}:{heads[1]['seq']}:{heads[1]['hash']}"
        self.found("rewritten", "verify", "--db", self.dsn, "--head", crossed, fault="rewritten",
                   seq=heads[1]["seq"])
        self.found("name one as WRITER:SEQ:HASH", "verify", "--db", self.dsn, "--head",
                   kept[0].split(":", 1)[1], fault="usage", code=USAGE)
        self.refused(USAGE, "no records of writer", "verify", "--db", self.dsn, "--writer", "0" * 16)
        self.refused(USAGE, "16 hex", "verify", "--db", self.dsn, "--writer", "abc")
        again = strict_json(self.run_ok("replay", "--db", self.dsn, "--json"))
        self.assertTrue(again["ok"])
        self.server.query(shipping.OPEN + f"UPDATE decisions SET hedge_pct = 0.77 WHERE writer = "
                          f"{int(writers[1], 16)} AND seq = (SELECT min(seq) FROM decisions "
                          f"WHERE writer = {int(writers[1], 16)});")
        err = hedge("verify", "--db", self.dsn)[2]
        self.assertRegex(err, f"writer {writers[1]}, record .*hedge_pct")

    def test_a_row_that_was_not_shipped_is_missing(self):
        path = self.journal()
        fill(self.server, path, skip=(4,))
        self.found("record 4: missing", "verify", "--db", self.dsn, fault="missing", seq=4)

    def test_a_login_that_may_only_read(self):
        fill(self.server, self.journal())
        self.server.query("DROP ROLE IF EXISTS auditor; CREATE ROLE auditor LOGIN;"
                          "GRANT SELECT ON decisions, shadow_decisions, events, policies, chain "
                          "TO auditor;")
        self.run_ok("verify", "--db", self.server.dsn(user="auditor"))
        self.server.query("REVOKE ALL ON policies FROM auditor;")
        self.found("permission denied", "verify", "--db", self.server.dsn(user="auditor"),
                   fault="unreadable", code=USAGE)
        self.server.query("DROP OWNED BY auditor; DROP ROLE auditor;")

    def test_passwords_stay_off_the_command_line(self):
        with postgres_server.Postgres(password="sesame") as closed:
            with open(SQL, encoding="utf-8") as f:
                closed.query(f.read())
            dsn, bare = closed.dsn(), closed.dsn().replace(" password=sesame", "")
            uri = f"postgresql://hedge:sesame@127.0.0.1:{closed.port}/postgres"
            for given in (dsn, uri):
                out = self.found("does not belong on a command line", "verify", "--db", given,
                                 fault="usage", code=USAGE)
                self.assertNotIn("sesame", json.dumps(out))
                self.run_ok("verify", "--db", "env", HEDGE_DB_DSN=given)
            self.run_ok("verify", "--db", bare, PGPASSWORD="sesame")
            _, out, err = hedge("verify", "--db", "env", HEDGE_DB_DSN=dsn.replace("=sesame", "=wrong"))
            self.assertRegex(err, "password authentication failed")
            self.assertNotIn("wrong", out + err)
            _, _, err = hedge("verify", "--db", "env", HEDGE_DB_DSN="password=sesame 'bad")
            self.assertNotIn("sesame", err)
        for misread in ("postgresql://u:sesame/a@127.0.0.1:1/x", "postgresql://u:p@2:sesame@h:1/x",
                        "postgresql://u:p@sesame/rest@127.0.0.1/x", "host=a port=sesame"):
            for given, variables in ((misread, {}), ("env", {"HEDGE_DB_DSN": misread})):
                _, out, err = hedge("verify", "--db", given, **variables)
                self.assertRegex(err, "cannot be meant so")
                self.assertNotIn("sesame", out + err)
        self.found("HEDGE_DB_DSN is not set", "verify", "--db", "env", fault="usage", code=USAGE)

    def test_what_is_no_log_is_refused(self):
        self.found("--init-db", "verify", "--db", self.server.dsn(database="template1"),
                   fault="not_a_journal")
        self.found("cannot be read", "verify", "--db", "host=127.0.0.1 port=1 user=x dbname=y",
                   fault="unreadable", code=USAGE)
        self.found("DSN is not one", "verify", "--db", "what is this", fault="usage", code=USAGE)
        empty = strict_json(self.run_ok("verify", "--db", self.dsn, "--json"))
        self.assertEqual((empty["records"], empty["chains"]), (0, []))


if __name__ == "__main__":
    daemon.main()
