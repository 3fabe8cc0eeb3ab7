"""The application of servers/app in Python: the same answers, byte for byte.

What it does is written once, here, against no interface in particular. A
handler is a generator: what it needs done it yields as a step, and whoever
drives it does that step in his own way, blocking.py with a thread for each
request, aio.py on an event loop. A body that comes in pieces is a generator
of steps and bytes, too.

CGI starts a Python for each request, so what this module imports is part of a
measured result.
"""

import os

SLEEP, BLOCK, WORK, LOCK, UNLOCK, READ, HANG, CALL, QUERY = range(9)

READ_ONLY = "GET, HEAD"
TEXT = "text/plain; charset=utf-8"
PATTERN = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-\n"
CRASH_STATUS = 70  # EX_SOFTWARE of sysexits.h
FILES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "static")


class Request:
    """A request as the application sees it. Text is bytes, one character each.

    fields() lists the header as (name, value), names in any case; read() is
    the next piece of the body, b"" at its end, or what can be awaited for it.
    """

    __slots__ = ("method", "path", "query", "fields", "read")

    def __init__(self, method, path, query, fields, read):
        self.method, self.path, self.query = method, path, query
        self.fields, self.read = fields, read


class Answer:
    """body is bytes, or a generator of steps and bytes."""

    __slots__ = ("status", "header", "body")

    def __init__(self, status, header, body):
        self.status, self.header, self.body = status, header, body


def respond(request):
    """Yields steps and returns the Answer."""
    answer = yield from route(request)
    if request.method == "HEAD":
        answer.body = b""
    return answer


def route(request):
    path = request.path
    found = ROUTES.get(path) or (STATIC if path.startswith("/static/") else None)
    if found is None:
        return text(404, "404 not found: / lists the routes\n")
    handler, allow, params = found
    if allow and request.method not in allow.split(", "):
        return text(405, f"405 method not allowed: use {allow}\n", ("Allow", allow))
    values = []
    for p in params:
        value = p.read(request.query)
        if value is None:
            return text(400, "400 bad request: " + p.fault(request.query) + "\n")
        values.append(value)
    return (yield from handler(request, *values))


def text(status, body, *more):
    return content(status, TEXT, body.encode("latin-1"), *more)


def content(status, kind, body, *more):
    return Answer(status, [("Content-Type", kind), ("Content-Length", str(len(body))), *more], body)


class Param:
    """One number in the query."""

    __slots__ = ("key", "absent", "low", "high", "suffix", "expects")

    def __init__(self, key, absent, low, high, suffix="", expects=""):
        self.key, self.absent, self.low, self.high = key, absent, low, high
        self.suffix, self.expects = suffix, expects

    def read(self, query):
        raw = lookup(query, self.key)
        if raw is None:
            return self.absent
        if self.suffix:
            raw = raw.removesuffix(self.suffix)
        if not (raw.isascii() and raw.isdigit() and len(raw) <= 9):
            return None
        number = int(raw)
        return number if self.low <= number <= self.high else None

    def fault(self, query):
        raw = lookup(query, self.key)[:40]
        return f"{self.key}={escape(raw)}: expected {self.expects}a whole number from {self.low} to {self.high}"


def lookup(query, key):
    """The first value of a key in a raw query."""
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name == key:
            return value
    return None


def index(request):
    return content(200, TEXT, file("index.txt"))
    yield


def hello(request):
    return text(200, "hello\n")
    yield


def wait(request, ms):
    yield SLEEP, pause(ms)
    return text(200, f"waited {ms} ms\n")


def cpu(request, units):
    return text(200, (yield from worked(units)))


def mixed(request, ms, units):
    yield SLEEP, pause(ms)
    return text(200, f"waited {ms} ms\n" + (yield from worked(units)))


def worked(units):
    digest = yield WORK, units
    return f"units {units}\nsha256 {digest.hex()}\n"


def locked(request, wait_ms, hold_ms):
    yield SLEEP, pause(wait_ms)
    fault = yield LOCK, None
    if fault:
        return text(500, f"500 internal server error: the lock: {fault}\n")
    yield SLEEP, pause(hold_ms)
    yield UNLOCK, None
    return text(200, f"waited {wait_ms} ms\nheld {hold_ms} ms\n")


def block(request, ms):
    yield BLOCK, pause(ms)
    return text(200, f"blocked {ms} ms\n")


