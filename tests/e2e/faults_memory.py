# SPDX-License-Identifier: MIT
"""Lets a daemon's allocations fail while it runs, by way of faults_memory.c.

HEDGE_FAULTS_MEMORY names the library to preload; a sanitized build has none."""
import mmap
import os
import struct

import daemon

PAGE = 4096
ARMED, FAIL_AT, FOR_EVER, SEEN, FAILED, CALLER = 0, 8, 16, 24, 32, 40


def available():
    return os.path.exists(os.environ.get("HEDGE_FAULTS_MEMORY", ""))


class Memory:
    """What `Daemon(..., wrapper=memory.wrapper)` is subject to. Nothing at first."""

    def __init__(self):
        path = os.path.join(daemon.new_folder(), "memory")
        with open(path, "w+b") as f:
            f.truncate(PAGE)
            self.page = mmap.mmap(f.fileno(), PAGE)
        self.wrapper = ["env", "LD_PRELOAD=" + os.path.abspath(os.environ["HEDGE_FAULTS_MEMORY"]),
                        "FAULTS_MEMORY=" + path]

    def _put(self, at, value):
        self.page[at:at + 8] = struct.pack("q", value)

    def _get(self, at):
        return struct.unpack("q", self.page[at:at + 8])[0]

    def fail(self, n, for_ever=False):
        """The n-th allocation from now on fails; the first is 0."""
        self.stop()
        self.page[FAIL_AT:PAGE] = bytes(PAGE - FAIL_AT)
        self._put(FAIL_AT, n)
        self._put(FOR_EVER, int(for_ever))
        self._put(ARMED, 1)

    def stop(self):
        self._put(ARMED, 0)

    @property
    def seen(self):
        """Allocations since it was armed."""
        return self._get(SEEN)

    @property
    def failed(self):
        return self._get(FAILED)

    @property
    def caller(self):
        """Who asked for the first that failed."""
        return self.page[CALLER:CALLER + 200].split(b"\0")[0].decode("utf-8", "replace")
