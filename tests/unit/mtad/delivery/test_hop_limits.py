"""What a next hop's LIMITS say, and that transactions and connections keep to them (RFC 9422)."""

from __future__ import annotations

import pytest

from mtad.delivery.hop_limits import NO_LIMITS, HopLimits, read_limits
from tests.fakes.outgoing import CONTENT, outgoing, to
from tests.fakes.scripted_server import PLAIN_EXTENSIONS, Script, ScriptedServer

PEOPLE = [f"u{number}@b.test" for number in range(5)]


def limited(text: str) -> Script:
    return Script(extensions=(*PLAIN_EXTENSIONS, f"LIMITS {text}"))


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("", NO_LIMITS),
        ("RCPTMAX=100", HopLimits(recipients_max=100)),
        ("mailmax=1 RcptMax=2 RCPTDOMAINMAX=3", HopLimits(1, 2, 3)),
        ("RCPTMAX=0 MAILMAX=-1 RCPTDOMAINMAX=many", NO_LIMITS),
        ("RCPTMAX=1234567 OTHERMAX=1 RCPTMAX MAILMAX=", NO_LIMITS),
        ("RCPTMAX=999999", HopLimits(recipients_max=999_999)),
    ],
)
def test_read(text: str, limits: HopLimits) -> None:
    assert read_limits(text) == limits


def test_fitting() -> None:
    addresses = ["a@x.test", "b@X.test", "c@y.test", "d@z.test", "e@x.test"]
    assert NO_LIMITS.fitting(addresses, ["f@x.test"]) == addresses
    assert HopLimits(recipients_max=2).fitting(addresses) == ["a@x.test", "b@X.test"]
    assert HopLimits(recipients_max=2).fitting(addresses, ["f@x.test"]) == ["a@x.test"]
    assert HopLimits(recipients_max=2).fitting(addresses, ["f@x.test", "g@x.test"]) == []
    assert HopLimits(domains_max=1).fitting(addresses) == ["a@x.test", "b@X.test", "e@x.test"]
    assert HopLimits(domains_max=2).fitting(addresses, ["f@z.test"]) == ["a@x.test", "b@X.test", "d@z.test", "e@x.test"]


async def test_recipients_from_the_queue_go_in_as_many_transactions_as_it_takes() -> None:
    async with ScriptedServer(limited("RCPTMAX=2")) as server, outgoing() as out:
        outcomes = await out.attempt(dict.fromkeys(PEOPLE, to(server)))
        assert {outcome.reply.code for outcome in outcomes.values()} == {250}
        assert [message.recipients for message in server.messages] == [
            tuple(PEOPLE[:2]),
            tuple(PEOPLE[2:4]),
            tuple(PEOPLE[4:]),
        ]
        assert server.connections_count == 1


async def test_and_as_many_connections() -> None:
    async with ScriptedServer(limited("MAILMAX=2 RCPTMAX=1")) as server, outgoing() as out:
        outcomes = await out.attempt(dict.fromkeys(PEOPLE, to(server)))
        assert {outcome.reply.code for outcome in outcomes.values()} == {250}
        assert (len(server.messages), server.connections_count) == (5, 3)


async def test_what_breaks_the_connection_ends_it_for_all() -> None:
    script = Script(replies={"dot": ("250 ok", "drop")}, extensions=("LIMITS RCPTMAX=2",))
    async with ScriptedServer(script) as server, outgoing() as out:
        outcomes = await out.attempt(dict.fromkeys(PEOPLE, to(server)))
        assert [outcomes[address].result.value for address in PEOPLE] == [
            "delivered",
            "delivered",
            "unknown",
            "unknown",
            "unknown",
        ]


async def test_recipients_that_a_client_names_are_each_asked_for_at_once() -> None:
    async with ScriptedServer(limited("RCPTMAX=2")) as server, outgoing() as out:
        transaction = out.open()
        for count, address in enumerate(PEOPLE, 1):
            assert await transaction.recipient(address, to(server)) is None
            assert sum(command.startswith("RCPT") for command in server.commands) == count
        finished = await transaction.finish(CONTENT, 20)
        assert {outcome.reply.code for outcome in finished.outcomes.values()} == {250}
        assert sorted(len(message.recipients) for message in server.messages) == [1, 2, 2]


async def test_domains_count() -> None:
    people = ("a@b.test", "b@c.test", "c@b.test")
    async with ScriptedServer(limited("RCPTDOMAINMAX=1")) as server, outgoing() as out:
        await out.attempt(dict.fromkeys(people, to(server)))
        await out.through(dict.fromkeys(people, to(server)))
        together = [message.recipients for message in server.messages]
        assert sorted(together) == [("a@b.test", "c@b.test"), ("a@b.test", "c@b.test"), ("b@c.test",), ("b@c.test",)]
