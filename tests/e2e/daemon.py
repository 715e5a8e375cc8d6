# SPDX-License-Identifier: MIT
"""Starts, asks and ends real daemons: the fixture of the end-to-end tests.

HEDGED (the daemon), HEDGE_CLI (the tool `hedge`) and HEDGE_LIBRARY name what is
tested. Every process is ended by its own id.
"""
import atexit
import http.client
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from urllib.parse import urlencode

import oracle

SKIP = 77  # what ctest reads as "skipped"
SLOW = float(os.environ.get("HEDGE_TEST_SLOWNESS", 1)) > 1  # a build with sanitizers or counters
START_S = 20.0 * float(os.environ.get("HEDGE_TEST_SLOWNESS", 1))  # generous: a busy machine
MIB = 1 << 20


def program(variable):
    path = os.environ.get(variable, "")
    if not path or not os.path.exists(path):
        raise SystemExit(f"{variable} must name the program to test, it is {path!r}")
    return os.path.abspath(path)


def now_ms():
    return time.time_ns() // 1_000_000


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(holds, what, timeout=10.0, every=0.005):
    """Waits for holds() to be true and returns its value."""
    end = time.monotonic() + timeout
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {timeout} s still not so: {what}")
        time.sleep(every)


_folders = []


def new_folder():
    path = tempfile.mkdtemp(prefix="hedge-e2e-")
    _folders.append(path)
    return path


def _remove_folders():
    for path in _folders:
        shutil.rmtree(path, ignore_errors=True)


atexit.register(_remove_folders)


def write_file(path, text):
    """Writes a file the way a careful operator does: beside it, then renamed."""
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(path + ".new", path)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json.get("code")

    def __repr__(self):
        return f"{self.status} {self.body[:400]!r}"


class Client:
    """One keep-alive connection."""

    def __init__(self, port, timeout=30.0):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def ask(self, method, path, body=None, headers=None, **query):
        """body: bytes as they are, anything else as JSON."""
        if query:
            path += "?" + urlencode(query)
        if body is not None and not isinstance(body, (bytes, bytearray)):
            body = json.dumps(body).encode()
        head = {"Content-Type": "application/json"} if body is not None else {}
        if method in ("POST", "PUT") and body is None:
            head["Content-Length"] = "0"
        head.update(headers or {})
        self.connection.request(method, path, body=body, headers=head)
        reply = self.connection.getresponse()
        return Answer(reply.status, reply.headers, reply.read())

    def get(self, path, **query):
        return self.ask("GET", path, **query)

    def post(self, path, body=None, **more):
        return self.ask("POST", path, body, **more)

    def put(self, path, body):
        return self.ask("PUT", path, body)

    def hedge(self, asset="BTC", amount=1000.0, **more):
        return self.post("/hedge", {"asset": asset, "amount_usd": amount, **more})

    def quote(self, asset):
        """The asset's element of GET /quotes."""
        found = [q for q in self.get("/quotes").json["quotes"] if q["asset"] == asset]
        return found[0] if found else None

    def metrics(self):
        return parse_metrics(self.get("/metrics").body.decode())

    def metric(self, name, **labels):
        """One sample's value, 0.0 where it does not exist yet."""
        return self.metrics().get((name, tuple(sorted(labels.items()))), 0.0)

    def records(self, after=0, **query):
        """Every record behind a seq, page by page."""
        out = []
        while True:
            page = self.get("/decisions", after=after, limit=1000, **query).json
            out += page["records"]
            if page["next_after"] <= after:
                return out
            after = page["next_after"]  # a page may be empty where a filter found nothing

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def parse_metrics(text):
    """{(name, ((label, value), …)): number} of a Prometheus text without odd characters."""
    out = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        series, value = line.rsplit(" ", 1)
        name, _, rest = series.partition("{")
        labels = []
        if rest:
            for pair in rest.rstrip("}").split('",'):
                if pair:
                    key, _, text_value = pair.partition("=")
                    labels.append((key, text_value.strip('"')))
        out[(name, tuple(sorted(labels)))] = float(value)
    return out


def environment(settings):
    """This environment without any HEDGE_ setting, and with the given ones."""
    out = {k: v for k, v in os.environ.items() if not k.startswith("HEDGE")}
    known = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tsan.supp")
    out["TSAN_OPTIONS"] = f"{out.get('TSAN_OPTIONS', '')} suppressions={known}".strip()
    out.update({k: str(v) for k, v in settings.items() if v is not None})
    return out


