# SPDX-License-Identifier: MIT
"""Requests that are nearly good: one of each route, and what can be done to it."""
import json

ASSETS = (b"BTC", b"ETH")

NUMBERS = (
    b"NaN", b"Infinity", b"-Infinity", b"nan", b"1e999", b"-1e999", b"1e-999", b"5e-324",
    b"-5e-324", b"2.2250738585072014e-308", b"1.7976931348623157e308", b"-0", b"-0.0", b"0", b"0.0",
    b"1", b"0.5", b"1E+2", b"01", b"1.", b".5", b"+1", b"0x10", b"1e", b"1e+", b"--1", b"1_000",
    b"1,5", b"-", b"9007199254740993", b"9223372036854775808", b"18446744073709551616", b"4e9",
    b"1752480000123", b"1" * 63, b"1" * 64, b"1" * 400, b"0." + b"3" * 500,
    b"1e00000000000000000000000000000000000009", b"0.99999999999999999999", b"1.0000000000000002",
    b"1e15", b"1e9", b"-1", b"1e308", b"1d5")

STRINGS = (
    b'""', b'"BTC"', b'"btc"', b'"DOGE"', b'"' + b"A" * 31 + b'"', b'"' + b"A" * 32 + b'"',
    b'"' + b"x" * 10000 + b'"', b'"a\x01b"', b'"a\nb"', b'"a\tb"', b'"a\x00b"', b'"a\\u0000b"',
    b'"\\ud834\\udd1e"', b'"\\ud834"', b'"\\udd1e"', b'"\\ud834\\ud834"', b'"\xff"', b'"\xc0\xaf"',
    b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xe2\x82"', b'"\xef\xbb\xbf"',
    "\"größer 𝄞\"".encode(), b'"\\x41"', b'"\\', b'"', b'"\\u12"', b"'BTC'", b'"BTC\\r\\nX: y"',
    b'"\\u001b[31mBTC"', b'"../../x"', b'"%s%n%d"', b'"\' OR 1=1 --"', b'"B\\u0054C"', b'"BTC "',
    b'"\\/"', b'"\x7f"', b'"\xe2\x80\xae"')

OTHERS = (
    b"null", b"true", b"false", b"{}", b"[]", b"[1]", b'{"a":1}', b"", b"undefined", b"nul",
    b"TRUE", b"[" * 20 + b"]" * 20, b"[" * 15 + b"]" * 15, b"[" * 5000,
    b'{"a":' * 20 + b"1" + b"}" * 20, b"/**/1", b"1 2", b"[1,]", b"[,1]", b'{"a":1,}', b"{1:2}")

PATHS = (
    b"/", b"", b"*", b"/hedge/", b"//hedge", b"/hedge/../hedge", b"/HEDGE", b"/hedge%00",
    b"/%68edge", b"/hedge?", b"/hedge?a=b", b"/hedge#x", b"/quotes/", b"/quotes/BTC/",
    b"/quotes/%42TC", b"/quotes/BTC%00", b"/quotes/%", b"/quotes/%zz", b"/quotes/" + b"A" * 200,
    b"/quotes/..", b"/quotes/%2e%2e%2f", b"/quotes/\xff\xfe", b"/quotes/DOGE",
    b"/policies/" + b"0" * 64, b"/policies/" + b"g" * 64, b"/policies/x", b"/../../etc/passwd",
    b"/" + b"a" * 3000, b"/" + b"a" * 20000, b"/a b", b"http://127.0.0.1/healthz",
    b"http://evil.example/healthz", b"/halt", b"/resume", b"/openapi.json", b"/healthz;x=1",
    b"/metrics/..", b"/cgi-bin/x", b"/a\tb")

QUERIES = (
    b"after=0", b"after=-1", b"after=1e3", b"after=99999999999999999999", b"after=", b"after",
    b"after=%31", b"after=0&after=0", b"limit=1", b"limit=3", b"limit=0", b"limit=1001", b"limit=x",
    b"asset=BTC", b"asset=", b"asset=" + b"A" * 100, b"asset=%00", b"asset=%ff", b"points=2",
    b"points=11", b"points=1", b"points=10002", b"points=-0", b"points=0x5", b"&&&", b"=", b"%",
    b"%3d", b"x=" + b"y" * 5000, b"points=5&asset=ETH", b"after=3&limit=2&asset=ETH", b"Points=5",
    b"points=+5", b"points=5;asset=BTC", b"after=9223372036854771807", b"after=9223372036854775807")

METHODS = (
    b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE", b"CONNECT", b"get",
    b"BREW", b"", b"PROPFIND", b"M" * 300, b"G\x00T", b"PRI")

