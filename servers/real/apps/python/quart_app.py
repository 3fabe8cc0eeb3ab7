"""The application in Quart: a view for every path."""

import quart

import aio
import asgi

application = quart.Quart(__name__, static_folder=None)
application.config["MAX_CONTENT_LENGTH"] = None
application.url_map.merge_slashes = False
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@application.route("/", defaults={"path": ""}, methods=METHODS)
@application.route("/<path:path>", methods=METHODS)
async def view(path):
    request = quart.request
    pieces = aiter(request.body)

    async def read():
        return await anext(pieces, b"")

    asked = asgi.request_of(request.scope, None)
    asked.read = read
    answer = await aio.answer(asked)
    body = answer.body
    if type(body) is not bytes:
        body = aio.pieces(body)
    response = quart.Response(body, answer.status, answer.header)
    response.timeout = None
    return response


@application.websocket("/ws")
async def socket():
    while True:
        await quart.websocket.send(await quart.websocket.receive())