def check_unsanitary(lines):
    """Raises what a sanitizer has reported among what a process said."""
    if any("Sanitizer" in line or "runtime error:" in line for line in lines):
        raise AssertionError("a sanitizer reports: " + "\n".join(lines)[:4000])


class Said:
    """The lines that a process writes into a pipe.

    Somebody must read along, or it would be full. Who asks for the lines gets all that are written
    by then, whether or not the thread that reads along had its turn: what a daemon logs before it
    answers is here once the answer is."""

    def __init__(self, pipe):
        self.pipe, self.whole, self.part, self.ended = pipe, [], b"", False
        self.lock = threading.Lock()
        self.reader = threading.Thread(target=self._follow, daemon=True)
        self.reader.start()

    def _follow(self):
        poll = select.poll()
        poll.register(self.pipe, select.POLLIN)
        while not self.ended:
            poll.poll()
            with self.lock:
                self._take()

    def _take(self):
        """All that is there; the lock is held."""
        if self.ended:
            return
        poll = select.poll()
        poll.register(self.pipe, select.POLLIN)
        while not self.ended and poll.poll(0):
            got = os.read(self.pipe.fileno(), 1 << 16)
            *whole, self.part = (self.part + got).split(b"\n")
            self.whole += whole
            self.ended = not got
        if self.ended and self.part:
            self.whole.append(self.part)

    def lines(self):
        """The whole ones, and at the end also one that was cut off."""
        with self.lock:
            self._take()
            return [line.decode("utf-8", "replace") for line in self.whole]

    def end(self):
        """The process is gone; its children may still hold the other end."""
        self.reader.join(5)
        with self.lock:
            self._take()
            self.ended = True
        self.pipe.close()


