# SPDX-License-Identifier: MIT
"""Every route and every status of docs/http.md, against a running daemon."""
import math
import re

import daemon
import oracle
from daemon import Daemon, now_ms

RULES = oracle.policy(calm=True, assets={
    "BTC": {}, "ETH": {"limits": {"max_amount_usd": 5000.0}}, "LTC": {}, "XRP": {},
    "IDLE": {}, "HALT": {}})
UUID8 = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
VERSION = re.compile(r"^\d+\.\d+\.\d+\+[0-9a-f]{7,40}(\.dirty)?$|^\d+\.\d+\.\d+\+unknown$")
ROUTES = {
    "/hedge": "POST", "/hedge/batch": "POST", "/quotes": "GET", "/quotes/BTC": "PUT",
    "/curve": "GET", "/decisions": "GET", "/curve/reload": "POST", "/healthz": "GET",
    "/readyz": "GET", "/metrics": "GET", "/halt": "POST", "/resume": "POST",
    "/openapi.json": "GET",
}
ALSO = {("/halt", "GET")}  # a path with two methods
QUOTE = {"score": 0.62, "confidence": 0.9, "depth1pct_usd": 78034.12}
SEEN = {"score": 0.62, "confidence": 0.9, "score_ts_ns": 0, "depth1pct_usd": 78034.12,
        "depth_ts_ns": 0}


class Served(daemon.SharedCase):
    """One daemon for a class; BTC, ETH and LTC are quoted, IDLE never is."""

    @classmethod
    def setUpClass(cls):
        cls.begin(RULES, {asset: QUOTE for asset in ("BTC", "ETH", "LTC", "HALT")})

    def expect(self, asset="BTC", amount=1000.0, quote=None, **request):
        return oracle.decide(RULES, asset, {"amount_usd": amount, **request}, quote or SEEN)


