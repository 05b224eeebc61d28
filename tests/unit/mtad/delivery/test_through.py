"""Outcomes of through-delivery and of redelivery, one next hop at a time and several at once."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace

import pytest

from mtad.delivery.pace import PaceLimits
from mtad.delivery.pool import PoolLimits
from mtad.delivery.through import DeliveryLimits
from mtad.mail.outcome import Result
from mtad.mail.route import Route, TlsLevel
from tests.fakes.name_server import Zone
from tests.fakes.outgoing import CONTENT, TIMEOUTS, Outgoing, U, V, W, outgoing, said, to
from tests.fakes.scripted_server import DROP, HANG, WAIT, Script, ScriptedServer
from tests.fakes.waiting import WAIT_SECONDS, until


@pytest.mark.parametrize("is_pipelining", [True, False])
async def test_delivered_while_the_client_waits(is_pipelining: bool) -> None:
    script = Script(recipients={V: "550 5.1.1 No such user"})
    if not is_pipelining:
        script = Script(recipients=script.recipients, extensions=())
    async with ScriptedServer(script) as server, outgoing() as out:
        heard, finished = await out.through({U: to(server), V: to(server)})
        assert {address: said(outcome) for address, outcome in heard.items()} == {U: "", V: "failed 550 5.1.1"}
        assert {a: said(o) for a, o in finished.outcomes.items()} == {U: "delivered 250 2.0.0", V: "failed 550 5.1.1"}
        assert finished.pending == {}
        assert finished.outcomes[U].next_hop == "127.0.0.1"
        assert finished.outcomes[U].reply.text == "2.0.0 Ok: taken"
        [message] = server.messages
        assert (message.recipients, message.content) == ((U,), CONTENT)
    assert [fields["result"] for fields in out.events.named("delivery.outcome")] == ["failed", "delivered"]


async def test_the_recipient_is_asked_for_before_the_content_is_there() -> None:
    async with ScriptedServer() as server, outgoing() as out:
        transaction = out.open()
        assert await transaction.recipient(U, to(server)) is None
        assert server.commands == ["EHLO us.test", "MAIL FROM:<x@a.test>", f"RCPT TO:<{U}>"]
        await transaction.abort()


async def test_connections_are_kept_without_rset() -> None:
    async with ScriptedServer() as server, outgoing() as out:
        for _ in range(3):
            await out.through({U: to(server)})
        await out.attempt({U: to(server)})
        assert (server.connections_count, len(server.messages)) == (1, 4)
        assert "RSET" not in server.commands


async def test_aborted_transaction_leaves_a_clean_connection() -> None:
    async with ScriptedServer() as server, outgoing() as out:
        transaction = out.open()
        await transaction.recipient(U, to(server))
        await transaction.abort()
        await out.through({V: to(server)})
        assert server.connections_count in (1, 2)  # 2: it was wanted before RSET was answered
        assert "RSET" in server.commands
        assert [message.recipients for message in server.messages] == [(V,)]


async def test_whoever_is_left_out_gets_nothing_and_the_others_get_it() -> None:
    async with ScriptedServer() as server, ScriptedServer() as other, outgoing() as out:
        transaction = out.open()
        for address, hop in ((U, server), (V, server), (W, other)):
            assert await transaction.recipient(address, to(hop)) is None
        await transaction.leave_out({U, "unheard@of.test"})
        finished = await transaction.finish(CONTENT, 5)
        assert {a: said(o) for a, o in finished.outcomes.items()} == {
            V: "delivered 250 2.0.0",
            W: "delivered 250 2.0.0",
        }
        assert [message.recipients for message in server.messages] == [(V,)]
        assert [message.recipients for message in other.messages] == [(W,)]
        assert "RSET" not in other.commands, "where nobody is left out nothing is asked anew"


async def test_a_next_hop_whose_recipients_are_all_left_out_gets_nothing() -> None:
    async with (
        ScriptedServer() as server,
        ScriptedServer(Script(recipients={V: "450 Later"})) as other,
        outgoing() as out,
    ):
        transaction = out.open()
        for address, hop in ((U, server), (V, other), (W, other)):
            await transaction.recipient(address, to(hop))
        await transaction.leave_out([U, V])
        finished = await transaction.finish(CONTENT, 5)
        assert list(finished.outcomes) == [W]
        assert server.messages == []
        await until(lambda: "RSET" in server.commands)


async def test_when_all_are_left_out_there_is_nothing_to_say() -> None:
    async with ScriptedServer() as server, outgoing() as out:
        transaction = out.open()
        await transaction.recipient(U, to(server))
        await transaction.leave_out([U])
        async with asyncio.timeout(WAIT_SECONDS):
            finished = await transaction.finish(CONTENT, None)
        assert (finished.outcomes, finished.pending, server.messages) == ({}, {}, [])
        await until(lambda: "RSET" in server.commands)


async def test_one_who_is_left_out_before_a_connection_stands_is_never_asked_for() -> None:
    script = Script(replies={"banner": WAIT + "220 mx.test"})
    async with ScriptedServer(script) as server, outgoing(limits=DeliveryLimits(rcpt_seconds_max=0.05)) as out:
        transaction = out.open()
        for address in (U, V):
            assert await transaction.recipient(address, to(server)) is None
        await transaction.leave_out([U])
        server.released.set()
        finished = await transaction.finish(CONTENT, 5)
        assert list(finished.outcomes) == [V]
        assert f"RCPT TO:<{U}>" not in server.commands


async def test_refused_by_all_ends_with_rset_and_reuse() -> None:
    async with ScriptedServer(Script(recipients={U: "550 no"})) as server, outgoing() as out:
        heard, finished = await out.through({U: to(server)})
        assert said(heard[U]) == "failed 550"
        assert said(finished.outcomes[U]) == "failed 550"
        assert server.messages == []
        await out.attempt({V: to(server)})
        assert len(server.messages) == 1


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ({"mail": "550 5.7.1 Not you"}, "failed 550 5.7.1"),
        ({"mail": "451 4.3.0 Later"}, "delayed 451 4.3.0"),
        ({"rcpt": "451 4.7.1 Greylisted"}, "delayed 451 4.7.1"),
        ({"data": "554 5.5.1 No"}, "failed 554 5.5.1"),
        ({"data": "451 4.5.1 Later"}, "delayed 451 4.5.1"),
        ({"dot": "554 5.7.1 Spam"}, "failed 554 5.7.1"),
        ({"dot": "452 4.3.1 Full"}, "delayed 452 4.3.1"),
        ({"dot": "421 4.3.2 Closing"}, "delayed 421 4.3.2"),
        ({"dot": DROP}, "unknown 450 4.4.2"),
        ({"dot": HANG}, "unknown 450 4.4.2"),
        ({"data": DROP}, "delayed 450 4.4.2"),
        ({"rcpt": DROP}, "delayed 450 4.4.2"),
        ({"mail": HANG}, "delayed 450 4.4.2"),
        ({"mail": "421 4.3.2 Closing"}, "delayed 421 4.3.2"),
        ({"rcpt": "421 4.3.2 Closing"}, "delayed 421 4.3.2"),
        ({"data": "421 4.3.2 Closing"}, "delayed 421 4.3.2"),
        ({"ehlo": "421 4.3.2 Closing"}, "delayed 421 4.3.2"),
        ({"banner": "421 4.3.2 Busy"}, "delayed 421 4.3.2"),
        ({"banner": "554 5.7.1 Go away"}, "delayed 450 4.4.1"),
        ({"banner": DROP}, "delayed 450 4.4.2"),
        ({"banner": HANG}, "delayed 450 4.4.2"),
        ({"ehlo": "500 What?", "helo": "500 What?"}, "delayed 450 4.4.1"),
    ],
)
@pytest.mark.parametrize("is_through", [True, False], ids=["through", "redelivery"])
async def test_one_hop_fails(replies: dict[str, str], expected: str, is_through: bool) -> None:
    async with ScriptedServer(Script(replies=replies)) as server, outgoing() as out:
        if is_through:
            _, finished = await out.through({U: to(server)})
            outcomes = finished.outcomes
        else:
            outcomes = await out.attempt({U: to(server)})
        assert said(outcomes[U]) == expected
        assert outcomes[U].next_hop == "127.0.0.1"
        answer = next(iter(replies.values()))
        assert outcomes[U].is_ours is not str(outcomes[U].reply).startswith(answer), "a reply is its who gave it"
        assert not outcomes[U].is_our_fault, "it is the host's"


async def test_nobody_listens() -> None:
    async with ScriptedServer() as server, outgoing() as out:
        route = to(server)
        await server.stop()
        heard, finished = await out.through({U: route})
        assert said(heard[U]) == "delayed 450 4.4.1"
        assert said(finished.outcomes[U]) == "delayed 450 4.4.1"
        assert "Connect call failed" not in finished.outcomes[U].reply.text
        again, finished = await out.through({U: route})  # known dead: nothing is asked at RCPT
        assert again == {U: None}
        assert said(finished.outcomes[U]) == "delayed 450 4.4.1"
        assert "a moment ago" in finished.outcomes[U].reply.text


@pytest.mark.parametrize(
    "replies",
    [
        {"banner": "554 5.7.1 Go away"},
        *({step: said} for step in ("banner", "ehlo", "mail", "rcpt", "data") for said in ("421 4.3.2 Bye", DROP)),
    ],
)
async def test_the_next_host_is_tried(replies: dict[str, str]) -> None:
    zone = {
        "b.test": {"MX": ("20 two.b.test.", "10 one.b.test.")},
        "one.b.test": {"A": ("127.0.0.1",)},
        "two.b.test": {"A": ("127.0.0.2",)},
    }
    async with ScriptedServer(Script(replies=replies)) as one, outgoing(zone) as out:
        two = ScriptedServer(host="127.0.0.2")
        two.port = one.port
        async with two:
            outcomes = await out.attempt({U: Route(port=one.port)})
            assert said(outcomes[U]) == "delivered 250 2.0.0"
            assert outcomes[U].next_hop == "two.b.test"
            assert one.connections_count >= 1


@pytest.mark.parametrize("is_through", [True, False])
@pytest.mark.parametrize(
    ("zone", "route", "expected"),
    [
        ({"b.test": {"MX": ("10 alias.test.",)}}, Route(), "failed 554 5.4.6"),
        ({"b.test": {"MX": ("10 alias.test.", "20 down.test.")}}, Route(), "delayed 450 4.4.1"),
        ({"b.test": {"MX": ("10 alias.test.", "20 other.test.")}}, Route(), "delivered 250 2.0.0"),
        ({}, Route(hosts=("alias.test",)), "delivered 250 2.0.0"),
    ],
)
async def test_a_host_that_gives_itself_our_name_is_ourselves(
    zone: Zone, route: Route, expected: str, is_through: bool
) -> None:
    """However DNS leads there: by an alias, by our address; what a route names is a neighbour with our name."""
    hosts: Zone = {
        "alias.test": {"A": ("127.0.0.1",)},
        "other.test": {"A": ("127.0.0.2",)},
        "down.test": {"A": ("127.0.0.3",)},
    }
    ours = Script(replies={"ehlo": "250 us.test"})
    async with ScriptedServer(ours) as us, outgoing(hosts | zone) as out:
        other = ScriptedServer(host="127.0.0.2")
        other.port = us.port
        async with other:
            routes = {U: replace(route, port=us.port, tls=TlsLevel.NONE)}
            for _ in range(3):  # it is said every time: we are not left alone for it
                outcomes = (await out.through(routes))[1].outcomes if is_through else await out.attempt(routes)
                assert said(outcomes[U]) == expected
            assert bool(us.messages) is bool(route.hosts)


async def test_a_lost_final_dot_is_not_tried_elsewhere() -> None:
    zone = {"b.test": {"MX": ("10 one.b.test.",)}, "one.b.test": {"A": ("127.0.0.1", "127.0.0.2")}}
    async with ScriptedServer(Script(replies={"dot": DROP})) as one, outgoing(zone) as out:
        two = ScriptedServer(Script(replies={"dot": DROP}), host="127.0.0.2")
        two.port = one.port
        async with two:
            outcomes = await out.attempt({U: Route(port=one.port)})
            assert outcomes[U].result is Result.UNKNOWN
            assert len(one.messages) + len(two.messages) == 1


@pytest.mark.parametrize("is_through", [True, False], ids=["through", "redelivery"])
async def test_a_stale_connection_is_replaced(is_through: bool) -> None:
    async with ScriptedServer(Script(replies={"mail": ("250 ok", DROP, "250 ok")})) as server, outgoing() as out:
        await out.through({U: to(server)})
        if is_through:
            _, finished = await out.through({V: to(server)})
            outcomes = finished.outcomes
        else:
            outcomes = await out.attempt({V: to(server)})
        assert said(outcomes[V]) == "delivered 250 2.0.0"
        assert (server.connections_count, len(server.messages)) == (2, 2)


async def test_a_connection_lost_between_rcpt_and_data_is_replaced() -> None:
    async with ScriptedServer(Script(replies={"data": (DROP, "354 go")})) as server, outgoing() as out:
        heard, finished = await out.through({U: to(server), V: to(server)})
        assert heard == {U: None, V: None}
        assert {said(outcome) for outcome in finished.outcomes.values()} == {"delivered 250 2.0.0"}
        assert [message.recipients for message in server.messages] == [(U, V)]


async def test_a_connection_closed_between_two_recipients_is_replaced() -> None:
    script = Script(recipients={U: "550 5.1.1 no\n421 4.3.2 bye"})
    async with ScriptedServer(script) as server, outgoing() as out:
        transaction = out.open()
        assert said(await transaction.recipient(U, to(server))) == "failed 550 5.1.1"
        await until(lambda: server.open_count == 0)
        async with asyncio.timeout(WAIT_SECONDS):
            assert await transaction.recipient(V, to(server)) is None
        assert said((await transaction.finish(CONTENT, 20)).outcomes[V]) == "delivered 250 2.0.0"


async def test_several_next_hops_are_sent_to_at_once() -> None:
    async with (
        ScriptedServer() as one,
        ScriptedServer(Script(replies={"dot": HANG})) as two,
        ScriptedServer(Script(replies={"dot": "554 5.7.1 Spam"})) as three,
        outgoing(timeouts=replace(TIMEOUTS, dot_seconds=2)) as out,
    ):
        _, finished = await out.through({U: to(one), V: to(two), W: to(three)}, deadline_seconds=1)
        assert {a: said(o) for a, o in finished.outcomes.items()} == {U: "delivered 250 2.0.0", W: "failed 554 5.7.1"}
        assert set(finished.pending) == {V}
        assert said(await finished.pending[V]) == "unknown 450 4.4.2"
        assert len(two.messages) == 1


async def test_a_host_that_is_down_and_one_that_does_not_exist_are_no_reason_to_bounce() -> None:
    zone = {"b.test": {"MX": ("10 down.test.", "20 gone.test.")}, "down.test": {"A": ("127.0.0.1",)}}
    async with ScriptedServer() as server, outgoing(zone) as out:
        await server.stop()
        assert said((await out.attempt({U: Route(port=server.port)}))[U]) == "delayed 450 4.4.1"


@pytest.mark.parametrize("is_through", [True, False])
async def test_nor_are_one_that_does_not_exist_and_one_that_did_not_answer_a_moment_ago(is_through: bool) -> None:
    zone = {"b.test": {"MX": ("10 gone.test.", "20 down.test.")}, "down.test": {"A": ("127.0.0.1",)}}
    async with ScriptedServer() as server, outgoing(zone) as out:
        await server.stop()
        routes = {U: Route(port=server.port)}
        for _ in range(2):
            outcomes = (await out.through(routes))[1].outcomes if is_through else await out.attempt(routes)
            assert said(outcomes[U]) == "delayed 450 4.4.1"
        assert "a moment ago" in outcomes[U].reply.text


async def test_nor_are_one_that_does_not_exist_and_one_whose_places_are_taken() -> None:
    zone = {"b.test": {"MX": ("10 gone.test.", "20 busy.test.")}, "busy.test": {"A": ("127.0.0.1",)}}
    limits = PoolLimits(PaceLimits(connections_max=1))
    async with ScriptedServer() as server, outgoing(zone, pool_limits=limits) as out:
        route = Route(port=server.port)
        first, second = out.open(), out.open()
        assert await first.recipient(U, route) is None
        assert await second.recipient(U, route) is None, "it is asked for with the content"
        for transaction in (first, second):
            assert said((await transaction.finish(CONTENT, 20)).outcomes[U]) == "delivered 250 2.0.0"


@pytest.mark.parametrize("size_octets", [10, 600_000])
async def test_may_finish_is_asked_right_before_the_dot(size_octets: int) -> None:
    content = b"Subject: x\r\n\r\n" + b"y\r\n" * (size_octets // 3)
    asked: list[int] = []
    async with ScriptedServer() as server, outgoing() as out:

        async def may_finish(recipients: Collection[str]) -> bool:
            assert tuple(recipients) == (U,)
            asked.append(len(server.messages))
            return len(asked) > 1

        refused = await out.attempt({U: to(server)}, content, may_finish)
        assert said(refused[U]) == "delayed 451 4.3.2"
        assert server.messages == []
        await until(lambda: server.open_count == 0)
        taken = await out.attempt({U: to(server)}, content, may_finish)
        assert said(taken[U]) == "delivered 250 2.0.0"
        assert server.messages[0].content == content
        assert asked == [0, 0]


async def test_a_dot_that_may_not_be_sent_at_one_hop_is_sent_at_another() -> None:
    async with ScriptedServer() as one, ScriptedServer() as other, outgoing() as out:

        async def may_finish(recipients: Collection[str]) -> bool:
            return U in recipients

        outcomes = await out.attempt({U: to(one), W: to(other)}, CONTENT, may_finish)
        assert {a: said(o) for a, o in outcomes.items()} == {U: "delivered 250 2.0.0", W: "delayed 451 4.3.2"}
        assert (len(one.messages), other.messages) == (1, [])


async def test_a_fault_of_ours_costs_a_retry_and_no_connection() -> None:
    async with ScriptedServer() as server, outgoing() as out:

        async def may_finish(recipients: Collection[str]) -> bool:
            raise RuntimeError("bug")

        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: None)
        outcomes = await out.attempt({U: to(server)}, CONTENT, may_finish)
        assert outcomes[U].result is Result.DELAYED
        assert server.messages == []
        await until(lambda: server.open_count == 0)


async def test_many_sessions_share_few_connections() -> None:
    pool_limits = PoolLimits(PaceLimits(connections_max=4))
    async with ScriptedServer() as server, outgoing(pool_limits=pool_limits) as out:

        async def session(out: Outgoing) -> str:
            _, finished = await out.through({U: to(server)})
            return said(finished.outcomes[U])

        results = await asyncio.gather(*(session(out) for _ in range(60)))
        assert set(results) == {"delivered 250 2.0.0"}
        assert server.open_count_max <= 4
        assert len(server.messages) == 60


@pytest.mark.parametrize("is_queued", [True, False])
async def test_a_path_that_names_the_recipient_takes_it_there_by_itself(is_queued: bool) -> None:
    script = Script(recipients={V: "550 5.1.1 No such user"})
    async with ScriptedServer(script) as server, outgoing() as out:
        long = f"{'w' * 64}@b.test"  # too long to be named
        there = dict.fromkeys((U, V, long), to(server))
        if is_queued:
            outcomes = await out.attempt(there, is_verp=True)
        else:
            transaction = out.open(is_verp=True)
            assert {await transaction.recipient(address, route) for address, route in there.items()} == {None}
            assert server.commands == []
            outcomes = (await transaction.finish(CONTENT, None)).outcomes
        assert said(outcomes[V]) == "failed 550 5.1.1"
        assert {message.recipients: message.mail.split()[1] for message in server.messages} == {
            (U,): "FROM:<x+u=b.test@a.test>",
            (long,): "FROM:<x@a.test>",
        }
