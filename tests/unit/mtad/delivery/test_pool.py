"""What the pool keeps, bounds and remembers."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from mtad.delivery.client_events import Mail, NotOpened
from mtad.delivery.connection import Connection, Content, Hop
from mtad.delivery.pace import PaceLimits
from mtad.delivery.pool import Pool, PoolLimits
from mtad.mail.dsn_request import NO_REQUEST
from mtad.mail.route import TlsLevel
from tests.fakes.outgoing import TIMEOUTS, Silent
from tests.fakes.scripted_server import DROP, HANG, WAIT, Script, ScriptedServer
from tests.fakes.waiting import WAIT_SECONDS, until


def hop_to(server: ScriptedServer, tls: TlsLevel = TlsLevel.NONE) -> Hop:
    return Hop(server.host, server.port, "mx.test", tls=tls)


async def opened(pool: Pool, hop: Hop) -> Connection:
    connection = await pool.acquire(hop)
    assert isinstance(connection, Connection)
    return connection


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
        await until(lambda: server.open_count == 0)
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
        await until(lambda: server.open_count == 0)
        assert server.commands[-1] == "QUIT"
        assert pool.hops_count == 0


async def test_an_idle_connection_that_the_peer_closes_is_forgotten() -> None:
    async with ScriptedServer() as server:
        pool = Pool("us.test", timeouts=TIMEOUTS)
        pool.release(await opened(pool, hop_to(server)))
        assert pool.hops_count == 1
        await server.stop()
        await until(lambda: pool.hops_count == 0)


async def test_a_connection_is_closed_after_its_last_message() -> None:
    async with ScriptedServer() as server:
        pool = Pool("us.test", PoolLimits(messages_per_connection_max=1), TIMEOUTS)
        connection = await opened(pool, hop_to(server))
        connection.begin(Mail("x@a.test"), Silent())
        connection.ask({}, None)
        pool.recycle(connection)
        await until(lambda: server.open_count == 0)
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
        await until(lambda: connection.is_usable)
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
        await until(lambda: server.open_count == 0)
        assert pool.hops_count == 0


async def test_the_one_who_waits_longest_gets_the_slot() -> None:
    async with ScriptedServer() as server:
        pool = Pool("us.test", PoolLimits(PaceLimits(connections_max=1)), TIMEOUTS)
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
        pool = Pool(
            "us.test", PoolLimits(PaceLimits(connections_max=1), waiting_max=1, wait_seconds_max=0.05), TIMEOUTS
        )
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
    pool = Pool("us.test", PoolLimits(PaceLimits(rest_seconds=0.5)), TIMEOUTS)
    assert why(await pool.acquire(hop)) == "450 4.4.1 No connection to mx.test: Connection refused"
    assert pool.is_dead(hop)
    assert why(await pool.acquire(hop)) == "450 4.4.1 No connection to mx.test a moment ago: Connection refused"
    async with server:
        await until(lambda: not pool.is_dead(hop))
        pool.release(await opened(pool, hop))
        pool.close()


async def test_what_is_forgotten_is_asked_again_at_once() -> None:
    server = ScriptedServer()
    async with server:
        hop = hop_to(server)
    pool = Pool("us.test", timeouts=TIMEOUTS)
    await pool.acquire(hop)
    async with server:
        assert "a moment ago" in why(await pool.acquire(hop))
        pool.forget_failures()
        pool.release(await opened(pool, hop))
        pool.close()


@pytest.mark.parametrize(
    "replies",
    [{"banner": "421 4.3.2 Busy"}, {"banner": DROP}, {"banner": HANG}, {"ehlo": "421 4.3.2 Busy"}, {"ehlo": HANG}],
)
async def test_a_hop_that_does_not_serve_us_is_left_alone_for_a_while(replies: dict[str, str]) -> None:
    told = {
        "421 4.3.2 Busy": "421 4.3.2 Busy",
        DROP: "450 4.4.2 Connection lost: closed by the next hop",
        HANG: "450 4.4.2 Connection lost: timed out",
    }
    async with ScriptedServer(Script(replies=replies)) as server:
        pool = Pool("us.test", timeouts=TIMEOUTS)
        assert not isinstance(await pool.acquire(hop_to(server)), Connection)
        assert pool.is_dead(hop_to(server))
        said = replies.get("banner") or replies["ehlo"]
        assert (
            why(await pool.acquire(hop_to(server))) == f"450 4.4.1 No connection to mx.test a moment ago: {told[said]}"
        )
        assert server.connections_count == 1
        assert pool.hops_count == 0


async def transaction(pool: Pool, connection: Connection) -> None:
    """Begin a transaction, wait until it has ended one way or another, and give the connection back."""
    ended = asyncio.get_running_loop().create_future()
    listener = Silent()
    listener.ended = lambda: ended.set_result(None)  # type: ignore[method-assign]
    connection.begin(Mail("x@a.test"), listener)
    connection.ask({"u@b.test": NO_REQUEST}, Content(b"x\r\n", 3))
    await ended
    pool.release(connection)


async def test_a_hop_that_closes_amid_a_transaction_gets_fewer_connections_and_no_new_one() -> None:
    async with ScriptedServer() as server:
        pool = Pool("us.test", PoolLimits(PaceLimits(connections_max=3)), TIMEOUTS)
        hop = hop_to(server)
        one, two, three = [await opened(pool, hop) for _ in range(3)]
        server.script = Script(replies={"mail": "421 4.3.2 Busy"})
        await transaction(pool, two)
        server.script = Script()
        pool.release(one)
        assert not pool.is_dead(hop), "others stand"
        assert await opened(pool, hop) is one
        assert not pool.has_free_slot(hop), "two are in use: it had three when it failed"
        waiting = asyncio.create_task(pool.acquire(hop))
        await asyncio.sleep(0)
        await transaction(pool, three)
        assert await waiting is three
        assert server.connections_count == 3
        for connection in (one, three):
            pool.release(connection)
        pool.close()


@pytest.mark.parametrize("replies", [{"data": DROP}, {"rcpt": HANG}])
async def test_one_lost_transaction_may_be_the_messages_fault_and_two_are_the_hops(replies: dict[str, str]) -> None:
    async with ScriptedServer(Script(replies=replies)) as server:
        pool = Pool("us.test", timeouts=TIMEOUTS)
        await transaction(pool, await opened(pool, hop_to(server)))
        assert not pool.is_dead(hop_to(server))
        await transaction(pool, await opened(pool, hop_to(server)))
        assert pool.is_dead(hop_to(server))


async def test_a_kept_connection_that_is_closed_is_no_failure() -> None:
    async with ScriptedServer() as server:
        pool = Pool("us.test", timeouts=TIMEOUTS)
        connection = await opened(pool, hop_to(server))
        await transaction(pool, connection)
        assert await opened(pool, hop_to(server)) is connection
        server.script = Script(replies={"mail": "421 4.4.2 Idle too long"})
        await transaction(pool, connection)
        assert not pool.is_dead(hop_to(server))
        pool.release(await opened(pool, hop_to(server)))
        pool.close()


async def test_while_one_finds_out_whether_a_hop_is_back_others_do_not_wait() -> None:
    async with ScriptedServer(Script(replies={"banner": ("421 4.3.2 Busy", WAIT + "220 mx.test")})) as server:
        pool = Pool("us.test", PoolLimits(PaceLimits(rest_seconds=0.02)), TIMEOUTS)
        hop = hop_to(server)
        await pool.acquire(hop)
        await until(lambda: not pool.is_dead(hop))
        finding_out = asyncio.create_task(pool.acquire(hop))
        await until(lambda: server.open_count == 1)
        assert pool.is_dead(hop)
        assert why(await pool.acquire(hop)).endswith("a moment ago: 421 4.3.2 Busy")
        server.released.set()
        connection = await finding_out
        assert isinstance(connection, Connection)
        assert not pool.is_dead(hop)
        pool.release(connection)
        pool.close()


async def test_who_waits_for_a_hop_that_fails_hears_of_it_at_once() -> None:
    async with ScriptedServer(Script(replies={"rcpt": "421 4.3.2 Busy"})) as server:
        pool = Pool("us.test", PoolLimits(PaceLimits(connections_max=1)), TIMEOUTS)
        hop = hop_to(server)
        connection = await opened(pool, hop)
        waiting = [asyncio.create_task(pool.acquire(hop)) for _ in range(3)]
        await asyncio.sleep(0)
        await transaction(pool, connection)
        assert {why(await one) for one in waiting} == {
            "450 4.4.1 No connection to mx.test a moment ago: 421 to a message"
        }
        assert pool.hops_count == 0


async def test_families_are_told_who_answers() -> None:
    async with ScriptedServer() as server:
        hop = hop_to(server)
        both = ("2001:db8::1", "127.0.0.1")
        pool = Pool("us.test", timeouts=TIMEOUTS)
        silent = [
            Hop("::", server.port, "mx.test", source="2001:db8::2"),
            Hop("::", 1, "mx.test", source="2001:db8::2"),
        ]
        for one in silent:  # our address is none of this machine's: nothing is ever sent
            assert isinstance(await pool.acquire(one), NotOpened)
        now = asyncio.get_running_loop().time()
        assert pool.families.ordered(both, now) == both[::-1]
        for port in range(1, 4):  # refused: somebody is there
            await pool.acquire(Hop("127.0.0.1", port, "mx.test"))
        pool.release(await opened(pool, hop))
        assert pool.families.ordered(both, now) == both[::-1]
        pool.close()


async def test_the_source_and_the_name_of_a_route_are_used_and_are_other_hops() -> None:
    async with ScriptedServer() as server:
        pool = Pool("us.test", timeouts=TIMEOUTS)
        plain, ours = hop_to(server), replace(hop_to(server), source="127.0.0.7", helo="seven.test")
        pool.release(await opened(pool, plain))
        connection = await opened(pool, ours)
        assert server.commands == ["EHLO us.test", "EHLO seven.test"]
        assert server.clients == ["127.0.0.1", "127.0.0.7"]
        pool.release(connection)
        pool.close()


async def test_a_pool_has_connections_and_failures_of_its_own() -> None:
    async with ScriptedServer(Script(replies={"banner": ("220 mx.test", "220 mx.test", "421 Go away")})) as server:
        pool = Pool("us.test", PoolLimits(PaceLimits(connections_max=1)), TIMEOUTS)
        plain, bulk, other = hop_to(server), replace(hop_to(server), pool="bulk"), replace(hop_to(server), pool="other")
        first = await opened(pool, plain)
        second = await opened(pool, bulk)
        assert second is not first
        assert not pool.has_free_slot(bulk)
        assert why(await pool.acquire(other)) == "421 Go away"
        assert [pool.is_dead(hop) for hop in (plain, bulk, other)] == [False, False, True]
        pool.release(second)
        assert pool.rested(plain) is None
        assert await opened(pool, bulk) is second
        for connection in (first, second):
            pool.release(connection)
        pool.close()


async def test_an_address_that_is_not_ours_is_no_source() -> None:
    async with ScriptedServer() as server:
        pool = Pool("us.test", timeouts=TIMEOUTS)
        answer = await pool.acquire(replace(hop_to(server), source="192.0.2.1"))
        assert why(answer) == "450 4.4.1 No connection to mx.test: Cannot assign requested address"


async def test_senders_get_the_connections_of_a_hop_in_turn() -> None:
    async with ScriptedServer() as server:
        pool = Pool("us.test", PoolLimits(PaceLimits(connections_max=1)), TIMEOUTS)
        hop = hop_to(server)
        connection = await opened(pool, hop)
        order: list[str] = []

        async def wait(sender: str) -> None:
            taken = await pool.acquire(hop, sender=sender)
            assert isinstance(taken, Connection)
            order.append(sender)
            await asyncio.sleep(0)
            pool.release(taken)

        many = [asyncio.create_task(wait("bulk")) for _ in range(100)]
        await asyncio.sleep(0)
        few = [asyncio.create_task(wait("one")) for _ in range(2)]
        await asyncio.sleep(0)
        pool.release(connection)
        await asyncio.wait(few)
        assert order[:4] == ["bulk", "one", "bulk", "one"]
        await asyncio.wait(many)
        pool.close()


async def test_who_has_most_in_a_full_queue_makes_room() -> None:
    async with ScriptedServer() as server:
        pool = Pool("us.test", PoolLimits(PaceLimits(connections_max=1), waiting_max=3), TIMEOUTS)
        hop = hop_to(server)
        connection = await opened(pool, hop)
        bulk = [asyncio.create_task(pool.acquire(hop, sender="bulk")) for _ in range(3)]
        await asyncio.sleep(0)
        one = asyncio.create_task(pool.acquire(hop, sender="one"))
        assert why(await bulk[2]).startswith("450 4.4.5")
        pool.release(connection)
        for waiting in (bulk[0], one, bulk[1]):
            assert await waiting is connection
            pool.release(connection)
        pool.close()


async def test_the_memory_of_dead_hops_is_bounded() -> None:
    async with ScriptedServer() as server:
        port = server.port
    pool = Pool("us.test", PoolLimits(PaceLimits(hops_max=2)), TIMEOUTS)
    hops = [Hop(f"127.0.0.{number}", port, "mx.test") for number in (1, 2, 3)]
    for hop in hops:
        await pool.acquire(hop)
    assert [pool.is_dead(hop) for hop in hops] == [False, True, True]


async def test_cancelled_while_opening_gives_its_slot_back() -> None:
    async with ScriptedServer(Script(replies={"banner": HANG})) as server:
        pool = Pool("us.test", timeouts=replace(TIMEOUTS, banner_seconds=60))
        opening = asyncio.create_task(pool.acquire(hop_to(server)))
        await until(lambda: server.open_count == 1)
        opening.cancel()
        await asyncio.wait((opening,))
        assert pool.hops_count == 0
        await until(lambda: server.open_count == 0)


async def test_cancelled_when_its_turn_has_come_passes_the_place_on() -> None:
    async with ScriptedServer() as server:
        pool = Pool("us.test", PoolLimits(PaceLimits(connections_max=1)), TIMEOUTS)
        connection = await opened(pool, hop_to(server))
        waiting = [asyncio.create_task(pool.acquire(hop_to(server))) for _ in range(2)]
        await asyncio.sleep(0)
        pool.release(connection)
        waiting[0].cancel()  # it has the place, and does not know yet
        async with asyncio.timeout(WAIT_SECONDS):
            assert await waiting[1] is connection
        pool.release(connection)
        pool.close()
        await until(lambda: pool.hops_count == 0)


async def test_nothing_is_opened_after_close() -> None:
    async with ScriptedServer() as server:
        pool = Pool("us.test", PoolLimits(PaceLimits(connections_max=1)), TIMEOUTS)
        connection = await opened(pool, hop_to(server))
        waiting = asyncio.create_task(pool.acquire(hop_to(server)))
        await asyncio.sleep(0)
        pool.close()
        assert why(await waiting).startswith("450 4.4.5")
        assert why(await pool.acquire(hop_to(server))).startswith("450 4.3.2")
        pool.release(connection)
        await until(lambda: server.open_count == 0)