def upstream(request, timeout):
    if not UPSTREAM:
        return text(501, "501 not implemented: there is no upstream; lab starts one with --upstream 100ms\n")
    status, said = yield CALL, timeout / 1000
    if status == TIMEOUT:
        return text(504, f"504 gateway timeout: no answer from the upstream within {timeout} ms\n")
    if status == FAILURE:
        return text(502, f"502 bad gateway: the upstream {said}\n")
    if status != 200:
        return text(502, f"502 bad gateway: the upstream answered {status}\n")
    return text(200, "upstream says " + said)


# What a CALL that got no answer results in, in place of a status, and with a
# FAILURE.
TIMEOUT, FAILURE = 0, -1
AWAY = "can't be reached"
CLOSED = "closed the connection in place of an answer"
MALFORMED = "answered what is no HTTP"


def address(text):
    """(host, port), or None."""
    host, _, port = text.partition(":")
    return (host, int(port)) if host and port.isascii() and port.isdigit() else None


UPSTREAM = address(os.environ.get("GATEWAYLAB_UPSTREAM", ""))


def db(request, key, ms, rows, hold):
    op = lookup(request.query, "op")
    if op is None:
        op = "select"
    if op not in ("select", "update", "slow"):
        return text(400, f"400 bad request: op={escape(op[:40])}: expected select, update or slow\n")
    if not DATABASE:
        return text(501, "501 not implemented: there is no database; lab brings one with --db sqlite\n")
    values = {"select": (key,), "update": (key, pause(hold)), "slow": (pause(ms), rows)}[op]
    fault, answer = yield QUERY, (op, *values)
    if fault:
        return text(*fault)
    if op == "update":
        return text(200, f"updated {key}\n")
    if op == "slow":
        return text(200, f"waited {ms} ms\nread {rows} rows\nsum {answer}\n")
    name, number, updates = answer
    return text(200, f"key {key}\nname {name}\nnumber {number}\nupdates {updates}\n")


DATABASE = os.environ.get("GATEWAYLAB_DB", "")
POOL_SIZE = int(os.environ.get("GATEWAYLAB_DB_POOL") or 8)
BUSY_TIMEOUT = 5.0  # seconds that SQLite tries to get a lock


def is_postgres(name):
    return name.startswith(("postgres://", "postgresql://"))


def lacks(missing):
    return 501, f"501 not implemented: Python has no {missing.name}\n"


def fault_of(fault):
    """What is answered if a driver fails: its words are all that the drivers
    have in common."""
    said = str(fault).encode("ascii", "replace").decode()
    if any(s in said for s in ("database is locked", "too many clients", "connection slots", "too many connections")):
        return 503, "503 service unavailable: the database is busy\n"
    return 500, f"500 internal server error: the database: {escape(said)}\n"


def echo(request):
    size, digest = yield from digested()
    lines = [
        "method " + escape(request.method),
        "path " + escape(request.path),
        "query " + escape(request.query, percent=False),
    ]
    lines += [f"header {name}: {escape(value)}" for name, value in merged(request.fields()) if carried(name)]
    lines += [f"body {size}", "sha256 " + digest, ""]
    return text(200, "\n".join(lines))


def upload(request, first):
    size, digest = yield from digested(first)
    return text(200, f"bytes {size}\nsha256 {digest}\n")


def digested(first=0):
    from hashlib import sha256

    size, h = 0, sha256()
    while piece := (yield READ, None):
        if first:
            piece = piece[: first - size]
        size += len(piece)
        h.update(piece)
        if size == first:
            break
    return size, h.hexdigest()


def stream(request, chunks, every):
    return Answer(200, [("Content-Type", TEXT)], lines_of(chunks, pause(every)))
    yield


def lines_of(chunks, every):
    for i in range(1, chunks + 1):
        if i > 1:
            yield SLEEP, every
        yield b"chunk %d of %d\n" % (i, chunks)


def many_bytes(request, n, every, head):
    header = [("Content-Type", "application/octet-stream"), ("Content-Length", str(n))]
    if head:
        header.append(("X-Head", "x" * head))
    return Answer(200, header, blocks(n, pause(every)))
    yield


def blocks(n, every):
    block = PATTERN * 512  # 32 KiB, a whole number of patterns
    while n > 0:
        yield block[:n]
        n -= len(block)
        if every and n > 0:
            yield SLEEP, every


def static(request):
    name = request.path.removeprefix("/static/") or "index.html"
    if name not in KINDS:
        return text(404, "404 not found: / lists the routes\n")
    return content(200, KINDS[name], file(name))
    yield


