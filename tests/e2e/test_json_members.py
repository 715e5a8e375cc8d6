# SPDX-License-Identifier: MIT
"""Bodies are read strictly: an unknown or repeated member is 400 and named, whatever else is in the
body, and what is not JSON to the letter is 400, by every route that takes a body."""
import json

import daemon
import oracle

QUOTE = {"score": 0.62, "confidence": 0.9, "depth1pct_usd": 78034.12}
GOOD = {"/hedge": {"asset": "BTC", "amount_usd": 1000, "override_score": 0.5},
        "/quotes/BTC": {"score": 0.5, "confidence": 0.9, "ts_ms": 1, "depth1pct_usd": 1.0,
                        "depth_ts_ms": 1},
        "/hedge/batch": {"requests": [{"asset": "BTC", "amount_usd": 1000}]}}
WORDS = ("weight", "hedge_pct", "notional_usd", "policy", "version", "flags", "decision_id", "ts",
         "liquidity_weight", "effective_score", "halted", "reason", "actor", "caller", "scope",
         "admin", "is_admin", "role", "token", "now_ms", "max_age_ms", "limit", "floor", "kind",
         "hash", "prev", "seq", "journal", "durability", "shadow", "dry_run", "force",
         "skip_checks",
         "__proto__", "constructor", "$ref", "@type", "requests[0]", "requests.0.asset", "asset[]",
         "a" * 60, "0", "null", "true", "-", "_", ".", "/", "\\", "%61sset", "data", "request")


def method(path):
    return "PUT" if path.startswith("/quotes") else "POST"


def variants(name):
    """Names that a lax reader takes for this one."""
    yield from (name.upper(), name.capitalize(), name.swapcase(), name[:-1], name[1:], name + "s",
                name + "_", "_" + name, name + " ", " " + name, name.replace("_", ""),
                name.replace("_", "-"), name.replace("_", "."), name + "[]", "x" + name,
                name[0] + name, name.title(), name + "\u0301", name.replace("a", "\u0430"),
                name.replace("s", "\u017f"), name.replace("e", "\uff45"), "\ufeff" + name)


def unknown(path):
    known = set(GOOD[path])
    names = [v for name in known for v in variants(name)] + list(WORDS)
    return [n for n in dict.fromkeys(names) if n not in known and n]


