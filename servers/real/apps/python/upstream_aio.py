"""The call of /upstream that blocks nobody: a small HTTP client on asyncio's
protocols, which holds no limit on calls under way. (aiohttp and httpx allow a
hundred connections unless they are told otherwise, and the latter takes more
processor time for a call than the server it is in.)"""

import asyncio

import labapp

MOST_IDLE = 512
REQUEST = b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n"


class Connection(asyncio.Protocol):
    """One connection, for one call at a time."""

    def __init__(self):
        self.transport = self.waiting = None
        self.got = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, piece):
        self.got += piece
        if self.waiting and not self.waiting.done():
            answer = parsed(self.got)
            if answer:
                self.waiting.set_result(answer)

    def connection_lost(self, fault):
        self.transport = None
        if self.waiting and not self.waiting.done():
            self.waiting.set_result((labapp.FAILURE, labapp.CLOSED, False))

    async def ask(self, request, timeout):
        loop = asyncio.get_running_loop()
        self.got, self.waiting = b"", loop.create_future()
        if self.transport is None:
            return labapp.FAILURE, labapp.CLOSED, False
        alarm = loop.call_later(timeout, self.late)
        try:
            self.transport.write(request)
            return await self.waiting
        finally:
            alarm.cancel()
            self.waiting = None

    def late(self):
        if self.waiting and not self.waiting.done():
            self.waiting.set_result((labapp.TIMEOUT, "", False))

    def close(self):
        if self.transport:
            self.transport.abort()


def parsed(got):
    """(status, what was said, whether the connection can be kept), or None if it
    isn't all there."""
    head, found, body = got.partition(b"\r\n\r\n")
    if not found:
        return None if len(got) < 8192 else (labapp.FAILURE, labapp.MALFORMED, False)
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    fields = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip()
    length = fields.get("content-length", "")
    if not version.startswith("HTTP/1.") or not rest[:3].isdigit() or not length.isdigit() or int(length) > 65536:
        return labapp.FAILURE, labapp.MALFORMED, False
    if len(body) < int(length):
        return None
    keep = version == "HTTP/1.1" and fields.get("connection", "").lower() != "close" and len(body) == int(length)
    return int(rest[:3]), body[: int(length)].decode("latin-1"), keep


class Client:
    """The connections of one event loop."""

    def __init__(self):
        self.idle = []
        self.request = REQUEST % (":".join(map(str, labapp.UPSTREAM)).encode())

    async def call(self, timeout):
        """Returns the status and what was said, FAILURE and what went wrong, or TIMEOUT."""
        connection = self.take()
        if connection is None:
            loop = asyncio.get_running_loop()
            begun = loop.time()
            try:
                _, connection = await asyncio.wait_for(loop.create_connection(Connection, *labapp.UPSTREAM), timeout)
            except asyncio.TimeoutError:
                return labapp.TIMEOUT, ""
            except OSError:
                return labapp.FAILURE, labapp.AWAY
            timeout = max(0, timeout - (loop.time() - begun))
        keep = False
        try:
            status, said, keep = await connection.ask(self.request, timeout)
            return status, said
        finally:
            if keep and len(self.idle) < MOST_IDLE:
                self.idle.append(connection)
            else:
                connection.close()

    def take(self):
        while self.idle:
            connection = self.idle.pop()
            if connection.transport:
                return connection
        return None


CLIENT = None


async def call(timeout):
    global CLIENT
    CLIENT = CLIENT or Client()
    return await CLIENT.call(timeout)
