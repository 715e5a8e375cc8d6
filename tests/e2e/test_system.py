# SPDX-License-Identifier: MIT
"""examples/system.sh: the whole system in one command, and nothing of it left behind."""
import glob
import os
import re
import shutil
import signal
import subprocess
import unittest

import clickhouse_server
import daemon
import postgres_server
import redis_server

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples",
                      "system.sh")
NEEDED = ("curl", "psql", "redis-cli", "setsid", "setpriv")
INTERRUPTED = 130


def _text(path):
    with open(path, "rb") as f:
        return f.read()


def alive_in(folder):
    """[(pid, command line)] of the processes that were started with this TMPDIR or work in it."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = _text(f"/proc/{pid}/cmdline")
            told = words + _text(f"/proc/{pid}/environ")
            told += os.readlink(f"/proc/{pid}/cwd").encode()
        except OSError:  # it is gone, or not ours
            continue
        if folder.encode() in told:
            found.append((int(pid), words.replace(b"\0", b" ").decode(errors="replace")))
    return found


@unittest.skipUnless(redis_server.available() and postgres_server.available()
                     and all(shutil.which(name) for name in NEEDED),
                     "it takes Redis, PostgreSQL and " + ", ".join(NEEDED))
class System(daemon.Case):
    def start(self, *arguments, stdout=None, **variables):
        """The script in a session of its own, as a terminal would have it."""
        self.folder = daemon.new_folder()
        os.chmod(self.folder, 0o755)  # the servers' users go through it
        self.said_path = os.path.join(daemon.new_folder(), "said")
        more = {"HEDGED": daemon.program("HEDGED"), "HEDGE_CLI": daemon.program("HEDGE_CLI"),
                "TMPDIR": self.folder, "HEDGE_CERTIFY": "0",
                "HEDGE_STALE_SCORE_S": "60",  # on a busy machine, too
                **variables}
        with open(self.said_path, "wb") as said:
            self.process = subprocess.Popen([SCRIPT, *arguments], env=daemon.environment(more),
                                            stdin=subprocess.DEVNULL, stdout=stdout or said,
                                            stderr=said, start_new_session=True)
        self.addCleanup(self.end)

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(120)

    def said(self):
        return _text(self.said_path).decode(errors="replace")

    def there(self, name):
        """The path of a file of the run, or None."""
        return next(iter(glob.glob(os.path.join(self.folder, "hedge-system.*", name))), None)

    def wait_for(self, holds, what):
        def done():
            self.assertIsNone(self.process.poll(), f"ended before {what}: {self.said()}")
            return holds()
        return daemon.wait_until(done, what, 120)

    def assert_ends(self, code):
        self.assertEqual(self.process.wait(120), code, self.said())
        self.assertEqual(os.listdir(self.folder), [], "the folder is gone")
        daemon.wait_until(lambda: not alive_in(self.folder), "nothing runs any more", 20)

    def assert_all_was_right(self):
        self.assert_ends(0)
        said = self.said()
        self.assertRegex(said, r"All 1[0-9] answers were right\.\n$")
        for words in ("| t\n", "/journal.db: whole\n", "http://127.0.0.1:", "auditor@",
                      "gives the same bits\n", 'result="other_hedge"} 2'):
            self.assertIn(words, said)
        self.assertEqual(len(re.findall(r": whole\n", said)), 3, said)
        self.assertEqual(len(re.findall(r"every decision gives the same bits again\n", said)), 3)

    @unittest.skipUnless(clickhouse_server.available() and shutil.which("clickhouse-client"),
                         "no clickhouse-server")
    def test_once_tries_all_of_it(self):
        self.start("--once")
        self.assert_all_was_right()
        self.assertIn("clickhouse-client --port", self.said())

    def test_without_clickhouse_depth_is_put(self):
        self.start("--once", CLICKHOUSE_SERVER="")
        self.assert_all_was_right()
        self.assertIn("depth comes by PUT /quotes", self.said())

    def test_a_wrong_answer_fails_it(self):
        tool = os.path.join(daemon.new_folder(), "hedge")
        with open(tool, "w", encoding="ascii") as f:
            f.write(f'#!/bin/sh\n{daemon.program("HEDGE_CLI")} "$@" || exit\n'
                    'case $1,$2 in replay,--url) exit 1 ;; esac\n')
        os.chmod(tool, 0o755)
        self.start("--once", HEDGE_CLI=tool, CLICKHOUSE_SERVER="")
        self.assert_ends(1)
        self.assertIn("1 of 13 answers were wrong", self.said())

    def test_it_serves_until_ctrl_c(self):
        self.start()
        self.wait_for(lambda: "Ctrl-C ends" in self.said(), "it says what to try")
        port = int(re.search(r"hedged +http://127\.0\.0\.1:(\d+) ", self.said()).group(1))
        with daemon.Client(port) as c:
            self.assert_status(c.hedge("ETH", 1000.0), 200)
        self.assertTrue(alive_in(self.folder), "or its end would prove nothing")
        os.killpg(self.process.pid, signal.SIGINT)
        self.assert_ends(0)

    def test_ctrl_c_in_the_middle_leaves_nothing(self):
        for name in ("redis.log", "clickhouse.log", "initdb.log", "postgres.log", "hedged.log",
                     "feed.log"):
            if name == "clickhouse.log" and not clickhouse_server.available():
                continue
            with self.subTest(name):
                self.start("--once")
                self.wait_for(lambda n=name: self.there(n), name)
                os.killpg(self.process.pid, signal.SIGINT)
                self.assert_ends(INTERRUPTED)

    def test_a_signal_to_the_script_alone_does_the_same(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            with self.subTest(number.name):
                self.start("--once", CLICKHOUSE_SERVER="")
                self.wait_for(lambda: self.there("hedged.log"), "hedged is started")
                self.process.send_signal(number)
                self.assert_ends(code)

    def test_an_output_that_nobody_reads_ends_it(self):
        self.start("--once", CLICKHOUSE_SERVER="", stdout=subprocess.PIPE)
        self.wait_for(lambda: self.there("postgres.log"), "it has much to say yet")
        self.process.stdout.close()
        self.assert_ends(141)


if __name__ == "__main__":
    daemon.main()
