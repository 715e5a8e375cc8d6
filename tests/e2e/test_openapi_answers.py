# SPDX-License-Identifier: MIT
"""Every answer that configs/openapi.json documents is given, and no other is."""
import importlib.util
import json
import os
import re
import resource
import socket
import sys
import threading
import time

import daemon
import oracle
from daemon import Daemon, now_ms, wait_until

if importlib.util.find_spec("jsonschema") is None:
    print("skipped: Python has no module jsonschema")
    sys.exit(daemon.SKIP)
import openapi  # pylint: disable=wrong-import-position

QUOTE = {"score": 0.62, "confidence": 0.9, "depth1pct_usd": 78034.12}
REJECT = {"below": 0.2, "above": 0.8, "action": "reject"}
LIMITS = {"MAX": {"max_amount_usd": 100.0}, "JUMP": {"max_score_jump": 0.1},
          "SURE": {"min_confidence": 0.95}, "EDGE": {"extreme_score": REJECT},
          "SKEW": {"max_clock_skew_ms": 60000.0}, "OLDSCORE": {"stale_score_ms": 3000.0},
          "OLDDEPTH": {"stale_depth_ms": 3000.0}, "THIN": {}, "NONE": {}, "BTC": {}}
RULES = oracle.policy(calm=True, assets={name: {"limits": l} for name, l in LIMITS.items()})
KEY = "Idempotency-Key"
MIB = 1 << 20
# The journal's queue takes 16,384: 32 of these and not one more.
BATCH = json.dumps({"requests": [{"asset": "BTC", "amount_usd": 1}] * 512}).encode()

# Documented, and out of reach of a client, with the reason.
NO_WAY = {
    ("POST", "/hedge", 503, "bad_quote"): "the feeds refuse such numbers before the market",
    ("GET", "/decisions", 503, "journal_failed"): "needs a file that cannot be read",
    ("POST", "/resume", 503, "journal_full"): "the queue keeps room for halts and resumes",
}


def sanitized():
    with open(daemon.program("HEDGED"), "rb") as f:
        return re.search(b"__[at]san_init", f.read()) is not None


def head(method, path, *headers, length=None):
    lines = [f"{method} {path} HTTP/1.1", "Connection: close", *headers]
    if not any(h.startswith("Host:") for h in headers):
        lines.append("Host: localhost")
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def parse(data):
    """An Answer of raw bytes."""
    top, _, body = data.partition(b"\r\n\r\n")
    lines = top.decode().split("\r\n")
    headers = {k.title() if k.title() != "Www-Authenticate" else "WWW-Authenticate": v
               for k, _, v in (line.partition(": ") for line in lines[1:])}
    return daemon.Answer(int(lines[0].split()[1]), headers, body)


# ---- what the scenes below have heard ----------------------------------------------------------

