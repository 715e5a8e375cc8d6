# SPDX-License-Identifier: MIT
"""Tokens that nobody may get in with: what an attacker may forge, and claims that are not right.

Each is made of an issuer's keys (tokens.py), which needs python3-cryptography."""
import hashlib
import hmac
import json
import time

import tokens
from tokens import ALGS, AUDIENCE, ISSUER, claims_of, encode

if tokens.available():
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding


def forgeries(issuer):
    """What an attacker who has the public keys and a good token may try: {what: token}."""
    keys, good = issuer.keys, claims_of()
    rs, es, ed, hs = (keys[alg] for alg in ALGS)
    out = {}

    def hmac_by(secret):
        return lambda text: hmac.new(secret, text, hashlib.sha256).digest()

    # The public key as an HMAC's secret, in each form that it is handed out in (RFC 8725, 2.1).
    for key in (rs, es, ed):
        forms = {"jwk": json.dumps(key.jwk).encode()}
        for encoding in (serialization.Encoding.PEM, serialization.Encoding.DER):
            forms[encoding.name] = key.public(encoding,
                                              serialization.PublicFormat.SubjectPublicKeyInfo)
        if key is rs:
            forms["pkcs1"] = key.public(serialization.Encoding.PEM,
                                        serialization.PublicFormat.PKCS1)
            forms["n"] = tokens.decode(key.jwk["n"])
        else:
            forms["x"] = tokens.decode(key.jwk["x"])
        forms["PEM without its end"] = forms["PEM"].rstrip()
        for form, secret in forms.items():
            for kid in (key.kid, hs.kid):
                out[f"HS256 with {key.alg}'s {form}, kid {kid}"] = key.token(
                    good, {"alg": "HS256", "kid": kid}, hmac_by(secret))
    for secret in (b"", b"\0", b"secret", b"\0" * 32, hs.jwk["k"].encode()):
        out[f"HS256 with {secret!r}"] = hs.token(good, None, hmac_by(secret))

    for key in keys.values():
        head, body, signature = key.token().split(".")
        for none in ("none", "NONE", "nOnE", "None", ""):
            header = encode({"alg": none, "kid": key.kid})
            out[f"{none!r} for {key.alg}"] = f"{header}.{body}.{signature}"
            out[f"{none!r} for {key.alg}, empty"] = f"{header}.{body}."
            out[f"{none!r} for {key.alg}, no kid"] = f"{encode({'alg': none})}.{body}."
        out[f"{key.alg}: empty signature"] = f"{head}.{body}."
        out[f"{key.alg}: no signature"] = f"{head}.{body}"
        out[f"{key.alg}: signature of zeros"] = key.token(sign=lambda t, n=len(
            tokens.decode(signature)): bytes(n))
        out[f"{key.alg}: cut"] = f"{head}.{body}.{signature[:-4]}"
        out[f"{key.alg}: longer"] = f"{head}.{body}.{signature}AAAA"
        out[f"{key.alg}: padded"] = f"{head}.{body}.{signature}="
        out[f"{key.alg}: four parts"] = f"{head}.{body}.{signature}.{signature}"
        out[f"{key.alg}: claims of another"] = \
            f"{head}.{encode(claims_of(sub='root'))}.{signature}"
        out[f"{key.alg}: another kid"] = key.token(header=key.header(kid="no such"))
        out[f"{key.alg}: no kid"] = key.token(header={"alg": key.alg})
        for kid in ("../../../etc/passwd", "/dev/null", "x' UNION SELECT 'k", "x|id", "\u0000", ""):
            out[f"{key.alg}: kid {kid!r}"] = key.token(header=key.header(kid=kid))
        for other in keys.values():
            if other is not key:
                out[f"{key.alg} as {other.alg}"] = key.token(
                    header={"alg": other.alg, "kid": key.kid})
                out[f"{key.alg} by {other.kid}"] = key.token(
                    header={"alg": key.alg, "kid": other.kid})
                out[f"{key.alg} passed for {other.kid}"] = key.token(
                    header={"alg": other.alg, "kid": other.kid})
        attacker = tokens.Key(key.alg, key.kid)
        out[f"{key.alg} of another's key"] = attacker.token()
        for name, value in (("jwk", attacker.jwk), ("jku", "https://evil.example/jwks.json"),
                            ("x5u", "https://evil.example/cert.pem"), ("x5c", ["MIIB"]),
                            ("x5t", "AAAA"), ("crit", ["exp"]), ("crit", []), ("b64", False),
                            ("zip", "DEF"), ("cty", "JWT"), ("url", "x"), ("nonce", "1")):
            out[f"{key.alg}: {name} {value!r}"[:60]] = attacker.token(
                header=attacker.header(**{name: value}))
            out[f"{key.alg}: {name} {value!r}, well signed"[:60]] = key.token(
                header=key.header(**{name: value}))

    out["PSS for RS256"] = rs.token(sign=lambda t: rs.private.sign(
        t, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()))
    out["PS256"] = rs.token(header={"alg": "PS256", "kid": rs.kid}, sign=lambda t: rs.private.sign(
        t, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()))
    for digest in (hashes.SHA1(), hashes.SHA512()):
        out[f"{digest.name} for RS256"] = rs.token(
            sign=lambda t, d=digest: rs.private.sign(t, padding.PKCS1v15(), d))
    out["RS256, signature 0"] = rs.token(sign=lambda t: bytes(256))
    out["RS256, signature 1"] = rs.token(sign=lambda t: bytes(255) + b"\1")
    out["RS256, signature + n"] = rs.token(sign=lambda t: (
        int.from_bytes(rs.sign(t), "big")
        + int.from_bytes(tokens.decode(rs.jwk["n"]), "big")).to_bytes(257, "big"))
    order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
    for r in (0, 1, order, order + 1):
        for s in (0, 1, order):
            out[f"ES256, r {r % order}, s {s % order}, {r >= order}{s >= order}"] = es.token(
                sign=lambda t, r=r, s=s: r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    out["ES256 as DER"] = es.token(sign=es.der_signature)
    out["ES256, 65 bytes"] = es.token(sign=lambda t: b"\0" + es.sign(t))
    group = 2**252 + 27742317777372353535851937790883648493

    def malleable(t):
        signature = ed.sign(t)
        s = int.from_bytes(signature[32:], "little") + group
        return signature[:32] + s.to_bytes(32, "little")
    out["EdDSA, s + order"] = ed.token(sign=malleable)
    out["EdDSA, small order"] = ed.token(sign=lambda t: b"\1" + bytes(63))

    # The same bytes in other words: unused bits, the other alphabet, padding, blanks.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    head, body, signature = es.token().split(".")
    for bits in range(1, 16):
        last = alphabet[alphabet.index(signature[-1]) | bits]
        if last != signature[-1] and len(signature) % 4 == 2:
            out[f"unused bits {bits}"] = f"{head}.{body}.{signature[:-1]}{last}"
    out["unused bits, well signed"] = hs_over(hs, head_of(hs), "e31")
    out["standard alphabet"] = f"{head}.{body}.{signature.replace('-', '+').replace('_', '/')}+"
    out["blank inside"] = f"{head}. {body}.{signature}"
    out["only dots"] = ".."
    out["ten dots"] = "." * 10
    out["not base64"] = "%%%.%%%.%%%"
    out["empty objects"] = f"{encode({})}.{encode({})}.{encode(b'x')}"
    out["a list"] = hs_over(hs, encode("[]"), body)
    out["deep"] = hs_over(hs, encode("[" * 5000 + "]" * 5000), body)[:8192]
    out["long"] = hs.token(claims_of(x="x" * 9000))
    out["alg twice"] = hs_over(
        hs, encode('{"alg":"none","alg":"HS256","kid":"%s"}' % hs.kid), body)
    return out


def head_of(key):
    return encode(key.header())


def hs_over(key, head, body):
    """A token of these segments, signed whatever they are."""
    text = f"{head}.{body}"
    return f"{text}.{encode(key.sign(text.encode()))}"


def bad_claims():
    now = int(time.time())
    out = {f"{name} missing": claims_of(**{name: None}) for name in ("exp", "iss", "aud", "sub")}
    for value in (str(now + 60), [now + 60], None, True, {}, now - 3600, 0, -1, -(10**30), 1e300,
                  10**400):
        out[f"exp {value!r}"[:40]] = {**claims_of(), "exp": value}
    for name in ("nbf", "iat"):
        for value in (now + 3600, str(now), [now], True, 1e300, -1):
            out[f"{name} {value!r}"] = {**claims_of(), name: value}
    for value in (ISSUER + "/", ISSUER.upper(), "", 7, [ISSUER], {ISSUER: 1}, True):
        out[f"iss {value!r}"] = {**claims_of(), "iss": value}
    for value in ("", "hedge", "HEDGED", 7, [], ["x"], [7, AUDIENCE], [[AUDIENCE]], {AUDIENCE: 1}):
        out[f"aud {value!r}"] = {**claims_of(), "aud": value}
    for value in ("", " ", "a b", "a\nb", "a\0b", "\u00e9", "x" * 128, 7, ["alice"]):
        out[f"sub {value!r}"[:40]] = {**claims_of(), "sub": value}
    for value in (["size"], 7, {"size": 1}, True):
        out[f"scope {value!r}"] = {**claims_of(), "scope": value}
    return out
