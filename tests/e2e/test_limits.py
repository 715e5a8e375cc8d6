# SPDX-License-Identifier: MIT
"""Under limits that are too low the daemon refuses to start with a word, or serves with less: it
neither crashes nor spins, and serves again when the want is over."""
import os
import resource
import socket
import time

import daemon
import oracle
from daemon import MIB, Daemon

CONFIG, LATER = 78, 75
NOBODY = 65534
DESCRIPTORS_LEAST = 64 + 16 + 128  # connections, those that are told 503, the daemon's own


def limited(what, soft, nobody=False):
    """A function for the new process: a limit, and another user where root would have none."""
    def before():
        resource.setrlimit(what, (soft, soft))
        if nobody and os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
    return before


def cpu_s(d):
    """Processor seconds that it has used."""
    with open(f"/proc/{d.process.pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Limits(daemon.Case):
    def refused_or_serves(self, before, folder=None):
        """Starts it; "serves", or what it says where it refuses. Anything else is a failure."""
        d = Daemon(oracle.policy(), folder=folder, start=False, before=before)
        try:
            d.start()
        except AssertionError:
            code = d.process.returncode
            d.process.wait(20)
            self.assertIn(code, (CONFIG, LATER), f"neither serves nor refuses: {d.log()}")
            refused = d.events("start_refused")
            self.assertEqual(len(refused), 1, d.log())
            return refused[0]["message"]
        with d, d.client() as c:
            self.assert_status(c.get("/healthz"), 200)
            c.close()
            self.assertEqual(d.stop(), 0, d.log())
        return "serves"

    def test_any_limit_of_memory_is_refused_or_served_under(self):
        if daemon.SLOW:
            self.skipTest("a sanitizer takes memory and threads of its own")
        outcomes = {mib: self.refused_or_serves(limited(resource.RLIMIT_AS, mib * MIB))
                    for mib in (48, 64, 96, 128, 256, 512, 1024, 4096)}
        self.assertEqual(outcomes[4096], "serves", outcomes)
        self.assertNotEqual(outcomes[48], "serves", outcomes)

    def test_too_few_descriptors_are_refused(self):
        for n in (16, 63, 64, DESCRIPTORS_LEAST - 1):
            said = self.refused_or_serves(limited(resource.RLIMIT_NOFILE, n))
            self.assertIn("RLIMIT_NOFILE", said)
        for n in (6, 7, 8):  # it may fail earlier, by another's word
            self.assertNotEqual(self.refused_or_serves(limited(resource.RLIMIT_NOFILE, n)), "serves")
        self.assertEqual(self.refused_or_serves(limited(resource.RLIMIT_NOFILE, DESCRIPTORS_LEAST)),
                         "serves")

    def test_any_limit_of_threads_is_refused_or_served_under(self):
        if daemon.SLOW:
            self.skipTest("a sanitizer takes memory and threads of its own")
        folders = []
        for _ in range(6):
            folder = daemon.new_folder()
            if os.geteuid() == 0:
                os.chown(folder, NOBODY, NOBODY)
            folders.append(folder)
        try:
            outcomes = {n: self.refused_or_serves(limited(resource.RLIMIT_NPROC, n, nobody=True),
                                                  folder)
                        for n, folder in zip((1, 2, 8, 32, 64, 4096), folders)}
        except PermissionError as error:  # root's limits bind nobody, so another user has to try
            self.skipTest(f"another user cannot get at the program: {error}")
        self.assertEqual(outcomes[4096], "serves", outcomes)
        self.assertNotEqual(outcomes[1], "serves", outcomes)

    def test_a_flood_of_connections_beyond_its_descriptors(self):
        with Daemon(oracle.policy(), before=limited(resource.RLIMIT_NOFILE, DESCRIPTORS_LEAST),
                    HEDGE_HTTP_CONNECTIONS_PER_PEER="0") as d:
            with d.client() as c:
                self.assert_status(c.put("/quotes/BTC", {"score": 0.5, "depth1pct_usd": 9e5}), 200)
                self.assert_status(c.hedge("BTC"), 200)
            held = []
            for _ in range(400):
                try:
                    held.append(socket.create_connection(("127.0.0.1", d.port), timeout=2))
                except OSError:  # the backlog is full
                    break
            self.assertGreater(len(held), DESCRIPTORS_LEAST)
            began, used = time.monotonic(), cpu_s(d)
            while time.monotonic() - began < 3.0:  # the flood stands
                self.assertTrue(d.alive(), d.log())
                time.sleep(0.1)
            spent = cpu_s(d) - used
            self.assertLess(spent, 1.5, "it spins while it has no descriptor left")
            for each in held:
                each.close()

            def serves():
                try:
                    with d.client(5) as c:
                        c.put("/quotes/BTC", {"score": 0.5, "depth1pct_usd": 9e5})
                        return c.hedge("BTC").status == 200
                except OSError:
                    return False
            daemon.wait_until(serves, f"it serves again: {d.log()}", 60, 0.2)
            self.assertEqual(d.stop(), 0, d.log())


if __name__ == "__main__":
    daemon.main()
