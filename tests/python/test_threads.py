# SPDX-License-Identifier: MIT
"""Threads: one object for all of them, closing under their feet, the GIL, Ctrl-C, fork."""
import os
import signal
import subprocess
import sys
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import hedge
import runner


class Shared(unittest.TestCase):
    def test_one_curve_and_one_policy_for_all(self):
        curve, policy = hedge.Curve(runner.SCORES, runner.HEDGES), hedge.Policy.load(runner.POLICY)
        x = np.random.default_rng(1).random(20000)
        want = curve(x).tobytes()
        rows = dict(asset="BTC", amount_usd=x * 1e6, score=x, depth1pct_usd=1e6, now=10 ** 18)
        decided = policy.size_many(**rows).structured.tobytes()

        def work(_):
            return (curve(x).tobytes() == want
                    and policy.size_many(**rows).structured.tobytes() == decided
                    and policy.curve("BTC")(x).tobytes() == want)
        with ThreadPoolExecutor(8) as pool:
            self.assertTrue(all(pool.map(work, range(64))))

    def test_closing_under_calls(self):
        """Calls under way finish on the object they began with; later ones say it is closed."""
        x = np.random.default_rng(2).random(200000)
        want = hedge.Curve(runner.SCORES, runner.HEDGES)(x).tobytes()
        for _ in range(20):
            curve, results = hedge.Curve(runner.SCORES, runner.HEDGES), []
            begun = threading.Barrier(5)

            def work(curve=curve, begun=begun, results=results):
                begun.wait()
                try:
                    while True:
                        results.append(curve(x).tobytes() == want)
                except hedge.ClosedError:
                    results.append("closed")
            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            begun.wait()
            time.sleep(0.004)
            curve.close()
            for thread in threads:
                thread.join()
            self.assertEqual(results.count("closed"), 4)
            self.assertNotIn(False, results)

    def test_a_close_waits_for_the_last_call_to_free(self):
        freed = []
        curve = hedge.Curve(runner.SCORES, runner.HEDGES)
        handle = curve._handle
        free = handle._free
        handle._free = lambda pointer: (freed.append(pointer), free(pointer))
        del handle
        inside, go_on = threading.Event(), threading.Event()

        def progress(_share):
            inside.set()
            go_on.wait()
        thread = threading.Thread(target=lambda: curve.certify(progress))
        thread.start()
        inside.wait()
        curve.close()
        self.assertEqual(freed, [])
        go_on.set()
        thread.join()
        self.assertEqual(len(freed), 1)


class Gil(unittest.TestCase):
    def test_others_run_during_a_call(self):
        """In a single call of half a second, another thread counts on."""
        curve, ticks, done = hedge.Curve(runner.SCORES, runner.HEDGES), [], threading.Event()

        def count():
            while not done.is_set():
                ticks.append(time.monotonic())
                time.sleep(0.001)
        x = np.random.default_rng(3).random(1 << 22)
        out = np.empty_like(x)
        pointers = curve._handle, x.ctypes.data, out.ctypes.data
        from hedge.library import lib
        thread = threading.Thread(target=count)
        thread.start()
        n, most = x.size, 0
        for _ in range(200):
            before = time.monotonic()
            lib.hedge_curve_eval_n(*pointers, n)
            after = time.monotonic()
            most = max(most, sum(before < tick < after for tick in ticks[-1000:]))
            if most >= 2:
                break
        done.set()
        thread.join()
        # Holding the GIL there could be none at all in between, however slow the machine.
        self.assertGreaterEqual(most, 2)


