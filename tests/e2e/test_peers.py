# SPDX-License-Identifier: MIT
"""Whoever halts, resumes or shows a token that is refused: the log says from which address."""
import http.client

import daemon
import faults
from daemon import Daemon, wait_until
from halts import RULES, Case, order, quote_all

PEER, OTHER = "127.0.0.7", "127.0.0.8"


def tool(*arguments):
    code, out, err = daemon.hedge(*arguments)
    assert code == 0, err
    return out.strip()


class Peers(Case):
    def from_peer(self, d, peer):
        """A client of another address than the usual one."""
        c = d.client()
        c.connection = http.client.HTTPConnection("127.0.0.1", d.port, timeout=30,
                                                  source_address=(peer, 0))
        self.addCleanup(c.close)
        return c

    def on_a_bad_disk(self):
        if not faults.available():
            self.skipTest("HEDGE_FAULTS names no library")
        disk = faults.Faults()
        d = Daemon(RULES, wrapper=disk.wrapper)
        self.addCleanup(d.__exit__)
        return d, disk

    def told(self, d, event):
        return [(e["asset"], e["actor"], e["peer"]) for e in d.events(event)]

    def test_halts_and_resumes_name_it(self):
        d, _ = self.serve()
        one, other = self.from_peer(d, PEER), self.from_peer(d, OTHER)
        self.halt(one, "a drill", actor="anna")
        self.halt(other, "a drill", "BTC", actor="anna")
        self.resume(other, actor="ben")
        self.assertEqual(self.told(d, "halted"), [("(all)", "anna", PEER), ("BTC", "anna", OTHER)])
        self.assertEqual(self.told(d, "resumed"), [("(all)", "ben", OTHER)])
        d.kill()
        d.start()
        self.assertEqual([(e["asset"], "peer" in e) for e in d.events("halt_in_force")],
                         [("BTC", False)], "nobody ordered it since the start")

    def test_what_is_latched_later_names_who_ordered_it(self):
        d, disk = self.on_a_bad_disk()
        one, other = self.from_peer(d, PEER), self.from_peer(d, OTHER)
        quote_all(one)
        self.halt(one, "before", "ETH")
        disk.fail(write="ENOSPC")
        self.assert_problem(one.post("/halt", order("disk", "BTC")), 503, "halt_not_latched")
        self.assert_problem(other.post("/resume", order("over", "ETH")), 503, "journal_failed")
        disk.fail()
        wait_until(lambda: d.events("halt_latched"), "it is latched", 30)
        self.assertEqual(self.told(d, "halt_not_latched"), [("BTC", "-", PEER)])
        self.assertEqual(self.told(d, "halt_latched"), [("BTC", "-", PEER)])
        self.assertEqual(self.told(d, "resume_refused"), [("ETH", "-", OTHER)])

    def test_what_is_lost_names_it_too(self):
        d, disk = self.on_a_bad_disk()
        disk.fail(write="ENOSPC")
        c = self.from_peer(d, PEER)
        self.assert_problem(c.post("/halt", order("disk")), 503, "halt_not_latched")
        self.assertEqual(d.stop(), 1)
        self.assertEqual(self.told(d, "halt_lost_at_stop"), [("(all)", "-", PEER)])

    def test_refused_tokens_and_scopes_name_it(self):
        folder = daemon.new_folder()
        tool("token", "keys", "--kid", "k", "--out", folder)
        token = tool("token", "sign", "--key", f"{folder}/k.key.json", "--sub", "bob", "--scope",
                     "read", "--iss", "i", "--aud", "a")
        d, _ = self.serve(jwt_keys=f"{folder}/k.jwks.json", jwt_issuer="i", jwt_audience="a")
        c = self.from_peer(d, PEER)
        reader = {"Authorization": f"Bearer {token}"}
        bad = {"Authorization": "Bearer x.y.z"}
        self.assert_problem(c.post("/halt", order("no"), headers=bad), 401, "unauthorized")
        self.assert_problem(c.ask("GET", "/readyz", headers=bad), 401, "unauthorized")
        self.assert_problem(c.post("/halt", order("no"), headers=reader), 403, "forbidden")
        self.assertEqual([(e["route"], e["peer"]) for e in d.events("unauthorized")],
                         [("POST /halt", PEER), ("GET /readyz", PEER)])
        self.assertEqual([(e["route"], e["caller"], e["peer"]) for e in d.events("forbidden")],
                         [("POST /halt", "bob", PEER)])


if __name__ == "__main__":
    daemon.main()
