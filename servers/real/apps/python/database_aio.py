"""The database of /db on an event loop: aiosqlite, which has a thread for each
connection, for a file, asyncpg for the URL of one of PostgreSQL's."""

import asyncio

import labapp


async def ask(op, *values):
    """Returns a fault, or None, and what was asked."""
    return await POOL.ask(op, values)



class Pool:
    """Up to size connections; who finds none free waits, first come, first
    served."""

    def __init__(self, size):
        self.free, self.idle = asyncio.Semaphore(size), []

    async def ask(self, op, values):
        async with self.free:
            try:
                link = self.idle.pop() if self.idle else await connect()
                try:
                    answer = await getattr(link, op)(*values)
                except BaseException:
                    await link.close()  # nobody knows what state it is in
                    raise
                self.idle.append(link)
                return None, answer
            except ImportError as missing:
                return labapp.lacks(missing), None
            except Exception as fault:
                return labapp.fault_of(fault), None


async def connect():
    link = Postgres() if labapp.is_postgres(labapp.DATABASE) else SQLite()
    await link.open(labapp.DATABASE)
    return link


class SQLite:
    async def open(self, path):
        import time

        import aiosqlite

        self.c = aiosqlite.connect(
            f"file:{path}?mode=rw", uri=True, timeout=labapp.BUSY_TIMEOUT, isolation_level=None,
        )
        # A server that ends doesn't close it. Until aiosqlite 0.22 it is the thread.
        getattr(self.c, "_thread", self.c).daemon = True
        await self.c
        await self.c.create_function("lab_wait", 1, time.sleep)
        await self.run("PRAGMA synchronous = NORMAL")

    async def run(self, statement, *values):
        rows = await self.c.execute_fetchall(statement, values)
        return next(iter(rows), None)

    async def select(self, key):
        return await self.run("SELECT name, number, updates FROM item WHERE id = ?", key)

    async def update(self, key, hold):
        if hold:
            await self.run("BEGIN IMMEDIATE")
        await self.run("UPDATE item SET updates = updates + 1 WHERE id = ?", key)
        if hold:
            await asyncio.sleep(hold)
            await self.run("COMMIT")

    async def slow(self, wait, rows):
        if wait:
            await self.run("SELECT lab_wait(?)", wait)
        return (await self.run("SELECT coalesce(sum(number), 0) FROM item WHERE id <= ?", rows))[0]

    async def close(self):
        await self.c.close()


class Postgres:
    async def open(self, url):
        import asyncpg

        self.c = await asyncpg.connect(url)

    async def select(self, key):
        return await self.c.fetchrow("SELECT name, number, updates FROM gatewaylab.item WHERE id = $1", key)

    async def update(self, key, hold):
        if hold:
            await self.c.execute("BEGIN")
        await self.c.execute("UPDATE gatewaylab.item SET updates = updates + 1 WHERE id = $1", key)
        if hold:
            await asyncio.sleep(hold)
            await self.c.execute("COMMIT")

    async def slow(self, wait, rows):
        if wait:
            await self.c.execute("SELECT pg_sleep($1)", wait)
        return await self.c.fetchval("SELECT coalesce(sum(number), 0)::bigint FROM gatewaylab.item WHERE id <= $1", rows)

    async def close(self):
        self.c.terminate()


POOL = Pool(labapp.POOL_SIZE)
