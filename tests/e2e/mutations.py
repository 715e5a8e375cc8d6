# SPDX-License-Identifier: MIT
"""Mutated requests against a live daemon, by the hundred thousand.

    mutations.py COUNT [SEED]     HEDGED, HEDGE_CLI: what is attacked (best a sanitizer's build)
    mutations.py COUNT SEED tokens     one that asks for tokens, and orders of the kill switch

Bodies, paths, queries, headers and whole requests are changed, several requests follow each other
on one connection, and some among them are left as they are. What has to hold: the daemon lives;
each reply is whole, of a declared status and code, its JSON strict; a request that was left alone
gets its own decision; the journal verifies; memory stays where it is. With tokens, also: nothing
succeeds without a good one of the right scope, and each order that was acknowledged is a record,
behind which nothing is decided.
"""
import collections
import json
import multiprocessing
import os
import random
import socket
import sys
import time

import daemon
import halts
import journal
import mutants
import mutants_tokens
import tokens
from daemon import MIB, Daemon

WORKERS = 8
PIPELINED = 5  # requests on one connection, at most
HANG_S = 60.0
GROWTH_MAX = 48 * MIB  # from a fifth of the way to the end; a cold daemon warms up by 30 of them
SENTINEL = "SENTINEL"  # the asset of requests that are left alone; nothing mutates into it

POLICY = f"""
curve: {{knots: [[0, .05], [.3, .25], [.7, .75], [1, 1]]}}
limits: {{stale_score_ms: 86400000, stale_depth_ms: 86400000}}
assets: {{BTC: {{}}, ETH: {{}}, {SENTINEL}: {{}}}}
"""

# docs/http.md: what may be said, and nothing else.
CODES = {
    400: {"bad_header", "bad_request", "bad_json", "bad_member", "bad_query"},
    401: {"unauthorized", "token_expired"}, 403: {"cross_origin", "forbidden", "bad_host"},
    404: {"not_found", "unknown_asset"}, 405: {"method_not_allowed"}, 408: {"request_timeout"},
    409: {"older_quote", "key_in_use", "halted_all"}, 411: {"length_required"}, 413: {"too_large"},
    422: {"bad_value", "bad_policy", "key_reused", "unknown_asset", "bad_amount", "max_amount",
          "bad_override", "extreme_score"},
    417: {"bad_expectation"}, 429: {"too_many_requests", "too_many_connections"},
    431: {"too_many_headers", "too_large"},
    503: {"halted", "no_quote", "bad_quote", "clock_skew", "stale_score", "stale_depth",
          "score_jump", "min_depth", "min_confidence", "not_loaded", "journal_full",
          "journal_failed", "stopping", "out_of_memory", "overloaded", "halt_not_latched"},
}


class Broken(AssertionError):
    """A promise that did not hold."""


def strict(data):
    """JSON that any strict reader takes: no repeated member, no NaN, no half of a pair."""
    def unique(pairs):
        out = dict(pairs)
        if len(out) != len(pairs):
            raise ValueError("a repeated member")
        return out

    def refuse(word):
        raise ValueError(word)
    return json.loads(data.decode("utf-8"), object_pairs_hook=unique, parse_constant=refuse)


def split(data, cut):
    """The replies in what a connection said: [(status, type, body)]; `cut`: the end may lack."""
    out, at = [], 0
    while at < len(data):
        end = data.find(b"\r\n\r\n", at)
        if end < 0 or not data.startswith(b"HTTP/1.1 ", at):
            if cut and end < 0:
                break
            raise Broken(f"not a reply: {data[at:at + 200]!r}")
        status = int(data[at + 9:at + 12])
        head = dict(line.split(b": ", 1) for line in data[at:end].split(b"\r\n")[1:])
        at = end + 4
        if status == 100:
            continue
        size = int(head[b"Content-Length"])
        body = data[at:at + size]
        if len(body) < size and body and not cut:
            raise Broken(f"a reply of {len(body)} bytes that says it has {size}")
        out.append((status, head[b"Content-Type"].decode(), body if len(body) == size else None))
        at += len(body)
    return out