class Hedge(Served):
    def test_an_answer_has_every_member_with_the_oracles_numbers(self):
        before = now_ms()
        answer = self.client.hedge("BTC", 250000.0)
        after = now_ms()
        self.assert_status(answer, 200)
        self.assertEqual(answer.headers["Content-Type"].split(";")[0], "application/json")
        got = answer.json
        self.assertEqual(set(got), {
            "hedge_pct", "notional_usd", "confidence", "version", "ts_ms", "decision_id", "asset",
            "amount_usd", "score", "effective_score", "liquidity_weight", "policy", "flags"})
        self.assert_agrees(got, self.expect(amount=250000.0))
        self.assertEqual((got["asset"], got["amount_usd"], got["flags"]), ("BTC", 250000.0, []))
        self.assertRegex(got["version"], VERSION)
        self.assertRegex(got["decision_id"], UUID8)
        self.assertRegex(got["policy"], r"^[0-9a-f]{64}$")
        self.assertIsInstance(got["ts_ms"], int)
        self.assertTrue(before - 1 <= got["ts_ms"] <= after + 1, got["ts_ms"])
        self.assertEqual(got["notional_usd"], 250000.0 * got["hedge_pct"])
        self.assertEqual(got["effective_score"], got["score"] * got["liquidity_weight"])

    def test_numbers_survive_the_text_to_the_last_bit(self):
        for amount in (0.1, 1 / 3, 5e-324, 1e9, 123456789.12345679, 2.2250738585072014e-308, 0, -0.0):
            got = self.client.hedge("BTC", amount)
            self.assert_status(got, 200, f"amount {amount!r}")
            self.assertEqual(got.json["amount_usd"], amount)
            self.assertEqual(got.json["notional_usd"], amount * got.json["hedge_pct"])

    def test_an_override_replaces_the_score_and_is_marked(self):
        for score in (0, 0.25, 0.5, 0.95, 1):
            got = self.client.hedge("BTC", 1000, override_score=score)
            self.assert_status(got, 200, f"override {score}")
            self.assert_agrees(got.json, self.expect(override_score=score))
            self.assertIn("override", got.json["flags"])

    def test_ids_are_unique_and_times_do_not_go_back(self):
        got = [self.client.hedge().json for _ in range(50)]
        self.assertEqual(len({g["decision_id"] for g in got}), 50)
        self.assertEqual(sorted(g["ts_ms"] for g in got), [g["ts_ms"] for g in got])

    def test_whitespace_escapes_and_order_do_not_matter(self):
        for body in (b' \n{ "amount_usd" :1.0e3,\t"asset":"BTC"}\r\n ',
                     b'{"asset":"\\u0042TC","amount_usd":1000}',
                     b'{"\\u0061sset":"BTC","amount_usd":10E+2}'):
            answer = self.client.post("/hedge", body)
            self.assert_status(answer, 200, repr(body))
            self.assert_agrees(answer.json, self.expect())

    def test_an_asset_without_a_quote_is_503_no_quote(self):
        answer = self.client.hedge("IDLE")
        self.assert_problem(answer, 503, "no_quote", breaker="no_quote")
        self.assertRegex(answer.json["decision_id"], UUID8)
        self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)

    def test_each_breaker_of_a_request_is_422_and_a_record(self):
        for body, breaker in (
                ({"asset": "DOGE", "amount_usd": 1}, "unknown_asset"),
                ({"asset": "btc", "amount_usd": 1}, "unknown_asset"),
                ({"asset": "BTC", "amount_usd": -1}, "bad_amount"),
                ({"asset": "BTC", "amount_usd": -5e-324}, "bad_amount"),
                ({"asset": "BTC", "amount_usd": 1.0000001e9}, "max_amount"),
                ({"asset": "ETH", "amount_usd": 5000.01}, "max_amount"),
                ({"asset": "BTC", "amount_usd": 1, "override_score": 1.0000000000000002},
                 "bad_override"),
                ({"asset": "BTC", "amount_usd": 1, "override_score": -1e-300}, "bad_override")):
            answer = self.client.post("/hedge", body)
            self.assert_problem(answer, 422, breaker, why=str(body), breaker=breaker)
            self.assertRegex(answer.json.get("decision_id", ""), UUID8, str(body))
            self.assertIsNone(answer.headers["Retry-After"], str(body))
        self.assert_status(self.client.hedge("ETH", 5000.0), 200, "the limit itself is allowed")

    def test_an_extreme_score_is_flagged(self):
        for score in (0.0, 0.0999, 0.9001, 1.0):
            self.assert_status(self.client.put("/quotes/XRP", {**QUOTE, "score": score}), 200)
            got = self.client.hedge("XRP").json
            self.assertEqual(got["flags"], ["extreme_score"], f"score {score}: {got}")
            self.assert_agrees(got, self.expect("XRP", quote={**SEEN, "score": score}))
        for score in (0.1, 0.9):
            self.assert_status(self.client.put("/quotes/XRP", {**QUOTE, "score": score}), 200)
            self.assertEqual(self.client.hedge("XRP").json["flags"], [], f"score {score}")