class Daemon:
    """A running hedged in a folder of its own.

    Settings are HEDGE_ variables in lower case, without HEDGE_. Curves are not certified unless
    certify=1 asks for it: it takes a second each. `wrapper` is put
    in front of the command, `before` runs in the new process."""

    def __init__(self, policy=None, folder=None, start=True, wrapper=(), before=None, **settings):
        self.folder = folder or new_folder()
        self.policy_path = os.path.join(self.folder, "policy.yaml")
        self.journal_path = os.path.join(self.folder, "journal.db")
        if isinstance(policy, dict):
            policy = oracle.text(policy)
        if policy is not None:
            write_file(self.policy_path, policy)
        self.settings = {"HEDGE_ENV": "dev", "HEDGE_API_HOST": "127.0.0.1", "HEDGE_API_PORT": "0",
                         "HEDGE_POLICY": self.policy_path, "HEDGE_JOURNAL": self.journal_path,
                         "HEDGE_CERTIFY": "0"}
        self.settings.update({"HEDGE_" + k.upper(): v for k, v in settings.items()})
        self.process, self.port, self.wrapper, self.before = None, None, list(wrapper), before
        self.said = None
        if start:
            self.start()

    # ---- its life
    def start(self, timeout=START_S):
        self.process = subprocess.Popen(
            self.wrapper + [program("HEDGED")], cwd=self.folder, env=environment(self.settings),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            preexec_fn=self.before)
        _running.append(self)
        self.said = Said(self.process.stderr)
        end = time.monotonic() + timeout
        while True:
            listening = self.events("listening")
            if listening:
                break
            if self.process.poll() is not None:
                raise AssertionError(f"hedged ended with {self.process.returncode} before it "
                                     f"listened: {self.log()}")
            if time.monotonic() > end:
                self.kill()
                raise AssertionError(f"hedged does not listen after {timeout} s: {self.log()}")
            time.sleep(0.002)
        self.url = listening[0]["url"]
        self.port = int(self.url.rsplit(":", 1)[1].rstrip("/"))
        return self

    def stop(self, timeout=20.0):
        """SIGTERM; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"hedged did not end within {timeout} s of SIGTERM: {self.log()}")
        self._gone()
        return code

    def kill(self):
        """kill -9."""
        if self.process.poll() is None:
            self.process.kill()
        code = self.process.wait(20)
        self._gone()
        return code

    def _gone(self):
        self.said.end()
        if self in _running:
            _running.remove(self)
        check_unsanitary(self.lines)

    def alive(self):
        return self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    # ---- what it says
    @property
    def lines(self):
        """The lines of its log up to now, since its last start."""
        return self.said.lines() if self.said else []

    def log(self):
        return "\n".join(self.lines[-30:])

    def events(self, name=None):
        """Its log lines as objects, of one event or all."""
        out = []
        for line in self.lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and name in (None, event.get("event")):
                out.append(event)
        return out

    def client(self, timeout=30.0):
        return Client(self.port, timeout)

    def memory(self):
        """Its memory in bytes: {"VmRSS", "VmHWM", "VmPeak", …}."""
        out = {}
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            for line in f:
                if line.startswith("Vm"):
                    key, value = line.split(":")
                    out[key] = int(value.split()[0]) * 1024
        return out

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.kill()
        elif self in _running:
            self._gone()


_running = []


def _end_all():
    for each in list(_running):
        each.kill()


atexit.register(_end_all)


def run(arguments=(), folder=None, timeout=START_S, **settings):
    """Runs hedged to its end: (exit code, stdout, stderr). A start that succeeds is a failure."""
    process = subprocess.Popen([program("HEDGED"), *arguments], cwd=folder or new_folder(),
                               env=environment(settings), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"hedged still ran after {timeout} s with {arguments} and {settings}: "
                             f"{err.decode(errors='replace')}")
    check_unsanitary(err.decode(errors="replace").splitlines())
    return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")


def hedge(*arguments, timeout=60.0):
    """Runs the command-line tool: (exit code, stdout, stderr)."""
    done = subprocess.run([program("HEDGE_CLI"), *map(str, arguments)], env=environment({}),
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout)
    return (done.returncode, done.stdout.decode(errors="replace"),
            done.stderr.decode(errors="replace"))


def raw(port, data, timeout=10.0, half_close=False):
    """Sends bytes over a fresh socket and reads to the end of the answer."""
    out = b""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as s:
        try:
            s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
            while True:
                part = s.recv(65536)
                if not part:
                    break
                out += part
        except OSError:  # it hung up, or said nothing in time
            pass
    return out


class Case(unittest.TestCase):
    """Assertions that say what the daemon answered."""

    longMessage = True
    maxDiff = None

    def serve(self, policy, **settings):
        """A daemon and a client of it, for this test alone."""
        d = Daemon(policy, **settings)
        self.addCleanup(d.__exit__)
        c = d.client()
        self.addCleanup(c.close)
        return d, c

    def assert_status(self, answer, status, why=""):
        self.assertEqual(answer.status, status, f"{why} {answer!r}")

    def assert_problem(self, answer, status, code=None, why="", **members):
        """A problem of RFC 9457, whole in itself."""
        self.assertEqual(answer.status, status, f"{why} {answer!r}")
        kind = answer.headers.get("Content-Type", "")
        self.assertEqual(kind.split(";")[0], "application/problem+json", f"{why} {answer!r}")
        self.assert_problem_object(answer.json, status, code, why, **members)

    def assert_problem_object(self, problem, status, code=None, why="", **members):
        for name in ("type", "title", "detail", "code"):
            self.assertIsInstance(problem.get(name), str, f"{why} {name} in {problem}")
            self.assertTrue(problem[name], f"{why} {name} in {problem}")
        self.assertEqual(problem.get("status"), status, f"{why} {problem}")
        if code is not None:
            codes = (code,) if isinstance(code, str) else code
            self.assertIn(problem["code"], codes, f"{why} {problem}")
        for name, value in members.items():
            self.assertEqual(problem.get(name), value, f"{why} {name} in {problem}")

    def assert_agrees(self, answer, expected, why=""):
        wrong = oracle.differences(answer, expected)
        self.assertFalse(wrong, f"{why} {answer}")


class SharedCase(Case):
    """One daemon and one client for all its tests, and an end in order."""

    @classmethod
    def begin(cls, policy, quotes, **settings):
        """For setUpClass; quotes: {asset: quote}."""
        cls.daemon = Daemon(policy, **settings)
        cls.client = cls.daemon.client()
        for asset, quote in quotes.items():
            answer = cls.client.put(f"/quotes/{asset}", quote)
            assert answer.status == 200, answer

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        with cls.daemon as d:
            code = d.stop()
        assert code == 0, f"SIGTERM ended it with {code}"


def main():
    """Runs the calling file's tests; all skipped: exit 77."""
    program("HEDGED")
    result = unittest.main(module="__main__", exit=False, verbosity=2).result
    if not result.wasSuccessful():
        sys.exit(1)
    _end_all()  # here a report is still a failure; at exit it would be words alone
    skipped = len(result.skipped)
    sys.exit(SKIP if skipped and skipped >= result.testsRun else 0)
