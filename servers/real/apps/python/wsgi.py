"""The application as a WSGI callable (PEP 3333)."""

from http import HTTPStatus

import blocking
import labapp

PIECE = 1 << 16
STATUS = {s.value: f"{s.value} {s.phrase}" for s in HTTPStatus}


def application(environ, start_response):
    answer = blocking.answer(request_of(environ))
    start_response(STATUS[answer.status], answer.header)
    if type(answer.body) is bytes:
        return [answer.body]
    return blocking.pieces(answer.body)


def request_of(environ):
    return labapp.Request(
        environ["REQUEST_METHOD"],
        environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""),
        environ.get("QUERY_STRING", ""),
        lambda: fields(environ),
        reader(environ),
    )


def fields(environ):
    if environ.get("CONTENT_TYPE"):
        yield "Content-Type", environ["CONTENT_TYPE"]
    # gunicorn, Werkzeug and Tornado (which gives no name) join the values of a
    # repeated field without a space.
    bare = environ.get("SERVER_SOFTWARE", "gunicorn").startswith(("gunicorn", "Werkzeug"))
    for key, value in environ.items():
        if key.startswith("HTTP_") and key not in ("HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"):
            yield key[5:].replace("_", "-"), spaced(value) if bare else value


def spaced(value):
    return ", ".join([v.lstrip(" ") for v in value.split(",")]) if "," in value else value


def reader(environ):
    """The body: as much as CONTENT_LENGTH says; without that, to the end of
    the input where the server ends it (what PEP 3333 doesn't ask of one), or
    as uWSGI has it."""
    body = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH")
    if length:
        left = int(length)

        def read():
            nonlocal left
            piece = body.read(min(left, PIECE)) if left else b""
            if left and not piece:
                raise OSError("the body ended early")
            left -= len(piece)
            return piece

        return read
    chunked = "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
    if chunked and "uwsgi.version" in environ:
        import uwsgi

        return uwsgi.chunked_read
    if chunked or environ.get("wsgi.input_terminated"):
        return lambda: body.read(PIECE)
    return lambda: b""
