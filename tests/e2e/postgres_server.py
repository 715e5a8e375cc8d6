# SPDX-License-Identifier: MIT
"""A real PostgreSQL on a free port, made for one test and gone with it.

As root it runs as the user postgres, because PostgreSQL refuses root. The
superuser is `hedge`, reached over TCP by dsn() and over a socket by query().
"""
import ctypes
import glob
import os
import pwd
import re
import signal
import subprocess

import daemon

USER = "hedge"
FIELD, ROW = "\x1f", "\x1e"  # between the fields and rows that psql prints
START_S = 60.0  # crash recovery on a busy machine


def _bin():
    """The folder of the newest PostgreSQL's programs, or None."""
    found = [p for p in glob.glob("/usr/lib/postgresql/*/bin") if os.path.exists(p + "/initdb")]
    return max(found, key=lambda p: [int(n) for n in re.findall(r"\d+", p)], default=None)


def _identity():
    """How subprocess becomes a user that PostgreSQL runs as."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def available():
    if _bin() is None:
        return False
    try:
        _identity()
    except KeyError:
        return False
    return True


def _environment():
    out = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    out["LC_ALL"] = "C"
    return out


def _folder():
    """A folder that the other user may enter and write."""
    path = daemon.new_folder()
    os.chmod(path, 0o755)
    if os.geteuid() == 0:
        os.chown(path, _identity()["user"], _identity()["group"])
    return path


_template = None


def _fresh_data(path):
    """Puts an empty cluster at path: initdb once a process, then copies."""
    global _template  # pylint: disable=global-statement
    if _template is None:
        made = os.path.join(_folder(), "template")
        done = subprocess.run(
            [_bin() + "/initdb", "-D", made, "-U", USER, "-A", "trust", "-E", "UTF8",
             "--locale=C", "--no-sync", "--no-instructions", "--wal-segsize=1"],
            cwd="/", env=_environment(), stdin=subprocess.DEVNULL, capture_output=True,
            check=False, **_identity())
        if done.returncode:
            raise AssertionError(f"initdb: {done.stdout.decode()} {done.stderr.decode()}")
        _template = made
    subprocess.run(["cp", "-a", _template, path], check=True)


def _state(pid):
    """(state, parent) of a process, or None."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as f:
            rest = f.read().rpartition(")")[2].split()
    except OSError:
        return None
    return rest[0], int(rest[1])


def _children(pid):
    found = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [p for p in found if (_state(p) or ("", 0))[1] == pid]


def _adopt_orphans():
    """Has the backends of a killed postmaster become ours, to be waited for: no zombie stays."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def _gone(pid):
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass
    return (_state(pid) or "Z")[0] in "ZX"


def _send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class Postgres:
    """A running server.

    password: asked of those who come over TCP (scram-sha-256); None: everyone is trusted.
    durable: keep fsync on, so that a crash of the machine would lose nothing.
    settings: more of postgresql.conf, by name."""

    def __init__(self, password=None, durable=False, port=None, start=True, **settings):
        self.folder = _folder()
        self.data = os.path.join(self.folder, "data")
        self.log_path = os.path.join(self.folder, "postgres.log")
        self.password = password
        self.port = port or daemon.free_port()
        self.settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder,
                         "max_connections": 40, "shared_buffers": "16MB", "max_wal_size": "64MB",
                         "fsync": "on" if durable else "off", **settings}
        self.process, self.frozen = None, []
        _fresh_data(self.data)
        way = "scram-sha-256" if password else "trust"
        with open(os.path.join(self.data, "pg_hba.conf"), "w", encoding="ascii") as f:
            f.write(f"local all all trust\nhost all all 127.0.0.1/32 {way}\n")
        if start:
            self.start()
            if password:
                self.query(f"ALTER ROLE {USER} PASSWORD '{password}'")

    # ---- its life
    def start(self):
        command = [_bin() + "/postgres", "-D", self.data, "-p", str(self.port)]
        for name, value in self.settings.items():
            command += ["-c", f"{name}={value}"]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, env=_environment(),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            **_identity())
        daemon._running.append(self)
        daemon.wait_until(self._ready, "postgres is ready", START_S)
        return self

    def _ready(self):
        if self.process.poll() is not None:
            self.kill()
            raise AssertionError(f"postgres ended with {self.process.returncode}: {self.log()}")
        try:
            with open(os.path.join(self.data, "postmaster.pid"), encoding="utf-8") as f:
                lines = f.read().split("\n")
        except OSError:
            return False
        return (len(lines) > 7 and lines[0] == str(self.process.pid)
                and lines[7].strip() == "ready")

    def stop(self, timeout=30.0):
        """An orderly end that does not wait for clients to leave."""
        self.thaw()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def kill(self):
        """kill -9 of the server with every process it forked: a crash."""
        if self.process and self.process.poll() is None:
            _adopt_orphans()
            self._hold()
            family = self._family()
            for pid in reversed(family):
                _send(pid, signal.SIGKILL)
            self.process.wait(20)
            for pid in family[1:]:
                daemon.wait_until(lambda p=pid: _gone(p), "every backend is gone", 20)
        self.frozen = []
        if self in daemon._running:
            daemon._running.remove(self)

    def restart(self):
        """Starts on the same port and data again, after a kill() or, if it runs, a stop()."""
        if self.process.poll() is None:
            self.stop()
        return self.start()

    def freeze(self):
        """SIGSTOP: connections stay open and new ones are accepted by the kernel, none answers."""
        self._hold()
        while True:
            pids = [p for p in self._family() if p not in self.frozen]
            if not pids:
                return
            for pid in pids:
                _send(pid, signal.SIGSTOP)
            self.frozen += pids

    def thaw(self):
        for pid in reversed(self.frozen):  # the postmaster last: its children answer first
            _send(pid, signal.SIGCONT)
        self.frozen = []

    def _hold(self):
        """Stops the postmaster, which then forks no more while we look at its children."""
        self.process.send_signal(signal.SIGSTOP)
        daemon.wait_until(lambda: _state(self.process.pid)[0] in "TZ", "the postmaster stops")

    def _family(self):
        return [self.process.pid] + _children(self.process.pid)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    # ---- how to talk to it
    def dsn(self, user=None, password=None, database=None, port=None):
        """A libpq connection string over TCP. `port`: of a proxy in between."""
        password = password or (self.password if user is None else None)
        words = {"host": "127.0.0.1", "port": port or self.port, "user": user or USER,
                 "password": password, "dbname": database or "postgres"}
        return " ".join(f"{k}={v}" for k, v in words.items() if v is not None)

    def query(self, sql, database="postgres", user=USER, timeout=60.0):
        """Runs SQL over the server's own socket: the rows as tuples of text, NULL as ''.

        RuntimeError with the server's words where it refuses."""
        done = subprocess.run(
            [_bin() + "/psql", "-X", "-q", "-A", "-t", "-F", FIELD, "-R", ROW, "-v",
             "ON_ERROR_STOP=1", "-h", self.folder, "-p", str(self.port), "-U", user, "-d",
             database, "-f", "-"],
            input=sql.encode(), env=_environment(), capture_output=True, timeout=timeout,
            check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.decode(errors="replace").strip())
        text = done.stdout.decode()
        text = text[:-1] if text.endswith("\n") else text
        return [tuple(row.split(FIELD)) for row in text.split(ROW)] if text else []

    def value(self, sql, **more):
        """The first field of the first row."""
        return self.query(sql, **more)[0][0]

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()[-4000:]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