class Interrupts(unittest.TestCase):
    def test_ctrl_c_stops_a_certification(self):
        code = ("import sys, threading, hedge\n"
                "curve, told = hedge.Curve([0, 1], [0, 1]), []\n"
                "try:\n"
                "    print('ready', flush=True)\n"
                "    while True: curve.certify(told.append if sys.argv[1] == 'told' else None)\n"
                "except KeyboardInterrupt:\n"
                "    [t.join() for t in threading.enumerate() if t.name == 'hedge-certify']\n"
                "    print('stopped', threading.active_count(), curve(0.5))\n")
        for told in ("told", "silent"):
            child = subprocess.Popen([sys.executable, "-B", "-c", code, told],
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            child.stdout.readline()
            time.sleep(0.3)
            child.send_signal(signal.SIGINT)
            out, errors = child.communicate(timeout=60)
            self.assertEqual((child.returncode, out.splitlines()[-1:], errors),
                             (0, ["stopped 1 0.5"], ""))


class Ends(unittest.TestCase):
    def assert_ends_well(self, code):
        got = runner.python(code)
        self.assertEqual((got[0], got[2]), (0, ""), code)

    def test_fork(self):
        code = ("import os, hedge\n"
                "c = hedge.Curve([0, 1], [0, 1]); p = hedge.Policy.load(%r)\n"
                "pid = os.fork()\n"
                "if pid == 0:\n"
                "    ok = c(0.5) == 0.5 and p.size('BTC', 1.0).status == 'no_quote'\n"
                "    c.close(); p.close(); del c, p\n"
                "    os._exit(0 if ok else 9)\n"
                "assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0\n"
                "assert c(0.5) == 0.5 and p.curve('BTC')(0.7) == 0.75\n" % runner.POLICY)
        self.assert_ends_well(code)

    def test_fork_within_a_certification(self):
        """The child's run has no thread: it must not wait for one."""
        code = ("import os, signal, warnings, hedge\n"
                "warnings.simplefilter('ignore', DeprecationWarning)  # newer Pythons advise against it\n"
                "c, pids = hedge.Curve([0, 1], [0, 1]), []\n"
                "def progress(share):\n"
                "    if not pids and share < 1: pids.append(os.fork())\n"
                "    if pids[0] == 0: signal.alarm(20)\n"
                "try:\n"
                "    c.certify(progress)\n"
                "except hedge.Error as fault:\n"
                "    ok = fault.name == 'stopped' and pids == [0] and c(0.5) == 0.5\n"
                "    os._exit(7 if ok else 8)\n"
                "assert pids[0] != 0\n"
                "assert os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1]) == 7\n")
        self.assert_ends_well(code)

    def test_processes_get_copies(self):
        code = ("import multiprocessing as m, hedge\n"
                "if __name__ == '__main__':\n"
                "    c = hedge.Curve([0, 0.5, 1], [0, 0.2, 1])\n"
                "    for kind in ('fork', 'spawn'):\n"
                "        with m.get_context(kind).Pool(2) as pool:\n"
                "            assert pool.map(c, [0.5, 1.0]) == [0.2, 1.0]\n")
        import tempfile
        with tempfile.TemporaryDirectory() as folder:  # spawn wants a file to start from
            path = os.path.join(folder, "pool.py")
            with open(path, "w", encoding="ascii") as file:
                file.write(code)
            done = subprocess.run([sys.executable, "-B", path], capture_output=True, text=True,
                                  timeout=120, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_the_end_of_the_interpreter(self):
        begin = "import atexit, threading, sys, hedge\nc = hedge.Curve([0, 1], [0, 1])\n"
        for code in (
                # kept in places that are taken apart late
                "sys.mine = c; hedge.mine = c; c.me = [c]\n",
                "class D:\n    def __del__(self): self.c.close()\nd = D(); d.c = c; d.me = d\n",
                "atexit.register(c.close); atexit.register(lambda: c(0.5))\n",
                # daemon threads that are inside the library to the end
                "def f():\n    while True: c.slope([0.1] * 1000)\n"
                "[threading.Thread(target=f, daemon=True).start() for _ in range(4)]\n",
                "import numpy as np\nx = np.random.random(1 << 22)\n"
                "def f():\n    while True: c(x)\n"
                "[threading.Thread(target=f, daemon=True).start() for _ in range(2)]\n"
                "import time; time.sleep(0.05)\n"):
            self.assert_ends_well(begin + code)


if __name__ == "__main__":
    runner.main()
