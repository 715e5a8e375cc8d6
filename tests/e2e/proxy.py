# SPDX-License-Identifier: MIT
"""A TCP proxy before a real server, whose faults are switched while connections are open."""
import random
import socket
import struct
import threading
import time

CHUNK = 65536
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends RST


def _reset(s):
    """Ends a connection with RST, also where another thread reads from it."""
    try:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        s.shutdown(socket.SHUT_RD)  # wakes the reader, says nothing to the other side
    except OSError:
        pass
    s.close()


class _Link:
    """One client's connection and, where the mode forwards, the server's."""

    def __init__(self, client):
        self.client, self.server, self.replied, self.dead = client, None, 0, False

    def reset(self):
        self.dead = True
        for s in (self.client, self.server):
            if s:
                _reset(s)


class Proxy:
    """Listens on a free port of 127.0.0.1 and forwards to target_port.

    A mode holds for connections that are open and for those that come:

      pass_()        bytes go through as they are
      delay(s)       each way takes s seconds more
      refuse()       new connections are reset at once; open ones go on
      blackhole()    connections are accepted, bytes swallowed, nothing is ever answered
      garbage()      whatever comes is answered with random bytes
      half(n)        n bytes of reply go through on each connection, then it is reset

    cut() resets what is open now and leaves the mode as it is."""

    def __init__(self, target_port, port=0, seed=1):
        self.target_port = target_port
        self.connections = 0  # accepted so far
        self.luck = random.Random(seed)
        self.mode, self.value = "pass", 0.0
        self.lock, self.links, self.ending = threading.Lock(), set(), False
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _set(self, mode, value=0.0):
        with self.lock:
            self.mode, self.value = mode, value
            for link in self.links:
                link.replied = 0
        return self

    def pass_(self):
        return self._set("pass")

    def delay(self, seconds):
        return self._set("delay", seconds)

    def refuse(self):
        return self._set("refuse")

    def blackhole(self):
        return self._set("blackhole")

    def garbage(self):
        return self._set("garbage")

    def half(self, size):
        return self._set("half", size)

    def cut(self):
        """Resets every open connection; returns how many there were."""
        with self.lock:
            links, self.links = self.links, set()
        for link in links:
            link.reset()
        return len(links)

    @property
    def open(self):
        """How many connections are open now."""
        with self.lock:
            return len(self.links)

    # ---- inside
    def _accept(self):
        while not self.ending:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            if self.mode == "refuse" or self.ending:
                _reset(client)
                continue
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = _Link(client)
            with self.lock:
                self.links.add(link)
            threading.Thread(target=self._requests, args=(link,), daemon=True).start()

    def _end(self, link):
        with self.lock:
            self.links.discard(link)
        link.reset()

    def _requests(self, link):
        """From the client to the server."""
        try:
            while True:
                data = link.client.recv(CHUNK)
                if not data:
                    break
                mode, value = self.mode, self.value
                if mode == "blackhole":
                    continue
                if mode == "garbage":
                    link.client.sendall(self.luck.randbytes(self.luck.randint(1, 512)))
                    continue
                if mode == "delay":
                    time.sleep(value)
                if link.server is None:
                    self._connect(link)
                link.server.sendall(data)
            if link.server and not link.dead:
                link.server.shutdown(socket.SHUT_WR)  # the replies may still come
                return
        except OSError:
            pass
        self._end(link)

    def _connect(self, link):
        """Connects at the first bytes: the server sees no connection that a fault held back."""
        server = socket.create_connection(("127.0.0.1", self.target_port), timeout=10)
        server.settimeout(None)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.server = server
        if link.dead:
            raise OSError("cut meanwhile")
        threading.Thread(target=self._replies, args=(link,), daemon=True).start()

    def _replies(self, link):
        """From the server to the client."""
        try:
            while True:
                data = link.server.recv(CHUNK)
                if not data:
                    if not link.dead:
                        link.client.shutdown(socket.SHUT_WR)
                    break
                mode, value = self.mode, self.value
                if mode in ("blackhole", "garbage"):
                    continue
                if mode == "delay":
                    time.sleep(value)
                if mode == "half":
                    data = data[:max(0, int(value) - link.replied)]
                    link.replied += len(data)
                    if data:
                        link.client.sendall(data)
                    if link.replied >= value:
                        break
                    continue
                link.client.sendall(data)
        except OSError:
            pass
        self._end(link)

    def close(self):
        self.ending = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        except OSError:
            pass
        self.listener.close()
        self.cut()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