VERSIONS = (
    b"HTTP/1.0", b"HTTP/1.1", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.9", b"http/1.1", b"HTTP/1.1 ", b"",
    b"HTTP/11", b"FTP/1.1", b"HTTP/1.1.1", b"HTTP/9999999999999.1")

HEADERS = (
    b"Host: x", b"Host:", b"Content-Length: 0", b"Content-Length: +4", b"Content-Length: 0x4",
    b"Content-Length: -1", b"Content-Length: 4, 4", b"Content-Length: 1048577", b"Content-Length:",
    b"Content-Length: 99999999999999999999999", b"Content-Length: 1e3", b"Content-length: 5",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity",
    b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding : chunked",
    b"Transfer-Encoding:\x0bchunked", b"Expect: 100-continue", b"Expect: 200-ok",
    b"Origin: http://evil.example", b"Origin: null", b"Origin:", b"Idempotency-Key: k",
    b'Idempotency-Key: "quoted"', b"Idempotency-Key: a b", b"Idempotency-Key:",
    b"Idempotency-Key: " + b"k" * 256, b"Idempotency-Key: \xff", b"Authorization: Bearer a.b.c",
    b"Authorization: Bearer ..", b"Authorization: Basic YTpi", b"Authorization:",
    b"Connection: close", b"Connection: keep-alive",
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a",
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk",
    b"Content-Type: application/x-www-form-urlencoded",
    b"Content-Type: multipart/form-data; boundary=x", b"Content-Encoding: gzip",
    b"Range: bytes=0-1", b"If-Modified-Since: x", b"A: b\r\n c", b"A\x00: b", b"A: \x00", b": b",
    b"A", b"A : b", b"A: " + b"b" * 5000, b"A: " + b"b" * 20000, b"\xff: \xff", b"\r\nX: y", b"\n",
    b"Cookie: " + b"a=b; " * 500, b"X-Forwarded-For: 127.0.0.1", b"TE: trailers", b"Trailer: X",
    b"Keep-Alive: timeout=99999", b"Content-Length: 10\r\nContent-Length: 20")


class Request:
    """The parts of one; bytes() puts them together as they are."""

    def __init__(self, method, path, query=None, body=None):
        self.method, self.path, self.query, self.body = method, path, query, body
        self.version = b"HTTP/1.1"
        self.headers = [b"Host: 127.0.0.1"]
        self.length = True  # says how long its body is

    def bytes(self):
        path = self.path if self.query is None else self.path + b"?" + self.query
        head = [b"%s %s %s" % (self.method, path, self.version), *self.headers]
        if self.body is not None and self.length:
            head.append(b"Content-Length: %d" % len(self.body))
        return b"\r\n".join(head) + b"\r\n\r\n" + (self.body or b"")


def _ask(random):
    out = [["asset", b'"%s"' % random.choice(ASSETS)],
           ["amount_usd", b"%d" % random.randrange(10**6)]]
    if random.random() < 0.3:
        out.append(["override_score", b"%.3f" % random.random()])
    return out


def _quote(random):
    out = [["score", b"%.3f" % random.random()], ["confidence", b"%.2f" % random.random()],
           ["depth1pct_usd", b"%.1f" % (random.random() * 1e6)]]
    if random.random() < 0.2:
        out += [["ts_ms", b"1752480000123"], ["depth_ts_ms", b"1752480000100"]]
    return out


def text(members):
    return b"{" + b",".join(json.dumps(k).encode() + b":" + v if isinstance(k, str) else k + b":" + v
                            for k, v in members) + b"}"


# (weight, method, path, body). What is served, and what is going to be.
ROUTES = (
    (40, b"POST", b"/hedge", _ask),
    (10, b"POST", b"/hedge/batch", "batch"),
    (20, b"PUT", b"/quotes/", _quote),
    (4, b"GET", b"/quotes", None),
    (6, b"GET", b"/curve", None),
    (1, b"POST", b"/curve/reload", None),
    (6, b"GET", b"/decisions", None),
    (3, b"GET", b"/policies/", None),
    (3, b"GET", b"/healthz", None),
    (3, b"GET", b"/readyz", None),
    (1, b"GET", b"/metrics", None),
)
_WEIGHTS = [route[0] for route in ROUTES]


# ---- what can be done to the members of an object -----------------------------------------------

def _value(random):
    return random.choice(random.choice((NUMBERS, NUMBERS, STRINGS, OTHERS)))


