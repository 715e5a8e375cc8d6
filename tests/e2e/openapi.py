# SPDX-License-Identifier: MIT
"""Reads configs/openapi.json, and judges answers of a daemon by it."""
import json
import os

import jsonschema

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FILE = os.path.join(ROOT, "configs", "openapi.json")
METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
PROBLEM = "application/problem+json"
# What an answer may carry only where the document says so.
TOLD = ("Allow", "Idempotency-Replayed", "Retry-After", "WWW-Authenticate")


def source(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def load():
    return Document(json.loads(source("configs/openapi.json")))


class Document:
    def __init__(self, tree):
        self.tree, self._validators = tree, {}
        self.operations = {(method.upper(), path): operation
                           for path, item in tree["paths"].items()
                           for method, operation in item.items() if method in METHODS}

    def resolve(self, node):
        """The node, or what its $ref names."""
        while isinstance(node, dict) and "$ref" in node:
            at = self.tree
            for part in node["$ref"].removeprefix("#/").split("/"):
                at = at[part.replace("~1", "/").replace("~0", "~")]
            node = at
        return node

    def validator(self, schema):
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            whole = {"allOf": [schema], "components": self.tree["components"]}
            self._validators[key] = jsonschema.Draft202012Validator(whole)
        return self._validators[key]

    def wrong(self, schema, value):
        """What is wrong with a value: the deepest sentence, "" where nothing."""
        fault = jsonschema.exceptions.best_match(self.validator(schema).iter_errors(value))
        if fault is None:
            return ""
        return f"{'/'.join(map(str, fault.absolute_path))}: {fault.message[:300]}"

    def response(self, operation, status):
        found = operation["responses"].get(str(status))
        return None if found is None else self.resolve(found)

    def codes(self, response):
        """The codes that a response's problems may have; [None] where it has no problems."""
        if response is None:
            return []
        media = response["content"].get(PROBLEM)
        plain = [None] if set(response["content"]) - {PROBLEM} else []
        return plain + (self._codes(media["schema"]) if media else [])

    def _codes(self, schema):
        """Of `{allOf: [a problem, {properties: {status, code: {enum}}}]}`, or oneOf such."""
        schema = self.resolve(schema)
        for part in schema.get("oneOf", ()):
            if "allOf" not in part:
                raise AssertionError(f"no list of codes in {part}")
        own = schema.get("properties", {}).get("code", {}).get("enum", [])
        return list(own) + [c for part in schema.get("oneOf", ()) for c in self._codes(part)] + \
            [c for part in schema.get("allOf", ()) if "$ref" not in part for c in self._codes(part)]

    def documented(self):
        """{(method, path, status, code)}: every answer, with each of its codes."""
        return {(method, path, int(status), code)
                for (method, path), operation in self.operations.items()
                for status in operation["responses"]
                for code in self.codes(self.response(operation, status))}

    # ---- answers

    def judge(self, operation, answer):
        """What is wrong with an answer to an operation: sentences."""
        response = self.response(operation, answer.status)
        if response is None:
            return [f"the status {answer.status} is not documented"]
        return self.judge_response(response, answer)

    def judge_response(self, response, answer):
        faults = self._judge_headers(response.get("headers", {}), answer.headers)
        kind = answer.headers.get("Content-Type", "")
        media = response["content"].get(kind)
        if media is None:
            return faults + [f"the content type {kind!r} is not documented"]
        if kind == "application/yaml":  # which Python does not read by itself
            return faults + ([] if answer.body else ["an empty text"])
        value = answer.json if kind.split(";")[0].endswith("json") else answer.body.decode()
        fault = self.wrong(media["schema"], value)
        return faults + ([fault] if fault else [])

    def _judge_headers(self, declared, headers):
        faults = [f"the header {name} is not documented" for name in TOLD
                  if name in headers and name not in declared]
        for name, header in declared.items():
            header = self.resolve(header)
            if name not in headers:
                faults += [f"the header {name} is missing"] if header.get("required") else []
                continue
            fault = self.wrong(header["schema"], headers[name])
            faults += [f"header {name}: {fault}"] if fault else []
        return faults

    # ---- all that is in it

    def walk(self, node=None, at="#"):
        """Every (place, node)."""
        node = self.tree if node is None else node
        yield at, node
        if isinstance(node, dict):
            for key, value in node.items():
                yield from self.walk(value, f"{at}/{key.replace('~', '~0').replace('/', '~1')}")
        elif isinstance(node, list):
            for i, value in enumerate(node):
                yield from self.walk(value, f"{at}/{i}")

    def media(self):
        """Every (place, media type object or parameter) that has a schema."""
        for at, node in self.walk():
            if isinstance(node, dict) and "schema" in node and "/properties/" not in at:
                yield at, node
