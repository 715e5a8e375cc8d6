# SPDX-License-Identifier: MIT
"""What programs that run `hedge eval` and `hedge size` as filters count on: answers while the input
stays open, chunks, signals, outputs that fail, bounded memory.
"""
import os
import signal
import subprocess
import threading
import time
import unittest

from cli import BAD_DATA, CLI, FINE, POLICY, USAGE
from filters import DEADLINE, SEED, Streams, line_soon, start, text


class Hosts(Streams):
    def test_a_pool_gets_answers_while_its_pipe_is_open(self):
        for threads in (1, 4):
            with start("eval", "--format", "tsv", "--answer-only", "--threads", threads) as p:
                for n in (1, 3, 1, 20000, 2):
                    scores = [self.rng.random() for _ in range(n)]
                    writer = threading.Thread(target=lambda s=scores: (p.stdin.write(
                        "".join(f"{x!r}\n" for x in s).encode()), p.stdin.flush()))
                    writer.start()
                    for score in scores if n < 100 else scores[:1]:
                        self.assertEqual(line_soon(p).decode(), text(self.oracle.eval(score)) + "\n")
                    for score in scores[1:] if n >= 100 else ():
                        self.assertEqual(float(p.stdout.readline()), self.oracle.eval(score))
                    writer.join()
                p.stdin.write(b"0.")  # half a row waits for its other half
                p.stdin.flush()
                time.sleep(0.05)
                p.stdin.write(b"3\n")
                p.stdin.flush()
                self.assertEqual(line_soon(p), b"0.25\n")
                p.stdin.close()
                self.assertEqual(p.wait(DEADLINE), FINE)

    def test_chunk_headers(self):
        data, expected = b"", b""
        for _ in range(300):
            n = self.rng.choice((0, 1, 2, 50, 3000 if len(data) < 10**6 else 1))
            scores = [self.rng.random() for _ in range(n)]
            data += b"%d\n" % n + "".join(f"{s!r}\tnote\n" for s in scores).encode()
            expected += "".join(f"{s!r}\tnote\t{text(self.oracle.eval(s))}\n" for s in scores).encode()
        self.same(["eval", "--format", "tsv", "--chunk-header"], data, expected)
        self.same(["eval", "--format", "csv", "--chunk-header"], b'1\n0.3,"a\nb"\n2\n0.7,\n1,"2\n"\n',
                  b'0.3,"a\nb",0.25\n0.7,,0.75\n1,"2\n",1\n')
        self.same(["eval", "--format", "tsv", "--chunk-header"], b"1\n0.3\nx\n0.3\n", b"0.3\t0.25\n",
                  BAD_DATA, "line 3: 'x' is not the number of rows in a chunk")
        self.same(["eval", "--format", "tsv", "--chunk-header"], b"1\n0.3\n3\n0.7\n",
                  b"0.3\t0.25\n0.7\t0.75\n", BAD_DATA, "the input ends 2 rows before its chunk")
        self.same(["eval", "--format", "tsv", "--chunk-header"], b"2\n0.3\n", b"0.3\t0.25\n",
                  BAD_DATA, "the input ends 1 row before its chunk")
        self.same(["eval", "--format", "tsv", "--chunk-header"], b"", b"")
        with start("eval", "--format", "tsv", "--chunk-header", "--answer-only") as p:
            for _ in range(3):
                p.stdin.write(b"2\n0.3\n0.7\n")
                p.stdin.flush()
                self.assertEqual((line_soon(p), line_soon(p)), (b"0.25\n", b"0.75\n"))
            p.stdin.close()
            self.assertEqual(p.wait(DEADLINE), FINE)

    def test_a_fault_ends_it_while_the_pipe_is_open(self):
        for threads in (1, 4):
            with start("eval", "--threads", threads) as p:
                p.stdin.write(b"0.3\nx\n")
                p.stdin.flush()
                self.assertEqual(p.wait(DEADLINE), BAD_DATA)
                self.assertEqual(p.stdout.read(), b"0.25\n")

    def test_signals_end_it_between_two_rows(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            for threads in (1, 4):
                with start("eval", "--threads", threads) as p:
                    p.stdin.write(b"0.3\n0.7")
                    p.stdin.flush()
                    self.assertEqual(line_soon(p), b"0.25\n")
                    p.send_signal(number)
                    self.assertEqual(p.wait(DEADLINE), -number)
                    self.assertEqual((p.stdout.read(), p.stderr.read()), (b"", b""))

    def test_a_signal_in_full_flow_leaves_whole_rows(self):
        path = os.path.join(self.folder, "out.tsv")
        with open(path, "wb") as out:
            p = start("eval", "--format", "tsv", stdout=out)
            rows = b"".join(b"0.%04d\n" % i for i in range(10000))
            begin = time.monotonic()
            try:
                while p.poll() is None and time.monotonic() - begin < DEADLINE:
                    p.stdin.write(rows)
                    if os.path.getsize(path) > 1 << 18:  # of rows of 16 bytes at the most
                        p.send_signal(signal.SIGINT)
            except BrokenPipeError:
                pass
            try:
                p.stdin.close()
            except BrokenPipeError:
                pass
            self.assertEqual(p.wait(DEADLINE), -signal.SIGINT)
            p.stderr.close()
        with open(path, "rb") as out:
            lines = out.read().split(b"\n")
        self.assertEqual(lines.pop(), b"")
        self.assertGreater(len(lines), 10000)
        for i in (0, len(lines) - 1):
            score, hedge = lines[i].split(b"\t")
            self.assertEqual((score, float(hedge)), (b"0.%04d" % (i % 10000),
                                                     self.oracle.eval(float(score))))

    def stuck(self, threads, **more):
        """A filter that waits in write, as nobody reads."""
        p = start("eval", "--threads", threads, **more)
        self.addCleanup(lambda: (p.kill(), p.wait(), p.stdout.close(), p.stderr.close()))
        feeder = threading.Thread(target=self.feed, args=(p,), daemon=True)
        feeder.start()
        deadline = time.monotonic() + DEADLINE
        idle = used = 0
        while idle < 10 and time.monotonic() < deadline:  # it works no more
            time.sleep(0.02)
            with open(f"/proc/{p.pid}/stat") as f:
                now = f.read().rsplit(")", 1)[1].split()[11:13]
            idle, used = (idle + 1 if now == used else 0), now
        self.assertIsNone(p.poll())
        return p

    @staticmethod
    def feed(p):
        try:
            for _ in range(500):
                p.stdin.write(b"0.3\n" * 10000)
            p.stdin.close()
        except OSError:
            pass

    def test_one_signal_ends_it_though_the_reader_is_stuck(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            for threads in (1, 4):
                p = self.stuck(threads)
                p.send_signal(number)
                self.assertEqual(p.wait(DEADLINE), -number)
        # An alarm that is blocked or ignored from before comes all the same.
        for before in (lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM]),
                       lambda: signal.signal(signal.SIGALRM, signal.SIG_IGN)):
            p = self.stuck(2, preexec_fn=before)
            p.send_signal(signal.SIGTERM)
            self.assertEqual(p.wait(DEADLINE), -signal.SIGTERM)

    def test_a_second_signal_of_either_kind_ends_it_at_once(self):
        for first, second in ((signal.SIGINT, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT),
                              (signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGTERM)):
            p = self.stuck(2)
            begin = time.monotonic()
            p.send_signal(first)
            time.sleep(0.1)  # sent together, the second one may be delivered first
            p.send_signal(second)
            code, took = p.wait(DEADLINE), time.monotonic() - begin
            # Where the machine is too busy for that, the alarm comes before, for the first one.
            self.assertIn(code, (-second,) if took < 0.9 else (-first, -second))

    def test_an_alarm_from_before_means_what_it_did(self):
        p = start("eval")
        p.send_signal(signal.SIGALRM)
        self.assertEqual(p.wait(DEADLINE), -signal.SIGALRM)
        for pipe in (p.stdin, p.stdout, p.stderr):
            pipe.close()

    def test_output_that_cannot_be_written(self):
        data = b"0.3\n" * 100000
        for threads in (1, 4):
            if os.path.exists("/dev/full"):
                with open("/dev/full", "wb") as full:
                    p = start("eval", "--threads", threads, stdout=full)
                    _, err = p.communicate(data, DEADLINE)
                self.assertEqual(p.returncode, USAGE)
                self.assertIn(b"cannot write the output: No space", err)
            done = subprocess.run(["sh", "-c", 'exec "$0" "$@" >&-', CLI, "eval", "--policy", POLICY,
                                   "--threads", str(threads)], input=data, capture_output=True,
                                  timeout=DEADLINE)
            self.assertEqual(done.returncode, USAGE)
            self.assertIn(b"cannot write the output", done.stderr)
            done = subprocess.run(["sh", "-c", 'exec "$0" "$@" <&-', CLI, "eval", "--policy", POLICY,
                                   "--threads", str(threads)], capture_output=True, timeout=DEADLINE)
            self.assertEqual(done.returncode, USAGE)
            self.assertIn(b"cannot read standard input", done.stderr)

    def test_a_reader_that_leaves(self):
        for ignore, expected in ((False, -signal.SIGPIPE), (True, USAGE)):
            p = start("eval", "--threads", "3", restore_signals=not ignore)
            self.assertEqual(p.stdout.read(0), b"")
            p.stdout.close()
            try:
                for _ in range(200):
                    p.stdin.write(b"0.3\n" * 10000)
                    p.stdin.flush()
            except BrokenPipeError:
                pass
            try:
                p.stdin.close()
            except BrokenPipeError:
                pass
            self.assertEqual(p.wait(DEADLINE), expected)
            p.stderr.close()

    def test_memory_does_not_grow_with_the_stream(self):
        """300 MB through two threads, made and thrown away on the fly."""
        block = b"".join(b'%d,0.%05d,"a note, quoted"\n' % (i, i) for i in range(30000))
        times = 300 * 10**6 // len(block)
        with open(CLI, "rb") as f:
            sanitized = b"__asan_init" in (program := f.read()) or b"__tsan_init" in program
        p = start("eval", "--format", "csv", "--column", "2", "--threads", "2",
                  stdout=subprocess.DEVNULL)
        for _ in range(times // 10 if sanitized else times):
            p.stdin.write(block)
        # Its own peak: what wait4 says would include this process's, before exec.
        with open(f"/proc/{p.pid}/status") as f:
            peak = next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))
        p.stdin.close()
        self.assertEqual((p.wait(DEADLINE), p.stderr.read()), (FINE, b""))
        p.stderr.close()
        if not sanitized:
            self.assertLess(peak, 32 * 1024, "KiB")


if __name__ == "__main__":
    print(f"seed {SEED}", flush=True)
    unittest.main()
