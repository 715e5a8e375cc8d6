# SPDX-License-Identifier: MIT
"""Fails a daemon's system calls and moves its wall clock while it runs, by way of faults.c.

HEDGE_FAULTS names the library to preload."""
import mmap
import os
import struct
import time

import daemon

PAGE = 4096


def available():
    return os.path.exists(os.environ.get("HEDGE_FAULTS", ""))


class Faults:
    """What `Daemon(..., wrapper=faults.wrapper)` is subject to. Nothing at first."""

    def __init__(self, path_part="journal.db"):
        folder = daemon.new_folder()
        self.control = self._file(folder, "control", PAGE)
        self.clock = self._file(folder, "clock", 8)
        self.step = self._file(folder, "step", PAGE)
        # env, not the daemon's settings: these are no HEDGE_ variables.
        self.wrapper = ["env", "LD_PRELOAD=" + os.path.abspath(os.environ["HEDGE_FAULTS"]),
                        "FAULTS_CONTROL=" + os.path.join(folder, "control"),
                        "FAULTS_STEP=" + os.path.join(folder, "step"),
                        "FAULTS_CLOCK=" + os.path.join(folder, "clock"),
                        "FAULTS_PATH=" + path_part,
                        "ASAN_OPTIONS=" + os.environ.get("ASAN_OPTIONS", "")
                        + ":verify_asan_link_order=0"]

    @staticmethod
    def _file(folder, name, size):
        with open(os.path.join(folder, name), "w+b") as f:
            f.truncate(size)
            return mmap.mmap(f.fileno(), size)

    def fail(self, **calls):
        """fail(fsync="EIO", write="ENOSPC"): these and no others, from now on; fail(): none."""
        text = "".join(f"{call} {number}\n" for call, number in calls.items()).encode()
        self.control[0] = 0  # off while the rest is half written
        self.control[1:PAGE] = (text[1:] + bytes(PAGE))[:PAGE - 1]
        if text:
            self.control[0] = text[0]

    def fail_at(self, call, number, n, for_ever=False):
        """The n-th such call from now on, the first is 0, fails or, by "SHORT", does half of it."""
        self.step[0:8] = bytes(8)
        self.step[0:PAGE] = struct.pack("5q16s16s", 0, n, for_ever, 0, 0, call.encode(),
                                        number.encode()).ljust(PAGE, b"\0")
        self.step[0:8] = struct.pack("q", 1)

    def seen(self):
        """How many such calls there were, and how many failed."""
        return struct.unpack("2q", self.step[24:40])

    def stop(self):
        """No step any more; what was seen."""
        self.step[0:8] = bytes(8)
        return self.seen()

    def shift(self, seconds):
        """How far the daemon's wall clock is off this process's; its steady clock never is."""
        self.clock[0:8] = struct.pack("q", round(seconds * 1e9))

    @property
    def shifted_ns(self):
        return struct.unpack("q", self.clock[0:8])[0]

    def now_ns(self):
        """Unix time as the daemon sees it."""
        return time.time_ns() + self.shifted_ns

    def now_ms(self):
        return self.now_ns() // 1_000_000
