"""Sessions: their number, their time, the transaction that is never half forgotten, the end of the server."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from mtad.mail.envelope import Client
from mtad.mail.outcome import Outcome, Success
from mtad.mail.verdict import Verdict
from mtad.server import background
from mtad.server.limits import Limits
from mtad.server.listener import Server
from mtad.server.session import VERBS, Session
from mtad.server.step import Step
from mtad.server.verb import Verb
from mtad.spool.door import Rank, Refusal, Refused
from tests.dialog.conftest import Build, House
from tests.dialog.wires import MemoryWire, greeted, reply, say, send_message
from tests.fakes.server_rooms import DELAYED, DELIVERED, FAILED, FakePolicy, FakeRooms
from tests.fakes.waiting import until

ENVELOPE = ("MAIL FROM:<sender@client.example>", "RCPT TO:<one@example.net>", "DATA")


class TestNumber:
    async def test_of_all_sessions(self, build: Build) -> None:
        house = await build(limits=Limits(sessions_max=2))
        first, second = house.wire("192.0.2.1"), house.wire("192.0.2.2")
        await greeted(first)
        await greeted(second)
        third = house.wire("192.0.2.3")
        assert await reply(third) == ["421 4.3.2 Too many sessions, try again later"]
        assert await third.line() == b""
        assert house.server.sessions_count == 2
        await first.close()
        await greeted(house.wire("192.0.2.3"))

    async def test_of_one_clients_sessions(self, build: Build) -> None:
        house = await build(limits=Limits(sessions_per_client_max=1))
        first = house.wire("192.0.2.1")
        await greeted(first)
        assert await reply(house.wire("192.0.2.1")) == [
            "421 4.7.0 Too many sessions from your network, try again later"
        ]
        await greeted(house.wire("192.0.2.2"))
        await first.close()
        await greeted(house.wire("192.0.2.1"))

    async def test_forgets_clients_that_have_left(self, build: Build) -> None:
        house = await build()
        for number in range(10):
            wire = house.wire(f"192.0.2.{number}")
            await greeted(wire)
            await wire.close()
        assert house.server._clients.networks_count == 0

    async def test_counts_off_who_connected_whoever_the_session_speaks_of(self, build: Build) -> None:
        """A proxy may tell whom it speaks for; the connection is still its own."""
        house = await build(limits=Limits(sessions_per_client_max=1))
        wire = await greeted(house.wire("192.0.2.1"))
        wire.connection.conversation = wire.connection.conversation.anew(Client("198.51.100.7", 1))
        assert (await say(wire, "MAIL FROM:<a@client.example>"))[0].startswith("503 "), "EHLO comes first again"
        await say(wire, "EHLO other.example")
        assert house.rooms.policy.asked[-1] == "ehlo other.example"
        await wire.close()
        assert (house.server.sessions_count, house.server._clients.networks_count) == (0, 0)


class TestPolicy:
    async def test_is_to_the_sessions_end_the_one_that_it_began_with(self, build: Build) -> None:
        house = await build()
        wire = await greeted(house.wire())
        began, house.rooms.policy = house.rooms.policy, FakePolicy()
        await say(wire, *ENVELOPE)
        await wire.send(b"x\r\n.\r\n")
        assert (await reply(wire))[0].startswith("250 ")
        mail, rcpt = "mail sender@client.example", "rcpt one@example.net"
        assert began.asked == ["connect", "ehlo client.example", mail, rcpt, "data"]
        assert house.rooms.policy.asked == []
        await greeted(house.wire())
        assert house.rooms.policy.asked == ["connect", "ehlo client.example"]

    async def test_gives_a_message_another_reverse_path(self, build: Build) -> None:
        rooms = FakeRooms()
        rooms.policy.verdicts["mail"] = Verdict(reverse_path="bounces@here.example")
        house = await build(rooms)
        wire = await greeted(house.wire())
        assert (await send_message(wire, b"x")).startswith("250 ")
        assert [through.mail.reverse_path for through in rooms.delivery.opened] == ["bounces@here.example"]
        assert house.events.named("mail.accepted")[0]["sender"] == "bounces@here.example"


class TestTime:
    async def test_of_a_command(self, build: Build) -> None:
        house = await build()
        wire = await greeted(house.wire())
        await say(wire, *ENVELOPE[:2])
        house.rooms.time.advance(299)
        house.server.sweep(house.rooms.time.monotonic)
        await wire.send(b"NOOP")  # octets do not prolong it, a line does
        house.rooms.time.advance(1)
        house.server.sweep(house.rooms.time.monotonic)
        assert await reply(wire) == ["421 4.4.2 Timeout, closing connection"]
        assert await wire.line() == b""
        await wire.connection.ended(is_cancelled=False)
        assert house.rooms.delivery.opened[0].is_aborted
        assert len(house.events.named("session.timeout")) == 1

    async def test_begins_anew_with_each_command(self, build: Build) -> None:
        house = await build()
        wire = await greeted(house.wire())
        for _ in range(3):
            house.rooms.time.advance(299)
            house.server.sweep(house.rooms.time.monotonic)
            assert await say(wire, "NOOP") == ["250 2.0.0 Ok"]

    async def test_of_a_block_of_data(self, build: Build) -> None:
        house = await build()
        wire = await greeted(house.wire())
        await say(wire, *ENVELOPE)
        for _ in range(3):
            await wire.send(b"x")
            house.rooms.time.advance(179)
            house.server.sweep(house.rooms.time.monotonic)
            assert house.server.sessions_count == 1
        house.rooms.time.advance(1)
        house.server.sweep(house.rooms.time.monotonic)
        assert (await reply(wire))[0].startswith("421 4.4.2")
        await wire.connection.ended(is_cancelled=False)
        assert house.rooms.delivery.opened[0].is_aborted

    async def test_of_all_the_data(self, build: Build) -> None:
        house = await build()
        wire = await greeted(house.wire())
        await say(wire, *ENVELOPE)
        for _ in range(36):
            house.server.sweep(house.rooms.time.monotonic)
            assert house.server.sessions_count == 1
            house.rooms.time.advance(100)
            await wire.send((b"x" * 98 + b"\r\n") * 400)
        house.server.sweep(house.rooms.time.monotonic)
        assert (await reply(wire))[0].startswith("421 4.4.2")

    async def test_of_data_that_comes_in_drops(self, build: Build) -> None:
        """One octet now and then is no message; ten minutes of it are enough."""
        house = await build()
        wire = await greeted(house.wire())
        await say(wire, *ENVELOPE)
        for _ in range(6):
            house.server.sweep(house.rooms.time.monotonic)
            assert house.server.sessions_count == 1
            await wire.send(b"x")
            house.rooms.time.advance(100)
        house.rooms.time.advance(1)
        house.server.sweep(house.rooms.time.monotonic)
        assert (await reply(wire))[0].startswith("421 4.4.2")

    async def test_of_chunks_that_come_in_drops(self, build: Build) -> None:
        house = await build()
        wire = await greeted(house.wire())
        await say(wire, *ENVELOPE[:2])
        for number in range(6):
            house.server.sweep(house.rooms.time.monotonic)
            await (wire.send(b"x") if number % 2 else wire.send(b"BDAT 2\r\nx"))
            assert not number % 2 or await reply(wire) == ["250 2.0.0 2 octets received"]
            house.rooms.time.advance(100)
        await wire.send(b"BDAT 2\r\n")
        house.rooms.time.advance(1)
        house.server.sweep(house.rooms.time.monotonic)
        assert (await reply(wire))[0].startswith("421 4.4.2")

    async def test_of_a_session_that_brings_no_message(self, build: Build) -> None:
        """Whatever it says: an hour after the greeting, or after the last message, it ends."""
        house = await build()
        wire = await greeted(house.wire())
        for _ in range(14):
            house.rooms.time.advance(250)
            house.server.sweep(house.rooms.time.monotonic)
            assert await say(wire, "NOOP") == ["250 2.0.0 Ok"]
        assert (await send_message(wire, b"text")).startswith("250")
        for _ in range(14):
            house.rooms.time.advance(250)
            house.server.sweep(house.rooms.time.monotonic)
            assert await say(wire, "NOOP") == ["250 2.0.0 Ok"]
        house.rooms.time.advance(100)
        house.server.sweep(house.rooms.time.monotonic)
        assert await reply(wire) == ["421 4.4.2 Timeout, closing connection"]

    async def test_is_short_for_the_silent_where_sessions_are_many(self, build: Build) -> None:
        rooms = FakeRooms()
        rooms.delivery.gate = asyncio.Event()
        house = await build(rooms, Limits(sessions_max=10))
        busy = await greeted(house.wire())
        await say(busy, *ENVELOPE)
        await busy.send(b"text\r\n.\r\n")
        silent = [await greeted(house.wire()) for _ in range(7)]
        house.rooms.time.advance(100)
        house.server.sweep(house.rooms.time.monotonic)
        assert house.server.sessions_count == 8
        late = await greeted(house.wire())
        await late.send(b"NO")
        house.server.sweep(house.rooms.time.monotonic)
        for wire in silent:
            assert await reply(wire) == ["421 4.4.2 Timeout, closing connection"]
            await wire.connection.ended(is_cancelled=False)
        house.rooms.time.advance(100)
        house.server.sweep(house.rooms.time.monotonic)
        assert house.server.sessions_count == 2  # few again: nobody is hurried

    async def test_of_our_own_work(self, build: Build) -> None:
        """After ten minutes no client waits any more; the delivery goes on to its end."""
        rooms = FakeRooms()
        rooms.delivery.gate = asyncio.Event()
        house = await build(rooms)
        wire = await greeted(house.wire())
        await say(wire, *ENVELOPE)
        await wire.send(b"text\r\n.\r\n")
        house.rooms.time.advance(599)
        house.server.sweep(house.rooms.time.monotonic)
        assert not wire.transport.is_closing()
        house.rooms.time.advance(1)
        house.server.sweep(house.rooms.time.monotonic)
        assert wire.transport.is_closing()
        rooms.delivery.gate.set()
        await wire.connection.ended(is_cancelled=False)
        assert len(rooms.delivery.contents) == 1


async def forgets_all(wire: MemoryWire, forget: str) -> None:
    """Check that nothing of a transaction is left after a command that ends it."""
    await say(wire, *ENVELOPE[:2], forget)
    assert wire.connection.conversation.transaction is None
    assert (await say(wire, "DATA"))[0].startswith("503 ")
    assert (await say(wire, "MAIL FROM:<other@client.example>"))[0].startswith("250 ")
    assert (await say(wire, "DATA"))[0].startswith("554 5.5.1")
    assert (await say(wire, "RCPT TO:<two@example.net>", "DATA"))[1].startswith("354 ")
    await wire.send(b"text\r\n.\r\n")
    assert (await reply(wire))[0].startswith("250 ")


class TestTransaction:
    @pytest.mark.parametrize("forget", ["RSET", "EHLO again.example", "HELO again.example"])
    async def test_is_forgotten_whole(self, forget: str, build: Build) -> None:
        house = await build()
        wire = house.wire()
        await greeted(wire)
        await forgets_all(wire, forget)
        assert [through.is_aborted for through in house.rooms.delivery.opened] == [True, False]
        assert house.rooms.delivery.opened[1].recipients == ["two@example.net"]

    async def test_a_half_reset_would_be_seen(self, build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
        """The bug planted: an RSET that clears the reverse-path and forgets the recipients."""

        async def half_reset(session: Session, _argument: str) -> Step:
            kept = session.transaction
            assert kept is not None
            session._transaction = replace(kept, envelope=replace(kept.envelope, reverse_path=""))
            return await session.noop("")

        monkeypatch.setitem(VERBS, b"RSET", Verb(half_reset))  # type: ignore[arg-type]
        house = await build()
        wire = house.wire()
        await greeted(wire)
        with pytest.raises(AssertionError):
            await forgets_all(wire, "RSET")

    async def test_is_one_frozen_value(self, build: Build) -> None:
        house = await build()
        wire = house.wire()
        await greeted(wire)
        await say(wire, *ENVELOPE[:2])
        before = wire.connection.conversation.transaction
        assert before is not None
        await say(wire, "RCPT TO:<two@example.net>")
        assert [recipient.address for recipient in before.envelope.recipients] == ["one@example.net"]
        with pytest.raises(AttributeError):
            before.accepted = ()  # type: ignore[misc]


async def with_pending(build: Build, parameters: str = "", **others: Outcome) -> tuple[House, asyncio.Future[Outcome]]:
    """Send a message to one@, whose next hop has not answered at the deadline."""
    rooms = FakeRooms()
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    rooms.delivery.pending["one@example.net"] = future
    rooms.delivery.at_end.update({f"{name}@example.net": outcome for name, outcome in others.items()})
    house = await build(rooms)
    wire = await greeted(house.wire())
    recipients = ("one@example.net", *(f"{name}@example.net" for name in others))
    answer = await send_message(wire, b"text", *recipients, parameters=parameters)
    assert answer.startswith("250 2.0.0 Ok: queued as ")
    return house, future


class TestPending:
    async def test_is_queued_until_its_attempt_has_ended(self, build: Build) -> None:
        house, future = await with_pending(build)
        (message,) = house.rooms.door.messages.values()
        state = message.recipients["one@example.net"]
        assert (state.rank, state.attempts) == (Rank.QUEUED, ())
        assert state.due_ms == message.arrival_ms + 60_000
        assert house.server.octets_in_flight == len(message.content)
        future.set_result(DELIVERED)
        await house.server.acceptance.background.tasks.drained()
        (message,) = house.rooms.door.messages.values()
        assert message.recipients["one@example.net"].rank is Rank.DELIVERED
        assert house.server.octets_in_flight == 0

    async def test_is_left_to_its_attempt_for_as_long_as_that_goes_on(
        self, build: Build, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(background, "PENDING_AGAIN_SECONDS", 0.01)
        house, future = await with_pending(build, two=DELIVERED)
        (message,) = house.rooms.door.messages.values()
        house.rooms.time.advance(50)
        await until(
            lambda: (
                house.rooms.door.messages[message.queue_id].recipients["one@example.net"].due_ms
                == message.arrival_ms + 110_000
            )
        )
        claim = house.rooms.door.messages[message.queue_id].recipients["one@example.net"].claim
        assert claim is not None
        assert (claim.since_ms, claim.until_ms) == (message.arrival_ms, message.arrival_ms + 110_000)
        future.set_result(DELIVERED)
        await house.server.acceptance.background.tasks.drained()
        state = house.rooms.door.messages[message.queue_id].recipients["one@example.net"]
        assert (state.rank, len(state.attempts)) == (Rank.DELIVERED, 1)

    async def test_what_came_late_is_due_as_it_is_to_be_delivered(self, build: Build) -> None:
        house, future = await with_pending(build, parameters=" BY=60;R")
        house.rooms.time.advance(20)
        future.set_result(DELAYED)
        await house.server.acceptance.background.tasks.drained()
        (message,) = house.rooms.door.messages.values()
        assert message.recipients["one@example.net"].due_ms == message.arrival_ms + 60_000

    @pytest.mark.parametrize(("outcome", "rank"), [(DELAYED, Rank.DEFERRED), (FAILED, Rank.FAILED)])
    async def test_records_what_came_late(self, outcome: Outcome, rank: Rank, build: Build) -> None:
        house, future = await with_pending(build, two=DELIVERED)
        house.rooms.time.advance(100)
        future.set_result(outcome)
        await house.server.acceptance.background.tasks.drained()
        message, *reports = house.rooms.door.messages.values()
        state = message.recipients["one@example.net"]
        assert state.rank is rank
        assert state.attempts[0].outcome is outcome
        assert state.due_ms == (message.arrival_ms + 400_000 if outcome is DELAYED else 0)
        told = [
            address for report in reports for address in report.recipients
        ]  # we had taken it over: no loss is silent
        assert told == ([message.reverse_path] if outcome is FAILED else [])

    @pytest.mark.parametrize(
        ("outcome", "told"),
        [(replace(DELIVERED, success=Success.RELAYED), "one@example.net relayed"), (FAILED, "one@example.net failed")],
    )
    async def test_is_told_to_the_sender_with_what_came_late(self, outcome: Outcome, told: str, build: Build) -> None:
        rooms = FakeRooms()
        rooms.policy.verdicts["connect"] = Verdict(is_trusted=True)
        future = rooms.delivery.pending["one@example.net"] = asyncio.get_running_loop().create_future()
        house = await build(rooms)
        wire = await greeted(house.wire())
        rcpt = "RCPT TO:<one@example.net> NOTIFY=SUCCESS,FAILURE"
        assert [answer[:3] for answer in await say(wire, "MAIL FROM:<a@client.example>", rcpt, "DATA")][-1] == "354"
        await wire.send(b"text\r\n.\r\n")
        assert (await reply(wire))[0].startswith("250 2.0.0 Ok: queued")
        future.set_result(outcome)
        await house.server.acceptance.background.tasks.drained()
        report = rooms.door.changes[-1].puts[0]
        assert report.content == told.encode()
        assert rooms.door.changes[-1].states[report.dsn_of]["one@example.net"].rank in (Rank.DELIVERED, Rank.FAILED)

    async def test_is_only_logged_when_nothing_was_kept(self, build: Build) -> None:
        rooms = FakeRooms()
        rooms.door.answer = Refused(Refusal.FULL)
        future = rooms.delivery.pending["one@example.net"] = asyncio.get_running_loop().create_future()
        house = await build(rooms)
        wire = await greeted(house.wire())
        assert (await send_message(wire, b"text")).startswith("452 4.3.1")
        future.set_result(DELIVERED)
        await house.server.acceptance.background.tasks.drained()
        assert len(house.events.named("delivery.ended_late")) == 1
        assert len(rooms.door.changes) == 1


class TestStop:
    async def test_closes_those_that_wait_for_nothing(self, build: Build) -> None:
        house = await build()
        wire = await greeted(house.wire())
        await house.server.stop(5)
        assert await reply(wire) == ["421 4.3.2 Server is closing, try again"]
        assert await wire.line() == b""
        assert house.server.sessions_count == 0

    async def test_lets_a_message_come_to_its_end(self, build: Build) -> None:
        rooms = FakeRooms()
        rooms.delivery.gate = asyncio.Event()
        house = await build(rooms)
        wire = await greeted(house.wire())
        await say(wire, *ENVELOPE)
        await wire.send(b"text\r\n.\r\n")
        stopping = asyncio.ensure_future(house.server.stop(5))
        await asyncio.sleep(0)
        rooms.delivery.gate.set()
        assert (await reply(wire))[0].startswith("250 ")
        assert (await reply(wire))[0].startswith("421 4.3.2")
        await stopping

    async def test_cuts_off_what_takes_longer(self, build: Build) -> None:
        rooms = FakeRooms()
        rooms.delivery.gate = asyncio.Event()
        house = await build(rooms)
        wire = await greeted(house.wire())
        await say(wire, *ENVELOPE)
        await wire.send(b"text\r\n.\r\n")
        await house.server.stop(0.01)
        assert house.server.sessions_count == 0
        assert await wire.line() == b""
        assert rooms.door.changes == []

    async def test_takes_no_more_clients(self, build: Build) -> None:
        house = await build()
        await house.server.stop(1)
        with pytest.raises(ConnectionRefusedError):
            await house.socket()


async def test_counts_what_it_does(build: Build) -> None:
    house = await build()
    wire = await greeted(house.wire())
    await send_message(wire, b"text")
    house.rooms.delivery.at_end["one@example.net"] = FAILED
    await send_message(wire, b"text")
    assert isinstance(house.server, Server)
    assert (house.server.sessions_count, house.server.delivered_through_count) == (1, 1)


async def test_a_fault_leaves_no_exception_text(build: Build) -> None:
    rooms = FakeRooms()
    rooms.policy.verdicts["mail"] = RuntimeError("/etc/secret")
    house = await build(rooms)
    wire = await greeted(house.wire())
    (answer,) = await say(wire, "MAIL FROM:<a@client.example>")
    assert "secret" not in answer
    (fault,) = house.events.named("session.fault")
    assert str(fault["ref"]) in answer
    assert "RuntimeError: /etc/secret" in str(fault["traceback"])
