# SPDX-License-Identifier: MIT
"""GET /metrics: well-formed Prometheus text whose counters move with what happens."""
import re
import shutil
import subprocess

import daemon
import oracle
from daemon import Daemon

NAME = re.compile(r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")
SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
                    r',?)*\})? (\S+)$')
SUFFIXES = ("_bucket", "_sum", "_count")
FAMILIES = {
    "hedge_decisions_total": "counter", "hedge_trips_total": "counter",
    "hedge_journal_lost_total": "counter", "hedge_request_duration_seconds": "histogram",
    "hedge_policy_ok": "gauge",
}
REDIS = {  # where Redis is on
    "hedge_redis_connected": "gauge", "hedge_redis_messages_total": "counter",
    "hedge_redis_connects_total": "counter",
}
CLICKHOUSE = {  # where ClickHouse is on
    "hedge_clickhouse_up": "gauge", "hedge_clickhouse_polls_total": "counter",
    "hedge_clickhouse_books_total": "counter", "hedge_clickhouse_query_seconds": "gauge",
}


def families(text):
    """{family: {"type", "help", "samples": [(name, labels, value)]}}; raises on bad text."""
    out, current = {}, None
    if not text.endswith("\n"):
        raise ValueError("the text does not end with a line's end")
    for line in text.splitlines():
        if line.startswith("# HELP ") or line.startswith("# TYPE "):
            _, word, name, rest = line.split(" ", 3)
            family = out.setdefault(name, {"samples": []})
            if word.lower() in family:
                raise ValueError(f"a second {word} of {name}")
            if family["samples"]:
                raise ValueError(f"{word} of {name} behind its samples")
            family[word.lower()], current = rest, name
        elif line and not line.startswith("#"):
            found = SAMPLE.match(line)
            if not found:
                raise ValueError(f"no sample: {line!r}")
            name, labels, value = found.groups()
            family = name
            for suffix in SUFFIXES:
                if name.endswith(suffix) and name[:-len(suffix)] in out:
                    family = name[:-len(suffix)]
            if family != current:
                raise ValueError(f"{line!r} is not with its family, {current} is open")
            key = (name, labels or "")
            if key in [(n, l) for n, l, _ in out[family]["samples"]]:
                raise ValueError(f"twice: {line!r}")
            out[family]["samples"].append((name, labels or "", float(value)))
    return out


