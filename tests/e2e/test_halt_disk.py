# SPDX-License-Identifier: MIT
"""The kill switch and its file: a disk that refuses, a stop meanwhile, latches that were changed."""
import os
import sqlite3
import time

import daemon
import faults
import journal
import postgres_server
import stand
from halts import ALL, HALT, Case, halted, order, quote_all


class Disk(Case):
    def setUp(self):
        if not faults.available():
            self.skipTest("HEDGE_FAULTS names no library")
        self.faults = faults.Faults()

    def wait_for_disk(self, c):
        def good():
            c.hedge("ETH")  # a commit, to see
            return c.metric("hedge_journal_ok")
        daemon.wait_until(good, "the journal takes records again")

    def check_refusing(self, durability):
        d, c = self.serve(wrapper=self.faults.wrapper, durability=durability)
        quote_all(c)
        self.assert_status(c.hedge(), 200)
        self.faults.fail(write="ENOSPC")
        begin = time.monotonic()
        answer = c.post("/halt", order("disk", "BTC", actor="anna"))
        self.assert_problem(answer, 503, "halt_not_latched")
        for words in ("BTC is halted now", "would not be after a restart"):
            self.assertIn(words, answer.json["detail"])
        self.assert_problem(c.post("/halt", order("all too")), 503, "halt_not_latched")
        self.assertLess(time.monotonic() - begin, 20, "nobody is left waiting")
        shown = c.get("/halt").json["halted"]
        self.assertEqual([(h.get("asset"), h["latched"], "record" in h) for h in shown],
                         [(None, False, False), ("BTC", False, False)])
        self.assertTrue(c.quote("BTC")["halted"] and c.quote("ETH")["halted"])
        self.assertIn("halt_not_latched", [r["code"] for r in c.get("/readyz").json["reasons"]])
        self.assertEqual(c.metric("hedge_halts_unlatched"), 2)
        self.faults.fail()
        self.wait_for_disk(c)
        self.assert_halted(c.hedge())
        self.wait_for_latches(c)
        for now, before in zip(c.get("/halt").json["halted"], shown):
            self.assertTrue(now["latched"])
            told = [r for r in c.records() if r.get("decision_id", now["record"]) == now["record"]
                    and r["note"] == f"{before['actor']} {before['reason']}"]
            self.assertEqual({(r["kind"], r["asset"]) for r in told},
                             {("halt", before.get("asset", ""))})
            for name in ("actor", "reason", "since_ms"):
                self.assertEqual(now[name], before[name], "as it was ordered")
        daemon.wait_until(lambda: len(d.events("halt_latched")) >= 2, "both are told")
        self.assertEqual([(e["asset"], e["actor"], e["reason"], e["level"])
                          for e in d.events("halt_latched")],
                         [("(all)", "-", "all too", "warn"), ("BTC", "anna", "disk", "warn")])
        self.assertNotIn("halt_not_latched",
                         [r["code"] for r in c.get("/readyz").json["reasons"]])
        d.kill()
        d.start()
        c = d.client()
        self.addCleanup(c.close)
        self.assertEqual(halted(c), {ALL: "all too", "BTC": "disk"}, "nobody asked again")
        quote_all(c)
        self.assertTrue(self.resume(c)["changed"])
        return d, c

    def wait_for_latches(self, c):
        daemon.wait_until(lambda: c.metric("hedge_halts_unlatched") == 0, "all is latched")

    def test_a_halt_that_is_not_on_disk_can_be_ended(self):
        d, c = self.serve(wrapper=self.faults.wrapper)
        self.faults.fail(write="ENOSPC")
        self.assert_problem(c.post("/halt", order("disk", "BTC")), 503, "halt_not_latched")
        self.faults.fail()
        daemon.wait_until(lambda: c.post("/resume", order("r", "BTC")).status == 200, "it resumes")
        self.assertEqual(halted(c), {})
        self.assertEqual(d.stop(), 0)
        self.check_journal(d.journal_path)

    def check_stop(self, durability):
        d, c = self.serve(wrapper=self.faults.wrapper, durability=durability)
        self.halt(c, "kept", "ETH")
        self.faults.fail(write="ENOSPC")
        for asset in ("BTC", ALL):
            answer = c.post("/halt", order("disk", asset, actor="anna"))
            self.assert_problem(answer, 503, "halt_not_latched")
        self.assertEqual(d.stop(), 1)
        lost = [(e["asset"], e["actor"], e["reason"], e["level"])
                for e in d.events("halt_lost_at_stop")]
        self.assertEqual(lost, [(asset, "anna", "disk", "error") for asset in ("(all)", "BTC")])
        self.faults.fail()
        d.start()
        with d.client() as c:
            self.assertEqual(halted(c), {"ETH": "kept"}, "what was said to be lost is")
        self.assertEqual(d.stop(), 0)

    def test_a_stop_that_loses_a_halt_says_so(self):
        self.check_stop("commit")

    def test_a_stop_that_loses_a_halt_says_so_async(self):
        self.check_stop("async")

    def test_a_stop_latches_what_it_can(self):
        for durability in ("commit", "async"):
            d, c = self.serve(wrapper=self.faults.wrapper, durability=durability)
            self.faults.fail(write="EIO")
            answer = c.post("/halt", order("disk", "BTC", actor="anna"))
            self.assert_problem(answer, 503, "halt_not_latched")
            self.faults.fail()
            self.assertEqual(d.stop(), 0, durability)
            self.assertEqual(d.events("halt_lost_at_stop"), [])
            d.start()
            with d.client() as c:
                self.assertEqual(halted(c), {"BTC": "disk"}, durability)
            self.assertEqual(d.stop(), 0)
            self.check_journal(d.journal_path)

    def test_commit_refuses(self):
        self.check_resume(*self.check_refusing("commit"))

    def test_async_refuses(self):
        d, c = self.check_refusing("async")
        records = self.check_resume(d, c)
        self.assertIn((HALT, "BTC", "anna disk"), [(r["kind"], r["asset"], r["note"])
                                                   for r in records])

    def check_resume(self, d, c):
        """Goes on from a halt of BTC that is latched."""
        head = c.get("/readyz").json["journal"]["seq"]
        self.faults.fail(write="EIO")
        answer = c.post("/resume", order("too early", "BTC"))
        self.assert_problem(answer, 503, "journal_failed")
        self.assertIn("BTC is still halted", answer.json["detail"])
        answer = c.post("/halt", order("once more", "BTC"))
        self.assert_problem(answer, 503, "journal_failed")
        self.assertIn("BTC is halted, and would be after a restart", answer.json["detail"])
        self.assertEqual(halted(c), {"BTC": "disk"})
        self.assertTrue(c.quote("BTC")["halted"])
        self.faults.fail()
        self.wait_for_disk(c)
        self.assert_halted(c.hedge("BTC"))
        new = [(r["kind"], r["note"]) for r in c.records(head)]
        self.assertNotIn("resume", [kind for kind, _ in new], "a refused one never comes to be")
        for _ in range(2):
            d.kill()
            d.start()
            with d.client() as c:
                self.assertEqual(list(halted(c)), ["BTC"])
        self.assertEqual(d.stop(), 0)
        return self.check_journal(d.journal_path)

    def test_a_halt_that_was_not_latched_is_gone_after_a_kill(self):
        """What halt_not_latched says is so."""
        d, c = self.serve(wrapper=self.faults.wrapper)
        self.faults.fail(write="EIO")
        self.assert_problem(c.post("/halt", order("disk")), 503, "halt_not_latched")
        d.kill()
        self.faults.fail()
        d.start()
        with d.client() as c:
            self.assertEqual(halted(c), {})
        self.assertEqual(d.stop(), 0)
        self.check_journal(d.journal_path)