GOOD = b'{"asset":"BTC","amount_usd":1}'
NOT_JSON = {
    "nothing": b"", "space": b"  ", "a word": b"hello", "half": GOOD[:-1], "trailing": GOOD + b"x",
    "two objects": GOOD + GOOD, "trailing NUL": GOOD + b"\0", "trailing comma": b'{"asset":"BTC",}',
    "comment": b'{"asset":"BTC",/**/"amount_usd":1}', "single quotes": GOOD.replace(b'"', b"'"),
    "byte order mark": b"\xef\xbb\xbf" + GOOD, "UTF-16": GOOD.decode().encode("utf-16"),
    "leading zero": GOOD.replace(b":1}", b":01}"), "bare point": GOOD.replace(b":1}", b":1.}"),
    "no digit": GOOD.replace(b":1}", b":.5}"), "plus": GOOD.replace(b":1}", b":+1}"),
    "hexadecimal": GOOD.replace(b":1}", b":0x10}"), "minus": GOOD.replace(b":1}", b":-}"),
    "half exponent": GOOD.replace(b":1}", b":1e}"),
    "NaN": GOOD.replace(b":1}", b":NaN}"), "Infinity": GOOD.replace(b":1}", b":Infinity}"),
    "-Infinity": GOOD.replace(b":1}", b":-Infinity}"), "nan": GOOD.replace(b":1}", b":nan}"),
    "1e999": GOOD.replace(b":1}", b":1e999}"), "-1e999": GOOD.replace(b":1}", b":-1e999}"),
    "many digits": GOOD.replace(b":1}", b":" + b"9" * 400 + b"}"),
    "bad UTF-8": b'{"asset":"B\xffC","amount_usd":1}',
    "overlong": b'{"asset":"B\xc0\xafC","amount_usd":1}',
    "surrogate in UTF-8": b'{"asset":"\xed\xa0\x80","amount_usd":1}',
    "beyond Unicode": b'{"asset":"\xf4\x90\x80\x80","amount_usd":1}',
    "bad UTF-8 in a name": b'{"ass\xffet":"BTC","amount_usd":1}',
    "lone surrogate": b'{"asset":"\\ud800","amount_usd":1}',
    "escaped NUL": b'{"asset":"BTC\\u0000x","amount_usd":1}',
    "escaped NUL in a name": b'{"asset\\u0000":"BTC","amount_usd":1}',
    "raw control byte": b'{"asset":"B\nTC","amount_usd":1}',
    "bad escape": b'{"asset":"\\x42TC","amount_usd":1}',
    "17 levels": b'{"asset":' + b"[" * 17 + b"]" * 17 + b',"amount_usd":1}',
    "100,000 levels": b"[" * 100000 + b"]" * 100000,
    "100,000 open objects": b'{"a":' * 100000,
}
BAD_MEMBERS = {
    "repeated": (b'{"asset":"BTC","amount_usd":1,"amount_usd":1}', "amount_usd"),
    "repeated by an escape": (b'{"asset":"BTC","amount_usd":1,"\\u0061mount_usd":2}', "amount_usd"),
    "unknown": (b'{"asset":"BTC","amount_usd":1,"leverage":3}', "leverage"),
    "unknown by case": (b'{"asset":"BTC","Amount_usd":1}', "Amount_usd"),
    "unknown and empty": (b'{"asset":"BTC","amount_usd":1,"":0}', None),
    "unknown and nested": (b'{"asset":"BTC","amount_usd":1,"x":{"y":[1]}}', "x"),
}
BAD_VALUES = {
    "no asset": (b'{"amount_usd":1}', "asset"),
    "no amount": (b'{"asset":"BTC"}', "amount_usd"),
    "asset a number": (b'{"asset":1,"amount_usd":1}', "asset"),
    "asset null": (b'{"asset":null,"amount_usd":1}', "asset"),
    "asset a list": (b'{"asset":["BTC"],"amount_usd":1}', "asset"),
    "amount a string": (b'{"asset":"BTC","amount_usd":"1"}', "amount_usd"),
    "amount null": (b'{"asset":"BTC","amount_usd":null}', "amount_usd"),
    "amount true": (b'{"asset":"BTC","amount_usd":true}', "amount_usd"),
    "amount an object": (b'{"asset":"BTC","amount_usd":{}}', "amount_usd"),
    "override a string": (b'{"asset":"BTC","amount_usd":1,"override_score":"x"}', "override_score"),
    "override null": (b'{"asset":"BTC","amount_usd":1,"override_score":null}', "override_score"),
}