class Metrics(daemon.SharedCase):
    @classmethod
    def setUpClass(cls):
        cls.begin(oracle.policy(calm=True, limits={"max_amount_usd": 1e6}),
                  {"BTC": {"score": 0.5, "depth1pct_usd": 5e5}})

    def text(self):
        answer = self.client.get("/metrics")
        self.assert_status(answer, 200)
        self.assertTrue(answer.headers["Content-Type"].startswith("text/plain"), answer.headers)
        return answer.body.decode("utf-8")

    def sum_of(self, family):
        return sum(v for (name, _), v in self.client.metrics().items() if name == family)

    def test_the_text_is_well_formed(self):
        found = families(self.text())
        for name, family in found.items():
            self.assertRegex(name, NAME)
            self.assertTrue(name.startswith(("hedge_", "process_")), name)
            self.assertTrue(family.get("help"), f"{name} has no HELP")
            self.assertIn(family.get("type"), ("counter", "gauge", "histogram"), name)
            if family["type"] == "counter":
                self.assertTrue(name.endswith("_total"), name)
                self.assertTrue(all(v >= 0 for _, _, v in family["samples"]), name)
        for name, kind in FAMILIES.items():
            self.assertIn(name, found)
            self.assertEqual(found[name]["type"], kind, name)
        self.assertLess(sum(len(f["samples"]) for f in found.values()), 1000)

    def test_histograms_add_up(self):
        for _ in range(10):
            self.client.hedge()
        for name, family in families(self.text()).items():
            if family["type"] != "histogram":
                continue
            series = {}
            for sample, labels, value in family["samples"]:
                rest = re.sub(r'le="[^"]*",?', "", labels).replace(",}", "}").replace("{}", "")
                part = series.setdefault(rest, {"buckets": []})
                if sample.endswith("_bucket"):
                    le = re.search(r'le="([^"]*)"', labels).group(1)
                    part["buckets"].append((float(le), value))
                else:
                    part[sample[len(name):]] = value
            for rest, part in series.items():
                edges = [le for le, _ in part["buckets"]]
                counts = [n for _, n in part["buckets"]]
                self.assertEqual(edges, sorted(set(edges)), (name, rest))
                self.assertEqual(edges[-1], float("inf"), (name, rest))
                self.assertEqual(counts, sorted(counts), (name, rest))
                self.assertEqual(counts[-1], part["_count"], (name, rest))
                self.assertGreaterEqual(part["_sum"], 0, (name, rest))

    def test_promtool_has_nothing_to_say(self):
        tool = shutil.which("promtool")
        if not tool:
            self.skipTest("promtool is not installed")
        done = subprocess.run([tool, "check", "metrics"], input=self.text().encode(),
                              capture_output=True, timeout=30)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, b""))

    def test_decisions_and_trips_are_counted(self):
        decisions, trips = self.sum_of("hedge_decisions_total"), self.sum_of("hedge_trips_total")
        for _ in range(5):
            self.assert_status(self.client.hedge(), 200)
        self.assertEqual(self.sum_of("hedge_decisions_total"), decisions + 5)
        self.assertEqual(self.sum_of("hedge_trips_total"), trips)
        for count, breaker, ask in (
                (1, "no_quote", lambda: self.client.hedge("ETH")),
                (2, "unknown_asset", lambda: self.client.hedge("DOGE")),
                (3, "max_amount", lambda: self.client.hedge(amount=2e6)),
                (1, "bad_amount", lambda: self.client.hedge(amount=-2))):
            before = self.client.metric("hedge_trips_total", breaker=breaker)
            for _ in range(count):
                ask()
            self.assertEqual(self.client.metric("hedge_trips_total", breaker=breaker),
                             before + count, breaker)
        one = {"asset": "BTC", "amount_usd": 1}
        decisions = self.sum_of("hedge_decisions_total")
        self.client.post("/hedge/batch", {"requests": [one] * 30})
        self.assertEqual(self.sum_of("hedge_decisions_total"), decisions + 30)

    def test_a_flagged_trip_is_counted_too(self):
        before = self.client.metric("hedge_trips_total", breaker="extreme_score")
        self.client.put("/quotes/XRP", {"score": 0.05, "depth1pct_usd": 5e5})
        self.assert_status(self.client.hedge("XRP"), 200)
        self.assertEqual(self.client.metric("hedge_trips_total", breaker="extreme_score"),
                         before + 1)

    def test_every_breaker_is_there_from_the_start(self):
        with Daemon(oracle.policy()) as d, d.client() as c:
            found = c.metrics()
            for breaker in oracle.BREAKERS:
                self.assertEqual(found.get(("hedge_trips_total", (("breaker", breaker),))), 0.0,
                                 breaker)
            self.assertEqual(found[("hedge_journal_lost_total", ())], 0.0)

    def test_requests_are_timed(self):
        def count():
            return sum(v for (name, _), v in self.client.metrics().items()
                       if name == "hedge_request_duration_seconds_count")
        before = count()
        for _ in range(7):
            self.client.hedge()
        self.assertGreaterEqual(count(), before + 7)

    def test_nothing_lost_and_the_policy_is_well(self):
        found = self.client.metrics()
        self.assertEqual(found[("hedge_journal_lost_total", ())], 0.0)
        self.assertEqual(found[("hedge_policy_ok", ())], 1.0)

    def test_redis_is_counted_where_it_is_on(self):
        url = f"redis://127.0.0.1:{daemon.free_port()}"  # nobody there
        with Daemon(oracle.policy(), redis_url=url) as d, d.client() as c:
            text = c.get("/metrics").body.decode()
            found = families(text)
            for name, kind in REDIS.items():
                self.assertEqual(found[name]["type"], kind, name)
            self.assertEqual(c.metric("hedge_redis_connected"), 0.0)
            for result in ("applied", "older", "malformed", "unknown_asset"):
                self.assertIn(f'hedge_redis_messages_total{{result="{result}"}} 0', text)

    def test_clickhouse_is_counted_where_it_is_on(self):
        url = f"http://127.0.0.1:{daemon.free_port()}"  # nobody there
        with Daemon(oracle.policy(), clickhouse_url=url) as d, d.client() as c:
            text = c.get("/metrics").body.decode()
            found = families(text)
            for name, kind in CLICKHOUSE.items():
                self.assertEqual(found[name]["type"], kind, name)
            self.assertEqual(c.metric("hedge_clickhouse_up"), 0.0)
            for result in ("applied", "older", "malformed", "unknown_asset", "crossed", "one_sided",
                           "future"):
                self.assertIn(f'hedge_clickhouse_books_total{{result="{result}"}} 0', text)
            for result in ("ok", "failed"):
                self.assertIn(f'hedge_clickhouse_polls_total{{result="{result}"}} ', text)

    def test_labels_do_not_grow_with_what_clients_send(self):
        before = len(self.text().splitlines())
        for i in range(50):
            self.client.hedge(f"X{i}")
            self.client.get(f"/nowhere/{i}")
        self.assertLess(len(self.text().splitlines()) - before, 20)


if __name__ == "__main__":
    daemon.main()
