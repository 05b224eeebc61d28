"""Which message is the same as one before, when a client comes back: whoever has it gets it no second time."""

from __future__ import annotations

import pytest

from mtad.mail.memory import name_of_recipient
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply
from mtad.mail.verdict import Addition, Verdict
from mtad.spool.door import Refusal, Refused
from tests.dialog.coming_back import (
    CONTENT,
    ELSEWHERE,
    ONE,
    OTHER,
    TAKEN,
    THREE,
    TWO,
    bring,
    bring_by_prdr,
    delivered,
    lose,
    settled,
)
from tests.dialog.conftest import Build
from tests.dialog.wires import greeted, reply, say
from tests.fakes.server_rooms import DELAYED, FAILED, FakeRooms

HIDDEN = Addition(TWO, is_hidden=True)
LEADING_ELSEWHERE = [
    (f"rcpt {ONE}", Verdict(recipient=TWO)),
    ("data", Verdict(is_discarded=True, added=(Addition(TWO),))),
    ("data", Verdict(each={ONE: Verdict(is_discarded=True, added=(Addition(TWO),))})),
]


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
    assert [set(memory.outcomes) for memory in house.rooms.memories.all] == [
        {ONE, TWO, name_of_recipient("a@new.example")}
    ]
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
    assert (await bring(house, CONTENT, ONE, TWO, address=ELSEWHERE)).startswith("250 ")
    assert [ONE in recipients for recipients in delivered(house)][-1:] == [True]


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


@pytest.mark.parametrize("others", [(), (THREE,)])
@pytest.mark.parametrize("instead", [Verdict(recipient=TWO), Verdict(is_discarded=True, added=(Addition(TWO),))])
async def test_who_gets_the_mail_of_another_gets_it_though_the_other_has_that_of_another_client(
    build: Build, instead: Verdict, others: tuple[str, ...]
) -> None:
    house = await build()
    assert (await lose(house, ONE, *others)).startswith("250 ")
    house.rooms.policy.verdicts[f"rcpt {ONE}"] = instead
    assert (await bring(house, CONTENT, ONE, *others, address=ELSEWHERE)).startswith("250 ")
    assert delivered(house)[1:] == [[TWO]]


async def test_who_is_named_gets_it_once_more_than_who_was_added(build: Build) -> None:
    house = await build()
    house.rooms.policy.verdicts[f"rcpt {ONE}"] = Verdict(added=(Addition(TWO),))
    await lose(house, ONE)
    assert (await bring(house, CONTENT, TWO, address=ELSEWHERE)).startswith("250 ")
    assert (await bring(house, CONTENT, ONE, address=ELSEWHERE)) == TAKEN
    assert delivered(house) == [[ONE, TWO], [TWO]]


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
