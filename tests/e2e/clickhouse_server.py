# SPDX-License-Identifier: MIT
"""A real clickhouse-server, and false ones that misbehave."""
import http.client
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
from urllib.parse import quote, urlencode

import daemon

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TABLES = os.path.join(ROOT, "configs", "clickhouse.sql")
DEPTH_QUERY = os.path.join(ROOT, "configs", "depth_query.sql")
MAINTENANCE = os.path.join(ROOT, "configs", "clickhouse_maintenance.sql")
BACKFILL = os.path.join(ROOT, "configs", "clickhouse_backfill.sql")
READER, READER_PASSWORD = "reader", "r3ader: pw"  # a user with readonly = 1

CONFIG = """<?xml version="1.0"?>
<yandex>
  <logger><level>warning</level><log>{folder}/server.log</log>
    <errorlog>{folder}/errors.log</errorlog></logger>
  <listen_host>127.0.0.1</listen_host>
  <http_port>{port}</http_port><tcp_port>{tcp_port}</tcp_port>
  <path>{folder}/data/</path><tmp_path>{folder}/tmp/</tmp_path>
  <users_config>users.xml</users_config>
  <default_profile>default</default_profile><default_database>default</default_database>
  <mark_cache_size>268435456</mark_cache_size><timezone>UTC</timezone>
</yandex>
"""
USERS = """<?xml version="1.0"?>
<yandex>
  <profiles><default/><readonly><readonly>1</readonly></readonly></profiles>
  <users>
    <default><password>{password}</password><networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile><quota>default</quota></default>
    <{reader}><password>{reader_password}</password><networks><ip>127.0.0.1</ip></networks>
      <profile>readonly</profile><quota>default</quota></{reader}>
  </users>
  <quotas><default/></quotas>
</yandex>
"""


def available():
    return shutil.which("clickhouse-server") is not None


def statements(path):
    """The statements of a file that ends each with a semicolon at a line's end."""
    with open(path, encoding="utf-8") as f:
        lines = [line for line in f if not line.lstrip().startswith("--")]
    return [part.strip() for part in "".join(lines).split(";\n") if part.strip()]


def row_binary(rows):
    """Rows of order_book_deltas as RowBinary: text would not keep a double's last bits."""
    out = bytearray()
    for ts_ms, asset, side, price, size in rows:
        out += struct.pack("<Q", ts_ms)
        for text in (asset.encode(), side.encode()):
            out += bytes([len(text)]) + text  # a varint, for texts of less than 128 bytes
        out += struct.pack("<dd", price, size)
    return bytes(out)


class ClickHouse:
    """A clickhouse-server on free ports, with the tables of configs/clickhouse.sql.

    password: of the user `default`; port: where an older one was; folder: with its data."""

    def __init__(self, password="", port=None, folder=None, tables=True):
        self.folder = folder or daemon.new_folder()
        self.port, self.password = port or daemon.free_port(), password
        os.chmod(self.folder, 0o755)
        values = {"folder": self.folder, "port": self.port, "tcp_port": daemon.free_port(),
                  "password": password, "reader": READER, "reader_password": READER_PASSWORD}
        for name, text in (("config.xml", CONFIG), ("users.xml", USERS)):
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as f:
                f.write(text.format(**values))
        self.process = subprocess.Popen(
            ["clickhouse-server", f"--config-file={self.folder}/config.xml"], cwd=self.folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        daemon._running.append(self)
        daemon.wait_until(self._answers, "clickhouse-server answers", 30)
        if tables and not folder:
            self.run_file(TABLES)

    def _answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"clickhouse-server ended, see {self.folder}/errors.log")
        try:
            return self.query("SELECT 1") == "1\n"
        except OSError:
            return False

    def url(self, credentials="", database=None):
        if not credentials and self.password:
            credentials = f"default:{quote(self.password, safe='')}@"
        return (f"http://{credentials}127.0.0.1:{self.port}"
                + (f"/?database={database}" if database else ""))

    def query(self, sql, data=b"", **settings):
        """The answer's text; an error of the server is a RuntimeError. data: behind an INSERT."""
        if data:
            settings, body = {"query": sql, **settings}, data
        else:
            body = sql.encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        try:
            connection.request("POST", "/?" + urlencode(settings), body=body,
                               headers={"X-ClickHouse-User": "default",
                                        "X-ClickHouse-Key": self.password})
            reply = connection.getresponse()
            text = reply.read().decode("utf-8", "replace")
        finally:
            connection.close()
        if reply.status != 200 or text.startswith("Code: "):
            raise RuntimeError(f"{reply.status} {text}")
        return text

    def run_file(self, path):
        for statement in statements(path):
            self.query(statement)

    def insert_deltas(self, rows):
        """One block: rows of (ts_ms, asset, side, price, size)."""
        self.query("INSERT INTO order_book_deltas FORMAT RowBinary", row_binary(rows))

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()  # ends a stopped one too
        self.process.wait(20)
        if self in daemon._running:
            daemon._running.remove(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


# ---- false servers ---------------------------------------------------------------


def http_reply(body=b"", status="200 OK", length=True, **headers):
    """The bytes of a reply. length=False: its end is the connection's."""
    if isinstance(body, str):
        body = body.encode()
    lines = [f"HTTP/1.1 {status}"] + [f"{k.replace('_', '-')}: {v}" for k, v in headers.items()]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Fake:
    """A server that answers each request with the same bytes.

    reply: the bytes, or a function of no argument that makes them anew for each request; None:
    never a word. parts: sent one by one instead, `pause` seconds apart. hold: the connection stays
    open behind the reply."""

    def __init__(self, reply=None, parts=None, pause=0.0, hold=True, tls=None):
        self.reply, self.parts, self.pause, self.hold = reply, parts, pause, hold
        self.tls = tls  # an ssl.SSLContext
        self.connections, self.requests, self.open = 0, [], []
        self.ending = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while not self.ending.is_set():
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.append(peer)
            threading.Thread(target=self._talk, args=(peer,), daemon=True).start()

    def _request(self, peer):
        """(head, body) of the next request, or None at the connection's end."""
        data = b""
        while b"\r\n\r\n" not in data:
            part = peer.recv(65536)
            if not part:
                return None
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        lines = [line.lower() for line in head.split(b"\r\n")]
        size = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        while len(body) < size:
            body += peer.recv(65536)
        return head.decode(), body

    def _answer(self, peer):
        reply = self.reply() if callable(self.reply) else self.reply
        for part in self.parts if self.parts is not None else [reply]:
            if part is not None:
                peer.sendall(part)
            if self.pause and self.ending.wait(self.pause):
                return

    def _talk(self, peer):
        try:
            peer.settimeout(30)
            if self.tls:
                peer = self.tls.wrap_socket(peer, server_side=True)
            while True:
                request = self._request(peer)
                if request is None:
                    return
                self.requests.append(request)
                self._answer(peer)
                if not self.hold:
                    return
        except OSError:
            pass
        finally:
            peer.close()

    def url(self, credentials=""):
        return f"http://{credentials}127.0.0.1:{self.port}"

    def close(self):
        self.ending.set()
        self.listener.close()
        for peer in self.open:
            try:
                peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
