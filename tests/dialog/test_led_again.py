"""Whom policy leads a message to gets it once, though its client comes again for those that it was refused for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtad.mail.reply import Reply
from mtad.mail.verdict import Addition, Verdict
from mtad.server.entrance import LMTP, MX, Entrance
from mtad.spool.door import Committed, Refusal, Refused
from tests.dialog.coming_back import (
    CONTENT,
    ELSEWHERE,
    HERE,
    ONE,
    SENDER,
    TAKEN,
    THREE,
    TWO,
    bring,
    delivered,
    lose,
    settled,
)
from tests.dialog.conftest import Build, House
from tests.dialog.wires import reply, say
from tests.fakes.server_rooms import DELAYED, FAILED

FOUR = "four@example.net"
LATER = Verdict(Reply.of(451, "4.7.1", "Greylisted"))
TO_THREE = Addition(THREE, is_redirected=True)
DROPPED = Verdict(is_discarded=True)
INSTEAD, BESIDES = Verdict(is_discarded=True, added=(TO_THREE,)), Verdict(added=(TO_THREE,))
EACH_HEARS = pytest.mark.parametrize("entrance", [LMTP, MX], ids=["lmtp", "prdr"])


def leading_to(address: str) -> Verdict:
    return Verdict(is_discarded=True, added=(Addition(address, is_redirected=True),))


async def bring_for_each(house: House, *recipients: str, is_lost: bool = False, address: str = HERE) -> list[str]:
    """Bring a message whose recipients hear their own replies; return their codes, or the one code that all hear."""
    house.rooms.policy.verdicts["connect"] = Verdict(is_trusted=house.entrance is LMTP)
    wire = house.wire(address)
    assert (await reply(wire))[0].startswith("220")
    is_lmtp = house.entrance is LMTP
    greet, prdr = ("LHLO client.example", "") if is_lmtp else ("EHLO client.example", " PRDR")
    await say(wire, greet, f"MAIL FROM:<{SENDER}>{prdr}", *(f"RCPT TO:<{one}>" for one in recipients), "DATA")
    await wire.send(CONTENT + b"\r\n.\r\n")
    first = (await reply(wire))[0][:3]
    codes = [first] if is_lmtp else []
    more = len(recipients) - 1 if is_lmtp else len(recipients) + 1 if first == "353" else 0
    codes += [(await reply(wire))[0][:3] for _ in range(more)]
    if not is_lost:
        await say(wire, "QUIT")
    await wire.close()
    await settled(house)
    if is_lmtp:
        return codes
    return codes[:-1] if first == "353" else [first]


@EACH_HEARS
async def test_who_gets_a_message_instead_of_all_gets_it_once_though_some_are_refused_for_now(
    build: Build, entrance: Entrance
) -> None:
    house = await build(entrance=entrance)
    verdicts = house.rooms.policy.verdicts
    verdicts["data"] = Verdict(is_discarded=True, added=(TO_THREE,), each={TWO: LATER})
    assert await bring_for_each(house, ONE, TWO) == ["250", "451"]
    for _ in range(3):
        assert await bring_for_each(house, TWO) == ["451"]
    verdicts["data"] = INSTEAD
    assert await bring_for_each(house, TWO) == ["250"]
    assert delivered(house) == [[THREE]]


@EACH_HEARS
async def test_who_gets_a_message_instead_of_all_gets_it_once_though_all_are_refused_for_now(
    build: Build, entrance: Entrance
) -> None:
    house = await build(entrance=entrance)
    verdicts = house.rooms.policy.verdicts
    verdicts["data"] = Verdict(is_discarded=True, added=(TO_THREE,), each={ONE: LATER, TWO: LATER})
    assert set(await bring_for_each(house, ONE, TWO)) == {"451"}
    verdicts["data"] = Verdict(is_discarded=True, added=(TO_THREE,), each={TWO: LATER})
    assert await bring_for_each(house, ONE, TWO) == ["250", "451"]
    verdicts["data"] = INSTEAD
    assert await bring_for_each(house, TWO) == ["250"]
    assert [THREE in recipients for recipients in delivered(house)] == [True]


@EACH_HEARS
@pytest.mark.parametrize("is_lost", [True, False], ids=["unheard", "heard"])
@pytest.mark.parametrize("leading", [INSTEAD, BESIDES], ids=["instead", "besides"])
@pytest.mark.parametrize("first", [ONE, THREE], ids=["by-another", "by-itself"])
async def test_who_got_it_for_one_has_it_when_another_is_led_there(
    build: Build, entrance: Entrance, is_lost: bool, leading: Verdict, first: str
) -> None:
    house = await build(entrance=entrance)
    verdicts = house.rooms.policy.verdicts
    verdicts["data"] = Verdict(each={ONE: leading, TWO: LATER})
    assert await bring_for_each(house, first, TWO, is_lost=is_lost) == ["250", "451"]
    verdicts["data"] = Verdict(each={ONE: leading, TWO: INSTEAD})
    again = (first, TWO) if is_lost else (TWO,)
    assert set(await bring_for_each(house, *again)) == {"250"}
    assert [THREE in recipients for recipients in delivered(house)] == [True]
    house.rooms.memories.kept.clear()
    assert set(await bring_for_each(house, *again)) == {"250"}
    assert len(delivered(house)) == 2, "it was the memory"


@EACH_HEARS
async def test_a_client_that_has_heard_of_one_brings_it_another_message_whoever_it_must_come_again_for(
    build: Build, entrance: Entrance
) -> None:
    house = await build(entrance=entrance)
    house.rooms.policy.verdicts["data"] = Verdict(each={ONE: INSTEAD, TWO: LATER}, added=(Addition(FOUR),))
    for _ in range(2):
        assert await bring_for_each(house, ONE, TWO) == ["250", "451"]
        assert await bring_for_each(house, ONE) == ["250"]
    assert [sorted(recipients) for recipients in delivered(house)] == [[FOUR, THREE]] * 3


@pytest.mark.parametrize(
    "ruling",
    [
        Verdict(each={ONE: INSTEAD}, added=(Addition(THREE),)),
        Verdict(each={ONE: INSTEAD}, added=(Addition(THREE, is_hidden=True),)),
        Verdict(each={ONE: BESIDES, TWO: INSTEAD}),
        Verdict(each={ONE: BESIDES, TWO: BESIDES}),
        Verdict(each={ONE: INSTEAD, TWO: INSTEAD}, added=(TO_THREE,)),
        Verdict(each={FOUR: BESIDES, ONE: INSTEAD}),
    ],
)
@pytest.mark.parametrize("named", [(ONE, TWO), (ONE, TWO, THREE), (THREE, ONE, TWO)], ids=len)
async def test_whom_two_instructions_lead_to_gets_it_once_though_another_cannot_be_kept(
    build: Build, ruling: Verdict, named: tuple[str, ...]
) -> None:
    house = await build()
    house.rooms.policy.verdicts["data"] = ruling
    house.rooms.delivery.at_end[FOUR] = DELAYED
    house.rooms.door.answer = Refused(Refusal.FULL)
    for _ in range(2):
        assert (await bring(house, CONTENT, *named, FOUR)).startswith("452 ")
        await settled(house)
    house.rooms.door.answer = Committed(2)
    del house.rooms.delivery.at_end[FOUR]
    for again in ((*named[1:], FOUR), (named[0], FOUR)):  # a client may part them now
        assert (await bring(house, CONTENT, *again)).startswith("250 ")
    counted = [one for recipients in delivered(house) for one in set(recipients)]
    assert {one: counted.count(one) for one in (ONE, TWO, THREE) if counted.count(one) > 1} == {}
    assert THREE in counted


async def test_who_is_named_has_what_it_got_for_another_from_the_same_client(build: Build) -> None:
    house = await build()
    house.rooms.policy.verdicts[f"rcpt {ONE}"] = Verdict(recipient=THREE)
    await lose(house, ONE)
    assert await bring(house, CONTENT, ONE, THREE) == TAKEN
    assert delivered(house) == [[THREE]]


async def test_what_is_held_is_held_once_for_the_same_client(build: Build) -> None:
    house = await build()
    house.rooms.policy.verdicts["data"] = Verdict(held="suspect", queue_at_once=True)
    first = await lose(house, ONE)
    assert first.startswith("250 2.0.0 Ok: queued as ")
    assert first in await bring(house, CONTENT, ONE)
    assert len(house.rooms.door.messages) == 1
    assert (await bring(house, CONTENT, ONE, address=ELSEWHERE)).startswith("250 ")
    assert len(house.rooms.door.messages) == 2, "policy may think otherwise of another client"


async def test_who_was_led_elsewhere_gets_what_another_is_led_to_it_for(build: Build) -> None:
    house = await build()
    house.rooms.policy.verdicts["data"] = Verdict(each={ONE: leading_to(TWO), TWO: INSTEAD})
    house.rooms.delivery.at_end[TWO] = DELAYED
    house.rooms.door.answer = Refused(Refusal.FULL)
    assert (await bring(house, CONTENT, ONE, TWO)).startswith("452 ")
    await settled(house)
    house.rooms.delivery.at_end.clear()
    assert (await bring(house, CONTENT, ONE, TWO)).startswith("250 ")
    assert [set(recipients) for recipients in delivered(house)] == [{TWO, THREE}, {TWO}]


async def test_who_is_left_out_by_its_name_and_led_to_by_another_is_kept_for_that(build: Build) -> None:
    house = await build()
    house.rooms.policy.verdicts["data"] = Verdict(each={ONE: DROPPED, TWO: leading_to(ONE)})
    house.rooms.delivery.at_end[ONE] = FAILED
    assert await bring_for_each(house, ONE, TWO) == ["250", "550"]


@EACH_HEARS
async def test_who_gets_all_instead_of_all_has_it_though_it_got_it_for_one_at_first(
    build: Build, entrance: Entrance
) -> None:
    house = await build(entrance=entrance)
    verdicts = house.rooms.policy.verdicts
    verdicts[f"rcpt {ONE}"] = Verdict(recipient=THREE)
    verdicts["data"] = Verdict(is_discarded=True, added=(TO_THREE,), each={TWO: LATER})
    assert await bring_for_each(house, ONE, TWO, is_lost=True) == ["250", "451"]
    verdicts["data"] = INSTEAD
    assert set(await bring_for_each(house, ONE, TWO)) == {"250"}
    assert [THREE in recipients for recipients in delivered(house)] == [True]


async def test_who_has_it_is_refused_where_policy_refuses_it_now(build: Build) -> None:
    house = await build()
    verdicts = house.rooms.policy.verdicts
    verdicts["data"] = Verdict(each={ONE: INSTEAD, TWO: LATER})
    assert await bring_for_each(house, ONE, TWO) == ["250", "451"]
    verdicts[f"rcpt {TWO}"] = Verdict(recipient=THREE)
    verdicts["data"] = Verdict(each={THREE: LATER})
    assert await bring_for_each(house, TWO) == ["451"]
    del verdicts["data"]
    assert await bring_for_each(house, TWO) == ["250"]
    assert delivered(house) == [[THREE]]


async def test_who_was_added_for_one_client_gets_the_mail_of_another_for_another_client(build: Build) -> None:
    house = await build()
    verdicts = house.rooms.policy.verdicts
    verdicts["data"] = Verdict(added=(TO_THREE,))
    await lose(house, ONE, TWO)
    verdicts.clear()
    verdicts[f"rcpt {ONE}"] = Verdict(recipient=THREE)
    assert (await bring(house, CONTENT, ONE, TWO, address=ELSEWHERE)).startswith("250 ")
    assert delivered(house)[1:] == [[THREE]]


async def test_who_has_it_from_another_client_has_it_when_others_are_led_there_besides(build: Build) -> None:
    house = await build()
    await lose(house, TWO)
    house.rooms.policy.verdicts["data"] = Verdict(each={ONE: leading_to(TWO)})
    assert await bring(house, CONTENT, ONE, TWO, address=ELSEWHERE) == TAKEN
    assert delivered(house) == [[TWO]]


async def test_who_has_it_from_another_client_has_it_when_it_is_led_to_instead_of_all(build: Build) -> None:
    house = await build()
    await lose(house, ONE)
    house.rooms.policy.verdicts["data"] = replace(leading_to(ONE), each={TWO: DROPPED})
    assert (await bring(house, CONTENT, ONE, TWO, address=ELSEWHERE)).startswith("250 ")
    assert delivered(house) == [[ONE]]


async def test_who_is_led_to_at_last_gets_it_though_the_name_is_known_that_led_elsewhere_before(build: Build) -> None:
    house = await build()
    verdicts = house.rooms.policy.verdicts
    to_one = leading_to(ONE)
    verdicts["data"] = replace(to_one, each={ONE: LATER, TWO: INSTEAD})
    assert await bring_for_each(house, ONE, TWO, is_lost=True) == ["451", "250"]
    verdicts["data"] = replace(to_one, each={ONE: leading_to(TWO), TWO: INSTEAD})
    assert set(await bring_for_each(house, ONE, TWO)) == {"250"}
    assert sorted(one for recipients in delivered(house) for one in set(recipients)) == sorted([ONE, THREE, TWO])


async def test_who_refused_what_was_added_is_asked_where_the_client_names_it(build: Build) -> None:
    house = await build()
    house.rooms.policy.verdicts["data"] = Verdict(added=(TO_THREE,))
    house.rooms.delivery.at_end[THREE] = FAILED
    await lose(house, ONE)
    del house.rooms.delivery.at_end[THREE]
    assert await bring(house, CONTENT, ONE, THREE) == TAKEN
    assert delivered(house) == [[ONE, THREE], [THREE]]
