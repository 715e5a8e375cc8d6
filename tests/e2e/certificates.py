# SPDX-License-Identifier: MIT
"""Makes the certificates of the TLS tests with the openssl command: authorities, whom they vouch
for, and whom they no longer do."""
import datetime
import os
import shutil
import subprocess
import tempfile

CONFIG = """
[ca]
default_ca = here
[here]
database = {folder}/index.txt
new_certs_dir = {folder}
certificate = {cert}
private_key = {key}
rand_serial = yes
default_md = sha256
default_crl_days = 30
unique_subject = no
policy = any
[any]
commonName = supplied
[req]
distinguished_name = nobody
prompt = no
[nobody]
CN = nobody
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
"""
KEYS = {"ec": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        "rsa1024": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"]}
SERVER = ("DNS:localhost", "IP:127.0.0.1")


def available():
    return shutil.which("openssl") is not None


def openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise AssertionError(f"openssl {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def new_key(path, kind="ec"):
    openssl("genpkey", *KEYS[kind], "-out", path)
    os.chmod(path, 0o600)
    return path


def moment(days):
    """So many days from now, as `openssl ca` reads it."""
    then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return then.strftime("%Y%m%d%H%M%SZ")


class Pair:
    """A certificate (with its chain) and its key: two files."""

    def __init__(self, cert, key, alone=None):
        self.cert, self.key, self.alone = cert, key, alone or cert


class Authority:
    def __init__(self, folder, name, parent=None, days=3650, start=-1):
        self.folder, self.parent = tempfile.mkdtemp(prefix="ca-", dir=folder), parent
        self.cert = os.path.join(self.folder, "ca.pem")
        self.key = new_key(os.path.join(self.folder, "ca.key"))
        self.config = os.path.join(self.folder, "ca.conf")
        with open(self.config, "w", encoding="ascii") as f:
            f.write(CONFIG.format(folder=self.folder, cert=self.cert, key=self.key))
        open(os.path.join(self.folder, "index.txt"), "w", encoding="ascii").close()
        request = self._request(self.key, name)
        signer = parent or self
        more = ["-selfsign"] if parent is None else []
        openssl("ca", "-batch", "-notext", "-config", signer.config, "-in", request, "-out",
                self.cert, "-keyfile", signer.key, "-startdate", moment(start), "-enddate",
                moment(days), "-extensions", "authority", *more)

    def _request(self, key, name):
        path = os.path.join(self.folder, f"{len(os.listdir(self.folder))}.csr")
        openssl("req", "-new", "-config", self.config, "-key", key, "-subj", f"/CN={name}", "-out",
                path)
        return path

    def issue(self, name, names=(), use="clientAuth", start=-1, end=365, kind="ec"):
        """A pair; `names` as openssl writes them ("DNS:x", "URI:y")."""
        folder = tempfile.mkdtemp(prefix="pair-", dir=self.folder)
        key = new_key(os.path.join(folder, "key.pem"), kind)
        alone, chain = os.path.join(folder, "one.pem"), os.path.join(folder, "cert.pem")
        extensions = os.path.join(folder, "ext.conf")
        with open(extensions, "w", encoding="ascii") as f:
            f.write("[leaf]\nbasicConstraints = CA:FALSE\nauthorityKeyIdentifier = keyid\n")
            if use:
                f.write(f"extendedKeyUsage = {use}\n")
            if names:
                f.write(f"subjectAltName = {','.join(names)}\n")
        openssl("ca", "-batch", "-notext", "-config", self.config, "-in", self._request(key, name),
                "-out", alone, "-startdate", moment(start), "-enddate", moment(end), "-extfile",
                extensions, "-extensions", "leaf")
        with open(chain, "w", encoding="ascii") as f:
            for path in (alone, self.cert if self.parent else None):
                if path is not None:
                    with open(path, encoding="ascii") as part:
                        f.write(part.read())
        return Pair(chain, key, alone)

    def server(self, **more):
        return self.issue("server", SERVER, "serverAuth", **more)

    def revoke(self, pair):
        openssl("ca", "-config", self.config, "-revoke", pair.alone)

    def revoked(self, last=-1, until=30):
        """The file of those it has revoked, valid for so many days."""
        path = os.path.join(self.folder, f"crl-{len(os.listdir(self.folder))}.pem")
        openssl("ca", "-config", self.config, "-gencrl", "-crl_lastupdate", moment(last),
                "-crl_nextupdate", moment(until), "-out", path)
        return path


def join(path, *files):
    """Writes the files one behind the other into one that replaces path at once."""
    with open(path + ".new", "w", encoding="ascii") as out:
        for each in files:
            with open(each, encoding="ascii") as f:
                out.write(f.read())
    os.replace(path + ".new", path)
    return path


def place(pair, cert, key):
    """Copies a pair over two files, one after the other, each at once."""
    for source, target in ((pair.key, key), (pair.cert, cert)):
        shutil.copy(source, target + ".new")
        os.chmod(target + ".new", 0o600)
        os.replace(target + ".new", target)
