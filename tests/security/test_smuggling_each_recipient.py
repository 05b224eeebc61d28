"""The same where each recipient has its own reply, by PRDR and by LMTP: replies stay in step with what was sent.

A client that counts one reply fewer than there are takes the rest for the answers to its next message.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from mtad.mail.route import Route, TlsLevel, Transport
from mtad.mail.verdict import Disposition, RetryPlan, Verdict
from mtad.server.answering import Hears
from mtad.server.entrance import LMTP, MX, Entrance
from mtad.server.limits import Limits, SessionLimits
from mtad.server.step import Step
from tests.dialog.conftest import Build, House
from tests.dialog.wires import MemoryWire, reply, say
from tests.fakes.outgoing import outgoing
from tests.fakes.recording_hop import END_RULES, RecordingHop
from tests.fakes.server_rooms import FAILED, FakeRooms
from tests.security.forms import SECOND, SMUGGLED
from tests.security.front import rooms_to
from tests.security.ways import END, REPLIES_BEFORE, WAYS, cuts, send

NEXT = b"MAIL FROM:<next@client.example>\r\nNOOP\r\n"
EDGES = (0, 4095, 65535)
PATIENT = Limits(session=SessionLimits(errors_max=1_000_000))


@dataclass(frozen=True, slots=True)
class Tongue:
    """How a client hears of each recipient.

    refused    the replies to a message that is refused
    accepted   to one whose second recipient is refused by its next hop
    """

    entrance: Entrance
    hello: str
    asks: str
    refused: int
    accepted: tuple[str, ...]


TONGUES = {
    "PRDR": Tongue(MX, "EHLO", " PRDR", 1, ("353", "250", "550", "250")),
    "LMTP": Tongue(LMTP, "LHLO", "", 2, ("250", "550")),
}
each_tongue = pytest.mark.parametrize("tongue", TONGUES.values(), ids=list(TONGUES))


async def connected(build: Build, tongue: Tongue, rooms: FakeRooms | None = None) -> tuple[House, MemoryWire]:
    rooms = rooms or FakeRooms()
    rooms.policy.verdicts["connect"] = Verdict(is_trusted=tongue.entrance is LMTP)
    rooms.delivery.at_end["two@example.net"] = FAILED
    house = await build(rooms, PATIENT, entrance=tongue.entrance)
    wire = house.wire()
    await reply(wire)
    await say(wire, f"{tongue.hello} client.example")
    return house, wire


async def codes(wire: MemoryWire, count: int) -> list[str]:
    return [(await reply(wire))[0][:3] for _ in range(count)]


async def begin(wire: MemoryWire, tongue: Tongue, way: str) -> None:
    """Begin a message to two recipients."""
    rcpts = ("RCPT TO:<one@example.net>", "RCPT TO:<two@example.net>")
    await say(wire, f"MAIL FROM:<sender@client.example>{tongue.asks}", *rcpts, *(["DATA"] if way == "DATA" else []))


@each_tongue
@pytest.mark.parametrize("form", SMUGGLED, ids=repr)
async def test_no_form_ends_the_data_however_it_is_cut(form: bytes, tongue: Tongue, build: Build) -> None:
    house, wire = await connected(build, tongue)
    for before_octets in EDGES:
        for at in cuts(form, before_octets):
            await begin(wire, tongue, "DATA")
            await send(wire, b"x" * before_octets + form + SECOND + END, at)
            assert await codes(wire, tongue.refused) == ["550"] * tongue.refused, (before_octets, at)
            assert await say(wire, "NOOP") == ["250 2.0.0 Ok"], "commands and replies are out of step"
    assert "mail admin@here.example" not in house.rooms.policy.asked
    assert house.rooms.delivery.contents == []


@each_tongue
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("form", [*SMUGGLED, b"\r\n..\r\n"], ids=repr)
async def test_what_is_pipelined_behind_a_content_is_answered_behind_it(
    form: bytes, way: str, tongue: Tongue, build: Build
) -> None:
    house, wire = await connected(build, tongue)
    await begin(wire, tongue, way)
    await wire.send(WAYS[way](b"first" + form + SECOND) + NEXT)
    before, after = ["250"] * REPLIES_BEFORE.get(way, 0), ["250", "250"]
    is_clean = form not in SMUGGLED
    said = list(tongue.accepted) if is_clean else ["550"] * tongue.refused
    assert await codes(wire, len([*before, *said, *after])) == [*before, *said, *after]
    assert [asked for asked in house.rooms.policy.asked if asked.startswith("mail")] == [
        "mail sender@client.example",
        "mail next@client.example",
    ]
    assert len(house.rooms.delivery.contents) == is_clean


@each_tongue
@pytest.mark.parametrize("onward", TONGUES)
async def test_no_next_hop_reads_two_messages_in_one(onward: str, tongue: Tongue, build: Build) -> None:
    """Through a whole server, to a next hop that answers for each recipient too."""
    hop = RecordingHop(("PIPELINING", "PRDR"), is_lmtp=onward == "LMTP", refused=b"<two@")
    async with hop, outgoing() as out:
        rooms = rooms_to(hop.port, out.delivery)
        transport = Transport.LMTP if hop.is_lmtp else Transport.SMTP
        route = Route(transport, ("127.0.0.1",), hop.port, TlsLevel.NONE)
        rooms.policy.disposition = Disposition(route, RetryPlan())
        _, wire = await connected(build, tongue, rooms)
        accepted = 0
        for way in WAYS:
            for form in (*SMUGGLED, b"\r\n..\r\n", b"\r\n...\r\n"):
                await begin(wire, tongue, way)
                await wire.send(WAYS[way](b"first" + form + SECOND))
                is_clean = form not in SMUGGLED
                said = list(tongue.accepted) if is_clean else ["550"] * tongue.refused
                before = ["250"] * REPLIES_BEFORE.get(way, 0)
                assert await codes(wire, len(before + said)) == before + said, (way, form)
                assert await say(wire, "NOOP") == ["250 2.0.0 Ok"]
                accepted += is_clean
        await wire.close()
    assert accepted == 2 * len(WAYS)
    assert hop.counts() == dict.fromkeys(END_RULES, accepted)


async def test_a_server_that_forgets_a_reply_is_caught(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug, planted: what the tests above look for is there to be found."""

    def one_too_few(step: Step, _hears: Hears, named: tuple[str, ...]) -> Step:
        return replace(step, said=(step.reply,) * (len(named) - 1))

    monkeypatch.setattr("mtad.server.acceptance.answer_all", one_too_few)
    _, wire = await connected(build, TONGUES["LMTP"])
    await begin(wire, TONGUES["LMTP"], "DATA")
    await wire.send(b"first\n.\n" + SECOND + END + NEXT)
    assert await codes(wire, 2) == ["550", "250"], "the second is the answer to what came behind"
