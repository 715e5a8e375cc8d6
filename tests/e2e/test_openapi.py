# SPDX-License-Identifier: MIT
"""configs/openapi.json is OpenAPI 3.1, and has the routes and codes of the sources, no others."""
import importlib.util
import os
import re
import sys
import unittest

import daemon
import oracle
from daemon import Daemon

if importlib.util.find_spec("jsonschema") is None:
    print("skipped: Python has no module jsonschema")
    sys.exit(daemon.SKIP)
import jsonschema  # pylint: disable=wrong-import-position

import openapi  # pylint: disable=wrong-import-position

CALM = oracle.policy(calm=True)
KEY = "Idempotency-Key"


# ---- the routes --------------------------------------------------------------------------------

class Routes(daemon.Case):
    @classmethod
    def setUpClass(cls):
        cls.document = openapi.load()
        cls.daemon = Daemon(CALM)
        cls.client = cls.daemon.client()

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        with cls.daemon as d:
            d.stop()

    def test_the_document_is_the_router_s_table(self):
        table = {}
        for method, path, more in re.findall(
                r'\.method = "(\w+)",\s*\.path = "([^"]+)",(.*?)\.handle',
                openapi.source("hedged/routes.c"), re.S):
            scope = re.search(r"AUTH_(\w+)", more)
            security = [{"bearer": [scope[1].lower()]}] if scope else []
            if ".optional = true" in more:
                security.insert(0, {})
            table[method, path] = (security,
                                   ".body = true" in more, ".keyed = true" in more,
                                   ".query = true" in more)
        told = {key: (o["security"], "requestBody" in o,
                      any(self.document.resolve(p)["name"] == KEY for p in o.get("parameters", [])),
                      any(self.document.resolve(p)["in"] == "query"
                          for p in o.get("parameters", [])))
                for key, o in self.document.operations.items()}
        self.assertGreater(len(table), 10)
        self.assertEqual(told, table)

    def test_each_path_answers_its_methods_alone(self):
        template = self.document.tree["components"]["responses"]["MethodNotAllowed"]
        for path, item in self.document.tree["paths"].items():
            own = {m.upper() for m in item if m in openapi.METHODS}
            real = path.replace("{asset}", "BTC").replace("{hash}", "0" * 64)
            for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"):
                answer = self.client.ask(method, real, b"{}" if method in ("POST", "PUT") else None)
                why = f"{method} {path} {answer!r}"
                if method in own:
                    self.assertNotEqual(answer.status, 405, why)
                    self.assertTrue("{" in path or answer.status != 404, why)
                    continue
                self.assertEqual(answer.status, 405, why)
                self.assertEqual(set(answer.headers["Allow"].split(", ")), own, why)
                if method != "HEAD":
                    self.assertEqual(self.document.judge_response(template, answer), [], why)

    def test_other_paths_answer_as_documented(self):
        template = self.document.tree["components"]["responses"]["NotFound"]
        for path in ("/", "/openapi", "/openapi.json/", "/docs"):
            answer = self.client.get(path)
            self.assertEqual(answer.status, 404, path)
            self.assertEqual(self.document.judge_response(template, answer), [], path)

    def test_what_is_served_is_the_file(self):
        answer = self.client.get("/openapi.json")
        self.assert_status(answer, 200)
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        self.assertEqual(answer.body.decode(), openapi.source("configs/openapi.json"))

    def test_its_version_is_the_librarys(self):
        header = openapi.source("include/hedge/hedge.h")
        parts = [re.search(rf"HEDGE_VERSION_{part} (\d+)", header)[1]
                 for part in ("MAJOR", "MINOR", "PATCH")]
        self.assertEqual(self.document.tree["info"]["version"], ".".join(parts))


# ---- the document by itself --------------------------------------------------------------------