class Files(Case):
    def change(self, path, *statements):
        base = sqlite3.connect(path)
        for statement in statements:
            base.execute(statement)
        base.commit()
        base.close()

    def refused(self, d, words):
        code, _, err = daemon.run(folder=d.folder, **d.settings)
        self.assertEqual(code, 78, err)
        self.assertIn("its table halts is damaged", err)
        self.assertIn("halt what has to be before traffic comes", err)
        self.assertIn(words, err)

    def test_a_file_of_format_2_is_brought_to_3(self):
        d, c = self.serve()
        quote_all(c)
        self.assert_status(c.hedge(), 200)
        self.assertEqual(d.stop(), 0)
        self.change(d.journal_path, "DROP TABLE halts", "DROP INDEX halt_orders",
                    "UPDATE journal SET value = '2' WHERE key = 'format'")
        self.assertEqual(daemon.hedge("verify", d.journal_path)[0], 0)
        d.start()
        with d.client() as c:
            self.halt(c)
        self.assertEqual(d.stop(), 0)
        base = sqlite3.connect(d.journal_path)
        self.assertEqual(base.execute("SELECT value FROM journal WHERE key = 'format'").fetchone(),
                         ("3",))
        base.close()
        self.check_journal(d.journal_path)

    def test_a_changed_latch_stops_the_start(self):
        d, c = self.serve()
        self.halt(c, "for good", "BTC", actor="anna")
        self.halt(c, "for good", actor="anna")
        self.assertEqual(d.stop(), 0)
        base = sqlite3.connect(d.journal_path)
        since, = base.execute("SELECT ts_ns FROM halts WHERE asset = 'BTC'").fetchone()
        base.close()
        for change, back in (("asset = 'BTB'", "asset = 'BTC'"),
                             ("asset = 'ETH'", "asset = 'BTC'"),
                             ("actor = 'anne'", "actor = 'anna'"),
                             ("reason = 'for food'", "reason = 'for good'"),
                             ("reason = ''", "reason = 'for good'"),
                             ("reason = x'00'", "reason = 'for good'"),
                             ("seq = seq - 1", "seq = seq + 1"), ("seq = seq + 9", "seq = seq - 9"),
                             ("seq = -seq", "seq = -seq"),
                             ("ts_ns = ts_ns + 1", "ts_ns = ts_ns - 1"),
                             ("ts_ns = 0", f"ts_ns = {since}"),
                             ("asset = '" + "B" * 40 + "'", "asset = 'BTC'")):
            self.change(d.journal_path, f"UPDATE halts SET {change} WHERE asset = 'BTC'")
            self.refused(d, "")
            self.change(d.journal_path, f"UPDATE halts SET {back} WHERE asset <> ''")
        d.start()
        with d.client() as c:
            self.assertEqual(halted(c), {ALL: "for good", "BTC": "for good"})

    def test_latches_are_compared_with_the_records(self):
        d, c = self.serve()
        for asset in ("BTC", "ETH", ALL, "LTC"):
            self.halt(c, "first", asset, actor="anna")
        self.halt(c, "again", "BTC")
        self.resume(c)
        self.resume(c, "over", "LTC")
        halts = {r["asset"]: r["seq"] for r in c.records() if r["kind"] == "halt"}
        resumes = {r["asset"]: r["seq"] for r in c.records() if r["kind"] == "resume"}
        self.assertEqual(d.stop(), 0)
        whole = journal.copy(d.journal_path, d.journal_path + ".kept")
        row = ("INSERT INTO halts SELECT '{}', ts_ns, {}, actor, reason FROM halts "
               "WHERE asset = 'ETH'")
        for words, *changes in (
                (f"no row for BTC halted by record {halts['BTC']}",
                 "DELETE FROM halts WHERE asset = 'BTC'"),
                ("no row for BTC", "DELETE FROM halts"),
                (f"the row is not that of LTC resumed by record {resumes['LTC']}",
                 row.format("LTC", halts["LTC"])),
                ("not that of all assets resumed by record", row.format("", halts[ALL])),
                ("row of XRP is not what its record", row.format("XRP", halts["ETH"])),
                (f"the row is not that of BTC halted by record {halts['BTC']}",
                 "UPDATE halts SET seq = 3, reason = 'first' WHERE asset = 'BTC'"),
                ("another time than that of BTC halted", "UPDATE halts SET ts_ns = ts_ns - 1 "
                                                         "WHERE asset = 'BTC'"),
                ("no row for BTC", "DELETE FROM halts", "DROP INDEX halt_orders")):
            self.change(d.journal_path, *changes)
            self.refused(d, words)
            os.unlink(d.journal_path)
            journal.copy(whole, d.journal_path)
        d.start()
        with d.client() as c:
            self.assertEqual(halted(c), {"BTC": "again", "ETH": "first"})
        self.assertEqual(d.stop(), 0)

    def test_a_halt_whose_record_has_left_is_still_one(self):
        if not postgres_server.available():
            self.skipTest("no PostgreSQL")
        server = postgres_server.Postgres()
        self.addCleanup(server.kill)
        stand.init_db(server.dsn())
        d, c = self.serve(db_dsn=server.dsn(), journal_keep_s=0)
        quote_all(c)
        self.halt(c, "old", "BTC")

        def left():
            c.hedge("ETH")
            return c.get("/decisions").json["base"]["seq"] > 3
        daemon.wait_until(left, "the halt's record has left", 30, 0.05)
        d.kill()
        d.start()
        with d.client() as c:
            self.assertEqual(halted(c), {"BTC": "old"})


if __name__ == "__main__":
    daemon.main()
