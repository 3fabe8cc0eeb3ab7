"""Drives the application with a thread (or what stands for one) for each
request: what waits, blocks."""

import os
import time

import labapp


def answer(request):
    steps, result, holding = labapp.respond(request), None, False
    try:
        while True:
            step, value = steps.send(result)
            result = None
            if step == labapp.SLEEP:
                time.sleep(value)
            elif step == labapp.READ:
                result = request.read()
            elif step == labapp.WORK:
                result = labapp.work(value)
            elif step == labapp.LOCK:
                result = LOCK.take()
                holding = result is None
            elif step == labapp.UNLOCK:
                holding = False
                LOCK.release()
            elif step == labapp.BLOCK:
                block(value)
            elif step == labapp.CALL:
                import upstream

                result = upstream.call(value)
            elif step == labapp.QUERY:
                import database

                result = database.ask(*value)
            else:
                while True:
                    time.sleep(3600)
    except StopIteration as end:
        return end.value
    finally:
        if holding:
            LOCK.release()


def pieces(body):
    """The body of an Answer that comes in pieces."""
    for piece in body:
        if type(piece) is bytes:
            yield piece
        else:
            time.sleep(piece[1])


def block(seconds):
    """Holds the thread of the operating system, whatever sleep has become."""
    really_sleep()(seconds)


def really_sleep():
    gevent, eventlet = patched()
    if gevent:
        return gevent.get_original("time", "sleep")
    if eventlet:
        return eventlet.original("time").sleep
    return time.sleep


def patched():
    """gevent's or eventlet's module that has put its own sleep and locks in
    place of Python's, if one has."""
    import sys

    gevent, eventlet = sys.modules.get("gevent.monkey"), sys.modules.get("eventlet.patcher")
    return (
        gevent if gevent and gevent.is_module_patched("threading") else None,
        eventlet if eventlet and eventlet.is_monkey_patched("thread") else None,
    )


class Lock:
    """The server's one lock: flock(2) on a file for its processes, and before
    it a queue for the threads of this one, in the order in which they come."""

    def __init__(self):
        self.file = None
        self.guard = None

    def take(self):
        """Returns what is wrong, or None."""
        if self.guard is None:  # by now gevent and eventlet have put their own locks in place
            import collections
            import threading

            self.queue, self.held, self.guard = collections.deque(), False, threading.Lock()
        import threading

        with self.guard:
            turn = None
            if self.held:
                turn = threading.Lock()
                turn.acquire()
                self.queue.append(turn)
            self.held = True
        if turn:
            turn.acquire()
        path = os.environ.get("GATEWAYLAB_LOCK")
        if not path:
            return None
        try:
            self.file = self.file or open(path, "r+b")
            self.flock()
        except OSError as fault:
            self.pass_on()
            return f"open {path}: {fault.strerror.lower()}"
        return None

    def flock(self):
        import fcntl

        gevent, eventlet = patched()
        if gevent:
            import gevent

            return gevent.get_hub().threadpool.apply(fcntl.flock, (self.file, fcntl.LOCK_EX))
        if eventlet:
            from eventlet import tpool

            return tpool.execute(fcntl.flock, self.file, fcntl.LOCK_EX)
        return fcntl.flock(self.file, fcntl.LOCK_EX)

    def release(self):
        if self.file:
            import fcntl

            fcntl.flock(self.file, fcntl.LOCK_UN)
        self.pass_on()

    def pass_on(self):
        with self.guard:
            if self.queue:
                self.queue.popleft().release()
            else:
                self.held = False


LOCK = Lock()