class Form(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.document = openapi.load()

    def test_it_says_that_it_is_3_1_and_has_what_3_1_requires(self):
        tree = self.document.tree
        self.assertRegex(tree["openapi"], r"^3\.1\.\d+$")
        self.assertLessEqual(set(tree), {"openapi", "info", "servers", "security", "tags", "paths",
                                         "components"})
        ids = [o["operationId"] for o in self.document.operations.values()]
        self.assertEqual(len(ids), len(set(ids)))
        tags = {t["name"] for t in tree["tags"]}
        for (method, path), o in self.document.operations.items():
            self.assertLessEqual(set(o["tags"]), tags)
            names = [(p["in"], p["name"])
                     for p in map(self.document.resolve, o.get("parameters", ()))]
            self.assertEqual(len(names), len(set(names)), path)
            self.assertEqual({n for place, n in names if place == "path"},
                             set(re.findall(r"\{(\w+)\}", path)), path)
            for status in o["responses"]:
                self.assertRegex(status, r"^[2-5]\d\d$")
                response = self.document.response(o, status)
                self.assertTrue(response["description"], (method, path, status))
                self.assertTrue(response["content"], (method, path, status))

    def test_every_reference_leads_somewhere_and_every_component_is_used(self):
        used = set()
        for at, node in self.document.walk():
            if isinstance(node, dict) and "$ref" in node:
                self.assertIsNotNone(self.document.resolve(node), at)
                used.add(node["$ref"])
        every = {f"#/components/{kind}/{name}" for kind, items in
                 self.document.tree["components"].items() if kind != "securitySchemes"
                 for name in items}
        self.assertEqual(every - used, {"#/components/responses/NotFound",
                                        "#/components/responses/MethodNotAllowed"})

    def test_every_schema_is_one(self):
        for at, node in self.document.media():
            with self.subTest(at):
                jsonschema.Draft202012Validator.check_schema(node["schema"])
        for name, schema in self.document.tree["components"]["schemas"].items():
            with self.subTest(name):
                jsonschema.Draft202012Validator.check_schema(schema)

    def test_every_object_is_closed(self):
        for at, node in self.document.walk():
            if isinstance(node, dict) and node.get("type") == "object" and "/example" not in at:
                if "~1openapi.json/" in at or "application~1yaml" in at:
                    continue  # OpenAPI's own form, and the policy's: docs/policy.md
                with self.subTest(at):
                    self.assertIs(node.get("additionalProperties"), False)
                    self.assertLessEqual(set(node["required"]), set(node["properties"]))

    def test_every_example_is_valid_and_every_medium_has_one(self):
        count = 0
        for at, node in self.document.media():
            values = [node["example"]] if "example" in node else \
                [e["value"] for e in node.get("examples", {}).values()]
            if "/headers/" not in at:
                self.assertTrue(values, at)
            for value in values:
                with self.subTest(at):
                    self.assertEqual(self.document.wrong(node["schema"], value), "")
                count += 1
        self.assertGreater(count, 50)

    def test_the_schemas_of_requests_refuse_what_the_daemon_refuses(self):
        schemas = {name: {"$ref": f"#/components/schemas/{name}"}
                   for name in ("HedgeRequest", "BatchRequest", "QuoteUpdate")}
        good = {"asset": "BTC", "amount_usd": 1}
        for name, value, valid in (
                ("HedgeRequest", good, True), ("HedgeRequest", {**good, "override_score": 1}, True),
                ("HedgeRequest", {**good, "override_score": 1.1}, False),
                ("HedgeRequest", {**good, "x": 1}, False),
                ("HedgeRequest", {"asset": "BTC"}, False),
                ("HedgeRequest", {**good, "amount_usd": -1}, False),
                ("HedgeRequest", {**good, "asset": "A" * 32}, False),
                ("BatchRequest", {"requests": [good] * 1000}, True),
                ("BatchRequest", {"requests": [good] * 1001}, False),
                ("BatchRequest", {"requests": []}, False), ("QuoteUpdate", {}, False),
                ("QuoteUpdate", {"score": 1}, True), ("QuoteUpdate", {"confidence": 1}, False),
                ("QuoteUpdate", {"score": 1, "depth_ts_ms": 1}, False)):
            with self.subTest(f"{name} {str(value)[:60]}"):
                self.assertEqual(self.document.wrong(schemas[name], value) == "", valid)


# ---- the codes ---------------------------------------------------------------------------------

def arguments(text, at):
    """The arguments of the call whose parenthesis opens at text[at]."""
    out, depth, quoted, begin = [], 0, False, at + 1
    i = at
    while True:
        c = text[i]
        if quoted:
            i += c == "\\"
            quoted = c != '"'
        elif c == '"':
            quoted = True
        elif c in "({[":
            depth += 1
        elif c in ")}]":
            depth -= 1
            if depth == 0:
                return out + [text[begin:i].strip()]
        elif c == "," and depth == 1:
            out.append(text[begin:i].strip())
            begin = i + 1
        i += 1


def codes_of_sources():
    """{(status or None, code)} of every problem that the sources can set for a client."""
    out = set()
    for name in sorted(os.listdir(os.path.join(openapi.ROOT, "hedged"))):
        # What feeds and files say is logged, not answered.
        if not name.endswith(".c") or name.startswith("feed_") or name == "problem.c":
            continue
        text = openapi.source(f"hedged/{name}")
        for call in re.finditer(r"\bproblem_set\(", text):
            given = arguments(text, call.end() - 1)
            codes = re.findall(r'"([a-z_]+)"', given[2])
            if given[2] == "hedge_status_name(trip)":
                codes = oracle.BREAKERS
            elif not codes:  # a function that chooses
                chooser = given[2].partition("(")[0]
                function = re.search(rf"\b{chooser}\([^)]*\)\n{{(.*?)\n}}", text, re.S)
                codes = re.findall(r'return "([a-z_]+)"', function[1])
            status = int(given[1]) if given[1].isdigit() and len(codes) == 1 else None
            out |= {(status, code) for code in codes}
    return out


class Codes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.document = openapi.load()
        cls.schemas = cls.document.tree["components"]["schemas"]

    def told(self):
        responses = [self.document.response(o, s) for o in self.document.operations.values()
                     for s in o["responses"]] + \
            [self.document.tree["components"]["responses"][name]
             for name in ("NotFound", "MethodNotAllowed")]
        return {c for r in responses for c in self.document.codes(r)} - {None}

    def test_the_breakers_are_the_librarys(self):
        header = openapi.source("include/hedge/hedge.h")
        names = [n.lower() for n in re.findall(r"HEDGE_TRIP_(\w+) = -", header)]
        self.assertEqual(self.schemas["Breaker"]["enum"], names)

    def test_every_code_of_the_sources_is_documented_and_no_other(self):
        found = codes_of_sources()
        self.assertGreater(len(found), 20)
        self.assertEqual({code for _, code in found}, self.told())
        breakers, others = self.schemas["Breaker"], self.schemas["Code"]["anyOf"][1]
        listed = set(others["enum"]) | set(breakers["enum"])
        self.assertEqual(listed, self.told())

    def test_each_code_is_documented_with_its_status(self):
        told = {(status, code) for _, _, status, code in self.document.documented()}
        told |= {(404, "not_found"), (405, "method_not_allowed")}
        self.assertEqual({(s, c) for s, c in codes_of_sources() if s} - told, set())

    def test_the_reasons_of_readyz_are_those_of_the_sources(self):
        text = openapi.source("hedged/route_ready.c")
        found = set(re.findall(r'put_re(?:ason|fusal)\([^;"]*?"([a-z_]+)"', text))
        faults = re.findall(r'\[SHIP_FAULT_\w+\] = {"([a-z]+)"', re.sub(
            r"{\s+", "{", openapi.source("hedged/ship_fault.c")))
        found |= {f"postgres_{fault}" for fault in faults} | set(oracle.BREAKERS)
        self.assertEqual(set(self.schemas["Reason"]["properties"]["code"]["enum"]), found)

    def test_docs_http_md_names_every_code_and_every_route(self):
        text = openapi.source("docs/http.md")
        words = set(re.findall(r"`([a-z_]+)`", text))
        self.assertEqual(self.told() - words, set())
        for method, path in self.document.operations:
            self.assertRegex(text, rf"`({method} )?{re.escape(path)}`", f"{method} {path}")


if __name__ == "__main__":
    daemon.main()
