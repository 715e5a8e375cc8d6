# SPDX-License-Identifier: MIT
"""A good caller, who must not notice what others do."""
import statistics
import threading
import time


class Good(threading.Thread):
    """Asks 50 times a second, every fifth time over a new connection."""

    def __init__(self, client):
        super().__init__()
        self.client, self.times, self.failed = client, [], []
        self.ended = threading.Event()

    def run(self):
        client, n = self.client, 0
        while not self.ended.is_set():
            begin = time.monotonic()
            try:
                if n % 5 == 0:
                    client.close()  # the next request connects again
                answer = client.hedge()
                if answer.status != 200:
                    self.failed.append(repr(answer))
            except OSError as error:
                self.failed.append(repr(error))
                client.close()
            self.times.append(time.monotonic() - begin)
            n += 1
            self.ended.wait(max(0.0, 0.02 - (time.monotonic() - begin)))
        client.close()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()

    def report(self, beside):
        times = sorted(self.times)
        print(f"{len(times)} good requests beside {beside}: {len(self.failed)} failed, median "
              f"{statistics.median(times) * 1e3:.1f} ms, p99 "
              f"{times[int(len(times) * 0.99)] * 1e3:.1f} ms, most {times[-1] * 1e3:.1f} ms",
              flush=True)
