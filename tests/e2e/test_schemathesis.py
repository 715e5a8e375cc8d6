# SPDX-License-Identifier: MIT
"""Schemathesis asks a daemon what configs/openapi.json lets it ask, and what it forbids.

Its packages come from PyPI (requirements.txt) into a folder of the build, once. EXAMPLES=1000 and
SEED=7 in the environment make the run longer and another one."""
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import unittest

import daemon
import openapi
import oracle
from daemon import Daemon

EXAMPLES = os.environ.get("EXAMPLES", "50")
SEED = os.environ.get("SEED", "20260")
QUOTE = {"score": 0.62, "confidence": 0.9, "depth1pct_usd": 78034.12}
HERE = os.path.dirname(os.path.abspath(__file__))
OFFLINE = r"connection broken|NewConnectionError|Temporary failure|unreachable|timed out|ProxyError"
# What no schema can say: an asset is unknown, a time is ahead of the clock, a key was used.
# test_openapi.py tries the other methods; TRACE is none that the daemon's parser knows.
LEFT_OUT = "positive_data_acceptance,unsupported_method"
# Schemathesis halts what it likes, so that 503 is due: where it is documented it is no fault.
# A bad element of a batch gets a problem in its place, and the batch is 200.
CONFIG = """[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503]
[[operations]]
include-name = "POST /hedge/batch"
checks.negative_data_rejection.enabled = false
"""


def tools():
    """The folder with the programs; installs them where they are not yet."""
    with open(os.path.join(HERE, "requirements.txt"), "rb") as f:
        wanted = hashlib.sha256(f.read() + sys.version.encode()).hexdigest()
    build = os.path.dirname(os.path.dirname(daemon.program("HEDGED")))
    folder = os.path.join(build, "tests", "schemathesis")
    mark = os.path.join(folder, "complete")
    if os.path.exists(mark):
        with open(mark, encoding="ascii") as f:
            if f.read() == wanted:
                return os.path.join(folder, "bin")
    shutil.rmtree(folder, ignore_errors=True)
    install(folder)
    with open(mark, "w", encoding="ascii") as f:
        f.write(wanted)
    return os.path.join(folder, "bin")


def install(folder):
    done = subprocess.run([sys.executable, "-m", "venv", folder], capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise unittest.SkipTest(f"python3-venv is missing: {done.stdout}{done.stderr}"[:300])
    done = subprocess.run(
        [f"{folder}/bin/python", "-m", "pip", "install", "--disable-pip-version-check", "--quiet",
         "--only-binary=:all:", "--retries", "1", "--timeout", "10",
         "-r", os.path.join(HERE, "requirements.txt")],
        capture_output=True, text=True, timeout=500, check=False)
    if done.returncode and re.search(OFFLINE, done.stderr):
        raise unittest.SkipTest("PyPI cannot be reached")
    if done.returncode:
        raise AssertionError(f"pip: {done.stdout}{done.stderr}")


class Schemathesis(daemon.Case):
    @classmethod
    def setUpClass(cls):
        cls.tools = tools()

    def run_tool(self, *command, cwd):
        return subprocess.run([os.path.join(self.tools, command[0]), *command[1:]], cwd=cwd,
                              capture_output=True, text=True, timeout=3000, check=False)

    def test_the_document_is_openapi_3_1(self):
        done = self.run_tool("openapi-spec-validator", openapi.FILE, cwd=daemon.new_folder())
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_nothing_undocumented_is_found(self):
        with Daemon(oracle.policy(calm=True)) as d, d.client() as c:
            for asset in oracle.ASSETS:
                self.assert_status(c.put(f"/quotes/{asset}", QUOTE), 200)
            document = c.get("/openapi.json").json
            # This daemon asks nobody for a token.
            for item in document["paths"].values():
                for operation in item.values():
                    del operation["security"]
            del document["security"], document["components"]["securitySchemes"]
            # One that is there, so that more than 404 is tried.
            known = document["paths"]["/policies/{hash}"]["get"]["parameters"][0]
            known["example"] = c.get("/curve").json["policy"]
            daemon.write_file(os.path.join(d.folder, "openapi.json"), json.dumps(document))
            daemon.write_file(os.path.join(d.folder, "schemathesis.toml"), CONFIG)
            done = self.run_tool(
                "schemathesis", "run", "openapi.json", "--url", d.url.rstrip("/"), "--no-color",
                "--max-examples", EXAMPLES, "--seed", SEED, "--exclude-checks", LEFT_OUT,
                cwd=d.folder)
            print(done.stdout[done.stdout.rfind("Test cases:"):], flush=True)
            self.assertEqual(done.returncode, 0, done.stdout[-20000:] + done.stderr[-2000:])
            self.assertIn(f"{len(openapi.load().operations)} selected", done.stdout)
            with d.client() as after:  # the other has been idle for too long
                self.assertEqual(after.metric("hedge_journal_lost_total"), 0)
            errors = [e for e in d.events() if e.get("level") == "error"]
            self.assertEqual(errors[:3], [])
            self.assertEqual(d.stop(), 0)
            self.assertEqual(daemon.hedge("verify", d.journal_path)[0], 0)


if __name__ == "__main__":
    daemon.main()
