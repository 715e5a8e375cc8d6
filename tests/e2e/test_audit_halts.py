# SPDX-License-Identifier: MIT
"""`hedge verify` over halts: no decision stands behind one, and the table `halts` of a journal's
file holds what its records say is halted."""
import journal
from cli import strict_json
from daemon import Daemon, main, new_folder
from test_audit import RULES
from test_audit_file import FileCase

CALLS = (("halt", "BTC", "one"), ("halt", "ETH", "two"), ("halt", "BTC", "once more"),
         ("resume", "ETH", "over"), ("halt", None, "all of it"), ("resume", None, "go on"),
         ("halt", "LTC", "three"), ("resume", "LTC", "over"), ("halt", "LTC", "again"))


class Halts(FileCase):
    @classmethod
    def setUpClass(cls):
        """A journal of a daemon that was stopped while BTC and LTC were halted."""
        cls.kept = new_folder()
        with Daemon(RULES, folder=cls.kept) as served:
            with served.client() as c:
                for verb, asset, reason in CALLS:
                    body = {"reason": reason} if asset is None else {"asset": asset,
                                                                     "reason": reason}
                    answer = c.post("/" + verb, body)
                    assert answer.status == 200, answer
                    c.put("/quotes/XRP", {"score": 0.5, "depth1pct_usd": 1e6})
                    c.hedge("XRP", 5.0)
            assert served.stop() == 0
        cls.path = served.journal_path
        cls.rows = journal.rows(cls.path)[1]
        cls.orders = [row for row in cls.rows if row[1] in (6, 7)]

    def changed(self, *statements, left=0):
        path = self.left(left) if left else self.copied()
        return self.sql(path, *statements)

    def refused_of(self, asset, words, path):
        self.found(f"the table halts: {asset}: {words}", "verify", path, fault="halts")

    def test_a_daemons_own(self):
        """Whole, and whole after each record has left that can leave."""
        self.assertEqual(len(self.orders), len(CALLS))
        self.run_ok("verify", self.path)
        for left in range(1, len(self.rows)):
            path = self.left(left)
            answer = strict_json(self.run_ok("verify", path, "--json"))
            self.assertEqual(answer["base"]["seq"], left)

    def test_a_row_that_is_not_there(self):
        for asset in ("BTC", "LTC"):
            self.refused_of(asset, "it is not there, but it was halted by record", self.changed(
                ("DELETE FROM halts WHERE asset = ?", (asset,))))
        newest = max(row[0] for row in self.orders if row[3] == "LTC")
        self.refused_of("LTC", f"it is not there.* record {newest}$", self.changed(
            "DELETE FROM halts WHERE asset = 'LTC'", left=newest - 1))

    def test_a_row_that_no_record_made(self):
        def put(asset, seq=1):
            return "INSERT INTO halts VALUES (?, 1, ?, '-', 'no')", (asset, seq)
        self.refused_of("XRP", "it stands there, but no record", self.changed(put("XRP")))
        self.refused_of("ETH", "it stands there, but it was resumed", self.changed(put("ETH")))
        self.refused_of("everything", "it stands there, but it was resumed",
                        self.changed(put("")))
        resumed = next(row[0] for row in self.orders if row[3] == "ETH" and row[1] == 7)
        self.refused_of("ETH", "it stands there, but it was resumed",
                        self.changed(put("ETH"), left=resumed - 1))
        self.refused_of("XRP", "it stands there, but no record", self.changed(
            put("XRP", resumed + 1), left=resumed))
        self.refused_of("XRP", "it stands there, but no record", self.changed(
            put("XRP", 0), left=resumed))
        # of records that have left, nothing can be known
        self.run_ok("verify", self.changed(put("XRP"), left=resumed))

    def test_a_row_that_says_something_else(self):
        for change, words in (
                ("seq = seq - 1", "its record is not the newest that halted it, record [0-9]+"),
                ("seq = seq + 1", "its record is not the newest"),
                ("ts_ns = ts_ns + 1", "its time is not that of the first record that halted it"),
                (f"ts_ns = {self.orders[2][2]}", "its time is not that of the first"),
                ("actor = 'somebody'", "its actor and reason are not those of record [0-9]+"),
                ("reason = 'one'", "its actor and reason"),
                ("reason = ''", "its actor and reason"),
                ("actor = actor || ' ' || substr(reason, 1, 4), reason = substr(reason, 6)", None),
                ("reason = reason || char(0) || 'more'", None),
                ("reason = CAST(reason AS BLOB)", None), ("actor = x''", None),
                ("ts_ns = 'then'", None), ("seq = 0.5", None)):
            with self.subTest(change=change):
                path = self.changed(f"UPDATE halts SET {change} WHERE asset = 'BTC'")
                if words is None:
                    self.found("the table halts: ", "verify", path, fault="halts")
                else:
                    self.refused_of("BTC", words, path)

    def test_another_asset(self):
        self.refused_of("XRP", "it stands there, but no record halted it", self.changed(
            "UPDATE halts SET asset = 'XRP' WHERE asset = 'BTC'"))


