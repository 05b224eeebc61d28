"""Next hops that are busy, senders that flood, and mail with an address and a name of its own, from end to end."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from mtad.delivery.pace import PaceLimits
from mtad.delivery.pool import PoolLimits
from mtad.mail.outcome import Result
from mtad.mail.route import Route, TlsLevel
from tests.fakes.outgoing import CONTENT, Outgoing, outgoing, to
from tests.fakes.scripted_server import Script, ScriptedServer

U = "u@b.test"
ZONE = {
    "b.test": {"MX": ("10 one.test.", "20 two.test.")},
    "one.test": {"A": ("127.0.0.1",)},
    "two.test": {"A": ("127.0.0.2",)},
}


async def delivered(out: Outgoing, route: Route) -> str:
    """Deliver a message while a client waits; return the host that took it."""
    _, finished = await out.through({U: route})
    assert finished.outcomes[U].result is Result.DELIVERED, finished
    return finished.outcomes[U].next_hop


async def test_a_hop_that_is_busy_is_left_alone_and_the_next_one_asked() -> None:
    async with ScriptedServer(Script(replies={"banner": "421 4.3.2 Busy"})) as one, outgoing(ZONE) as out:
        two = ScriptedServer(host="127.0.0.2")
        two.port = one.port
        async with two:
            route = Route(port=one.port, tls=TlsLevel.NONE)
            assert [await delivered(out, route) for _ in range(3)] == ["two.test"] * 3
            assert one.connections_count == 1


async def test_a_hop_that_takes_two_connections_gets_all_mail_over_two() -> None:
    banners = ("220 mx.test", "220 mx.test", "421 4.7.0 Too many connections from you")
    async with ScriptedServer(Script(replies={"banner": banners})) as server, outgoing() as out:
        hosts = await asyncio.gather(*(delivered(out, to(server)) for _ in range(12)))
        assert hosts == [server.host] * 12
        assert len(server.messages) == 12
        assert server.connections_count <= 12, "each was sent away once at most"


async def test_mail_with_an_address_and_a_name_of_its_own_shares_no_connection_with_other_mail() -> None:
    async with ScriptedServer() as server, outgoing() as out:
        plain = to(server)
        other = replace(plain, sources=("127.0.0.9",), helo="nine.test")
        for route in (plain, other, plain, other):
            await delivered(out, route)
        assert server.clients == ["127.0.0.1", "127.0.0.9"]
        assert [line for line in server.commands if line.startswith("EHLO")] == ["EHLO us.test", "EHLO nine.test"]


async def test_a_flood_delays_another_sender_by_few_messages_while_clients_wait() -> None:
    async with ScriptedServer() as server, outgoing(pool_limits=PoolLimits(PaceLimits(connections_max=1))) as out:
        done: list[str] = []

        async def send(sender: str) -> None:
            transaction = out.open(reverse_path=sender)
            await transaction.add(U, to(server))
            await transaction.finish(CONTENT, 20)
            done.append(sender)

        flood = [asyncio.create_task(send("bulk@a.test")) for _ in range(200)]
        while not done:
            await asyncio.sleep(0)
        begun = len(done)
        await send("one@a.test")
        assert len(done) - begun < 5
        await asyncio.gather(*flood)
        assert len(server.messages) == 201
