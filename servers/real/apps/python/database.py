"""The database of /db for a thread (or what stands for one) for each request:
Python's sqlite3 for a file, psycopg2 for the URL of one of PostgreSQL's. Both
block."""

import os
import time

import blocking
import labapp


def ask(op, *values):
    """Returns a fault, or None, and what was asked."""
    return POOL.ask(op, values)



class Pool:
    """Up to size connections; who finds none free waits, first come, first
    served."""

    def __init__(self, size):
        import collections
        import threading

        # By now gevent and eventlet have put their own locks in place.
        self.guard, self.queue, self.free = threading.Lock(), collections.deque(), size
        self.idle = []

    def ask(self, op, values):
        self.take()
        try:
            link = self.idle.pop() if self.idle else connect()
            try:
                answer = getattr(link, op)(*values)
            except BaseException:
                link.close()  # nobody knows what state it is in
                raise
            self.idle.append(link)
            return None, answer
        except ImportError as missing:
            return labapp.lacks(missing), None
        except Exception as fault:
            return labapp.fault_of(fault), None
        finally:
            self.give()

    def take(self):
        import threading

        with self.guard:
            if self.free:
                self.free -= 1
                return
            turn = threading.Lock()
            turn.acquire()
            self.queue.append(turn)
        turn.acquire()

    def give(self):
        with self.guard:
            if self.queue:
                self.queue.popleft().release()
            else:
                self.free += 1


def connect():
    return Postgres(labapp.DATABASE) if labapp.is_postgres(labapp.DATABASE) else SQLite(labapp.DATABASE)


class SQLite:
    def __init__(self, path):
        import sqlite3

        self.c = sqlite3.connect(
            f"file:{path}?mode=rw", uri=True, timeout=labapp.BUSY_TIMEOUT, isolation_level=None, check_same_thread=False,
        )
        self.c.create_function("lab_wait", 1, blocking.really_sleep())
        self.c.execute("PRAGMA synchronous = NORMAL")

    def select(self, key):
        return self.c.execute("SELECT name, number, updates FROM item WHERE id = ?", (key,)).fetchone()

    def update(self, key, hold):
        if hold:
            self.c.execute("BEGIN IMMEDIATE")
        self.c.execute("UPDATE item SET updates = updates + 1 WHERE id = ?", (key,))
        if hold:
            time.sleep(hold)
            self.c.execute("COMMIT")

    def slow(self, wait, rows):
        if wait:
            self.c.execute("SELECT lab_wait(?)", (wait,)).fetchone()
        return self.c.execute("SELECT coalesce(sum(number), 0) FROM item WHERE id <= ?", (rows,)).fetchone()[0]

    def close(self):
        self.c.close()


class Postgres:
    def __init__(self, url):
        import psycopg2

        cooperate()
        self.c = psycopg2.connect(url)
        self.c.autocommit = True

    def run(self, statement, *values):
        cursor = self.c.cursor()
        cursor.execute(statement, values)
        return cursor

    def select(self, key):
        return self.run("SELECT name, number, updates FROM gatewaylab.item WHERE id = %s", key).fetchone()

    def update(self, key, hold):
        if hold:
            self.run("BEGIN")
        self.run("UPDATE gatewaylab.item SET updates = updates + 1 WHERE id = %s", key)
        if hold:
            time.sleep(hold)
            self.run("COMMIT")

    def slow(self, wait, rows):
        if wait:
            self.run("SELECT pg_sleep(%s)", wait)
        return self.run("SELECT coalesce(sum(number), 0)::bigint FROM gatewaylab.item WHERE id <= %s", rows).fetchone()[0]

    def close(self):
        self.c.close()


def cooperate():
    """Has psycopg2 wait in gevent's or eventlet's loop where there is one: it is
    in C, and what they put in the place of Python's sockets doesn't reach it."""
    from psycopg2 import extensions

    gevent, eventlet = blocking.patched()
    if gevent:
        from gevent.socket import wait_read, wait_write
    elif eventlet:
        from eventlet.hubs import trampoline

        def wait_read(fd):
            trampoline(fd, read=True)

        def wait_write(fd):
            trampoline(fd, write=True)
    else:
        return

    def wait(connection):
        while (state := connection.poll()) != extensions.POLL_OK:
            wait_read(connection.fileno()) if state == extensions.POLL_READ else wait_write(connection.fileno())

    extensions.set_wait_callback(wait)


POOL = Pool(labapp.POOL_SIZE)
