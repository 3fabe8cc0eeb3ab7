"""The application as an ASGI callable: http, websocket and lifespan."""

import aio
import labapp


async def application(scope, receive, send):
    kind = scope["type"]
    if kind == "http":
        await http(scope, receive, send)
    elif kind == "websocket":
        await websocket(scope, receive, send)
    elif kind == "lifespan":
        await lifespan(receive, send)
    else:
        raise ValueError(f"what is a {kind}?")


async def http(scope, receive, send):
    try:
        answer = await aio.answer(request_of(scope, receive), lambda: gone(receive))
    except ConnectionError:
        return  # the client has gone away
    if answer is None:
        return
    await send({
        "type": "http.response.start",
        "status": answer.status,
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.header],
    })
    if type(answer.body) is bytes:
        await send({"type": "http.response.body", "body": answer.body})
        return
    async for piece in aio.pieces(answer.body):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def gone(receive):
    while (await receive())["type"] != "http.disconnect":
        pass


def request_of(scope, receive):
    return labapp.Request(
        scope["method"],
        scope["path"].encode("utf-8", "surrogateescape").decode("latin-1"),
        scope["query_string"].decode("latin-1"),
        lambda: [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]],
        reader(receive),
    )


def reader(receive):
    more = True

    async def read():
        nonlocal more
        while more:
            event = await receive()
            if event["type"] == "http.disconnect":
                raise ConnectionError("the client has gone away")
            more = event.get("more_body", False)
            if event.get("body"):
                return event["body"]
        return b""

    return read


async def websocket(scope, receive, send):
    """Sends back each message as it came."""
    await receive()  # websocket.connect
    if scope["path"] != "/ws":
        await send({"type": "websocket.close"})
        return
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        if event.get("text") is not None:
            await send({"type": "websocket.send", "text": event["text"]})
        else:
            await send({"type": "websocket.send", "bytes": event["bytes"]})


async def lifespan(receive, send):
    while True:
        event = await receive()
        await send({"type": event["type"] + ".complete"})
        if event["type"] == "lifespan.shutdown":
            return
