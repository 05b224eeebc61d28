"""A client that has not heard what became of its message comes back with it, and hears it then: delivered once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from mtad.mail.envelope import Envelope
from mtad.mail.memory import Memory, fingerprint_of
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply
from mtad.mail.verdict import Addition, Verdict
from mtad.server.acknowledged import has_acknowledged
from mtad.spool.door import Changes, Committed, Refusal, Refused
from tests.dialog.conftest import Build, House
from tests.dialog.wires import MemoryWire, Wire, greeted, reply, say, send_message
from tests.fakes.server_rooms import DELAYED, DELIVERED, FAILED, FakeRooms
from tests.fakes.waiting import until

CONTENT = b"Message-ID: <1@client.example>\r\nSubject: x\r\n\r\nbody"
OTHER = CONTENT.replace(b"body", b"tody")
TAKEN = "250 2.0.0 Ok: delivered (mx.example.net: 250 2.0.0 Ok, taken)"
ONE, TWO, THREE = "one@example.net", "two@example.net", "three@example.net"
SENDER = "sender@client.example"
HERE, ELSEWHERE = "192.0.2.1", "203.0.113.9"  # whence clients come


async def settled(house: House) -> None:
    """Wait until every connection has ended, and what is to be remembered is."""
    await until(lambda: house.server.sessions_count == 0)
    await house.server.acceptance.remembering.tasks.drained()


async def bring(house: House, content: bytes = CONTENT, *recipients: str, address: str = HERE) -> str:
    """Bring a message as a client does that behaves; return the final reply."""
    wire = await greeted(house.wire(address))
    said = await send_message(wire, content, *recipients)
    await say(wire, "QUIT")
    return said


async def lose(house: House, *recipients: str, content: bytes = CONTENT) -> str:
    """Bring a message, and go without a word after the reply; return it."""
    wire = await greeted(house.wire())
    said = await send_message(wire, content, *recipients)
    await wire.close()
    await settled(house)
    return said


async def say_all_but_the_reply(wire: Wire, ahead: bytes = b"") -> None:
    for command in (f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{ONE}>", "DATA"):
        assert (await say(wire, command))[0][0] in "23"
    await wire.send(CONTENT + b"\r\n.\r\n" + ahead)


def delivered(house: House) -> list[list[str]]:
    """Return who got each message that was delivered."""
    return [through.recipients for through in house.rooms.delivery.opened if through.content is not None]


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


# --- which message is the same ------------------------------------------------------------------------------


async def test_another_content_another_sender_and_another_recipient_are_other_messages(build: Build) -> None:
    house = await build()
    await lose(house)
    await bring(house, OTHER)
    await bring(house, CONTENT, TWO)
    wire = await greeted(house.wire())
    await say(wire, "MAIL FROM:<>", f"RCPT TO:<{ONE}>", "DATA")
    await wire.send(CONTENT + b"\r\n.\r\n")
    await reply(wire)
    await say(wire, "QUIT")
    assert delivered(house) == [[ONE], [ONE], [TWO], [ONE]]
    assert house.events.named("retry.answered") == []


async def test_a_client_that_signs_anew_at_each_attempt_is_known_again(build: Build) -> None:
    house = await build()
    await lose(house, content=b"DKIM-Signature: v=1; t=1;\r\n\tb=abc\r\n" + CONTENT)
    assert await bring(house, b"DKIM-Signature: v=1; t=2;\r\n\tb=xyz\r\n" + CONTENT) == TAKEN
    assert len(delivered(house)) == 1


async def test_policy_is_not_asked_about_what_was_delivered_and_is_about_the_rest(build: Build) -> None:
    house = await build()
    await lose(house)
    house.rooms.policy.verdicts["data"] = Verdict(Reply.of(451, "4.7.1", "Too fast"))
    assert await bring(house) == TAKEN
    assert (await bring(house, CONTENT, ONE, TWO)).startswith("451 4.7.1")


async def test_who_has_it_is_not_refused_when_it_comes_again(build: Build) -> None:
    house = await build()
    await lose(house)
    refusal = Verdict(Reply.of(550, "5.7.1", "Not for them"))
    house.rooms.policy.verdicts["data"] = Verdict(each={ONE: refusal, TWO: refusal})
    assert (await bring(house, CONTENT, ONE, TWO, THREE)).startswith("250 ")
    assert delivered(house) == [[ONE], [THREE]]
    assert [fields["recipient"] for fields in house.events.named("policy.refused")] == [TWO]
    assert house.events.named("dsn.withheld") != []


async def test_a_message_is_known_by_what_its_client_said_whatever_policy_makes_of_it(build: Build) -> None:
    house = await build()
    verdicts = house.rooms.policy.verdicts
    verdicts["mail"] = Verdict(reverse_path="bounce+monday@here.example")
    verdicts[f"rcpt {ONE}"] = verdicts[f"rcpt {TWO}"] = Verdict(recipient="a@new.example")
    await lose(house, ONE, TWO)
    assert [set(memory.outcomes) for memory in house.rooms.memories.all] == [{ONE, TWO}]
    verdicts["mail"] = Verdict(reverse_path="bounce+tuesday@here.example")
    verdicts[f"rcpt {ONE}"] = Verdict(recipient="b@new.example")
    assert await bring(house, CONTENT, ONE, TWO) == TAKEN
    assert delivered(house) == [["a@new.example"]]


async def test_who_gets_it_by_a_name_that_is_new_gets_it(build: Build) -> None:
    house = await build()
    house.rooms.policy.verdicts[f"rcpt {ONE}"] = Verdict(recipient="a@new.example")
    await lose(house, ONE)
    house.rooms.policy.verdicts[f"rcpt {ONE}"] = Verdict(recipient=TWO)
    assert (await bring(house, CONTENT, ONE, TWO)).startswith("250 ")
    assert delivered(house) == [["a@new.example"], [TWO]]


async def test_a_name_that_failed_is_not_taken_for_delivered_by_another_name_of_the_same(build: Build) -> None:
    house = await build()
    house.rooms.delivery.at_end[ONE] = FAILED
    await lose(house, ONE, TWO)
    house.rooms.policy.verdicts["rcpt"] = Verdict(recipient=TWO)
    assert (await bring(house, CONTENT, TWO, ONE)).startswith("550 ")
    assert len(delivered(house)) == 1


async def test_who_is_added_and_got_nothing_gets_it_when_the_client_comes_back(build: Build) -> None:
    house = await build()
    house.rooms.policy.verdicts["data"] = Verdict(added=(Addition(TWO),))
    house.rooms.delivery.at_end[TWO] = DELAYED
    house.rooms.door.answer = Refused(Refusal.FULL)
    assert (await bring(house)).startswith("452 ")
    await settled(house)
    del house.rooms.delivery.at_end[TWO]
    assert (await lose(house)).startswith("250 ")
    assert delivered(house) == [[ONE, TWO], [TWO]]
    house.rooms.policy.verdicts["data"] = Verdict(Reply.of(451, "4.7.1", "Too fast"))
    assert (await bring(house)).startswith("250 ")
    assert len(delivered(house)) == 2


async def test_who_was_added_does_not_answer_for_a_client_that_names_it(build: Build) -> None:
    house = await build()
    house.rooms.policy.verdicts["data"] = Verdict(added=(Addition(TWO),))
    await lose(house)
    del house.rooms.policy.verdicts["data"]
    house.rooms.policy.verdicts[f"rcpt {TWO}"] = Verdict(recipient=THREE)
    await bring(house, CONTENT, TWO)
    assert delivered(house) == [[ONE, TWO], [THREE]]


async def test_who_is_added_to_those_that_come_again_gets_it_once(build: Build) -> None:
    house = await build()
    house.rooms.policy.verdicts["data"] = Verdict(added=(Addition(THREE),))
    house.rooms.delivery.at_end[ONE] = DELAYED
    wire = await greeted(house.wire())
    replies = await bring_by_prdr(wire)
    assert [one[:3] for one in replies] == ["450", "250", "250"]
    await say(wire, "QUIT")
    await settled(house)
    del house.rooms.delivery.at_end[ONE]
    assert (await bring(house, CONTENT, ONE)).startswith("250 ")
    assert delivered(house) == [[ONE, TWO, THREE], [ONE]]


async def test_who_is_added_for_itself_is_not_known_by_whom_its_name_led_to(build: Build) -> None:
    house = await build()
    instead = Verdict(is_discarded=True, added=(Addition(TWO), Addition(ONE)))
    house.rooms.policy.verdicts["data"] = Verdict(each={ONE: instead})
    house.rooms.delivery.at_end[ONE] = DELAYED
    house.rooms.door.answer = Refused(Refusal.FULL)
    assert not (await bring(house)).startswith("250 ")
    await settled(house)
    del house.rooms.delivery.at_end[ONE]
    assert (await bring(house)).startswith("250 ")
    assert [sorted(set(recipients)) for recipients in delivered(house)] == [[ONE, TWO], [ONE]]


@pytest.mark.parametrize(
    "verdict",
    [Verdict(held="suspect", queue_at_once=True), Verdict(each={ONE: Verdict(Reply.of(550, "5.7.1", "Not from you"))})],
)
async def test_what_policy_makes_of_the_content_for_one_client_is_nothing_for_another(
    build: Build, verdict: Verdict
) -> None:
    house = await build()
    house.rooms.policy.verdicts["data"] = verdict
    assert (await lose(house, ONE, TWO)).startswith("250 ")
    del house.rooms.policy.verdicts["data"]
    assert (await bring(house, CONTENT, ONE, TWO)).startswith("250 ")
    assert [ONE in recipients for recipients in delivered(house)][-1:] == [True]


HIDDEN = Addition(TWO, is_hidden=True)


@pytest.mark.parametrize("verdict", [Verdict(added=(HIDDEN,)), Verdict(is_discarded=True, added=(HIDDEN,))])
async def test_a_client_that_comes_back_hears_nothing_of_who_is_hidden(build: Build, verdict: Verdict) -> None:
    house = await build()
    house.rooms.policy.verdicts[f"rcpt {ONE}"] = verdict
    house.rooms.delivery.at_end[TWO] = Outcome(Result.FAILED, Reply.of(550, "5.1.1", f"No {TWO}"), "archive.test")
    first = await lose(house, ONE)
    again = await bring(house, CONTENT, ONE)
    assert house.events.named("retry.answered"), "it is remembered"
    for said in (first, again):
        assert said.startswith("250 ")
        assert TWO not in said
        assert "archive.test" not in said


LEADING_ELSEWHERE = [
    (f"rcpt {ONE}", Verdict(recipient=TWO)),
    ("data", Verdict(is_discarded=True, added=(Addition(TWO),))),
    ("data", Verdict(each={ONE: Verdict(is_discarded=True, added=(Addition(TWO),))})),
]


@pytest.mark.parametrize(("stage", "verdict"), LEADING_ELSEWHERE)
@pytest.mark.parametrize("others", [(), (THREE,)])
async def test_whom_policy_leads_elsewhere_for_one_client_gets_what_another_brings(
    build: Build, stage: str, verdict: Verdict, others: tuple[str, ...]
) -> None:
    house = await build()
    house.rooms.policy.verdicts[stage] = verdict
    assert (await lose(house, ONE, *others)).startswith("250 ")
    del house.rooms.policy.verdicts[stage]
    assert (await bring(house, CONTENT, ONE, address=ELSEWHERE)).startswith("250 ")
    assert delivered(house)[-1] == [ONE]
    assert house.events.named("retry.answered") == []


@pytest.mark.parametrize(("stage", "verdict"), LEADING_ELSEWHERE)
async def test_whom_policy_leads_elsewhere_is_not_sought_there_again_for_the_same_client(
    build: Build, stage: str, verdict: Verdict
) -> None:
    house = await build()
    house.rooms.policy.verdicts[stage] = verdict
    await lose(house)
    passive = FakeRooms()
    passive.memories = house.rooms.memories
    passive.policy.verdicts[stage] = verdict
    other_node = await build(passive)
    assert await bring(other_node) == await bring(house) == TAKEN
    assert [TWO in recipients for recipients in delivered(house)] == [True]
    assert delivered(other_node) == []


async def test_a_client_that_comes_back_from_another_address_is_known_again(build: Build) -> None:
    house = await build()
    await lose(house, ONE, TWO)
    assert await bring(house, CONTENT, ONE, TWO, address=ELSEWHERE) == TAKEN
    assert delivered(house) == [[ONE, TWO]]


async def test_what_was_done_for_one_client_and_what_for_any_is_known_together(build: Build) -> None:
    house = await build()
    house.rooms.policy.verdicts[f"rcpt {ONE}"] = Verdict(recipient=THREE)
    await lose(house, ONE)
    await lose(house, TWO)
    assert await bring(house, CONTENT, ONE, TWO) == TAKEN
    assert delivered(house) == [[THREE], [TWO]]
    house.rooms.memories.can_tell = False
    assert (await bring(house, CONTENT, ONE)).startswith("451 4.3.0")


async def test_a_body_that_looks_like_a_signature_is_a_body(build: Build) -> None:
    house = await build()
    await lose(house, content=b"\r\nDKIM-Signature: one\r\n\r\nend")
    await bring(house, b"\r\nDKIM-Signature: two\r\n\r\nend")
    assert len(delivered(house)) == 2


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


async def bring_by_prdr(wire: Wire) -> list[str]:
    """Bring a message to two recipients that each hear their own reply; return the replies."""
    await say(wire, f"MAIL FROM:<{SENDER}> PRDR", f"RCPT TO:<{ONE}>", f"RCPT TO:<{TWO}>", "DATA")
    await wire.send(CONTENT + b"\r\n.\r\n")
    said = await reply(wire)
    return said if said[0].startswith("2") else [line for _ in range(3) for line in await reply(wire)]


async def test_who_hears_each_recipients_own_reply_hears_it_again(build: Build) -> None:
    rooms = FakeRooms()
    rooms.delivery.at_end[TWO] = DELAYED
    house = await build(rooms)
    wire = await greeted(house.wire())
    first = await bring_by_prdr(wire)
    assert [line[:3] for line in first] == ["250", "450", "250"]
    await wire.close()
    await settled(house)
    assert [memory.outcomes for memory in rooms.memories.all] == [{ONE: DELIVERED}], "the other is the client's"
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