def change_members(random, members):
    """One change; the members stay a list, so that one may be there twice."""
    at = random.randrange(len(members)) if members else 0
    what = random.randrange(8) if members else 3
    if what <= 2:
        members[at][1] = _value(random)
    elif what == 3:
        name = random.choice(("x", "Asset", "AMOUNT_USD", "", "asset ", "__proto__", "score",
                              "requests", b'"a\\u0000"', b'"\xff"', b"asset", b'"ass\\u0065t"'))
        members.insert(at, [name, _value(random)])
    elif what == 4:
        del members[at]
    elif what == 5:
        members.append([members[at][0], random.choice((members[at][1], _value(random)))])
    elif what == 6:
        random.shuffle(members)
    else:
        members[at][0] = random.choice((str(members[at][0]).upper(), b'"' + b"k" * 3000 + b'"'))


def change_text(random, body):
    """What surrounds the members."""
    return random.choice((
        lambda: body + random.choice((b" ", b"x", b"{}", b"\0", b"\n\n", b",", b"]", b"//")),
        lambda: random.choice((b" \r\n\t", b"\xef\xbb\xbf", b"\0", b"\xff\xfe", b"[", b"x")) + body,
        lambda: b"[" + body + b"]",
        lambda: body[:random.randrange(len(body) + 1)],
        lambda: body.decode("latin-1").encode("utf-16"),
        lambda: body.replace(b":", b"=", 1),
        lambda: body.replace(b",", b",,", 1),
        lambda: body + b" " * random.randrange(6000),
    ))()


def _body(random, kind):
    """A route's body, whose members have been changed as often as not."""
    if kind == "batch":
        asks = [_ask(random) for _ in range(random.choice((1, 1, 2, 3, 10)))]
        if random.random() < 0.7:
            change_members(random, random.choice(asks))
        items = [text(each) for each in asks]
        if random.random() < 0.1:
            items.insert(random.randrange(len(items) + 1), _value(random))
        members = [["requests", b"[" + b",".join(items) + b"]"]]
        if random.random() < 0.2:
            change_members(random, members)
    else:
        members = kind(random)
        for _ in range(random.choice((0, 1, 1, 1, 2, 3))):
            change_members(random, members)
    out = text(members)
    return change_text(random, out) if random.random() < 0.1 else out


# ---- whole requests -------------------------------------------------------------------------------

def draw_request(random):
    _, method, path, body = random.choices(ROUTES, _WEIGHTS)[0]
    if path.endswith(b"/"):
        path += random.choice(ASSETS) if body else b"%064x" % random.getrandbits(256)
    request = Request(method, path)
    if body is not None:
        request.body = _body(random, body)
    elif method == b"POST":
        request.body = b""
    elif path in (b"/curve", b"/decisions"):
        request.query = random.choice(QUERIES)
        if path == b"/decisions" and b"limit" not in request.query:
            request.query += b"&limit=2"  # pages are long
    return request


def change_head(random, request):
    """A change of the line or of the headers; the body's frame may be lost."""
    what = random.randrange(6)
    if what == 0:
        request.path = random.choice(PATHS)
    elif what == 1:
        request.method = random.choice(METHODS)
    elif what == 2:
        request.version = random.choice(VERSIONS)
    elif what == 3:
        request.query = random.choice(QUERIES)
    elif what == 4:
        for _ in range(random.choice((1, 1, 1, 2, 3, 70))):
            at = random.randrange(len(request.headers) + 1)
            request.headers.insert(at, random.choice(HEADERS))
    else:
        request.headers = random.choice(([], request.headers * 2))
        request.length = random.random() < 0.8


def change_bytes(random, data):
    """A few changes at random places of the whole."""
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 4, 16))):
        at = random.randrange(len(out)) if out else 0
        what = random.randrange(6)
        if not out:
            break
        if what == 0:
            out[at] ^= 1 << random.randrange(8)
        elif what == 1:
            out[at] = random.choice(b"\0\r\n \t\"{}[]:,%\x7f\x80\xff0-")
        elif what == 2:
            del out[at:at + random.choice((1, 1, 2, 8, 64))]
        elif what == 3:
            out[at:at] = out[at:at + random.choice((1, 4, 32))]
        elif what == 4:
            out[at:at] = bytes(random.getrandbits(8) for _ in range(random.choice((1, 2, 16))))
        else:
            to = random.randrange(len(out))
            out[at:at + 8] = out[to:to + 8]
    return bytes(out)


def draw(random):
    """A mutated request: (its bytes, whether what follows on the connection is surely apart)."""
    request = draw_request(random)
    what = random.random()
    if what < 0.55:
        return request.bytes(), True
    if what < 0.8:
        change_head(random, request)
        return request.bytes(), False
    return change_bytes(random, request.bytes()), False
