# SPDX-License-Identifier: MIT
"""What the tests of the kill switch share: orders, and what a journal says of halts."""
import sqlite3

import daemon
import journal
import oracle

RULES = oracle.policy(calm=True)
QUOTE = {"score": 0.5, "depth1pct_usd": 5e5}
ALL = ""  # what a halt of everything has for an asset
HALT, RESUME = 6, 7
REFUSED = ("halted", "unknown_asset")


def quote_all(c, assets=oracle.ASSETS):
    for asset in assets:
        answer = c.put(f"/quotes/{asset}", QUOTE)
        assert answer.status == 200, answer


def halted(c):
    """{asset: reason} of what is halted."""
    return {h.get("asset", ALL): h["reason"] for h in c.get("/halt").json["halted"]}


def order(reason, asset=ALL, **more):
    return {"reason": reason, **({"asset": asset} if asset else {}), **more}


def fold(records):
    """Goes through decoded records: ({asset} halted at the end, faults found on the way)."""
    now, wrong = set(), []
    for r in records:
        if r["kind"] == HALT:
            now.add(r["asset"])
        elif r["kind"] == RESUME:
            now.discard(r["asset"])
        elif r["kind"] in (1, 8) and oracle.NAMES.get(r["decision"]["status"]) not in REFUSED:
            if r["asset"] in now or ALL in now:
                wrong.append(f"record {r['seq']} of {r['asset']} decides while {now} is halted")
    return now, wrong


def at_rest(path):
    """The records of a journal that nobody holds, and its latches."""
    _, rows = journal.rows(path)
    records, _ = journal.walk(rows)
    base = sqlite3.connect(path)
    try:
        return records, {row[0] for row in base.execute("SELECT asset FROM halts")}
    finally:
        base.close()


class Case(daemon.Case):
    def serve(self, policy=RULES, **settings):
        return super().serve(policy, **settings)

    def halt(self, c, reason="a test", asset=ALL, **more):
        answer = c.post("/halt", order(reason, asset, **more))
        self.assert_status(answer, 200)
        return answer.json

    def resume(self, c, reason="over", asset=ALL, **more):
        answer = c.post("/resume", order(reason, asset, **more))
        self.assert_status(answer, 200)
        return answer.json

    def assert_halted(self, answer, why=""):
        self.assert_problem(answer, 503, "halted", why=why, breaker="halted")

    def check_journal(self, path):
        """Whole, no decision in spite of a halt, and the latches are what the records say."""
        records, latches = at_rest(path)
        now, wrong = fold(records)
        self.assertEqual(wrong[:3], [])
        self.assertEqual(now, latches)
        self.assertEqual(daemon.hedge("verify", path)[0], 0)
        return records