def check_problem(status, said):
    """A problem of a declared code, whole in itself."""
    if said.get("status") != status or said.get("code") not in CODES.get(status, ()) or \
            not all(isinstance(said.get(name), str) and said[name]
                    for name in ("type", "title", "detail")):
        raise Broken(f"{status}: {said}")


def check(reply):
    """One reply by itself; what it says as JSON, None where it is no JSON. A name for the table."""
    status, kind, body = reply
    if status != 200 and status not in CODES:
        raise Broken(f"status {status}: {body!r}")
    if body is None:  # to HEAD, or cut
        return None, str(status)
    if kind.split(";")[0] not in ("application/json", "application/problem+json"):
        if status != 200:
            raise Broken(f"{status} as {kind}")
        return None, "200"
    try:
        said = strict(body)
    except ValueError as error:
        raise Broken(f"{error}: {body[:400]!r}") from error
    if status == 200:
        for one in said.get("decisions", ()):  # of a batch: each a decision or a problem
            if "decision_id" not in one or "code" in one:
                check_problem(one.get("status"), one)
        return said, "200"
    if kind != "application/problem+json":
        if status == 503 and said.get("status") == "unready":  # GET /readyz
            return said, "503 unready"
        raise Broken(f"{status} as {kind}: {body[:200]!r}")
    check_problem(status, said)
    return said, f"{status} {said['code']}"


