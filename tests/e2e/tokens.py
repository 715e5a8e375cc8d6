# SPDX-License-Identifier: MIT
"""Keys and tokens for the tests, made by another implementation (python3-cryptography), and forged
ones made by hand.

`Issuer` holds one key of each algorithm; its `jwks` is what HEDGE_JWT_KEYS wants.
"""
import base64
import hashlib
import hmac
import json
import os
import time

try:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
except ImportError:
    hashes = None

ISSUER, AUDIENCE = "https://issuer.example", "hedged"
ALGS = ("RS256", "ES256", "EdDSA", "HS256")
SCOPES = ("size", "override", "quote", "read", "admin", "halt")


def available():
    return hashes is not None


def encode(data):
    """base64url without padding; a dict as JSON."""
    if isinstance(data, dict):
        data = json.dumps(data).encode()
    if isinstance(data, str):
        data = data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(value, size=None):
    return encode(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class Key:
    """One key: `jwk` is its public half (of HS256, the secret)."""

    def __init__(self, alg, kid):
        self.alg, self.kid = alg, kid
        common = {"alg": alg, "kid": kid, "use": "sig"}
        if alg == "HS256":
            self.secret = os.urandom(32)
            self.jwk = {"kty": "oct", "k": encode(self.secret), **common}
            return
        if alg == "RS256":
            self.private = rsa.generate_private_key(65537, 2048)
            numbers = self.private.public_key().public_numbers()
            self.jwk = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e), **common}
        elif alg == "ES256":
            self.private = ec.generate_private_key(ec.SECP256R1())
            numbers = self.private.public_key().public_numbers()
            self.jwk = {"kty": "EC", "crv": "P-256", "x": number(numbers.x, 32),
                        "y": number(numbers.y, 32), **common}
        else:
            self.private = ed25519.Ed25519PrivateKey.generate()
            raw = self.private.public_key().public_bytes(serialization.Encoding.Raw,
                                                         serialization.PublicFormat.Raw)
            self.jwk = {"kty": "OKP", "crv": "Ed25519", "x": encode(raw), **common}

    def public(self, encoding, form):
        return self.private.public_key().public_bytes(encoding, form)

    def der_signature(self, text):
        return self.private.sign(text, ec.ECDSA(hashes.SHA256()))

    def sign(self, text):
        if self.alg == "HS256":
            return hmac.new(self.secret, text, hashlib.sha256).digest()
        if self.alg == "RS256":
            return self.private.sign(text, padding.PKCS1v15(), hashes.SHA256())
        if self.alg == "ES256":
            r, s = decode_dss_signature(self.der_signature(text))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return self.private.sign(text)

    def header(self, **more):
        return {"alg": self.alg, "kid": self.kid, "typ": "JWT", **more}

    def token(self, claims=None, header=None, sign=None):
        """sign: of the signed bytes, in place of this key's own."""
        text = f"{encode(header or self.header())}.{encode(claims or claims_of())}"
        return f"{text}.{encode((sign or self.sign)(text.encode()))}"


class Issuer:
    def __init__(self, algs=ALGS):
        self.keys = {alg: Key(alg, f"{alg.lower()}-1") for alg in algs}

    def jwks(self, *algs):
        return {"keys": [self.keys[alg].jwk for alg in algs or self.keys]}

    def token(self, alg="ES256", **claims):
        return self.keys[alg].token(claims_of(**claims))


def claims_of(**more):
    """Good claims for an hour, changed; None takes one away."""
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "scope": " ".join(SCOPES),
              "iat": int(time.time()), "exp": int(time.time()) + 3600, **more}
    return {k: v for k, v in claims.items() if v is not None}


def write_jwks(path, jwks, mode=0o600):
    """Beside it, then renamed; a dict as JSON."""
    text = jwks if isinstance(jwks, str) else json.dumps(jwks)
    with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w",
              encoding="utf-8") as f:
        f.write(text)
    os.chmod(path + ".new", mode)
    os.replace(path + ".new", path)


def bearer(token):
    return {"Authorization": f"Bearer {token}"}
