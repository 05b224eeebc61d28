"""A client that has not heard what became of its message comes back with it, and hears it then: delivered once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from mtad.mail.envelope import Envelope
from mtad.mail.memory import Memory, fingerprint_of
from mtad.mail.outcome import Outcome
from mtad.mail.verdict import Verdict
from mtad.server.acknowledged import has_acknowledged
from mtad.spool.door import Changes, Committed, Refusal, Refused
from tests.dialog.coming_back import (
    CONTENT,
    ONE,
    SENDER,
    TAKEN,
    THREE,
    TWO,
    bring,
    bring_by_prdr,
    delivered,
    lose,
    say_all_but_the_reply,
    settled,
)
from tests.dialog.conftest import Build
from tests.dialog.wires import MemoryWire, greeted, reply, say, send_message
from tests.fakes.server_rooms import DELAYED, DELIVERED, FAILED, FakeRooms
from tests.fakes.waiting import until

# --- in doubt -----------------------------------------------------------------------------------------------


def vanish(wire: MemoryWire) -> None:
    wire.transport.lose(ConnectionResetError("reset by the client"))


@pytest.mark.parametrize("leave", [MemoryWire.end, vanish])
async def test_a_client_that_goes_before_the_reply_hears_it_when_it_comes_back(
    build: Build, leave: Callable[[MemoryWire], None]
) -> None:
    house = await build()
    house.rooms.delivery.gate = gate = asyncio.Event()
    wire = await greeted(house.wire())
    assert isinstance(wire, MemoryWire)
    await say_all_but_the_reply(wire)
    leave(wire)
    await until(lambda: house.rooms.memories.all)
    (begun,) = house.rooms.memories.all
    assert begun.outcomes == {ONE: None}, "known on both nodes while the attempt goes on"
    gate.set()
    await wire.close()
    await settled(house)
    assert await bring(house) == TAKEN
    assert delivered(house) == [[ONE]]
    assert [fields["of"] for fields in house.events.named("retry.answered")] == [begun.queue_id]
    assert house.server.acceptance.recall.answered_count == 1


async def test_a_client_that_goes_right_after_its_final_dot_hears_it_when_it_comes_back(build: Build) -> None:
    house = await build()
    house.rooms.delivery.gate = gate = asyncio.Event()
    wire = await greeted(house.wire())
    assert isinstance(wire, MemoryWire)
    for command in (f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{ONE}>", "DATA"):
        await say(wire, command)
    wire.connection.data_received(CONTENT + b"\r\n.\r\n")
    wire.end()  # before the server has looked at any of it
    await until(lambda: house.rooms.memories.all)
    gate.set()
    await wire.close()
    await settled(house)
    assert await bring(house) == TAKEN
    assert delivered(house) == [[ONE]]


async def test_chunks_are_remembered_as_data_is(build: Build) -> None:
    house = await build()
    wire = await greeted(house.wire())
    await say(wire, f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{ONE}>")
    await wire.send(b"BDAT 20\r\n" + CONTENT[:20])
    assert (await reply(wire))[0].startswith("250 ")
    await wire.send(b"BDAT %d LAST\r\n" % (len(CONTENT) + 2 - 20) + CONTENT[20:] + b"\r\n")
    assert await reply(wire) == [TAKEN]
    await wire.close()
    await settled(house)
    assert await bring(house) == TAKEN
    assert delivered(house) == [[ONE]]


async def test_a_client_that_goes_while_policy_decides_is_known_to_have_gone(build: Build) -> None:
    house = await build()
    house.rooms.delivery.gate, is_decided = asyncio.Event(), asyncio.Event()
    decide = house.rooms.policy.data

    async def hesitate(envelope: Envelope, content: bytes) -> Verdict:
        await is_decided.wait()
        return await decide(envelope, content)

    house.rooms.policy.data = hesitate  # type: ignore[method-assign]
    wire = await greeted(house.wire())
    assert isinstance(wire, MemoryWire)
    await say_all_but_the_reply(wire)
    wire.end()
    assert house.rooms.memories.all == [], "nothing can have arrived"
    is_decided.set()
    await until(lambda: house.rooms.memories.all)
    house.rooms.delivery.gate.set()


async def test_a_client_that_goes_without_a_word_after_the_reply_hears_it_again(build: Build) -> None:
    house = await build()
    assert await lose(house) == TAKEN
    assert await lose(house) == TAKEN
    assert delivered(house) == [[ONE]]
    assert len(house.rooms.memories.all) == 1, "a retry that was answered from memory adds nothing to it"
    assert [fields["recipients"] for fields in house.events.named("mail.unheard")] == [1]


async def test_a_client_that_is_silent_for_too_long_has_perhaps_not_heard(build: Build) -> None:
    house = await build()
    wire = await greeted(house.wire())
    await send_message(wire, CONTENT)
    house.rooms.time.advance(301)
    house.server.sweep(house.rooms.time.monotonic)
    await settled(house)
    assert [memory.outcomes for memory in house.rooms.memories.all] == [{ONE: DELIVERED}]


async def test_a_connection_that_is_reset_after_the_reply_leaves_it_in_doubt(build: Build) -> None:
    house = await build()
    wire = await house.socket()
    await greeted(wire)
    await send_message(wire, CONTENT)
    wire.reset()
    await settled(house)
    assert [memory.outcomes for memory in house.rooms.memories.all] == [{ONE: DELIVERED}]


# --- not in doubt -------------------------------------------------------------------------------------------


async def test_a_client_that_is_silent_for_too_long_has_heard_what_its_system_has_confirmed(build: Build) -> None:
    house = await build()
    wire = await house.socket()
    await greeted(wire)
    await send_message(wire, CONTENT)
    (connection,) = house.server._connections
    await until(lambda: has_acknowledged(connection._writer.transport))  # a system takes its time for that
    house.rooms.time.advance(301)
    house.server.sweep(house.rooms.time.monotonic)
    assert await reply(wire) == ["421 4.4.2 Timeout, closing connection"]
    await settled(house)
    assert house.rooms.memories.all == []


@pytest.mark.parametrize("word", ["QUIT", "NOOP", "RSET", f"MAIL FROM:<{SENDER}>", "NONSENSE"])
async def test_a_client_that_goes_on_has_heard_and_the_same_message_is_another(build: Build, word: str) -> None:
    house = await build()
    for _ in range(2):
        wire = await greeted(house.wire())
        assert await send_message(wire, CONTENT) == TAKEN
        await say(wire, word)
        await wire.close()
    await settled(house)
    assert house.rooms.memories.all == []
    assert delivered(house) == [[ONE], [ONE]]


async def test_a_client_that_ends_the_connection_in_order_after_the_reply_has_heard_it(build: Build) -> None:
    """Some take no leave; what they send again then is another message, be it the same in every octet."""
    house = await build()
    for _ in range(2):
        wire = await house.socket()
        await greeted(wire)
        assert await send_message(wire, CONTENT) == TAKEN
        await wire.close()
        await settled(house)
    assert house.rooms.memories.all == []
    assert delivered(house) == [[ONE], [ONE]]


async def test_a_client_that_took_leave_ahead_of_the_reply_was_there_to_hear_it(build: Build) -> None:
    house = await build()
    wire = await greeted(house.wire())
    await say_all_but_the_reply(wire, ahead=b"QUIT\r\n")
    assert await reply(wire) == [TAKEN]
    await settled(house)
    assert house.rooms.memories.all == []


async def test_a_client_that_took_leave_ahead_and_was_gone_before_the_reply_was_not(build: Build) -> None:
    house = await build()
    house.rooms.delivery.gate = asyncio.Event()
    wire = await greeted(house.wire())
    assert isinstance(wire, MemoryWire)
    await say_all_but_the_reply(wire, ahead=b"QUIT\r\n")
    wire.end()
    house.rooms.delivery.gate.set()
    await wire.close()
    await settled(house)
    assert len(house.rooms.memories.all) == 1


@pytest.mark.parametrize("is_answered", [True, False])
async def test_a_server_that_closes_leaves_nobody_in_doubt(build: Build, is_answered: bool) -> None:
    house = await build()
    house.rooms.delivery.gate = gate = asyncio.Event()
    wire = await greeted(house.wire())
    await say_all_but_the_reply(wire)
    asyncio.get_running_loop().call_later(0 if is_answered else 0.05, gate.set)
    if is_answered:
        assert await reply(wire) == [TAKEN]
    await house.server.stop(1)
    assert gate.is_set()
    assert house.rooms.memories.all == []
    assert len(delivered(house)) == 1


@pytest.mark.parametrize("outcome", [DELAYED, FAILED])
async def test_a_refusal_need_not_be_heard(build: Build, outcome: object) -> None:
    rooms = FakeRooms()
    rooms.delivery.at_end[ONE] = outcome  # type: ignore[assignment]
    house = await build(rooms)
    await lose(house)
    rooms.delivery.at_end.clear()
    assert house.rooms.memories.all == []
    assert await bring(house) == TAKEN


async def test_an_attempt_that_came_to_nothing_is_forgotten(build: Build) -> None:
    rooms = FakeRooms()
    rooms.delivery.at_end[ONE] = DELAYED
    rooms.delivery.gate = asyncio.Event()
    house = await build(rooms)
    wire = await greeted(house.wire())
    assert isinstance(wire, MemoryWire)
    await say_all_but_the_reply(wire)
    wire.end()
    await until(lambda: rooms.memories.all)
    rooms.delivery.gate.set()
    await wire.close()
    await settled(house)
    assert rooms.memories.all == []


async def test_what_policy_drops_is_not_remembered(build: Build) -> None:
    rooms = FakeRooms()
    rooms.policy.verdicts["data"] = Verdict(is_discarded=True)
    house = await build(rooms)
    await lose(house)
    assert rooms.memories.all == []


# --- several recipients -------------------------------------------------------------------------------------


async def test_whoever_has_it_is_left_out_and_the_others_get_it(build: Build) -> None:
    house = await build()
    await lose(house, ONE, TWO)
    assert await lose(house, TWO, THREE) == TAKEN
    assert delivered(house) == [[ONE, TWO], [THREE]]
    remembered = [set(memory.outcomes) for memory in house.rooms.memories.all]
    assert remembered == [{ONE, TWO}, {THREE}], "each delivery once"
    assert await bring(house, CONTENT, ONE, TWO, THREE) == TAKEN
    assert len(delivered(house)) == 2


async def test_what_the_queue_has_is_not_queued_again(build: Build) -> None:
    rooms = FakeRooms()
    rooms.policy.dispositions[TWO] = replace(rooms.policy.disposition, queue_at_once=True)
    house = await build(rooms)
    queued = await lose(house, ONE, TWO)
    (queue_id,) = rooms.door.messages
    assert queued == f"250 2.0.0 Ok: queued as {queue_id} (2 copies)"
    said = await bring(house, CONTENT, ONE, TWO)
    assert said.startswith("250 2.0.0 Ok: delivered (")
    assert f"mx.here.example: {queued}" in said
    assert (list(rooms.door.messages), delivered(house)) == ([queue_id], [[ONE]])


async def test_whoever_has_it_is_not_queued_though_the_next_hop_says_later_now(build: Build) -> None:
    rooms = FakeRooms()
    rooms.policy.dispositions[ONE] = replace(rooms.policy.disposition, queue_on_transient=True)
    house = await build(rooms)
    await lose(house)
    rooms.delivery.at_rcpt[ONE] = DELAYED
    assert await bring(house) == TAKEN
    assert rooms.door.messages == {}


async def test_the_sender_is_told_once_of_a_recipient_that_was_refused(build: Build) -> None:
    rooms = FakeRooms()
    rooms.delivery.at_end[TWO] = FAILED
    rooms.policy.verdicts["connect"] = Verdict(is_trusted=True)
    house = await build(rooms)
    assert (await lose(house, ONE, TWO)).startswith("250")
    (dsn,) = rooms.door.messages.values()
    assert (await bring(house, CONTENT, ONE, TWO)).startswith("250")
    assert (await bring(house, CONTENT, TWO, THREE)).startswith("250")
    assert list(rooms.door.messages.values()) == [dsn]
    assert delivered(house) == [[ONE, TWO], [THREE]]


async def test_who_hears_each_recipients_own_reply_hears_it_again(build: Build) -> None:
    rooms = FakeRooms()
    rooms.delivery.at_end[TWO] = DELAYED
    house = await build(rooms)
    wire = await greeted(house.wire())
    first = await bring_by_prdr(wire)
    assert [line[:3] for line in first] == ["250", "450", "250"]
    await wire.close()
    await settled(house)
    (memory,) = rooms.memories.all
    assert (len(memory.settled), memory.outcomes[ONE]) == (1, DELIVERED), "the other is the client's"
    rooms.delivery.at_end.clear()
    wire = await greeted(house.wire())
    assert await bring_by_prdr(wire) == [TAKEN]
    await say(wire, "QUIT")
    assert delivered(house) == [[ONE, TWO], [TWO]]


async def test_who_has_heard_each_reply_is_not_remembered(build: Build) -> None:
    rooms = FakeRooms()
    rooms.delivery.at_end[TWO] = DELAYED
    rooms.door.answer = Refused(Refusal.FULL)
    house = await build(rooms)
    wire = await greeted(house.wire())
    await bring_by_prdr(wire)
    await say(wire, "QUIT")
    await settled(house)
    assert rooms.memories.all == []


# --- refused, though some have it ---------------------------------------------------------------------------


async def test_when_the_rest_cannot_be_kept_whoever_has_it_does_not_get_it_again(build: Build) -> None:
    rooms = FakeRooms()
    rooms.delivery.at_end[TWO] = DELAYED
    rooms.door.answer = Refused(Refusal.FULL)
    house = await build(rooms)
    assert (await bring(house, CONTENT, ONE, TWO)).startswith("452 4.3.1")
    await settled(house)
    rooms.delivery.at_end.clear()
    assert await bring(house, CONTENT, ONE, TWO) == TAKEN
    assert delivered(house) == [[ONE, TWO], [TWO]]


@pytest.mark.parametrize(("late", "attempts"), [(DELIVERED, [[ONE]]), (DELAYED, [[ONE], [ONE]])])
async def test_what_ends_after_a_refusal_is_not_repeated(
    build: Build, late: Outcome, attempts: list[list[str]]
) -> None:
    rooms = FakeRooms()
    rooms.delivery.pending[ONE] = asyncio.get_running_loop().create_future()
    rooms.door.answer = Refused(Refusal.FULL)
    house = await build(rooms)
    assert (await bring(house)).startswith("452 4.3.1")
    await until(lambda: rooms.memories.all)
    rooms.time.advance(600)
    assert (await bring(house)).startswith("451 4.3.2"), "the first attempt goes on"
    rooms.delivery.pending.pop(ONE).set_result(late)
    await settled(house)
    assert await bring(house) == TAKEN
    assert delivered(house) == attempts


async def test_a_fault_of_ours_repeats_no_delivery(build: Build) -> None:
    rooms = FakeRooms()
    rooms.delivery.at_end[TWO] = DELAYED
    house = await build(rooms)

    async def fails(changes: Changes, *, is_accepting: bool) -> Committed:
        raise RuntimeError("secret of the queue")

    rooms.door.commit, commit = fails, rooms.door.commit  # type: ignore[method-assign]
    assert (await bring(house, CONTENT, ONE, TWO)).startswith("451 4.3.0")
    await settled(house)
    rooms.door.commit = commit  # type: ignore[method-assign]
    assert (await bring(house, CONTENT, ONE, TWO)).startswith("250")
    assert [sorted(recipients) for recipients in delivered(house)] == [[ONE, TWO], [TWO]]


# --- what is not known --------------------------------------------------------------------------------------


def going_on(rooms: FakeRooms, *, until_seconds: float) -> Memory:
    """Return what another node remembers of an attempt that it has begun."""
    wall_ms = rooms.time.clock().wall_ms()
    fingerprint = fingerprint_of(SENDER, CONTENT + b"\r\n")
    return Memory("01JD4Z8Q6K100000", fingerprint, wall_ms, {ONE: None}, wall_ms + int(until_seconds * 1000))


async def test_what_is_being_delivered_still_is_not_begun_again(build: Build) -> None:
    rooms = FakeRooms()
    rooms.memories.keep(going_on(rooms, until_seconds=5))
    house = await build(rooms)
    said = await bring(house)
    assert said == "451 4.3.2 This message is being delivered already, try again later"
    assert delivered(house) == []
    assert [through.is_aborted for through in rooms.delivery.opened] == [True]
    assert await bring(house, CONTENT, TWO) == TAKEN, "nobody else has to wait for it"


async def test_an_attempt_of_which_nobody_told_the_end_is_made_again_and_counted(build: Build) -> None:
    rooms = FakeRooms()
    rooms.memories.keep(going_on(rooms, until_seconds=5))
    house = await build(rooms)
    rooms.time.advance(6)
    assert await bring(house) == TAKEN
    assert [fields["of"] for fields in house.events.named("retry.in_doubt")] == ["01JD4Z8Q6K100000"]
    assert house.server.acceptance.recall.in_doubt_count == 1
    assert house.events.named("retry.answered") == []


async def test_unknown_is_not_no(build: Build) -> None:
    house = await build()
    await lose(house)
    house.rooms.memories.can_tell = False
    assert (await bring(house)).startswith("451 4.3.0")
    house.rooms.memories.can_tell = True
    assert await bring(house) == TAKEN
    assert len(delivered(house)) == 1


async def test_what_cannot_be_remembered_costs_a_second_delivery_and_no_more(build: Build) -> None:
    rooms = FakeRooms()
    rooms.memories.may_remember = False
    house = await build(rooms)
    await lose(house)
    assert await bring(house) == TAKEN
    assert len(delivered(house)) == 2