def converse(port, source, data):
    """Sends everything, reads everything: (bytes, whether the connection was cut off)."""
    with socket.socket() as s:
        s.settimeout(HANG_S)
        s.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        s.bind((source, 0))
        s.connect(("127.0.0.1", port))
        parts = []
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
        except (ConnectionResetError, BrokenPipeError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
        try:
            while part := s.recv(262144):
                parts.append(part)
        except ConnectionResetError:
            return b"".join(parts), True
        return b"".join(parts), False


Part = collections.namedtuple("Part", "data amount scopes order")  # a request, and what it may


class Worker:
    """One process's share. Counts by what was answered. pool: of tokens, or None."""

    def __init__(self, port, count, seed, number, pool):
        self.port, self.count, self.number, self.pool = port, count, number, pool
        self.random = random.Random(f"{seed}-{number}")
        self.answers = collections.Counter()
        self.asked = self.mutated = self.connections = 0
        self.ids, self.orders = set(), []

    def left_alone(self):
        self.asked += 1
        amount = self.number * 10_000_000 + self.asked
        body = b'{"asset":"%s","amount_usd":%d}' % (SENTINEL.encode(), amount)
        request = mutants.Request(b"POST", b"/hedge", body=body)
        if self.pool is None:
            return Part(request.bytes(), amount, None, None)
        return Part(mutants_tokens.left_alone(self.random, self.pool, request), amount,
                    frozenset(tokens.SCOPES), None)

    def check_left_alone(self, reply, amount):
        said, name = check(reply)
        if name in ("503 halted", "429 too_many_requests", "503 journal_full"):
            return
        if reply[0] != 200 or said["amount_usd"] != amount or said["asset"] != SENTINEL:
            raise Broken(f"the request of {amount} got {reply}")
        if said["decision_id"] in self.ids:
            raise Broken(f"two requests got decision {said['decision_id']}")
        self.ids.add(said["decision_id"])

    def draw(self):
        """(a part, whether what follows is surely apart)."""
        if self.pool is None:
            data, framed = mutants.draw(self.random)
            return Part(data, None, None, None), framed
        data, framed, scopes, order = mutants_tokens.draw(self.random, self.pool)
        return Part(data, None, scopes, order), framed

    def plan(self):
        """The parts of one connection. Behind one that may have lost its frame nothing follows."""
        out = []
        for _ in range(self.random.choice((1, 1, 2, 3, PIPELINED))):
            if self.random.random() < 0.1:
                out.append(self.left_alone())
            part, framed = self.draw()
            out.append(part)
            if not framed:
                return out, False
        return out, True

    def check_scope(self, reply, said, part):
        """Nobody has got what his token does not allow. An order is remembered."""
        status, kind, body = reply
        if status != 200 or body is None or part.scopes is None:
            return
        taken = mutants_tokens.scope_of(kind, said)
        if taken is None or not taken <= part.scopes:
            raise Broken(f"{sorted(part.scopes)} got {kind}: {body[:400]!r}")
        if taken == {"halt"} and "record" in said:
            self.orders.append((part.order, said["record"]))

    def check_reply(self, reply, part, surely):
        if part.amount is not None and surely:
            self.check_left_alone(reply, part.amount)
            return
        said, name = check(reply)
        self.check_scope(reply, said, part)
        self.answers[name] += 1

    def converse(self):
        plan, framed = self.plan()
        data = b"".join(part.data for part in plan)
        self.connections += 1
        source = f"127.0.{self.number + 1}.{self.random.randrange(1, 255)}"
        try:
            got, cut = converse(self.port, source, data)
            replies = split(got, cut)
            if framed and len(replies) > len(plan) or len(replies) > len(plan) + 4:
                raise Broken(f"{len(replies)} replies to {len(plan)} requests")
            for i, reply in enumerate(replies):
                part = plan[min(i, len(plan) - 1)]
                self.check_reply(reply, part, framed or i < len(plan) - 1)
                self.mutated += i < len(plan) and part.amount is None
            if not replies:
                self.answers["cut off" if cut else "closed without a word"] += 1
                self.mutated += 1
        except (Broken, TimeoutError, KeyError, ValueError) as error:
            raise Broken(f"{type(error).__name__}: {error}\nto: {data[:2000]!r}") from error

    def run(self, progress, stop):
        while self.mutated < self.count and not stop.is_set():
            self.converse()
            progress[self.number] = self.mutated


def work(port, count, seed, number, pool, progress, stop, results):
    worker = Worker(port, count, seed, number, pool)
    fault = None
    try:
        worker.run(progress, stop)
    except Exception as error:  # whatever it is, it ends the others, too
        fault = f"{type(error).__name__}: {error}"
        stop.set()
    results.put((worker.mutated, worker.connections, len(worker.ids), worker.answers, fault,
                 worker.orders))


def attack(target, count, seed, pool):
    """Sends at least `count` mutated requests; what the workers report, and the memory's growth."""
    progress = multiprocessing.Array("q", WORKERS, lock=False)
    stop, results = multiprocessing.Event(), multiprocessing.Queue()
    share = -(-count // WORKERS)
    workers = [multiprocessing.Process(target=work, daemon=True, args=(
        target.port, share, seed, i, pool, progress, stop, results)) for i in range(WORKERS)]
    for each in workers:
        each.start()
    reports, early, shown = [], None, time.monotonic()
    while len(reports) < WORKERS:
        if sum(progress) * 5 >= count and early is None and target.alive():
            early = target.memory()["VmRSS"]
        try:
            reports.append(results.get(timeout=0.2))
        except multiprocessing.queues.Empty:
            pass
        if time.monotonic() - shown > 20:
            shown = time.monotonic()
            print(f"  {sum(progress)} of {count}", flush=True)
    for each in workers:
        each.join()
    if not target.alive():
        raise Broken(f"the daemon died: {target.log()}\n"
                     + "\n".join(r[4] for r in reports if r[4]))
    for report in reports:
        if report[4]:
            raise Broken(report[4])
    return reports, target.memory()["VmRSS"] - (early or 0)


def check_orders(path, orders):
    """Each acknowledged order is a record of its kind, and nothing was decided behind a halt."""
    records, latches = halts.at_rest(path)
    now, wrong = halts.fold(records)
    if wrong or now != latches:
        raise Broken(f"{wrong[:3]}; latched {latches}, by the records {now}")
    writer = journal.rows(path, after=len(records))[0]
    kinds = {journal.decision_id(writer, r["seq"]): r["kind"] for r in records
             if r["kind"] in (halts.HALT, halts.RESUME)}
    meant = {b"/halt": (halts.HALT,), b"/resume": (halts.RESUME,)}
    for order, record in orders:
        if kinds.get(record) not in meant.get(order, (halts.HALT, halts.RESUME)):
            raise Broken(f"{order} was acknowledged as {record}, which is {kinds.get(record)}")
    print(f"  {len(orders)} orders acknowledged, {len(kinds)} in the journal; halted at the end: "
          f"{sorted(now)}", flush=True)
    return now


def serve(pool, jwks):
    """A daemon to attack, with its quotes, started."""
    if pool is None:
        target, head = Daemon(POLICY), {}
    else:
        path = os.path.join(daemon.new_folder(), "keys.json")
        tokens.write_jwks(path, jwks)
        target = Daemon(POLICY, jwt_keys=path, **mutants_tokens.REALM)
        head = tokens.bearer(pool.all[0].decode())
    with target.client() as c:
        for asset in ("BTC", SENTINEL):
            put = c.ask("PUT", f"/quotes/{asset}",
                        {"score": 0.62, "confidence": 0.9, "depth1pct_usd": 1e6}, head)
            assert put.status == 200, put
    return target, head


def run(count, seed, with_tokens=False):
    """One attack from beginning to end; a line a status."""
    # The allocator keeps memory back for each of the server's 512 threads, and a thread's share
    # grows as it meets more sizes. What is left without them is what the daemon itself holds.
    os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1")
    os.environ.setdefault("ASAN_OPTIONS", "quarantine_size_mb=0:thread_local_quarantine_size_kb=0")
    issuer = tokens.Issuer() if with_tokens else None
    pool = mutants_tokens.Pool(issuer) if with_tokens else None
    target, head = serve(pool, issuer.jwks() if with_tokens else None)
    with target:
        sanitized = target.memory()["VmPeak"] > 1 << 40  # the shadow; it looks for leaks at the end
        begin = time.monotonic()
        reports, growth = attack(target, count, seed, pool)
        seconds = time.monotonic() - begin
        with target.client() as c:
            text = c.ask("GET", "/metrics", headers=head).body.decode()
            lost = daemon.parse_metrics(text).get(("hedge_journal_lost_total", ()), 0.0)
            seq = c.ask("GET", "/readyz", headers=head).json["journal"]["seq"]
            in_force = {h.get("asset", halts.ALL)
                        for h in c.ask("GET", "/halt", headers=head).json["halted"]}
        code = target.stop(timeout=60)
        if code != 0 or lost != 0:
            raise Broken(f"SIGTERM ended it with {code}, {lost} decisions lost: {target.log()}")
        alone = sum(r[2] for r in reports)
        if seq < alone:
            raise Broken(f"the journal ends at {seq}, and {alone} requests left alone were decided")
        code, out, err = daemon.hedge("verify", target.journal_path, timeout=600)
        if code != 0:
            raise Broken(f"hedge verify: {code}: {out[-2000:]} {err[-2000:]}")
        if check_orders(target.journal_path, sum((r[5] for r in reports), [])) != in_force:
            raise Broken(f"the journal does not say that {in_force} were halted at the end")
    answers = sum((r[3] for r in reports), collections.Counter())
    print(f"{sum(r[0] for r in reports)} mutated requests on {sum(r[1] for r in reports)} "
          f"connections in {seconds:.0f} s, {alone} left alone among them; {seq} records verified; "
          f"memory grew by {growth / MIB:.0f} MiB")
    for name, n in sorted(answers.items()):
        print(f"  {name:28} {n:9}")
    if growth > GROWTH_MAX and not sanitized:  # behind the table, which is true all the same
        raise Broken(f"memory grew by {growth} bytes")
    return answers


def main():
    if len(sys.argv) not in (2, 3, 4) or not sys.argv[1].isdigit() or sys.argv[3:] not in (
            [], ["tokens"]):
        raise SystemExit(__doc__)
    seed = sys.argv[2] if len(sys.argv) > 2 else str(random.SystemRandom().randrange(10**9))
    print(f"seed {seed}", flush=True)
    run(int(sys.argv[1]), seed, with_tokens=len(sys.argv) > 3)


if __name__ == "__main__":
    main()
