# SPDX-License-Identifier: MIT
"""Mutated requests of a daemon that asks for tokens, with orders of the kill switch among them, and
what each may reach: nothing without a good token of the right scope."""
import forgeries
import mutants
import tokens

LIFE_S = 86400  # longer than any run
REALM = {"jwt_issuer": tokens.ISSUER, "jwt_audience": tokens.AUDIENCE}
# (weight, method, path, body): more resumes than halts, or nothing would ever be decided.
ORDERS = ((8, b"POST", b"/halt", "order"), (14, b"POST", b"/resume", "order"),
          (4, b"GET", b"/halt", None))
ROUTES = mutants.ROUTES + ORDERS
_WEIGHTS = [route[0] for route in ROUTES]

# What is around a token, and does not say Bearer and then it.
NOT_BEARER = (b"Basic %s", b"Bearer%s", b"%s", b"Bearer,%s", b"Bearer \"%s\"", b"Token %s",
              b"Bearer Bearer %s", b"JWT %s", b"Digest %s", b"Bearer <%s>", b"Bear %s",
              b"Bearers %s", b"Bearer token=%s", b"Bearer %s extra", b"Bearer %s,",
              b"Bearer %s; x=1", b"-Bearer %s")
NAMES = (b"Proxy-Authorization", b"X-Authorization", b"Authorisation", b"Authorization2",
         b"Cookie", b"WWW-Authenticate", b"X-Access-Token")


def scope_of(kind, said):
    """The scopes that a reply of 200 must have taken; {}: nobody is asked. None: no such reply."""
    if kind.split(";")[0] in ("text/plain", "application/yaml"):
        return {"read"}
    if not isinstance(said, dict):
        return None
    if "decision_id" in said or "decisions" in said:
        overrides = any("override" in one.get("flags", ())
                        for one in said.get("decisions", (said,)))
        return {"size", "override"} if overrides else {"size"}
    if "changed" in said:
        return {"halt"} if "halted" in said else {"admin"}
    if isinstance(said.get("halted"), bool):
        return {"quote"}
    if any(name in said for name in ("halted", "quotes", "knots", "records")):
        return {"read"}
    return set() if "status" in said or "openapi" in said else None


class Pool:
    """Tokens that are good, each with its scopes, and others that look it."""

    def __init__(self, issuer):
        good = {"exp": tokens.claims_of()["exp"] + LIFE_S}
        self.good = {}
        for alg, key in issuer.keys.items():
            for scope in (" ".join(tokens.SCOPES), *tokens.SCOPES):
                claims = tokens.claims_of(sub=f"{alg}-{scope[:5]}".replace(" ", "-"), scope=scope,
                                          **good)
                self.good[key.token(claims).encode()] = frozenset(scope.split())
        self.all = [token for token, scopes in self.good.items() if len(scopes) > 1]
        self.some = [token for token, scopes in self.good.items() if len(scopes) == 1]
        self.bad = [token.encode() for token in forgeries.forgeries(issuer).values()]
        for alg in ("HS256", "ES256"):
            self.bad += [issuer.keys[alg].token(claims).encode()
                         for claims in forgeries.bad_claims().values()]
        self.bad = [token for token in self.bad if token not in self.good]

    def scopes_in(self, data):
        """Of every good token that stands somewhere in these bytes."""
        return frozenset().union(*(s for token, s in self.good.items() if token in data))


def _change_token(random, pool):
    """A good one that is one no more, or is of another kind than it says."""
    token = random.choice(pool.all)
    head, claims, signature = token.split(b".")
    what = random.randrange(9)
    if what == 0:
        return mutants.change_bytes(random, token).replace(b"\r", b"").replace(b"\n", b"")
    if what == 1:
        parts = [head, claims, signature]
        random.shuffle(parts)
        return b".".join(parts)
    if what == 2:
        other = random.choice(pool.all + pool.some).split(b".")
        if random.random() < 0.5:
            return b".".join((head, *other[1:]))
        return b".".join((head, other[1], signature))
    if what == 3:
        return token[:random.randrange(len(token))]
    if what == 4:
        return token + random.choice((b".", b"=", b"A", b".AAAA", b"%00", b"\x00", b"\xff", b"/"))
    if what == 5:
        return b".".join((head, claims, random.choice((b"", b"AAAA", signature[::-1]))))
    if what == 6:
        return token.swapcase()
    if what == 7:
        return b".".join((tokens.encode({"alg": random.choice(("none", "HS256", "RS256", "", "x")),
                                         "kid": "hs256-1"}).encode(), claims, signature))
    at = random.randrange(len(token))
    return token[:at] + bytes([token[at] ^ 1 << random.randrange(7)]) + token[at + 1:]


def _value(random, pool):
    """What goes behind `Authorization: `; None: no such header."""
    what = random.random()
    if what < 0.45:
        return b"Bearer " + random.choice(pool.all)
    if what < 0.6:
        return b"Bearer " + random.choice(pool.some)
    if what < 0.7:
        return None
    if what < 0.78:
        return b"Bearer " + random.choice(pool.bad)
    if what < 0.84:
        return random.choice(NOT_BEARER) % random.choice(pool.all)
    return b"Bearer " + _change_token(random, pool)


def _order(random):
    out = [["reason", b'"%s"' % random.choice((b"a test", b"exchange down", b"x", b"r" * 60))]]
    if random.random() < 0.9:
        out.append(["asset", b'"%s"' % random.choice(mutants.ASSETS)])
    if random.random() < 0.03:
        out.append(["actor", b'"anna"'])
    return out


def _draw_request(random):
    if random.random() * sum(_WEIGHTS) >= sum(route[0] for route in ORDERS):
        return mutants.draw_request(random)
    _, method, path, body = random.choices(ORDERS, [route[0] for route in ORDERS])[0]
    request = mutants.Request(method, path)
    if body is not None:
        members = _order(random)
        for _ in range(random.choice((0, 0, 1, 1, 2))):
            mutants.change_members(random, members)
        request.body = mutants.text(members)
        if random.random() < 0.1:
            request.body = mutants.change_text(random, request.body)
    return request


def left_alone(random, pool, request):
    """A good token in front of a request of which nothing is changed."""
    request.headers.append(b"Authorization: Bearer " + random.choice(pool.all))
    return request.bytes()


def draw(random, pool):
    """(bytes, whether what follows is surely apart, the scopes that its token has, the order that
    it is: b"/halt", b"/resume" or None)."""
    request = _draw_request(random)
    value = _value(random, pool)
    if value is not None:
        name = random.choice(NAMES) if random.random() < 0.03 else b"Authorization"
        request.headers.append(name + b": " + value)
    what = random.random()
    if what < 0.7:
        data, framed = request.bytes(), True
    elif what < 0.85:
        mutants.change_head(random, request)
        data, framed = request.bytes(), False
    else:
        data, framed = mutants.change_bytes(random, request.bytes()), False
    if not framed:
        return data, False, pool.scopes_in(data), None
    scopes = frozenset()
    if value is not None and name == b"Authorization" and value.startswith(b"Bearer "):
        scopes = pool.good.get(value[len(b"Bearer "):].strip(b" \t"), scopes)
    order = request.path if request.path in (b"/halt", b"/resume") else None
    return data, True, scopes, order if request.method == b"POST" else None
