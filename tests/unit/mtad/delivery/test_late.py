"""Next hops that take their time: what goes on without the client, and what is given up."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from mtad.delivery.connection import Timeouts
from mtad.delivery.pace import PaceLimits
from mtad.delivery.pool import PoolLimits
from mtad.delivery.through import DeliveryLimits
from mtad.mail.outcome import Result
from tests.fakes.outgoing import CONTENT, TIMEOUTS, U, V, W, outgoing, said, to
from tests.fakes.scripted_server import HANG, WAIT, Script, ScriptedServer
from tests.fakes.waiting import WAIT_SECONDS, until


async def test_what_is_late_goes_on_and_is_known_later() -> None:
    replies = {"dot": HANG}
    async with ScriptedServer(Script(replies=replies)) as server, outgoing() as out:
        _, finished = await out.through({U: to(server)}, deadline_seconds=0.05)
        assert finished.outcomes == {}
        assert not finished.pending[U].done()
        server.released.set()  # then it drops the connection
        assert (await finished.pending[U]).result is Result.UNKNOWN


async def test_too_much_in_the_background_is_given_up() -> None:
    limits = DeliveryLimits(background_max=1)
    async with ScriptedServer(Script(replies={"data": HANG})) as server, outgoing(limits=limits) as out:
        _, first = await out.through({U: to(server)}, deadline_seconds=0.02)
        _, second = await out.through({V: to(server)}, deadline_seconds=0.02)
        assert set(first.pending) == {U}
        assert second.pending == {}
        assert said(second.outcomes[V]) == "delayed 451 4.3.2"
        assert said(await first.pending[U]) == "delayed 450 4.4.2"


async def test_of_what_is_too_much_that_goes_on_which_has_its_final_dot() -> None:
    limits, timeouts = DeliveryLimits(background_max=2), replace(TIMEOUTS, dot_seconds=WAIT_SECONDS)
    pool_limits = PoolLimits(PaceLimits(connections_max=2))
    async with (
        ScriptedServer(Script(replies={"dot": WAIT + "250 2.0.0 Ok"})) as server,
        outgoing(limits=limits, pool_limits=pool_limits, timeouts=timeouts) as out,
    ):
        transaction = out.open(is_verp=True)
        for number in range(5):
            assert await transaction.recipient(f"u{number}@b.test", to(server)) is None
        finishing = asyncio.create_task(transaction.finish(CONTENT, 1000))
        await until(lambda: len(server.messages) == 2)
        transaction._on_deadline()
        finished = await finishing
        assert {said(one) for one in finished.outcomes.values()} == {"delayed 451 4.3.2"}
        assert (len(finished.outcomes), len(finished.pending)) == (3, 2)
        server.released.set()
        assert {said(await one) for one in finished.pending.values()} == {"delivered 250 2.0.0"}


async def test_attempts_in_the_background_share_their_content() -> None:
    limits = DeliveryLimits(background_octets_max=len(CONTENT))
    async with (
        ScriptedServer(Script(replies={"data": HANG})) as server,
        ScriptedServer(Script(replies={"data": HANG})) as other,
        outgoing(limits=limits) as out,
    ):
        _, finished = await out.through({U: to(server), W: to(other)}, deadline_seconds=0.05)
        assert set(finished.pending) == {U, W}


async def test_too_many_octets_in_the_background_are_given_up() -> None:
    limits = DeliveryLimits(background_octets_max=len(CONTENT) - 1)
    timeouts = replace(TIMEOUTS, dot_seconds=WAIT_SECONDS)
    async with (
        ScriptedServer(Script(replies={"dot": HANG})) as server,
        outgoing(limits=limits, timeouts=timeouts) as out,
    ):
        _, finished = await out.through({U: to(server)}, deadline_seconds=0.5)
        assert finished.pending == {}
        assert finished.outcomes[U].result is Result.UNKNOWN  # its dot was sent


async def test_close_decides_what_is_pending() -> None:
    async with ScriptedServer(Script(replies={"dot": HANG})) as server, outgoing() as out:
        _, finished = await out.through({U: to(server)}, deadline_seconds=0.05)
        await until(lambda: bool(server.messages))
        await out.delivery.close()
        assert finished.pending[U].result().result is Result.UNKNOWN
        assert said((await out.attempt({V: to(server)}))[V]) == "delayed 450 4.3.2"
        await until(lambda: server.open_count == 0)


async def test_a_session_that_is_cancelled_leaves_nothing_open() -> None:
    async with ScriptedServer(Script(replies={"data": HANG})) as server, outgoing() as out:
        transaction = out.open()
        await transaction.recipient(U, to(server))
        finishing = asyncio.create_task(transaction.finish(CONTENT, 20))
        await until(lambda: "DATA" in server.commands)
        finishing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await finishing
        await until(lambda: server.open_count == 0)


async def test_a_finish_cancelled_before_it_began_leaves_nothing_open() -> None:
    async with ScriptedServer() as server, outgoing() as out:
        transaction = out.open()
        await transaction.recipient(U, to(server))
        finishing = asyncio.create_task(transaction.finish(CONTENT, 20))
        await asyncio.sleep(0)
        finishing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await finishing
        await until(lambda: server.open_count == 0)


async def test_rcpt_that_takes_long_is_answered_at_the_end() -> None:
    limits = DeliveryLimits(rcpt_seconds_max=0.02)
    async with (
        ScriptedServer(Script(replies={"rcpt": (HANG, "550 no")})) as server,
        outgoing(limits=limits) as out,
    ):
        heard, finished = await out.through({U: to(server)})
        assert heard == {U: None}
        assert said(finished.outcomes[U]) == "failed 550"


async def test_rcpt_that_is_answered_late_is_not_asked_for_again() -> None:
    limits = DeliveryLimits(rcpt_seconds_max=0.02)
    script = Script(replies={"rcpt": WAIT + "250 ok"})
    async with ScriptedServer(script) as server, outgoing(limits=limits) as out:
        transaction = out.open()
        assert [await transaction.recipient(address, to(server)) for address in (U, V)] == [None, None]
        finishing = asyncio.create_task(transaction.finish(CONTENT, 20))
        await asyncio.sleep(0.01)
        server.released.set()
        assert {said(outcome) for outcome in (await finishing).outcomes.values()} == {"delivered 250 2.0.0"}
        assert server.commands[1:] == ["MAIL FROM:<x@a.test>", f"RCPT TO:<{U}>", f"RCPT TO:<{V}>", "DATA"]


async def test_a_refusal_that_comes_before_the_end_of_data_gives_the_connection_back() -> None:
    limits = DeliveryLimits(rcpt_seconds_max=0.02)
    pool_limits = PoolLimits(PaceLimits(connections_max=1))
    script = Script(replies={"rcpt": (WAIT + "550 5.1.1 No such user", "250 2.1.5 Ok")})
    async with ScriptedServer(script) as server, outgoing(limits=limits, pool_limits=pool_limits) as out:
        transaction = out.open()
        assert await transaction.recipient(U, to(server)) is None
        server.released.set()
        await until(lambda: bool(out.events.named("delivery.outcome")))
        assert said((await transaction.finish(CONTENT, 20)).outcomes[U]) == "failed 550 5.1.1"
        await until(lambda: "RSET" in server.commands)
        assert said((await out.attempt({V: to(server)}))[V]) == "delivered 250 2.0.0"
        assert server.connections_count == 1


async def test_a_connection_that_opens_late_and_closes_before_the_end_of_data_is_replaced() -> None:
    limits = DeliveryLimits(rcpt_seconds_max=0.02)
    script = Script(replies={"ehlo": (WAIT + "250 mx.test\n421 idle too long", "250 mx.test")})
    async with ScriptedServer(script) as server, outgoing(limits=limits) as out:
        transaction = out.open()
        assert await transaction.recipient(U, to(server)) is None
        server.released.set()
        await until(lambda: server.open_count == 0)
        outcomes = (await transaction.finish(CONTENT, 20)).outcomes
        assert said(outcomes[U]) == "delivered 250 2.0.0"
        assert server.connections_count == 2


async def test_abort_while_connecting_leaves_nothing_open() -> None:
    limits = DeliveryLimits(rcpt_seconds_max=0.02)
    async with ScriptedServer(Script(replies={"banner": HANG})) as server, outgoing(limits=limits) as out:
        transaction = out.open()
        assert await transaction.recipient(U, to(server)) is None
        await until(lambda: server.open_count == 1)
        await transaction.abort()
        server.released.set()
        await until(lambda: server.open_count == 0)


async def test_no_free_slot_means_asking_later() -> None:
    pool_limits = PoolLimits(PaceLimits(connections_max=1))
    async with ScriptedServer() as server, outgoing(pool_limits=pool_limits) as out:
        holding, waiting = out.open(), out.open()
        assert await holding.recipient(U, to(server)) is None
        assert await waiting.recipient(V, to(server)) is None
        assert server.connections_count == 1
        finishing = asyncio.create_task(waiting.finish(CONTENT, 20))
        assert said((await holding.finish(CONTENT, 20)).outcomes[U]) == "delivered 250 2.0.0"
        assert said((await finishing).outcomes[V]) == "delivered 250 2.0.0"
        assert server.connections_count == 1


async def test_a_warrant_that_ends_gives_up_what_has_no_final_dot_and_awaits_the_rest() -> None:
    waiting, hanging = Script({"dot": f"{WAIT}250 2.0.0 Ok"}), Script(recipients={W: HANG})
    async with (
        ScriptedServer(waiting) as past,
        ScriptedServer(hanging) as before,
        outgoing(timeouts=Timeouts()) as out,
    ):
        withdrawn = asyncio.get_running_loop().create_future()
        attempt = asyncio.create_task(out.attempt({U: to(past), W: to(before)}, withdrawn=withdrawn))
        await until(lambda: past.messages and before.commands)
        withdrawn.set_result(None)
        await until(lambda: before.open_count == 0)
        assert not attempt.done()
        past.released.set()
        outcomes = await attempt
        assert {a: said(o) for a, o in outcomes.items()} == {U: "delivered 250 2.0.0", W: "delayed 451 4.3.2"}
        assert before.messages == []