class Strictness(Served):
    def test_what_is_not_json_is_400(self):
        for name, body in NOT_JSON.items():
            answer = self.client.post("/hedge", body)
            self.assert_problem(answer, 400, ("bad_json", "bad_member"), why=name)

    def test_a_number_that_is_not_finite_is_400_with_its_member(self):
        for number in (b"1e999", b"-1e999", b"1e309"):
            for member in ("amount_usd", "override_score"):
                body = {"amount_usd": b"1", "override_score": b"0.5", member: number}
                answer = self.client.post("/hedge", b'{"asset":"BTC","amount_usd":%s,'
                                          b'"override_score":%s}' % tuple(body.values()))
                self.assert_problem(answer, 400, why=str(body), member=member)

    def test_an_unknown_or_repeated_member_is_400_with_its_name(self):
        for name, (body, member) in BAD_MEMBERS.items():
            answer = self.client.post("/hedge", body)
            self.assert_problem(answer, 400, "bad_member", why=name,
                                **({} if member is None else {"member": member}))

    def test_a_missing_member_or_wrong_type_is_422_with_its_name(self):
        for name, (body, member) in BAD_VALUES.items():
            answer = self.client.post("/hedge", body)
            self.assert_problem(answer, 422, "bad_value", why=name, member=member)

    def test_a_body_that_is_no_object_is_refused(self):
        for body in (b"[]", b"1", b'"BTC"', b"null", b"true", b"[" + GOOD + b"]"):
            answer = self.client.post("/hedge", body)
            self.assertIn(answer.status, (400, 422), f"{body} {answer}")
            self.assert_problem(answer, answer.status, ("bad_json", "bad_value"), why=repr(body))

    def test_two_hundred_unknown_names_are_each_named(self):
        names = [f"x{i}" for i in range(150)] + \
                [n.upper() for n in ("asset", "amount_usd", "override_score")] + \
                [f"asset{c}" for c in " \t_.-0éß日"] + ["a" * n for n in range(1, 39)]
        self.assertGreaterEqual(len(set(names)), 190)
        for name in names:
            answer = self.client.post("/hedge", {"asset": "BTC", "amount_usd": 1, name: 1})
            self.assert_problem(answer, 400, "bad_member", why=name, member=name)

    def test_nothing_refused_is_in_the_journal(self):
        head = self.client.get("/readyz").json["journal"]["seq"]
        for body in (b"", GOOD + b"x", b'{"asset":"BTC"}', b'{"asset":"BTC","amount_usd":1,"a":1}'):
            self.client.post("/hedge", body)
        self.assertEqual(self.client.get("/readyz").json["journal"]["seq"], head)

    def test_deep_json_within_the_limit_is_judged_by_its_members(self):
        body = b'{"x":' + b"[" * 15 + b"]" * 15 + b"}"
        self.assert_problem(self.client.post("/hedge", body), 400, "bad_member", member="x")

    def test_every_body_is_read_as_strictly(self):
        for method, path, good in (("POST", "/hedge/batch", b'{"requests":[' + GOOD + b"]}"),
                                   ("PUT", "/quotes/LTC", b'{"score":0.5}'),
                                   ("POST", "/halt", b'{"asset":"LTC","reason":"r"}'),
                                   ("POST", "/resume", b'{"asset":"LTC","reason":"r"}')):
            for why, body in (("trailing", good + b"x"), ("half", good[:-1]), ("empty", b""),
                              ("bad UTF-8", good[:-1] + b',"\xff":1}')):
                self.assert_problem(self.client.ask(method, path, body), 400,
                                    ("bad_json", "bad_member"), why=f"{path} {why}")
            answer = self.client.ask(method, path, good[:-1] + b',"zzz":1}')
            self.assert_problem(answer, 400, "bad_member", why=path, member="zzz")
            self.assert_status(self.client.ask(method, path, good), 200, path)


