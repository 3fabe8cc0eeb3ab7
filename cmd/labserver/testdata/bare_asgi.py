"""The least that an ASGI application can be: what a server costs by itself."""


async def application(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    await send({
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"6")],
    })
    await send({"type": "http.response.body", "body": b"hello\n"})
