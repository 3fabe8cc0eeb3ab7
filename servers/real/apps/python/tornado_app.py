"""The application in Tornado: one handler for every path. Started as a program
it serves the inherited socket, with as many processes as it is told."""

import asyncio
import socket
import sys

import tornado.httpserver
import tornado.netutil
import tornado.process
import tornado.web
import tornado.websocket

import aio
import labapp


SERVING = set()  # handlers whose request has begun and is not over


@tornado.web.stream_request_body
class Handler(tornado.web.RequestHandler):
    SUPPORTED_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

    def prepare(self):
        self.pieces = []
        SERVING.add(self)

    def on_finish(self):
        SERVING.discard(self)

    def on_connection_close(self):
        super().on_connection_close()
        SERVING.discard(self)

    def data_received(self, piece):
        self.pieces.append(piece)

    async def answer(self, *_):
        request, pieces = self.request, iter(self.pieces)

        async def read():
            return next(pieces, b"")

        answer = await aio.answer(labapp.Request(
            request.method, unquoted(request.path), request.query, request.headers.get_all, read,
        ))
        self.set_status(answer.status)
        self.clear_header("Content-Type")
        for name, value in answer.header:
            self.set_header(name, value)
        if type(answer.body) is bytes:
            self.write(answer.body) if answer.body else None
            return
        async for piece in aio.pieces(answer.body):
            self.write(piece)
            await self.flush()

    get = head = post = put = patch = delete = options = answer

    def compute_etag(self):
        return None


class Socket(tornado.websocket.WebSocketHandler):
    async def get(self, *path):
        if self.request.headers.get("Upgrade", "").lower() == "websocket":
            return await super().get(*path)
        answer = await aio.answer(labapp.Request("GET", "/ws", "", list, None))
        self.set_status(answer.status)
        for name, value in answer.header:
            self.set_header(name, value)
        self.finish(answer.body)

    def check_origin(self, origin):
        return True

    def on_message(self, message):
        self.write_message(message, binary=isinstance(message, bytes))


def unquoted(path):
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(path.encode("latin-1")).decode("latin-1")


application = tornado.web.Application([(r"/ws", Socket), (r"/.*", Handler)], websocket_max_message_size=1 << 20)


def main():
    workers, backlog = int(sys.argv[1]), int(sys.argv[2])
    inherited = socket.socket(fileno=3)
    inherited.setblocking(False)
    inherited.listen(backlog)
    if workers > 1:
        tornado.process.fork_processes(workers, max_restarts=1 << 30)
    asyncio.run(serve(inherited))


async def serve(inherited):
    import signal

    server = tornado.httpserver.HTTPServer(application, max_body_size=1 << 30, max_buffer_size=1 << 30)
    server.add_sockets([inherited])
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    server.stop()
    while SERVING:  # what has begun is finished
        await asyncio.sleep(0.02)


if __name__ == "__main__":
    main()
