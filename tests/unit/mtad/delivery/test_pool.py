"""What the pool keeps, bounds and remembers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from mtad.delivery.client_events import Mail, NotOpened
from mtad.delivery.connection import Connection, Hop
from mtad.delivery.pool import Pool, PoolLimits
from mtad.mail.dsn_request import NO_REQUEST
from mtad.mail.route import TlsLevel
from tests.fakes.outgoing import TIMEOUTS, Silent
from tests.fakes.scripted_server import HANG, Script, ScriptedServer


def hop_to(server: ScriptedServer, tls: TlsLevel = TlsLevel.NONE) -> Hop:
    return Hop(server.host, server.port, "mx.test", tls=tls)


async def opened(pool: Pool, hop: Hop) -> Connection:
    connection = await pool.acquire(hop)
    assert isinstance(connection, Connection)
    return connection


async def eventually(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not is_so():
            await asyncio.sleep(0.005)


def why(answer: Connection | NotOpened) -> str:
    assert isinstance(answer, NotOpened)
    return str(answer.reply)


async def test_a_released_connection_is_taken_again() -> None:
    async with ScriptedServer() as server:
        pool = Pool("us.test", timeouts=TIMEOUTS)
        first = await opened(pool, hop_to(server))
        pool.release(first)
        assert await opened(pool, hop_to(server)) is first
        second = await opened(pool, hop_to(server))
        assert second is not first
        for connection in (first, second):
            pool.release(connection)
        pool.close()
        await eventually(lambda: server.open_count == 0)
        assert server.commands.count("QUIT") == 2


async def test_other_levels_of_tls_are_other_hops() -> None:
    async with ScriptedServer() as server:
        pool = Pool("us.test", timeouts=TIMEOUTS)
        first = await opened(pool, hop_to(server))
        pool.release(first)
        assert await opened(pool, hop_to(server, TlsLevel.MAY)) is not first
        pool.close()


async def test_idle_connections_are_closed_after_a_while() -> None:
    async with ScriptedServer() as server:
        pool = Pool("us.test", PoolLimits(idle_seconds_max=0.02), TIMEOUTS)
        pool.release(await opened(pool, hop_to(server)))
        await eventually(lambda: server.open_count == 0)
        assert server.commands[-1] == "QUIT"
        assert pool.hops_count == 0


async def test_an_idle_connection_that_the_peer_closes_is_forgotten() -> None:
    async with ScriptedServer() as server:
        pool = Pool("us.test", timeouts=TIMEOUTS)
        pool.release(await opened(pool, hop_to(server)))
        assert pool.hops_count == 1
        await server.stop()
        await eventually(lambda: pool.hops_count == 0)


async def test_a_connection_is_closed_after_its_last_message() -> None:
    async with ScriptedServer() as server:
        pool = Pool("us.test", PoolLimits(messages_per_connection_max=1), TIMEOUTS)
        connection = await opened(pool, hop_to(server))
        connection.begin(Mail("x@a.test"), Silent())
        connection.ask({}, None)
        pool.recycle(connection)
        await eventually(lambda: server.open_count == 0)
        assert server.commands[-2:] == ["RSET", "QUIT"]
        assert pool.hops_count == 0


async def test_recycled_connection_waits_for_rset() -> None:
    async with ScriptedServer() as server:
        pool = Pool("us.test", timeouts=TIMEOUTS)
        connection = await opened(pool, hop_to(server))
        connection.begin(Mail("x@a.test"), Silent())
        connection.ask({"u@b.test": NO_REQUEST}, None)
        pool.recycle(connection)
        assert not connection.is_usable
        await eventually(lambda: connection.is_usable)
        assert await opened(pool, hop_to(server)) is connection
        pool.release(connection)
        pool.close()


async def test_rset_without_answer_closes() -> None:
    async with ScriptedServer(Script(replies={"rset": HANG})) as server:
        pool = Pool("us.test", timeouts=TIMEOUTS)
        connection = await opened(pool, hop_to(server))
        connection.begin(Mail("x@a.test"), Silent())
        connection.ask({}, None)
        pool.recycle(connection)
        await eventually(lambda: server.open_count == 0)
        assert pool.hops_count == 0


async def test_the_one_who_waits_longest_gets_the_slot() -> None:
    async with ScriptedServer() as server:
        pool = Pool("us.test", PoolLimits(connections_per_hop_max=1), TIMEOUTS)
        hop = hop_to(server)
        connection = await opened(pool, hop)
        assert not pool.has_free_slot(hop)
        order: list[int] = []

        async def wait(number: int) -> None:
            taken = await opened(pool, hop)
            order.append(number)
            pool.release(taken)

        waiting = [asyncio.create_task(wait(number)) for number in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        pool.release(connection)
        await asyncio.wait(waiting)
        assert order == [1, 2]
        assert pool.has_free_slot(hop)
        assert server.connections_count == 1
        pool.close()


async def test_waiting_has_limits() -> None:
    async with ScriptedServer() as server:
        pool = Pool("us.test", PoolLimits(connections_per_hop_max=1, waiting_max=1, wait_seconds_max=0.05), TIMEOUTS)
        connection = await opened(pool, hop_to(server))
        waiting = asyncio.create_task(pool.acquire(hop_to(server)))
        await asyncio.sleep(0)
        assert why(await pool.acquire(hop_to(server))).startswith("450 4.4.5")  # too many wait
        assert not waiting.done()
        assert why(await waiting).startswith("450 4.4.5")  # waited too long
        pool.release(connection)
        assert await opened(pool, hop_to(server)) is connection
        pool.release(connection)
        pool.close()


async def test_a_hop_that_does_not_answer_is_left_alone_for_a_while() -> None:
    server = ScriptedServer()
    async with server:
        hop = hop_to(server)
    pool = Pool("us.test", PoolLimits(dead_seconds=0.05), TIMEOUTS)
    assert why(await pool.acquire(hop)) == "450 4.4.1 No connection to mx.test: Connection refused"
    assert pool.is_dead(hop)
    assert why(await pool.acquire(hop)) == "450 4.4.1 No connection to mx.test a moment ago"
    async with server:
        await eventually(lambda: not pool.is_dead(hop))
        pool.release(await opened(pool, hop))
        pool.close()


async def test_a_hop_that_refuses_us_is_not_dead() -> None:
    async with ScriptedServer(Script(replies={"banner": "421 4.3.2 Busy"})) as server:
        pool = Pool("us.test", timeouts=TIMEOUTS)
        assert why(await pool.acquire(hop_to(server))) == "421 4.3.2 Busy"
        assert not pool.is_dead(hop_to(server))
        assert pool.hops_count == 0


async def test_the_memory_of_dead_hops_is_bounded() -> None:
    async with ScriptedServer() as server:
        port = server.port
    pool = Pool("us.test", PoolLimits(dead_hops_max=2), TIMEOUTS)
    hops = [Hop(f"127.0.0.{number}", port, "mx.test") for number in (1, 2, 3)]
    for hop in hops:
        await pool.acquire(hop)
    assert [pool.is_dead(hop) for hop in hops] == [False, True, True]


async def test_cancelled_while_opening_gives_its_slot_back() -> None:
    async with ScriptedServer(Script(replies={"banner": HANG})) as server:
        pool = Pool("us.test", timeouts=replace(TIMEOUTS, banner_seconds=60))
        opening = asyncio.create_task(pool.acquire(hop_to(server)))
        await eventually(lambda: server.open_count == 1)
        opening.cancel()
        await asyncio.wait((opening,))
        assert pool.hops_count == 0
        await eventually(lambda: server.open_count == 0)


async def test_nothing_is_opened_after_close() -> None:
    async with ScriptedServer() as server:
        pool = Pool("us.test", PoolLimits(connections_per_hop_max=1), TIMEOUTS)
        connection = await opened(pool, hop_to(server))
        waiting = asyncio.create_task(pool.acquire(hop_to(server)))
        await asyncio.sleep(0)
        pool.close()
        assert why(await waiting).startswith("450 4.4.5")
        assert why(await pool.acquire(hop_to(server))).startswith("450 4.3.2")
        pool.release(connection)
        await eventually(lambda: server.open_count == 0)