class Batch(Served):
    def test_a_mixed_batch_keeps_the_order_and_one_instant(self):
        answer = self.client.post("/hedge/batch", {"requests": [
            {"asset": "BTC", "amount_usd": 1000},
            {"asset": "DOGE", "amount_usd": 1},
            {"asset": "ETH", "amount_usd": 9999},
            {"asset": "LTC", "amount_usd": 2, "override_score": 0.4},
            {"asset": "IDLE", "amount_usd": 2}]})
        self.assert_status(answer, 200)
        self.assertEqual(set(answer.json), {"decisions"})
        got = answer.json["decisions"]
        self.assertEqual(len(got), 5)
        self.assert_agrees(got[0], self.expect())
        self.assert_problem_object(got[1], 422, "unknown_asset", breaker="unknown_asset")
        self.assert_problem_object(got[2], 422, "max_amount", breaker="max_amount")
        self.assert_agrees(got[3], self.expect("LTC", 2, override_score=0.4))
        self.assert_problem_object(got[4], 503, "no_quote", breaker="no_quote")
        ids = [g["decision_id"] for g in got]
        self.assertEqual(len(set(ids)), 5)
        self.assertEqual({g["ts_ms"] for g in (got[0], got[3])}, {got[0]["ts_ms"]})
        after = self.client.get("/readyz").json["journal"]["seq"] - 5
        records = self.client.records(after)
        self.assertEqual([r["decision_id"] for r in records], ids)
        self.assertEqual(len({r["ts_ms"] for r in records}), 1)

    def test_a_thousand_are_taken_and_one_more_is_not(self):
        one = {"asset": "BTC", "amount_usd": 1000}
        answer = self.client.post("/hedge/batch", {"requests": [one] * 1000})
        self.assert_status(answer, 200)
        self.assertEqual(len(answer.json["decisions"]), 1000)
        expected = self.expect()
        for got in answer.json["decisions"]:
            self.assert_agrees(got, expected)
        for requests in ([one] * 1001, []):
            answer = self.client.post("/hedge/batch", {"requests": requests})
            self.assert_problem(answer, 422, "bad_value", why=str(len(requests)), member="requests")

    def test_a_bad_element_refuses_the_batch_or_is_a_problem_in_its_place(self):
        good = {"asset": "BTC", "amount_usd": 1000}
        for bad, status in (({"asset": "BTC"}, 422), ({**good, "x": 1}, 400), (1, 422)):
            answer = self.client.post("/hedge/batch", {"requests": [good, bad, good]})
            if answer.status == 200:
                got = answer.json["decisions"]
                self.assert_agrees(got[0], self.expect())
                self.assert_problem_object(got[1], status)
                self.assert_agrees(got[2], self.expect())
            else:
                self.assert_problem(answer, status, why=str(bad))

    def test_requests_missing_or_of_the_wrong_type_is_422(self):
        for body in ({}, {"requests": {}}, {"requests": "x"}, {"requests": None}):
            self.assert_problem(self.client.post("/hedge/batch", body), 422, "bad_value",
                                why=str(body), member="requests")


