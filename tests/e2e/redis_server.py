# SPDX-License-Identifier: MIT
"""A real redis-server, a client just large enough to feed it, and servers that misbehave."""
import json
import os
import shutil
import socket
import subprocess
import threading
import time

import daemon


def available():
    return shutil.which("redis-server") is not None


class Redis:
    """A redis-server on a free port. `port` restarts one where an older one was."""

    def __init__(self, password=None, user=None, port=None):
        self.folder = daemon.new_folder()
        self.port = port or daemon.free_port()
        self.password, self.user = password, user
        settings = ["bind 127.0.0.1", f"port {self.port}", 'save ""', "appendonly no",
                    f"dir {self.folder}", "databases 16"]
        if user:
            settings += [f"user {user} on >{password} ~* &* +@all", "user default off"]
        elif password:
            settings.append(f"requirepass {password}")
        path = os.path.join(self.folder, "redis.conf")
        with open(path, "w", encoding="ascii") as f:
            f.write("\n".join(settings) + "\n")
        self.process = subprocess.Popen(["redis-server", path], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        daemon._running.append(self)
        daemon.wait_until(self._answers, "redis-server answers", 10)

    def _answers(self):
        if self.process.poll() is not None:
            raise AssertionError("redis-server ended")
        try:
            with self.client() as c:
                return c.call("PING") == "PONG"
        except OSError:
            return False

    def client(self, db=0):
        c = Resp(self.port)
        if self.user:
            c.call("AUTH", self.user, self.password)
        elif self.password:
            c.call("AUTH", self.password)
        if db:
            c.call("SELECT", db)
        return c

    def url(self, db=None, credentials=None):
        if credentials is None:
            credentials = f"{self.user or ''}:{self.password}@" if self.password else ""
        return f"redis://{credentials}127.0.0.1:{self.port}" + ("" if db is None else f"/{db}")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        if self in daemon._running:
            daemon._running.remove(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


class Resp:
    """Commands and replies of the Redis protocol, version 2."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    @staticmethod
    def encode(*words):
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            data = word if isinstance(word, bytes) else str(word).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
        return b"".join(parts)

    def call(self, *words):
        self.socket.sendall(self.encode(*words))
        return self.reply()

    def calls(self, commands):
        """Several commands in one write."""
        self.socket.sendall(b"".join(self.encode(*c) for c in commands))
        return [self.reply() for _ in commands]

    def reply(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self.file.read(size + 2)[:-2]
        size = int(rest)
        return None if size < 0 else [self.reply() for _ in range(size)]

    def publish(self, asset, message):
        """What the sentiment pipeline does: SET the key, then PUBLISH. Returns the receivers."""
        if not isinstance(message, (bytes, str)):
            message = json.dumps(message)
        key = f"sentiment:latest:{asset}"
        return self.calls([("SET", key, message), ("PUBLISH", key, message)])[1]

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Fake:
    """A server that answers every connection with the same bytes, or never.

    answer: bytes sent on connect or after the first request; None: never a word.
    flood: sent again and again as long as the other side takes it, up to `most` bytes."""

    def __init__(self, answer=None, on_connect=False, flood=None, most=64 << 20, hold=True):
        self.answer, self.on_connect, self.flood = answer, on_connect, flood
        self.most, self.hold = most, hold
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections, self.sent, self.open = 0, 0, []
        self.ending = False
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while not self.ending:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.append(peer)
            threading.Thread(target=self._talk, args=(peer,), daemon=True).start()

    def _talk(self, peer):
        try:
            peer.settimeout(30)
            if not self.on_connect and not peer.recv(65536):
                return
            if self.answer:
                peer.sendall(self.answer)
            while self.flood and self.sent < self.most and not self.ending:
                peer.sendall(self.flood)
                self.sent += len(self.flood)
            while self.hold and peer.recv(65536):
                pass
        except OSError:
            pass
        finally:
            peer.close()

    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def close(self):
        self.ending = True
        self.listener.close()
        for peer in self.open:
            try:
                peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        time.sleep(0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
