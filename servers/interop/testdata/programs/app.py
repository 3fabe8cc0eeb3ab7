"""The application's twin over WSGI (PEP 3333), for what interop asks."""

import hashlib
import re
import time

PATTERN = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-\n"

NOT_SHOWN = {
    "Host", "Content-Length", "Expect", "Authorization", "Proxy-Authorization", "Proxy", "Connection",
    "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}


def application(environ, start_response):
    route = ROUTES.get(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""))
    if route is None:
        return text(environ, start_response, "404 Not Found", "404 not found: / lists the routes\n")
    methods, handler = route
    if methods and environ["REQUEST_METHOD"] not in methods:
        allowed = ", ".join(methods)
        return text(environ, start_response, "405 Method Not Allowed", f"405 method not allowed: use {allowed}\n", [("Allow", allowed)])
    return handler(environ, start_response)


def text(environ, start_response, status, body, fields=()):
    data = body.encode("latin-1")  # which is how WSGI carries bytes
    start_response(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(data))), *fields])
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else data]


def param(environ, key, default):
    for pair in environ.get("QUERY_STRING", "").split("&"):
        name, _, value = pair.partition("=")
        if name == key:
            return int(value)
    return default


def digest(environ):
    left, n, sha = int(environ.get("CONTENT_LENGTH") or 0), 0, hashlib.sha256()
    while left > 0:
        block = environ["wsgi.input"].read(min(left, 65536))
        if not block:
            raise OSError("the body is cut off")
        sha.update(block)
        left -= len(block)
        n += len(block)
    return n, sha.hexdigest()


def fields(environ):
    shown = {}
    if environ.get("CONTENT_TYPE"):
        shown["Content-Type"] = environ["CONTENT_TYPE"]
    for key, value in environ.items():
        if key.startswith("HTTP_"):
            name = key[5:].replace("_", "-").title()
            if name not in NOT_SHOWN:
                shown[name] = re.sub(r"[\x00-\x1f\x7f%]", lambda m: f"%{ord(m[0]):02X}", value)
    return "".join(f"header {name}: {shown[name]}\n" for name in sorted(shown))


def hello(environ, start_response):
    return text(environ, start_response, "200 OK", "hello\n")


def echo(environ, start_response):
    n, digested = digest(environ)
    return text(environ, start_response, "200 OK", f"method {environ['REQUEST_METHOD']}\npath /echo\n"
                f"query {environ.get('QUERY_STRING', '')}\n{fields(environ)}body {n}\nsha256 {digested}\n")


def upload(environ, start_response):
    n, digested = digest(environ)
    return text(environ, start_response, "200 OK", f"bytes {n}\nsha256 {digested}\n")


def sized(environ, start_response):
    left, every = param(environ, "n", 1024), param(environ, "every", 0)
    start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(left))])

    def blocks(left):
        block = PATTERN * 512
        while left > 0:
            yield block[:left]
            left -= len(block)
            if every and left > 0:
                time.sleep(every / 1000)

    return blocks(left)


def stream(environ, start_response):
    chunks, every = param(environ, "chunks", 5), param(environ, "every", 100)
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])

    def pieces():
        for i in range(1, chunks + 1):
            yield b"chunk %d of %d\n" % (i, chunks)
            if every and i < chunks:
                time.sleep(every / 1000)

    return pieces()


ROUTES = {
    "/hello": (("GET", "HEAD"), hello),
    "/echo": ((), echo),
    "/upload": (("POST", "PUT"), upload),
    "/bytes": (("GET", "HEAD"), sized),
    "/stream": (("GET", "HEAD"), stream),
}