class Quotes(Served):
    def test_a_put_answers_the_quote_as_it_is_held(self):
        ts = now_ms()
        answer = self.client.put("/quotes/XRP", {**QUOTE, "ts_ms": ts, "depth_ts_ms": ts - 5})
        self.assert_status(answer, 200)
        got = answer.json
        for name, value in (("asset", "XRP"), ("halted", False), ("score", 0.62),
                            ("confidence", 0.9), ("depth1pct_usd", 78034.12), ("ts_ms", ts),
                            ("depth_ts_ms", ts - 5)):
            self.assertEqual(got[name], value, name)
        self.assertTrue(0 <= got["age_ms"] < 5000 and 5 <= got["depth_age_ms"] < 5005, got)
        self.assertEqual(set(self.client.quote("XRP")), set(got))

    def test_the_score_before_is_kept(self):
        for score in (0.2, 0.3):
            self.assert_status(self.client.put("/quotes/LTC", {"score": score}), 200)
        got = self.client.quote("LTC")
        self.assertEqual((got["score"], got["previous_score"], got["confidence"]), (0.3, 0.2, 1.0))

    def test_members_that_never_arrived_are_absent(self):
        got = self.client.quote("IDLE")
        self.assertEqual(set(got), {"asset", "halted"})
        with Daemon(RULES) as d, d.client() as c:
            self.assertEqual([q["asset"] for q in c.get("/quotes").json["quotes"]],
                             sorted(RULES["assets"]))
            c.put("/quotes/BTC", {"depth1pct_usd": 5})
            self.assertEqual(set(c.quote("BTC")),
                             {"asset", "halted", "depth1pct_usd", "depth_ts_ms", "depth_age_ms"})
            self.assert_problem(c.hedge(), 503, "no_quote")
            c.put("/quotes/ETH", {"score": 0.5})
            self.assertNotIn("depth1pct_usd", c.quote("ETH"))
            self.assertNotIn("previous_score", c.quote("ETH"))

    def test_an_older_part_is_409_and_changes_nothing(self):
        ts = now_ms()
        self.assert_status(self.client.put("/quotes/LTC", {**QUOTE, "ts_ms": ts,
                                                           "depth_ts_ms": ts}), 200)
        held = self.client.quote("LTC")
        for body in ({"score": 0.1, "ts_ms": ts - 1},
                     {"depth1pct_usd": 1, "depth_ts_ms": ts - 1},
                     {"score": 0.1, "ts_ms": ts - 1, "depth1pct_usd": 1, "depth_ts_ms": ts + 1},
                     {"score": 0.1, "ts_ms": ts + 1, "depth1pct_usd": 1, "depth_ts_ms": ts - 1}):
            self.assert_problem(self.client.put("/quotes/LTC", body), 409, "older_quote",
                                why=str(body))
            got = self.client.quote("LTC")
            self.assertEqual({k: v for k, v in got.items() if "age" not in k},
                             {k: v for k, v in held.items() if "age" not in k}, str(body))

    def test_an_asset_without_a_policy_is_404(self):
        for asset in ("DOGE", "btc", "B%20C", "%FF", "A" * 300):
            with self.subTest(asset):
                self.assert_problem(self.client.put(f"/quotes/{asset}", QUOTE), 404, why=asset)
        self.assert_status(self.client.put("/quotes/%42TC", {"depth1pct_usd": 78034.12}), 200)

    def test_a_value_out_of_range_is_422_with_its_member(self):
        soon = now_ms() + 60000
        for body, member in (
                ({}, None), ({"confidence": 0.5}, None), ({"ts_ms": now_ms()}, None),
                ({"score": 1.01}, "score"), ({"score": -0.01}, "score"),
                ({"score": "0.5"}, "score"), ({"score": None}, "score"),
                ({"score": 0.5, "confidence": 1.5}, "confidence"),
                ({"score": 0.5, "confidence": -1}, "confidence"),
                ({"score": 0.5, "ts_ms": soon}, "ts_ms"), ({"score": 0.5, "ts_ms": -1}, "ts_ms"),
                ({"score": 0.5, "ts_ms": 1e300}, "ts_ms"), ({"score": 0.5, "ts_ms": "1"}, "ts_ms"),
                ({"depth1pct_usd": -1}, "depth1pct_usd"),
                ({"depth1pct_usd": 1, "depth_ts_ms": soon}, "depth_ts_ms"),
                ({"score": 0.5, "depth_ts_ms": now_ms()}, "depth1pct_usd"),
                ({"depth1pct_usd": 1, "ts_ms": now_ms()}, "score"),
                ({"depth1pct_usd": 1, "confidence": 1}, "score")):
            answer = self.client.put("/quotes/XRP", body)
            self.assert_problem(answer, 422, "bad_value", why=str(body))
            if member:
                self.assertEqual(answer.json.get("member"), member, f"{body} {answer}")


