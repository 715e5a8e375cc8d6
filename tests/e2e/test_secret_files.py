# SPDX-License-Identifier: MIT
"""A URL or DSN may stand in a file of its own, which nobody else may read; a file that others may
read stops the start, in --check too."""
import os
import struct
import unittest

import daemon
import oracle
from daemon import Daemon
from redis_server import Redis, available

BAD_CONFIG = 78
CANARY = "canary-7f3a91"
VALUES = {
    "HEDGE_REDIS_URL": f"redis://u:{CANARY}@127.0.0.1:1/0",
    "HEDGE_CLICKHOUSE_URL": f"http://u:{CANARY}@127.0.0.1:1/",
    "HEDGE_DB_DSN": f"postgresql://u:{CANARY}@127.0.0.1:1/d",
}
NOBODY = 65534
EVERY = 0xFFFFFFFF  # the id of an entry of an access list that has none


def access_list(*entries):
    """The bytes of an access list as Linux keeps it: (tag, permissions, id)…"""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries)


class SecretFiles(daemon.Case):
    @classmethod
    def setUpClass(cls):
        cls.folder = daemon.new_folder()
        os.chmod(cls.folder, 0o755)
        cls.policy = os.path.join(cls.folder, "policy.yaml")
        daemon.write_file(cls.policy, oracle.text(oracle.policy()))

    def file(self, content, mode=0o600, owner=None, group=None):
        path = os.path.join(self.folder, "secret")
        if os.path.lexists(path):
            os.unlink(path)
        with open(path, "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        if owner is not None or group is not None:
            os.chown(path, -1 if owner is None else owner, -1 if group is None else group)
        os.chmod(path, mode)
        return path

    def check(self, **settings):
        base = {"HEDGE_ENV": "dev", "HEDGE_API_PORT": "0", "HEDGE_POLICY": self.policy,
                "HEDGE_JOURNAL": os.path.join(self.folder, "journal.db")}
        base.update(settings)
        return daemon.run(("--check",), self.folder, **base)

    def assert_refused(self, why, *words, **settings):
        code, out, err = self.check(**settings)
        self.assertEqual(code, BAD_CONFIG, f"{why}: {out} {err}")
        for word in words:
            self.assertIn(word, err, why)
        self.assertNotIn(CANARY, out + err, why)

    def assert_good(self, why, **settings):
        code, out, err = self.check(**settings)
        self.assertEqual(code, 0, f"{why}: {out} {err}")
        self.assertNotIn(CANARY, out + err, why)

    def test_each_value_may_stand_in_a_file(self):
        for name, value in VALUES.items():
            for end in ("", "\n", "\r\n"):
                self.assert_good(f"{name} {end!r}", **{name + "_FILE": self.file(value + end)})

    def test_a_file_is_understood_as_its_variable_is(self):
        for name in VALUES:
            path = self.file(f"nonsense-{CANARY}")
            self.assert_refused(name, name + ":", **{name + "_FILE": path})

    def test_the_variable_and_its_file_together_are_refused(self):
        for name, value in VALUES.items():
            self.assert_refused(name, "only one", **{name: value, name + "_FILE": self.file(value)})

    def test_what_is_no_line_of_text_is_refused(self):
        for why, content in (("empty", b""), ("a line's end alone", b"\n"),
                             ("two lines", f"{VALUES['HEDGE_DB_DSN']}\n\n".encode()),
                             ("NUL", f"{CANARY}\0x".encode()),
                             ("too long", CANARY.encode() + b"x" * 5000)):
            self.assert_refused(why, "HEDGE_DB_DSN_FILE=", HEDGE_DB_DSN_FILE=self.file(content))

    def test_what_is_no_file_is_refused(self):
        pipe = os.path.join(self.folder, "pipe")
        os.mkfifo(pipe)  # which nobody writes to: it must not wait
        for path in ("/nowhere/secret", self.folder, "/dev/null", pipe):
            self.assert_refused(path, f"HEDGE_REDIS_URL_FILE={path}", HEDGE_REDIS_URL_FILE=path)

    def test_a_file_that_others_may_read_or_write_is_refused(self):
        for name, value in VALUES.items():
            for mode in (0o644, 0o604, 0o602, 0o666, 0o444):
                self.assert_refused(f"{name} {mode:o}", f"mode {mode:04o}", "chmod 600",
                                    **{name + "_FILE": self.file(value, mode)})
        for mode in (0o600, 0o400, 0o640, 0o440, 0o700):  # 0640: the group is our own
            self.assert_good(f"{mode:o}",
                             HEDGE_DB_DSN_FILE=self.file(VALUES["HEDGE_DB_DSN"], mode))

    def test_a_start_refuses_it_as_a_check_does(self):
        path = self.file(VALUES["HEDGE_DB_DSN"], 0o644)
        code, _, err = daemon.run((), self.folder, HEDGE_POLICY=self.policy, HEDGE_API_PORT="0",
                                  HEDGE_DB_DSN_FILE=path)
        self.assertEqual(code, BAD_CONFIG, err)
        self.assertIn("everybody", err)

    @unittest.skipUnless(os.geteuid() == 0, "only root may give a file to another group")
    def test_a_group_that_is_not_the_daemons_is_refused(self):
        value = VALUES["HEDGE_DB_DSN"]
        self.assertNotIn(NOBODY, os.getgroups())
        self.assert_refused("another group", f"group {NOBODY}",
                            HEDGE_DB_DSN_FILE=self.file(value, 0o640, group=NOBODY))
        self.assert_good("another group without a right",
                         HEDGE_DB_DSN_FILE=self.file(value, 0o600, group=NOBODY))

    @unittest.skipUnless(os.geteuid() == 0, "only root may give a file to another user")
    def test_an_access_list_counts_as_its_entries_do(self):
        value = VALUES["HEDGE_DB_DSN"]
        owner, nobody, rest = (0x01, 6, EVERY), (0x04, 0, EVERY), (0x20, 0, EVERY)

        def with_list(*entries):
            path = self.file(value)
            try:
                os.setxattr(path, "system.posix_acl_access", access_list(*entries))
            except OSError as error:
                self.skipTest(f"no access lists here: {error}")
            return path

        # As systemd gives a credential to a service's user: mode 0640, and the group has nothing.
        path = with_list(owner, (0x02, 4, 0), nobody, (0x10, 4, EVERY), rest)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o640)
        os.chown(path, -1, NOBODY)
        self.assert_good("its own user", HEDGE_DB_DSN_FILE=path)
        path = with_list(owner, (0x02, 4, NOBODY), nobody, (0x10, 4, EVERY), rest)
        self.assert_refused("another user", f"user {NOBODY}", HEDGE_DB_DSN_FILE=path)
        path = with_list(owner, nobody, (0x08, 4, NOBODY), (0x10, 4, EVERY), rest)
        self.assert_refused("another group", f"group {NOBODY}", HEDGE_DB_DSN_FILE=path)
        path = with_list(owner, (0x02, 4, NOBODY), nobody, (0x10, 0, EVERY), rest)
        self.assert_good("masked", HEDGE_DB_DSN_FILE=path)

    @unittest.skipUnless(available(), "no redis-server here")
    def test_what_the_file_says_is_used(self):
        with Redis(password=CANARY) as server:
            path = self.file(server.url(0) + "\n")
            with Daemon(oracle.policy(), redis_url_file=path) as d, d.client() as c:
                daemon.wait_until(lambda: c.metric("hedge_redis_connected") == 1.0,
                                  "the feed is connected with the file's password")
                self.assertNotIn(CANARY, "\n".join(d.lines))


if __name__ == "__main__":
    daemon.main()