def ws(request):
    return text(426, "426 upgrade required: WebSocket is spoken here, where the server can\n", ("Upgrade", "websocket"))
    yield


def crash(request):
    os.write(2, b"app: crash was asked for\n")
    os._exit(CRASH_STATUS)
    yield


def hang(request):
    yield HANG, None


def leak(request, mib):
    kept = bytearray(mib << 20)  # calloc's pages take no room yet
    for i in range(0, len(kept), 4096):
        kept[i] = 1
    LEAKED.append(kept)
    return text(200, f"kept {mib} MiB\n")
    yield


LEAKED = []

KINDS = {
    "index.html": "text/html; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "lab.svg": "image/svg+xml",
    "about.txt": TEXT,
}
CONTENT = {}


def file(name):
    if name not in CONTENT:
        with open(os.path.join(FILES, name), "rb") as f:
            CONTENT[name] = f.read()
    return CONTENT[name]


MS = Param("ms", 50, 0, 600_000)
UNITS = Param("units", 50, 0, 100_000)
ROUTES = {
    "/": (index, READ_ONLY, ()),
    "/hello": (hello, READ_ONLY, ()),
    "/wait": (wait, READ_ONLY, (MS,)),
    "/cpu": (cpu, READ_ONLY, (UNITS,)),
    "/mixed": (mixed, READ_ONLY, (MS, UNITS)),
    "/locked": (locked, READ_ONLY, (Param("wait", 40, 0, 600_000), Param("hold", 10, 0, 60_000))),
    "/block": (block, READ_ONLY, (Param("ms", 200, 0, 60_000),)),
    "/upstream": (upstream, READ_ONLY, (Param("timeout", 1000, 1, 60_000),)),
    "/db": (db, READ_ONLY, (
        Param("key", 1, 1, 1_000_000), Param("ms", 20, 0, 60_000), Param("rows", 0, 0, 1_000_000), Param("hold", 0, 0, 60_000),
    )),
    "/echo": (echo, "", ()),
    "/upload": (upload, "POST, PUT", (Param("first", 0, 0, 64 << 20),)),
    "/stream": (stream, READ_ONLY, (Param("chunks", 5, 1, 100_000), Param("every", 100, 0, 60_000, "ms", "milliseconds, "))),
    "/bytes": (many_bytes, READ_ONLY, (
        Param("n", 1024, 0, 64 << 20), Param("every", 0, 0, 60_000, "ms", "milliseconds, "), Param("head", 0, 0, 1 << 20),
    )),
    "/ws": (ws, READ_ONLY, ()),
    "/crash": (crash, READ_ONLY, ()),
    "/hang": (hang, READ_ONLY, ()),
    "/leak": (leak, READ_ONLY, (Param("mib", 1, 0, 1024),)),
}
STATIC = (static, READ_ONLY, ())


def slowness():
    try:
        n = int(os.environ.get("GATEWAYLAB_SLOW", "1"))
    except ValueError:
        return 1
    return n if 1 <= n <= 100 else 1


SLOW = slowness()


def pause(ms):
    return ms * SLOW / 1000


def work(units):
    """A fixed amount of computing: see Work in servers/app/work.go. 1984 bytes
    stay below the size from which hashlib lets go of the interpreter lock."""
    from hashlib import sha256

    m = bytearray(1984)
    for _ in range(units * 90):
        m[:32] = sha256(m).digest()
    return bytes(m[:32])


NOT_CARRIED = frozenset((
    "Host", "Content-Length", "Expect", "Authorization", "Proxy-Authorization", "Proxy",
    "Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip",
    "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
))


def carried(name):
    return name not in NOT_CARRIED and name.isascii() and name.replace("-", "").isalnum()


def merged(fields):
    """Fields in canonical form, sorted; values of one name joined."""
    values = {}
    for name, value in fields:
        name = "-".join([part.capitalize() for part in name.split("-")])
        separator = "; " if name == "Cookie" else ", "
        values[name] = values[name] + separator + value if name in values else value
    return sorted(values.items())


def escape(s, percent=True):
    """Control bytes, and "%" if it is not one already, as %XX."""
    if s.isprintable() and s.isascii() and not (percent and "%" in s):
        return s
    return "".join([
        f"%{ord(c):02X}" if c < " " or c == "\x7f" or c == "%" and percent else c for c in s
    ])