class Curve(Served):
    def test_the_live_curve_with_points(self):
        answer = self.client.get("/curve", asset="BTC", points=101)
        self.assert_status(answer, 200)
        got = answer.json
        self.assertEqual((got["asset"], got["method"], got["max_hedge_pct"]), ("BTC", "pchip", 1.0))
        self.assertEqual(got["knots"], oracle.DEFAULT_KNOTS)
        self.assertEqual(got["policy"], self.client.hedge().json["policy"])
        curve = oracle.curve_of(RULES)
        self.assertEqual(len(got["points"]), 101)
        for i, (x, y) in enumerate(got["points"]):
            self.assertTrue(math.isclose(x, i / 100, rel_tol=0, abs_tol=1e-15), (i, x))
            self.assertTrue(oracle.close(y, curve(x)), (x, y, curve(x)))
        self.assertEqual(got["points"][0], [0, 0.05])
        self.assertEqual(got["points"][-1], [1, 1])

    def test_the_first_asset_and_no_points_by_default(self):
        got = self.client.get("/curve").json
        self.assertEqual(got["asset"], "BTC")
        self.assertFalse(got.get("points"))
        for points in (2, 10001):
            self.assertEqual(len(self.client.get("/curve", points=points).json["points"]), points)

    def test_errors_of_the_query(self):
        for query in ("points=1", "points=10002", "points=x", "points=", "points=2.5", "points=-2",
                      "points=2&points=3", "zzz=1", "points=99999999999999999999", "asset="):
            answer = self.client.get("/curve?" + query)
            self.assertIn(answer.status, (400, 404), f"{query} {answer}")
            self.assert_problem(answer, answer.status, ("bad_query", "unknown_asset"), why=query)
        self.assert_problem(self.client.get("/curve", asset="DOGE"), 404, "unknown_asset")


class HaltAndResume(Served):
    def test_a_halt_stops_one_asset_until_it_is_resumed(self):
        self.assert_status(self.client.post("/halt", {"asset": "HALT", "reason": "é \"q\""}), 200)
        answer = self.client.hedge("HALT")
        self.assert_problem(answer, 503, "halted", breaker="halted")
        self.assertIsNone(answer.headers["Retry-After"], "waiting does not help against a halt")
        self.assertTrue(self.client.quote("HALT")["halted"])
        self.assert_problem(self.client.hedge("HALT", override_score=0.5), 503, "halted")
        self.assert_status(self.client.hedge("BTC"), 200, "another asset")
        self.assert_status(self.client.post("/resume", {"asset": "HALT", "reason": "fine"}), 200)
        self.assert_status(self.client.hedge("HALT"), 200)
        notes = [(r["kind"], r["asset"], r["note"]) for r in self.client.records()
                 if r["kind"] in ("halt", "resume") and r["asset"] == "HALT"]
        self.assertEqual(notes[-2:], [("halt", "HALT", "- é \"q\""),
                                      ("resume", "HALT", "- fine")])

    def test_without_an_asset_it_is_for_all(self):
        self.assert_status(self.client.post("/halt", {"reason": "all"}), 200)
        for asset in ("BTC", "ETH", "LTC", "HALT"):
            self.assert_problem(self.client.hedge(asset), 503, "halted", why=asset)
        self.assert_status(self.client.get("/readyz"), 503, "nothing can be decided")
        self.assert_status(self.client.post("/resume", {"reason": "all"}), 200)
        for asset in ("BTC", "ETH", "LTC", "HALT"):
            self.assert_status(self.client.hedge(asset), 200, asset)

    def test_bad_requests(self):
        for path in ("/halt", "/resume"):
            answer = self.client.post(path, {"asset": "DOGE", "reason": "r"})
            self.assertIn(answer.status, (404, 422), f"{path} {answer}")
            self.assert_problem(answer, answer.status, "unknown_asset", why=path)
            for body in ({"reason": 1}, {"asset": 1, "reason": "r"}, {"asset": "BTC"}):
                self.assert_problem(self.client.post(path, body), 422, "bad_value",
                                    why=f"{path} {body}")
        self.assertFalse(self.client.quote("BTC")["halted"])

    def test_a_halt_is_latched_over_kill_and_restart(self):
        with Daemon(RULES) as d:
            with d.client() as c:
                for asset in ("BTC", "ETH"):
                    c.put(f"/quotes/{asset}", QUOTE)
                self.assert_status(c.post("/halt", {"asset": "BTC", "reason": "latched"}), 200)
            d.kill()
            d.start()
            with d.client() as c:
                for asset in ("BTC", "ETH"):
                    c.put(f"/quotes/{asset}", QUOTE)
                self.assert_problem(c.hedge("BTC"), 503, "halted")
                self.assert_status(c.hedge("ETH"), 200)
                self.assert_status(c.post("/resume", {"asset": "BTC", "reason": "r"}), 200)
            self.assertEqual(d.stop(), 0)
            d.start()
            with d.client() as c:
                c.put("/quotes/BTC", QUOTE)
                self.assert_status(c.hedge("BTC"), 200)