class Decisions(FileCase):
    def ordered(self, *orders):
        """A copy with halts and resumes at places: (index, kind, asset), in order, and with the
        rows of those that stand."""
        def change(rs):
            for at, kind, asset in orders:
                rs.insert(at, {**rs[0], "kind": kind, "asset": asset, "note": "anna a drill"})
            for i, r in enumerate(rs):
                r["seq"] = i + 1
        path, standing = self.copied(change), {}
        for seq, kind, ts_ns, asset, *_ in journal.rows(path)[1]:
            if kind == 6:
                standing[asset] = (asset, standing.get(asset, ("", ts_ns))[1], seq)
            elif kind == 7:
                standing.pop(asset, None)
        return self.sql(path, *(("INSERT INTO halts VALUES (?, ?, ?, 'anna', 'a drill')", row)
                                for row in standing.values()))

    def test_no_decision_stands_behind_a_halt(self):
        good = [r for r in self.decisions(1, 8) if r["decision"]["status"] == 0]
        last = [r for r in good if r["kind"] == 1][-1]["seq"]
        asset = self.records[last - 1]["asset"]
        any_first, first = good[0]["seq"], next(r for r in good if r["asset"] == asset)["seq"]
        for seq, who, *orders in (
                (first + 1, asset, (0, 6, asset)), (any_first + 1, "everything", (0, 6, "")),
                (first + 3, asset, (0, 6, ""), (1, 6, asset), (2, 7, "")),
                (first + 3, asset, (0, 6, asset), (1, 7, asset), (2, 6, asset)),
                (any_first + 3, "everything", (0, 6, ""), (1, 6, "NONE"), (2, 7, asset)),
                (last + 1, asset, (last - 1, 6, asset))):
            answer = self.found("decides while halted", "verify", self.ordered(*orders),
                                fault="halted", seq=seq)
            self.assertIn(f"{who} was halted by record", answer["message"])
        for halts, *orders in ((0,), (0, (0, 7, asset)), (1, (0, 6, asset), (1, 7, asset)),
                               (1, (len(self.records), 6, asset)), (1, (len(self.records), 6, "")),
                               (2, (0, 6, ""), (1, 6, "NONE"), (2, 7, ""))):
            answer = strict_json(self.run_ok("verify", self.ordered(*orders), "--json"))
            self.assertEqual((answer["ok"], answer["halts"]), (True, halts), orders)
        self.assertRegex(self.run_ok("verify", self.ordered((len(self.records), 6, ""))),
                         r"halts +1\n")
        with Daemon(RULES) as d, d.client() as c:
            c.put("/quotes/BTC", {"score": 0.5, "depth1pct_usd": 5e5})
            for path in ("/halt", "/resume", "/halt"):
                self.assertEqual(c.post(path, {"reason": "a drill"}).status, 200)
                c.hedge()
            answer = strict_json(self.run_ok("verify", "--url", d.url, "--json"))
            self.assertEqual([answer[k] for k in ("halts", "decisions", "rejections")], [2, 3, 2])


if __name__ == "__main__":
    main()
