"""Mail with a time to be delivered by, on its way to next hops that keep to it and others (RFC 2852 §4.1)."""

from __future__ import annotations

import pytest

from mtad.delivery.client_events import Mail
from mtad.delivery.through import Transaction
from mtad.mail.deliver_by import DeliverBy, Late
from mtad.mail.dsn_request import MessageRequest, RecipientRequest
from mtad.mail.outcome import Outcome, Success
from tests.fakes.outgoing import CONTENT, WALL_MS, Outgoing, U, V, outgoing, said, to
from tests.fakes.scripted_server import PLAIN_EXTENSIONS, Script, ScriptedServer

TIMELY = (*PLAIN_EXTENSIONS, "DSN", "DELIVERBY 100")
REPORTING = (*PLAIN_EXTENSIONS, "DSN")


def by(seconds: int, late: Late, *, is_traced: bool = False) -> DeliverBy:
    return DeliverBy(WALL_MS + seconds * 1000, late, is_traced)


def opened(out: Outgoing, when: DeliverBy) -> Transaction:
    return out.delivery.open(Mail("x@a.test", request=MessageRequest(by=when)), trace="t1")


async def sent(out: Outgoing, server: ScriptedServer, when: DeliverBy, *, is_through: bool) -> Outcome:
    """Send one message; return what became of it."""
    transaction = opened(out, when)
    if is_through:
        refused = await transaction.recipient(U, to(server))
        if refused is not None:
            return refused
    else:
        await transaction.add(U, to(server))
    return (await transaction.finish(CONTENT, None)).outcomes[U]


@pytest.mark.parametrize("is_through", [True, False])
@pytest.mark.parametrize(
    ("extensions", "when", "said_by", "success"),
    [
        (TIMELY, by(100, Late.RETURN), "BY=100;R", Success.TOLD),
        (TIMELY, by(600, Late.RETURN, is_traced=True), "BY=600;RT", Success.TRACED),
        (TIMELY, by(-5, Late.NOTIFY), "BY=-5;N", Success.TOLD),
        (REPORTING, by(600, Late.NOTIFY), "", Success.TRACED),
        (PLAIN_EXTENSIONS, by(600, Late.NOTIFY), "", Success.TRACED),
    ],
)
async def test_a_next_hop_is_told_what_is_left_and_who_does_not_keep_to_it_is_reported(
    extensions: tuple[str, ...], when: DeliverBy, said_by: str, success: Success, is_through: bool
) -> None:
    async with ScriptedServer(Script(extensions=extensions)) as server, outgoing() as out:
        outcome = await sent(out, server, when, is_through=is_through)
        assert (said(outcome), outcome.success) == ("delivered 250 2.0.0", success)
        assert server.messages[0].mail.partition(" BY=")[2] == said_by.removeprefix("BY=")


@pytest.mark.parametrize("is_through", [True, False])
@pytest.mark.parametrize(
    ("extensions", "seconds"), [(PLAIN_EXTENSIONS, 600), (TIMELY, 99), (TIMELY, 0), (TIMELY, -600)]
)
async def test_what_must_not_be_late_goes_nowhere_where_it_may_be(
    extensions: tuple[str, ...], seconds: int, is_through: bool
) -> None:
    async with ScriptedServer(Script(extensions=extensions)) as server, outgoing() as out:
        outcome = await sent(out, server, by(seconds, Late.RETURN), is_through=is_through)
        assert (said(outcome), server.messages) == ("failed 554 5.4.7", [])
        assert said(await sent(out, server, by(600, Late.NOTIFY), is_through=True)) == "delivered 250 2.0.0"


@pytest.mark.parametrize(("extensions", "said_by"), [(PLAIN_EXTENSIONS, ""), (TIMELY, "BY=100;RT")])
async def test_lmtp_ends_in_the_mailbox_and_needs_to_know_no_time(extensions: tuple[str, ...], said_by: str) -> None:
    async with ScriptedServer(Script(extensions=extensions, is_lmtp=True)) as server, outgoing() as out:
        outcome = await sent(out, server, by(100, Late.RETURN, is_traced=True), is_through=False)
        assert said(outcome) == "delivered 250 2.0.0"
        assert outcome.success is not Success.TRACED, "delivered is not relayed"
        assert server.messages[0].mail.partition(" BY=")[2] == said_by.removeprefix("BY=")


@pytest.mark.parametrize("is_lmtp", [False, True])
async def test_what_is_late_already_is_nothing_to_ask_a_next_hop_for(is_lmtp: bool) -> None:
    async with ScriptedServer(Script(is_lmtp=is_lmtp)) as server, outgoing() as out:
        assert said(await sent(out, server, by(0, Late.RETURN), is_through=True)) == "failed 554 5.4.7"
        assert server.connections_count == 0


@pytest.mark.parametrize(
    "script", [Script(extensions=TIMELY), Script(extensions=(*PLAIN_EXTENSIONS, "DELIVERBY")), Script(is_lmtp=True)]
)
async def test_time_passes_between_the_recipient_and_the_content(script: Script) -> None:
    now_ms = [WALL_MS]
    async with ScriptedServer(script) as server, outgoing(wall_ms=lambda: now_ms[0]) as out:
        transaction = opened(out, by(600, Late.RETURN))
        assert await transaction.recipient(U, to(server)) is None
        now_ms[0] += 600_000
        assert said((await transaction.finish(CONTENT, None)).outcomes[U]) == "failed 554 5.4.7"
        assert server.messages == []


async def test_a_next_hop_that_was_told_in_time_is_not_left_because_less_is_left_when_the_content_is_there() -> None:
    now_ms = [WALL_MS]
    async with ScriptedServer(Script(extensions=TIMELY)) as server, outgoing(wall_ms=lambda: now_ms[0]) as out:
        transaction = opened(out, by(101, Late.RETURN))
        assert await transaction.recipient(U, to(server)) is None
        now_ms[0] += 2_000  # it wants 100 seconds, and has had them with MAIL
        assert said((await transaction.finish(CONTENT, None)).outcomes[U]) == "delivered 250 2.0.0"
        assert [message.mail.partition(" BY=")[2] for message in server.messages] == ["101;R"]


async def test_each_may_have_a_time_of_its_own() -> None:
    async with ScriptedServer(Script(extensions=TIMELY)) as server, outgoing() as out:
        transaction = opened(out, by(600, Late.NOTIFY))
        await transaction.add(U, to(server))
        await transaction.add(V, to(server), RecipientRequest(by=by(300, Late.RETURN)))
        await transaction.finish(CONTENT, None)
        told = {message.recipients: message.mail.partition(" BY=")[2] for message in server.messages}
        assert told == {(U,): "600;N", (V,): "300;R"}