class Heard:
    """Every answer, as the document counts it, and what was wrong with it."""

    def __init__(self, document):
        self.document, self.seen, self.faults = document, set(), []
        self.lock = threading.Lock()

    def template(self, path):
        path = path.partition("?")[0]
        return next((known for _, known in self.document.operations
                     if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", known), path)), None)

    def note(self, method, path, answer, status=None, code=None):
        """status, code: what it must be, where the scene knows."""
        known = self.template(path)
        operation = self.document.operations[method, known]
        problem = answer.headers.get("Content-Type") == openapi.PROBLEM
        got = answer.json.get("code") if problem else None
        faults = self.document.judge(operation, answer)
        if status is not None and (answer.status, got) != (status, code):
            faults.append(f"{status} {code} was expected")
        with self.lock:
            self.seen.add((method, known, answer.status, got))
            self.faults += [f"{method} {path}: {fault}: {answer!r}" for fault in faults]
        return answer

    def ask(self, client, method, path, body=None, headers=None, expect=None):
        return self.note(method, path, client.ask(method, path, body, headers), *(expect or ()))

    def raw(self, port, method, path, data, expect):
        self.note(method, path, parse(daemon.raw(port, data)), *expect)

    def everywhere(self):
        """(method, a path that fits) of each operation."""
        return [(method, path.replace("{asset}", "BTC").replace("{hash}", "0" * 64))
                for method, path in self.document.operations]


# ---- scenes ------------------------------------------------------------------------------------

def scene_good(heard):
    with Daemon(RULES) as d, d.client() as c:
        for asset in ("BTC", "MAX", "SURE", "THIN"):
            heard.ask(c, "PUT", f"/quotes/{asset}", QUOTE, expect=(200, None))
        policy = heard.ask(c, "GET", "/curve?points=11", expect=(200, None)).json["policy"]
        key = {KEY: '"one"'}
        for _ in range(2):
            heard.ask(c, "POST", "/hedge", {"asset": "BTC", "amount_usd": 5}, key, (200, None))
        heard.ask(c, "POST", "/hedge", {"asset": "BTC", "amount_usd": 6}, key, (422, "key_reused"))
        for _ in range(2):
            heard.ask(c, "POST", "/hedge", {"asset": "NONE", "amount_usd": 6}, {KEY: "two"},
                      (503, "no_quote"))
        heard.ask(c, "POST", "/hedge", {"asset": "BTC", "amount_usd": 5, "override_score": 0.95},
                  expect=(200, None))
        heard.ask(c, "POST", "/hedge/batch", {"requests": [
            {"asset": "BTC", "amount_usd": 5}, {"asset": "MAX", "amount_usd": 500},
            {"asset": "NONE", "amount_usd": 1}, {"asset": "BTC"}, 7,
            {"asset": "BTC", "amount_usd": 1, "x": 1}]}, expect=(200, None))
        for path in ("/quotes", "/curve", "/curve?asset=MAX", "/decisions", "/decisions?asset=BTC",
                     "/decisions?after=1&limit=1", "/policies/" + policy, "/healthz", "/readyz",
                     "/metrics", "/openapi.json"):
            heard.ask(c, "GET", path, expect=(200, None))
        heard.ask(c, "POST", "/curve/reload", expect=(200, None))
        oracle_text = oracle.text({**RULES, "max_hedge_pct": 0.5})
        daemon.write_file(d.policy_path, oracle_text)
        heard.ask(c, "POST", "/curve/reload", expect=(200, None))
        daemon.write_file(d.policy_path, "max_hedge_pct: 7\n")
        heard.ask(c, "POST", "/curve/reload", expect=(422, "bad_policy"))
        heard.ask(c, "GET", "/readyz", expect=(200, None))
        heard.ask(c, "GET", "/decisions", expect=(200, None))


def scene_breakers(heard):
    def trip(asset, quote=None, status=503, breaker=None, **request):
        if quote is not None:
            heard.ask(c, "PUT", f"/quotes/{asset}", {**QUOTE, **quote}, expect=(200, None))
        heard.ask(c, "POST", "/hedge", {"asset": asset, "amount_usd": 1, **request},
                  expect=(status, breaker))
    old = now_ms() - 60000
    with Daemon(RULES) as d, d.client() as c:
        trip("WHO", None, 422, "unknown_asset")
        trip("BTC", {}, 422, "bad_amount", amount_usd=-1)
        trip("BTC", None, 422, "bad_override", override_score=1.5)
        trip("MAX", {}, 422, "max_amount", amount_usd=101)
        trip("EDGE", {"score": 0.9}, 422, "extreme_score")
        trip("NONE", None, 503, "no_quote")
        trip("OLDSCORE", {"ts_ms": old}, 503, "stale_score")
        trip("OLDDEPTH", {"depth_ts_ms": old}, 503, "stale_depth")
        trip("JUMP", {"score": 0.3}, 200)
        trip("JUMP", {"score": 0.7}, 503, "score_jump")
        trip("THIN", {"depth1pct_usd": 1}, 503, "min_depth")
        trip("SURE", {}, 503, "min_confidence")
        ahead = {**QUOTE, "ts_ms": now_ms() + 50000}
        heard.ask(c, "PUT", "/quotes/SKEW", ahead, expect=(200, None))
        daemon.write_file(d.policy_path, oracle.text(RULES).replace("60000.0", "0.0"))
        heard.ask(c, "POST", "/curve/reload", expect=(200, None))
        trip("SKEW", None, 503, "clock_skew")
        heard.ask(c, "POST", "/halt", {"asset": "BTC", "reason": "a test"}, expect=(200, None))
        trip("BTC", None, 503, "halted")
        heard.ask(c, "GET", "/decisions?limit=1000", expect=(200, None))
        heard.ask(c, "GET", "/quotes", expect=(200, None))


def scene_halts(heard):
    with Daemon(RULES) as d, d.client() as c:
        def order(path, status, code=None, **body):
            heard.ask(c, "POST", path, {"reason": "a test", **body}, expect=(status, code))
        for path in ("/halt", "/resume"):
            for _ in range(2):  # the second time changes nothing
                order(path, 200)
                order(path, 200, asset="BTC", actor="alice")
            order(path, 422, "unknown_asset", asset="WHO")
            order(path, 422, "bad_value", reason="")
            heard.ask(c, "GET", "/halt", expect=(200, None))
        order("/halt", 200)
        heard.ask(c, "GET", "/readyz", expect=(503, None))
        order("/resume", 409, "halted_all", asset="BTC")
        os.rename(d.journal_path, d.journal_path + ".away")
        order("/halt", 503, "journal_failed")
        order("/resume", 503, "journal_failed")
        order("/halt", 503, "halt_not_latched", asset="MAX")
        heard.ask(c, "GET", "/halt", expect=(200, None))
        heard.ask(c, "GET", "/readyz", expect=(503, None))


def scene_bad_requests(heard):
    with Daemon(RULES) as d, d.client() as c:
        for method, path in heard.everywhere():
            def raw(data, *expect, method=method, path=path):
                heard.raw(d.port, method, path, data, expect)
            raw(head(method, path, "Host: x", "Host: y", length=0), 400, "bad_request")
            raw(head(method, path, "Authorization: a", "Authorization: b", length=0),
                400, "bad_header")
            raw(head(method, path, "Host: evil.example", length=0), 403, "bad_host")
            raw(head(method, path, "Expect: more", length=0), 417, "bad_expectation")
            raw(head(method, path, *(f"X-{i}: y" for i in range(100)), length=0),
                431, "too_many_headers")
            raw(head(method, path, "Origin: http://evil.example", length=0), 403, "cross_origin")
            raw(head(method, path, "Transfer-Encoding: chunked"), 411, "length_required")
            raw(head(method, path, length=MIB + 1), 413, "too_large")
            for query in ("x=1", "x", "&", "asset=BTC&x=1"):
                if path not in ("/curve", "/decisions"):
                    raw(head(method, f"{path}?{query}", length=0), 400, "bad_query")
        for method, path in (("POST", "/hedge"), ("POST", "/hedge/batch"), ("PUT", "/quotes/BTC"),
                             ("POST", "/halt"), ("POST", "/resume")):
            for body, code in ((b"{", "bad_json"), (b'{"x":1}', "bad_member")):
                heard.ask(c, method, path, body, expect=(400, code))
            heard.ask(c, method, path, b"{}", expect=(422, "bad_value"))
        for path in ("/quotes?x=1", "/halt?x=1", "/curve?points=1", "/decisions?limit=0"):
            heard.ask(c, "GET", path, expect=(400, "bad_query"))
        heard.ask(c, "GET", "/curve?asset=WHO", expect=(404, "unknown_asset"))
        heard.ask(c, "PUT", "/quotes/WHO", QUOTE, expect=(404, "unknown_asset"))
        heard.ask(c, "PUT", "/quotes/" + "A" * 200, QUOTE, expect=(404, "not_found"))
        heard.ask(c, "GET", "/policies/" + "0" * 64, expect=(404, "not_found"))
        heard.ask(c, "PUT", "/quotes/BTC", QUOTE, expect=(200, None))
        heard.ask(c, "PUT", "/quotes/BTC", {**QUOTE, "ts_ms": 1}, expect=(409, "older_quote"))
        heard.ask(c, "POST", "/hedge", {"asset": "BTC", "amount_usd": 1}, {KEY: "a b"},
                  (400, "bad_header"))


def token(folder, scope):
    """A token with this scope, by the tool's own key of this folder."""
    code, out, err = daemon.hedge("token", "sign", "--key", f"{folder}/k.key.json", "--sub", "bob",
                                  "--scope", scope, "--iss", "i", "--aud", "a")
    if code:
        raise AssertionError(err)
    return f"Authorization: Bearer {out.strip()}"


def scene_tokens(heard):
    """No token, one with every scope but the one that is wanted, and too many requests."""
    folder = daemon.new_folder()
    code, _, err = daemon.hedge("token", "keys", "--kid", "k", "--out", folder)
    if code:
        raise AssertionError(err)
    keys = {"jwt_keys": f"{folder}/k.jwks.json", "jwt_issuer": "i", "jwt_audience": "a"}
    every = ("size", "override", "quote", "read", "admin", "halt")
    with Daemon(RULES, **keys) as d, d.client() as c:
        for method, path in heard.everywhere():
            operation = heard.document.operations[method, heard.template(path)]
            if not operation["security"]:
                continue
            wanted = operation["security"][-1]["bearer"][0]
            others = token(folder, " ".join(s for s in every if s != wanted))
            optional = {} in operation["security"]  # who may not is told less, and not refused
            for more, expect in (((), () if optional else (401, "unauthorized")),
                                 (("Authorization: Bearer x.y.z",), (401, "unauthorized")),
                                 ((others,), () if optional else (403, "forbidden"))):
                heard.raw(d.port, method, path, head(method, path, *more, length=0), expect)
        bearer = dict([token(folder, "size quote").split(": ", 1)])
        one = {"asset": "BTC", "amount_usd": 1, "override_score": 0.5}
        heard.ask(c, "PUT", "/quotes/BTC", QUOTE, bearer, (200, None))
        heard.ask(c, "POST", "/hedge", one, bearer, (403, "forbidden"))
        heard.ask(c, "POST", "/hedge/batch", {"requests": [one]}, bearer, (200, None))
    with Daemon(RULES, **keys, max_requests_per_s=1) as d:
        bearer = token(folder, " ".join(every))
        for method, path in heard.everywhere():
            key = (method, heard.template(path), 429, "too_many_requests")
            if heard.document.operations[key[:2]]["security"]:
                def limited(method=method, path=path, key=key):
                    data = head(method, path, bearer, length=2) + b"{}"
                    heard.note(method, path, parse(daemon.raw(d.port, data)))
                    return key in heard.seen
                wait_until(limited, f"{method} {path} is limited", every=0)


def scene_crowds(heard):
    """More connections than one address, and than everybody together may have."""
    for settings, expect in (({"http_connections_per_peer": 2}, (429, "too_many_connections")),
                             ({"http_connections": 64, "http_connections_per_peer": 0},
                              (503, "overloaded"))):
        with Daemon(RULES, **settings, http_head_ms=60000) as d:
            held = []
            try:
                for _ in range(64 if expect[0] == 503 else 2):
                    held.append(socket.create_connection(("127.0.0.1", d.port), timeout=10))
                    held[-1].sendall(b"GET / HTTP/1.1\r\n")
                for method, path in heard.everywhere():
                    def refused(method=method, path=path):
                        answer = parse(daemon.raw(d.port, head(method, path, length=0)))
                        heard.note(method, path, answer)
                        return answer.status == expect[0] and answer.code == expect[1]
                    wait_until(refused, f"{method} {path} is {expect}")
            finally:
                for s in held:
                    s.close()


def scene_slow_bodies(heard):
    """A byte now and then, of the body or where there is none of the head, to all at once."""
    def crawl(method, path):
        with socket.create_connection(("127.0.0.1", d.port), timeout=10) as s:
            if "requestBody" in heard.document.operations[method, heard.template(path)]:
                s.sendall(head(method, path, length=100))
            else:
                s.sendall(head(method, path)[:-2] + b"X: ")
            s.settimeout(0.25)
            data = b""
            for _ in range(24):
                try:
                    part = s.recv(65536)
                except TimeoutError:
                    try:
                        s.sendall(b" ")
                    except OSError:
                        break
                    continue
                except OSError:
                    break
                if not part:
                    break
                data += part
        if data:
            heard.note(method, path, parse(data), 408, "request_timeout")
        else:
            heard.faults.append(f"{method} {path}: no answer to a slow body in 6 s")
    with Daemon(RULES) as d:
        threads = [threading.Thread(target=crawl, args=each) for each in heard.everywhere()]
        for t in threads:
            t.start()
        for t in threads:
            t.join()


def start_in_vain(d):
    """It is stopped before it has started."""
    try:
        d.start(timeout=200)
    except AssertionError:
        pass


def scene_starting(heard):
    """While a start certifies its curves, only what is served always is served."""
    port = daemon.free_port()
    knots = [[[0, 0], [0.5, 0.2 + i / 1000], [1, 1]] for i in range(40)]
    rules = oracle.policy(assets={f"A{i}": {"curve": {"knots": k}} for i, k in enumerate(knots)})
    d = Daemon(rules, start=False, certify=1, api_port=port)
    threading.Thread(target=start_in_vain, args=(d,), daemon=True).start()

    def alive():
        try:
            with daemon.Client(port) as c:
                return c.get("/healthz").status == 200
        except OSError:
            return False
    try:
        wait_until(alive, "it listens")
        with daemon.Client(port) as c:
            for method, path in heard.everywhere():
                if path in ("/healthz", "/openapi.json"):
                    heard.ask(c, method, path, expect=(200, None))
                else:
                    heard.ask(c, method, path, b"{}" if method != "GET" else None,
                              expect=(503, "stopping"))
                    c.close()
    finally:
        d.process.terminate()
        wait_until(lambda: d.process.poll() is not None, "it ended", 60)


def scene_journal(heard):
    """The disk refuses, then more waits than the journal's queue takes."""
    one = {"asset": "BTC", "amount_usd": 1}
    with Daemon(RULES) as d, d.client() as c:
        heard.ask(c, "PUT", "/quotes/BTC", QUOTE, expect=(200, None))
        os.rename(d.journal_path, d.journal_path + ".away")
        heard.ask(c, "POST", "/hedge", one, expect=(503, "journal_failed"))
        heard.ask(c, "POST", "/hedge/batch", {"requests": [one]}, expect=(503, "journal_failed"))
        heard.ask(c, "GET", "/readyz", expect=(503, None))
        os.rename(d.journal_path + ".away", d.journal_path)
        heard.ask(c, "POST", "/hedge", one, expect=(200, None))
        slow_down_the_writer(d.process.pid)
        begin = time.monotonic()
        while not {("POST", "/hedge", 503, "journal_full"),
                   ("POST", "/hedge/batch", 503, "journal_full")} <= heard.seen:
            if time.monotonic() - begin > 60:
                raise AssertionError("no full queue in 60 s")
            flood(heard, d.port, c)


def slow_down_the_writer(pid):
    """The thread that has written most runs from here on only when no other wants to."""
    def written(tid):
        with open(f"/proc/{pid}/task/{tid}/io", encoding="ascii") as f:
            return int(re.search(r"wchar: (\d+)", f.read())[1])
    writer = max(map(int, os.listdir(f"/proc/{pid}/task")), key=written)
    os.sched_setscheduler(writer, os.SCHED_IDLE, os.sched_param(0))


def flood(heard, port, client):
    """More records at once than the queue takes, and single ones meanwhile."""
    data = head("POST", "/hedge/batch", length=len(BATCH)) + BATCH
    links = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(50)]
    try:
        for s in links:
            s.sendall(data)
        for _ in range(50):
            if client.metric("hedge_journal_queued") == 16384:
                heard.ask(client, "POST", "/hedge", {"asset": "BTC", "amount_usd": 1})
        for s in links:
            with s.makefile("rb") as f:
                reply = f.read()
            if b" 503 " in reply[:20]:
                heard.note("POST", "/hedge/batch", parse(reply), 503, "journal_full")
    finally:
        for s in links:
            s.close()


def scene_not_loaded(heard):
    """More assets than the market has room for, so that the policy cannot go live."""
    def names(letter):
        return oracle.text(oracle.policy(assets={f"{letter}{i}": {} for i in range(600)}))
    with Daemon(names("a")) as d, d.client() as c:
        daemon.write_file(d.policy_path, names("b"))
        heard.ask(c, "POST", "/curve/reload", expect=(503, "not_loaded"))


def refuse_memory(heard, port, method, path):
    """Bodies that are held until there is no room for one more in what the process has."""
    start, held = head(method, path, length=MIB), []
    try:
        for _ in range(20):
            got = daemon.raw(port, start + b" " * MIB)
            if not got:  # refused and closed while it was sent: a reset overtook the answer
                continue
            answer = parse(got)
            if answer.status == 503:
                break
            held.append(socket.create_connection(("127.0.0.1", port), timeout=10))
            held[-1].sendall(start + b" ")
        heard.note(method, path, answer, 503, "out_of_memory")
    finally:
        for s in held:
            s.close()


def scene_no_memory(heard):
    """From here on the process gets no more memory than it has."""
    for method, path in heard.everywhere():
        if "requestBody" not in heard.document.operations[method, heard.template(path)]:
            continue
        with Daemon(RULES) as d:
            hard = resource.prlimit(d.process.pid, resource.RLIMIT_DATA)[1]
            resource.prlimit(d.process.pid, resource.RLIMIT_DATA, (4096, hard))  # 0: as it likes
            refuse_memory(heard, d.port, method, path)


class Answers(daemon.Case):
    @classmethod
    def setUpClass(cls):
        cls.document = openapi.load()
        cls.heard = Heard(cls.document)
        cls.memory = not sanitized()
        for scene in (scene_good, scene_breakers, scene_halts, scene_tokens, scene_bad_requests,
                      scene_crowds, scene_slow_bodies, scene_starting, scene_journal,
                      scene_not_loaded):
            begin = time.monotonic()
            scene(cls.heard)
            print(f"{scene.__name__}: {time.monotonic() - begin:.1f} s", flush=True)
        if cls.memory:
            scene_no_memory(cls.heard)

    def test_every_answer_is_as_documented(self):
        self.assertEqual(self.heard.faults, [], "\n".join(self.heard.faults[:10]))
        print(f"{len(self.heard.seen)} kinds of answers")

    def test_every_documented_answer_exists(self):
        missing = self.document.documented() - self.heard.seen - set(NO_WAY)
        # Each allocation of each route fails in a test of its own; and a client's
        # certificate is refused in test_tls.py.
        missing = {m for m in missing if "requestBody" not in self.document.operations[m[:2]]
                   and m[3] not in ("out_of_memory", "forbidden")
                   or "requestBody" in self.document.operations[m[:2]]}
        if not self.memory:  # a sanitizer's allocator has no such limit
            missing = {m for m in missing if m[3] != "out_of_memory"}
        self.assertEqual(sorted(map(str, missing)), [])

    def test_what_is_out_of_reach_was_not_reached(self):
        self.assertEqual(self.heard.seen & set(NO_WAY), set(), "no longer out of reach")


if __name__ == "__main__":
    daemon.main()
