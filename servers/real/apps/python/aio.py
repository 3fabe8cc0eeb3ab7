"""Drives the application on an event loop: what waits, awaits, and what blocks
or computes does so on the loop, unless GATEWAYLAB_POOL gives a number of
threads to hand it to."""

import asyncio
import os
import time

import labapp


async def answer(request, gone=None):
    """gone() can be awaited for the client to go away; None: nobody tells."""
    steps, result, holding = labapp.respond(request), None, False
    try:
        while True:
            step, value = steps.send(result)
            result = None
            if step == labapp.SLEEP:
                await asyncio.sleep(value)
            elif step == labapp.READ:
                result = await request.read()
            elif step == labapp.WORK:
                result = await offload(labapp.work, value)
            elif step == labapp.LOCK:
                result = await LOCK.take()
                holding = result is None
            elif step == labapp.UNLOCK:
                holding = False
                LOCK.release()
            elif step == labapp.BLOCK:
                await offload(time.sleep, value)
            elif step == labapp.CALL:
                import upstream_aio

                result = await upstream_aio.call(value)
            elif step == labapp.QUERY:
                import database_aio

                result = await database_aio.ask(*value)
            elif gone:
                await gone()
                return None
            else:
                await asyncio.get_running_loop().create_future()
    except StopIteration as end:
        return end.value
    finally:
        if holding:
            LOCK.release()


async def pieces(body):
    """The body of an Answer that comes in pieces."""
    for piece in body:
        if type(piece) is bytes:
            yield piece
        else:
            await asyncio.sleep(piece[1])


THREADS = int(os.environ.get("GATEWAYLAB_POOL", "0"))
POOL = None


async def offload(work, value):
    """Does what holds a thread: this one, or one of the pool."""
    global POOL
    if not THREADS:
        return work(value)
    if not POOL:
        from concurrent.futures import ThreadPoolExecutor

        POOL = ThreadPoolExecutor(THREADS)
    return await asyncio.get_running_loop().run_in_executor(POOL, work, value)


class Lock:
    """The server's one lock: flock(2) on a file for its processes, and before
    it asyncio's, which is fair, for the requests of this one."""

    def __init__(self):
        self.turn = self.file = None

    async def take(self):
        """Returns what is wrong, or None."""
        import fcntl

        self.turn = self.turn or asyncio.Lock()
        await self.turn.acquire()
        path = os.environ.get("GATEWAYLAB_LOCK")
        if not path:
            return None
        try:
            self.file = self.file or open(path, "r+b")
        except OSError as fault:
            self.turn.release()
            return f"open {path}: {fault.strerror.lower()}"
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return None
        except BlockingIOError:
            pass
        waiting = asyncio.get_running_loop().run_in_executor(None, fcntl.flock, self.file, fcntl.LOCK_EX)
        try:
            await asyncio.shield(waiting)
        except asyncio.CancelledError:  # nothing ends a wait for a file's lock but the lock
            waiting.add_done_callback(lambda _: self.release())
            raise
        return None

    def release(self):
        if self.file:
            import fcntl

            fcntl.flock(self.file, fcntl.LOCK_UN)
        self.turn.release()


LOCK = Lock()
