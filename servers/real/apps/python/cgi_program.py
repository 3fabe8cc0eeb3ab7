#!/usr/bin/python3
"""The application as a CGI program (RFC 3875). It is started for each request,
so it goes without what it can do without: http, wsgiref."""

import os
import sys

REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
           426: "Upgrade Required", 500: "Internal Server Error", 501: "Not Implemented",
           502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}


def main():
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import blocking
    import labapp

    # What the environment can't decode stands in it as surrogates.
    environ = {k.decode("latin-1"): v.decode("latin-1") for k, v in os.environb.items()}
    answer = blocking.answer(labapp.Request(
        environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", ""),
        lambda: fields(environ), reader(environ),
    ))
    head = f"Status: {answer.status} {REASONS[answer.status]}\r\n"
    head += "".join([f"{name}: {value}\r\n" for name, value in answer.header])
    out = sys.stdout.buffer
    out.write(head.encode("latin-1") + b"\r\n")
    if type(answer.body) is bytes:
        out.write(answer.body)
        out.flush()
        return
    for piece in blocking.pieces(answer.body):
        out.write(piece)
        out.flush()


def fields(environ):
    if environ.get("CONTENT_TYPE"):
        yield "Content-Type", environ["CONTENT_TYPE"]
    for key, value in environ.items():
        if key.startswith("HTTP_"):
            yield key[5:].replace("_", "-"), value


def reader(environ):
    left = int(environ.get("CONTENT_LENGTH") or 0)
    if "CONTENT_LENGTH" not in environ and "HTTP_TRANSFER_ENCODING" in environ:
        # Apache hands a chunked body on without its length, and closes it.
        return lambda: sys.stdin.buffer.read1(1 << 16)

    def read():
        nonlocal left
        piece = sys.stdin.buffer.read1(min(left, 1 << 16)) if left else b""
        if left and not piece:
            raise OSError("the body ended early")
        left -= len(piece)
        return piece

    return read


main()