class Routes(Served):
    def test_other_paths_are_404(self):
        for path in ("/", "/hedges", "/hedge/", "/Hedge", "/quotes/", "/quotes/BTC/x", "/curve/",
                     "/../etc/passwd", "/%2e%2e/etc/passwd", "/favicon.ico", "//hedge", "/healthz/x",
                     "/" + "a" * 2000):
            with self.subTest(path):
                self.assert_problem(self.client.get(path), 404, "not_found", why=path)

    def test_other_methods_are_405_with_allow(self):
        for path, allowed in ROUTES.items():
            for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"):
                if method == allowed or (path, method) in ALSO:
                    continue
                answer = self.client.ask(method, path, b"{}" if method in ("POST", "PUT") else None)
                self.assert_status(answer, 405, f"{method} {path}")
                self.assertIn(allowed, answer.headers.get("Allow", ""), f"{method} {path}")
                if method != "HEAD":
                    self.assert_problem(answer, 405, "method_not_allowed", why=f"{method} {path}")

    def test_no_answer_opens_the_daemon_to_other_origins(self):
        for path, method in ROUTES.items():
            answer = self.client.ask(method, path, b"{}" if method != "GET" else None,
                                     headers={"Origin": "http://evil.example"})
            self.assertIsNone(answer.headers.get("Access-Control-Allow-Origin"), path)

    def test_healthz_and_readyz(self):
        answer = self.client.get("/healthz")
        self.assert_status(answer, 200)
        self.assertEqual(answer.json, {"status": "alive"})
        ready = self.client.get("/readyz")
        self.assert_status(ready, 200)
        self.assertIn(ready.json["status"], ("ready", "degraded"))
        self.assertIsInstance(ready.json["reasons"], list)
        self.assertRegex(ready.json["journal"]["hash"], r"^[0-9a-f]{64}$")
        self.assertTrue(any("IDLE" in str(r) for r in ready.json["reasons"]), ready)

    def test_a_daemon_without_a_single_quote_is_unready(self):
        with Daemon(RULES) as d, d.client() as c:
            answer = c.get("/readyz")
            self.assert_status(answer, 503)
            self.assertEqual(answer.json["status"], "unready")
            self.assertTrue(answer.json["reasons"])
            self.assert_status(c.get("/healthz"), 200)

    def test_reload_answers_the_hashes(self):
        live = self.client.get("/curve").json["policy"]
        answer = self.client.post("/curve/reload")
        self.assert_status(answer, 200)
        self.assertEqual(answer.json, {"policy": live, "previous": live, "changed": False})


if __name__ == "__main__":
    daemon.main()
