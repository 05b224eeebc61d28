"""No stranger sends through us: every form that has opened a relay somewhere, asked of a whole server.

L is a domain of ours, D a foreign one, H this host, I its address. The policies: none, and the one that is shipped.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from mtad.admission.listener import ListenerPolicy
from mtad.admission.policy import DEFAULT_POLICY, Policy, PolicySettings
from mtad.server.collaborators import Collaborators
from mtad.server.entrance import MX, SUBMISSION, Entrance
from mtad.telemetry.events import CollectedEvents
from tests.dialog.conftest import Build, House
from tests.dialog.wires import greeted, reply, say
from tests.fakes.server_rooms import FakeRooms

STRANGER = "203.0.113.66"
POLICIES = {"none": "", "shipped": DEFAULT_POLICY.read_text()}


@dataclass
class RuledRooms(FakeRooms):
    """The played rooms, but for the policy."""

    ruled: ListenerPolicy | None = field(default=None, kw_only=True)

    def collaborators(self) -> Collaborators:
        played, ruled = super().collaborators(), self.ruled
        return played if ruled is None else replace(played, policy_now=lambda: ruled)


def ruled(script: str) -> RuledRooms:
    found = Policy.compile(script, "policy", PolicySettings(("l.example", "mx.here.example")), CollectedEvents())
    assert isinstance(found, Policy), str(found)
    return RuledRooms(ruled=ListenerPolicy(found))


FORMS = [
    # sender, forward-path
    ("x@s.example", "<u@d.example>"),
    ("", "<u@d.example>"),
    ("x@l.example", "<u@d.example>"),
    ("postmaster@l.example", "<u@d.example>"),
    ("x@s.example", "<u%d.example@l.example>"),
    ("x@s.example", "<u%d.example@[192.0.2.25]>"),
    ("x@s.example", "<u%d.example@mx.here.example>"),
    ("x@s.example", '<"u@d.example">'),
    ("x@s.example", '<"u%d.example">'),
    ("x@s.example", '<"u@d.example"@l.example>'),
    ("x@s.example", '<"u%d.example"@l.example>'),
    ("x@s.example", "<u@d.example@l.example>"),
    ("x@s.example", "<u@d.example@[192.0.2.25]>"),
    ("x@s.example", "<d.example!u>"),
    ("x@s.example", "<d.example!u@l.example>"),
    ("x@s.example", "<d.example!u@[192.0.2.25]>"),
    ("x@s.example", '<"d.example!u"@l.example>'),
    ("x@s.example", "<@l.example:u@d.example>"),
    ("x@s.example", "<@[192.0.2.25]:u@d.example>"),
    ("x@s.example", "<@l.example,@d.example:u@d.example>"),
    ("x@s.example", "<u@d.example.>"),
    ("x@s.example", "<u@l.example.>"),
    ("x@s.example", "<u@[203.0.113.9]>"),
    ("x@s.example", "<u@[192.0.2.25]>"),
    ("x@s.example", "<u@[IPv6:2001:db8::25]>"),
    ("x@s.example", "<u%d.example>"),
    ("x@s.example", "<u@l.example%d.example>"),
    ("x@s.example", "<postmaster@d.example>"),
    ("x@s.example", "<u@d.example\0@l.example>"),
    ("x@s.example", "<u@d.example\\0@l.example>"),
    ("x@s.example", "<u@\u217c.example>"),  # a Roman numeral that looks like l
    ("x@s.example", "<u@l\uff0eexample>"),  # a full stop of full width
    ("x@s.example", "<u@l.ex\u0430mple>"),  # a Cyrillic a
    ("x@s.example", "<u@l.example >"),
    ("x@s.example", "<u@l.example,u@d.example>"),
    ("x@s.example", "<u@l.example> <u@d.example>"),
    ("x@s.example", "u@d.example"),
    ("x@s.example", " <u@d.example>"),
    ("x@s.example", "<u@d.example> NOTIFY=NEVER"),
    ("x@s.example", "<u@d.example> ORCPT=rfc822;u@l.example"),
    ("x@s.example", "<u@sub.l.example>"),
    ("x@s.example", "<u@l.example@>"),
    ("x@s.example", "<u>"),
    ("x@s.example", "<>"),
]


async def refused(house: House, *before: str, sender: str = "x@s.example", path: str = "<u@d.example>") -> str:
    """Ask for a recipient and send a message; return the refusal of the recipient."""
    wire = await greeted(house.wire(STRANGER), "l.example")
    utf8 = "" if (sender + path).isascii() else " SMTPUTF8"
    await say(wire, *before, f"MAIL FROM:<{sender}>{utf8}")
    (said,) = await say(wire, f"RCPT TO:{path}")
    (after,) = await say(wire, "DATA")
    assert after[:3] in ("503", "554", "530"), after
    assert house.rooms.delivery.opened == []
    assert house.rooms.door.messages == {}
    return said


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(("sender", "path"), FORMS, ids=repr)
async def test_a_stranger_is_refused(sender: str, path: str, policy: str, build: Build) -> None:
    said = await refused(await build(ruled(POLICIES[policy])), sender=sender, path=path)
    assert said.startswith(("550 5.7.1 Relaying denied", "501 5.", "500 5.5.2", "553 5.", "555 5.")), said


@pytest.mark.parametrize("path", ["<u@l.example>", "<U@L.EXAMPLE>", "<postmaster>", "<@r.example:u@l.example>"])
@pytest.mark.parametrize("policy", POLICIES)
async def test_what_is_ours_is_taken(path: str, policy: str, build: Build) -> None:
    """Otherwise the tests above would pass with a server that refuses all."""
    house = await build(ruled(POLICIES[policy]))
    wire = await greeted(house.wire(STRANGER))
    assert [line[:3] for line in await say(wire, "MAIL FROM:<>", f"RCPT TO:{path}", "DATA")] == ["250", "250", "354"]


@pytest.mark.parametrize(
    "before",
    [
        ("XCLIENT ADDR=127.0.0.1 NAME=localhost LOGIN=alice",),
        ("XFORWARD ADDR=127.0.0.1 NAME=localhost",),
        ("AUTH PLAIN AGFsaWNlAHBlbmNpbA==",),
        ("AUTH PLAIN AGFsaWNlAHBlbmNpbA==", "RSET", "EHLO l.example"),
        ("AUTH LOGIN", "EHLO mx.here.example"),
        ("EHLO [127.0.0.1]",),
        ("HELO localhost",),
        ("STARTTLS", "EHLO l.example"),
        ("MAIL FROM:<x@s.example>", "RCPT TO:<u@l.example>", "RSET"),
        ("VRFY u@d.example", "EXPN u@d.example", "ETRN d.example"),
    ],
    ids=lambda before: before[0].split()[0],
)
@pytest.mark.parametrize("policy", POLICIES)
async def test_nothing_that_is_said_before_makes_a_stranger_trusted(
    before: tuple[str, ...], policy: str, build: Build
) -> None:
    house = await build(ruled(POLICIES[policy]))
    wire_count = len(house.wires)
    said = await _after(house, before)
    assert said.startswith("550 5.7.1 Relaying denied"), said
    assert len(house.wires) == wire_count + 1


async def _after(house: House, before: tuple[str, ...]) -> str:
    wire = await greeted(house.wire(STRANGER), "l.example")
    await say(wire, *before)
    _, said = await say(wire, "MAIL FROM:<x@s.example>", "RCPT TO:<u@d.example>")
    assert house.rooms.delivery.opened == [] or all(one.is_aborted for one in house.rooms.delivery.opened)
    return said


async def test_a_line_of_the_proxy_protocol_makes_nobody_trusted(build: Build) -> None:
    house = await build(ruled(POLICIES["shipped"]))
    wire = house.wire(STRANGER)
    await reply(wire)
    assert (await say(wire, "PROXY TCP4 127.0.0.1 127.0.0.1 4711 25"))[0][:3] in ("500", "502", "554")
    assert not house.rooms.delivery.opened


@pytest.mark.parametrize("address", ["::ffff:203.0.113.66", "2001:db8::66", "64:ff9b::7f00:1", ""])
async def test_an_address_that_looks_like_ours_is_not_ours(address: str, build: Build) -> None:
    house = await build(ruled(POLICIES["shipped"]))
    wire = await greeted(house.wire(address))
    said = await say(wire, "MAIL FROM:<x@s.example>", "RCPT TO:<u@d.example>")
    assert said[1] == "550 5.7.1 Relaying denied"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1"])
async def test_programs_on_this_machine_are_submitters_of_the_shipped_policy(address: str, build: Build) -> None:
    house = await build(ruled(POLICIES["shipped"]))
    wire = await greeted(house.wire(address))
    assert [line[:3] for line in await say(wire, "MAIL FROM:<x@l.example>", "RCPT TO:<u@d.example>")] == ["250"] * 2


@pytest.mark.parametrize("entrance", [MX, SUBMISSION], ids=lambda entrance: entrance.name)
async def test_a_policy_that_fails_lets_nobody_through(entrance: Entrance, build: Build) -> None:
    rooms = FakeRooms()
    rooms.policy.verdicts["rcpt"] = RuntimeError("the name server does not answer")
    house = await build(rooms, entrance=entrance)
    wire = await greeted(house.wire(STRANGER))
    assert (await say(wire, "MAIL FROM:<x@s.example>", "RCPT TO:<u@d.example>", "DATA"))[-1][:3] in ("554", "503")
    assert rooms.delivery.opened == []


async def test_submission_lets_nobody_in_who_has_not_shown_who_he_is(build: Build) -> None:
    house = await build(ruled(POLICIES["shipped"]), entrance=SUBMISSION)
    for address in (STRANGER, "127.0.0.1"):
        wire = await greeted(house.wire(address))
        assert (await say(wire, "MAIL FROM:<x@l.example>"))[0].startswith("530 5.7.0")
