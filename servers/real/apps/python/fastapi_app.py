"""The application in FastAPI: one operation for every path."""

import fastapi
from fastapi.responses import Response, StreamingResponse

import aio
import asgi

application = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)


async def operation(request: fastapi.Request):
    answer = await aio.answer(asgi.request_of(request.scope, request.receive))
    if type(answer.body) is bytes:
        response = Response(answer.body, answer.status)
    else:
        response = StreamingResponse(aio.pieces(answer.body), answer.status)
    response.raw_headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.header]
    return response


application.router.add_api_route(
    "/{path:path}", operation, include_in_schema=False, response_model=None,
    methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
)


@application.websocket("/ws")
async def socket(websocket: fastapi.WebSocket):
    await asgi.websocket(websocket.scope, websocket.receive, websocket.send)