class Members(daemon.SharedCase):
    @classmethod
    def setUpClass(cls):
        cls.begin(oracle.policy(calm=True), {"BTC": QUOTE})
        cls.seq = cls.client.get("/readyz").json["journal"]["seq"]

    def ask(self, path, body):
        return self.client.ask(method(path), path, body)

    def tearDown(self):
        self.assertEqual(self.client.get("/readyz").json["journal"]["seq"], self.seq,
                         "a refused body was decided")

    def test_an_unknown_member_is_named(self):
        tried = 0
        for path, good in GOOD.items():
            for name in unknown(path):
                for body in ({**good, name: 1}, {name: None, **good}):
                    with self.subTest(path=path, name=name):
                        answer = self.ask(path, body)
                        self.assert_problem(answer, 400, "bad_member", why=name, member=name)
                tried += 1
        print(f"{tried} names", flush=True)
        self.assertGreaterEqual(tried, 200)

    def test_an_unknown_member_inside_a_batch_is_that_requests_problem(self):
        for name in unknown("/hedge"):
            request = {"asset": "BTC", "amount_usd": 1, name: 1}
            answer = self.ask("/hedge/batch", {"requests": [request]})
            self.assert_status(answer, 200, name)
            self.assert_problem_object(answer.json["decisions"][0], 400, "bad_member", why=name,
                                       member=name)

    def test_a_repeated_member_is_named(self):
        for path, good in GOOD.items():
            for name, value in good.items():
                text = json.dumps(value)
                escaped = "".join(f"\\u{ord(c):04x}" for c in name)
                for again, other in ((name, text), (name, "null"), (escaped, text)):
                    body = json.dumps(good)[:-1] + f', "{again}": {other}}}'
                    answer = self.ask(path, body.encode())
                    self.assert_problem(answer, 400, "bad_member", why=body, member=name)

    def test_what_is_not_json_to_the_letter_is_400(self):
        def with_amount(text):
            return b'{"asset":"BTC","amount_usd":' + text + b"}"
        amounts = (b"01", b"1.", b".5", b"+1", b"-", b"1e", b"1e+", b"0x10", b"1_000", b"1,000",
                   b"1e999", b"-1e999", b"1e309", b"NaN", b"nan", b"Infinity", b"-Infinity", b"inf",
                   b"1f", b"--1", b"1 2", b"'1'",
                   b"00", b"-01", b"1e5.0", b"\xef\xbc\x91")
        strings = (b'"\x01"', b'"\x1f"', b'"\n"', b'"\t"', b'"\\x41"', b'"\\u12"', b'"\\u00g0"',
                   b'"\\ud800"', b'"\\udc00"', b'"\\ud800\\u0041"', b'"\xff"', b'"\xc0\x80"',
                   b'"\xc1\xbf"',
                   b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xe2\x82"', b'"\x80"',
                   b'"BTC\\u0000"',
                   b'"BTC\\u0000x"', b'"BTC', b"'BTC'", b"BTC", b'"\\"')
        bodies = [with_amount(a) for a in amounts]
        bodies += [b'{"amount_usd":1,"asset":' + s + b"}" for s in strings]
        good = with_amount(b"1")
        bodies += [good + tail for tail in (b"x", b"}", b"{}", b",", b"\0", b"\xef\xbb\xbf", b"//",
                                            b"/**/", b" 1", b"\x0b", b"\xc2\xa0", b"\x1e")]
        bodies += [head + good for head in (b"\xef\xbb\xbf", b"\0", b"//x\n", b"\x0b", b"x",
                                            b"\xff\xfe")]
        bodies += [b"", b" ", b"{", b"}", b"[]", b"null", b"true", b"1", b'"x"', b"[" + good + b"]",
                   b"{'asset':'BTC'}", b'{"asset":"BTC","amount_usd":1,}', b'{asset:"BTC"}',
                   b'{"asset" "BTC"}', b'{"asset":"BTC""amount_usd":1}', b'{,"asset":"BTC"}',
                   good.decode().encode("utf-16"), good.decode().encode("utf-32"),
                   b'{"asset":"BTC","amount_usd":tru}', b'{"asset":"BTC","amount_usd":True}']
        for body in bodies:
            with self.subTest(body=body[:60]):
                answer = self.ask("/hedge", body)
                self.assertEqual(answer.status, 400, f"{body!r} {answer!r}")
        for body in bodies[:len(amounts) + len(strings)]:
            answer = self.ask("/hedge/batch", b'{"requests":[' + body + b"]}")
            problem = answer.json if answer.status != 200 else answer.json["decisions"][0]
            self.assertEqual(problem["status"], 400, f"{body!r} {answer!r}")

    def test_depth_is_bounded(self):
        for depth in (17, 32, 33, 100, 100000):
            for open_, close in ((b"[", b"]"), (b'{"a":', b"}")):
                inner = open_ * depth + b"1" + close * depth
                for path in GOOD:
                    answer = self.ask(path, b'{"asset":' + inner + b"}")
                    self.assertEqual(answer.status, 400, f"{path} depth {depth}: {answer!r}")
                answer = self.ask("/hedge", open_ * depth)
                self.assertEqual(answer.status, 400, f"unclosed {depth}: {answer!r}")

    def test_types_are_not_bent(self):
        for value in ("1000", True, False, None, [1000], {"usd": 1000}, ""):
            answer = self.ask("/hedge", {"asset": "BTC", "amount_usd": value})
            self.assertIn(answer.status, (400, 422), f"{value!r} {answer!r}")
            self.assertEqual(answer.json["member"], "amount_usd")
        for value in (1, True, None, ["BTC"], {"name": "BTC"}):
            answer = self.ask("/hedge", {"asset": value, "amount_usd": 1})
            self.assertIn(answer.status, (400, 422), f"{value!r} {answer!r}")
            self.assertEqual(answer.json["member"], "asset")


if __name__ == "__main__":
    daemon.main()
