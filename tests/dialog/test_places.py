"""Places that a policy gives: a transaction's are free when it is over, a session's when it is, however they end."""

from __future__ import annotations

import pytest

from mtad.admission.listener import ListenerPolicy
from mtad.admission.policy import Policy, PolicySettings
from mtad.limits.ledger import Ledger, LocalLimits
from mtad.rehearsal.wire import MemoryWire
from mtad.sieve.outside import Outside
from mtad.telemetry.events import CollectedEvents
from tests.dialog.conftest import Build, House
from tests.dialog.wires import greeted, say
from tests.fakes.server_rooms import FakeRooms
from tests.fakes.waiting import until

POLICY = """
require ["envelope", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.limits"];
stage "connect" { if concurrency 5 { tempfail "many"; } }
stage "mail" {
    if concurrency 5 { tempfail "many"; }
    if envelope "from" "bad@d.example" { ereject "bad"; }
}
stage "rcpt" { if concurrency :key "rcpt" 5 { tempfail "many"; } accept :relay; }
stage "data" { if header "subject" "bad" { ereject "bad"; } }
"""
MAIL = ("MAIL FROM:<a@d.example>", "RCPT TO:<b@l.example>")


async def began(build: Build) -> tuple[House, MemoryWire, Ledger]:
    """Begin a session that holds its place, and a transaction that holds two."""
    ledger = Ledger(1)
    settings = PolicySettings(outside=Outside(limits=LocalLimits(ledger, lambda: 0)))
    policy = Policy.compile(POLICY, "p", settings, CollectedEvents())
    assert isinstance(policy, Policy), str(policy)
    rooms = FakeRooms()
    rooms.policy = ListenerPolicy(policy)  # type: ignore[assignment]
    house = await build(rooms)
    wire = house.wire()
    await greeted(wire)
    assert len(ledger.places) == 1
    assert [answer[:3] for answer in await say(wire, *MAIL)] == ["250", "250"]
    assert len(ledger.places) == 3
    return house, wire, ledger


@pytest.mark.parametrize(
    "commands",
    [
        ("RSET",),
        ("EHLO again.example",),
        ("DATA", "Subject: good\r\n\r\n."),
        ("DATA", "Subject: bad\r\n\r\n."),
        ("BDAT 0 LAST",),
        ("RSET", "MAIL FROM:<bad@d.example>"),
    ],
    ids=" ".join,
)
async def test_a_transaction_that_is_over_holds_nothing(commands: tuple[str, ...], build: Build) -> None:
    _, wire, ledger = await began(build)
    await say(wire, *commands)
    assert len(ledger.places) == 1
    assert (await say(wire, *MAIL))[-1].startswith("250")
    assert len(ledger.places) == 3


async def test_a_transaction_whose_end_fails_holds_nothing(build: Build) -> None:
    house, wire, ledger = await began(build)
    house.rooms.door.commit = None  # type: ignore[assignment, method-assign]
    house.rooms.delivery.at_end["b@l.example"] = None  # type: ignore[assignment]
    assert (await say(wire, "DATA", "Subject: x\r\n\r\n."))[-1].startswith("451")
    assert len(ledger.places) == 1


@pytest.mark.parametrize("end", ["DATA", "BDAT 0 LAST"])
async def test_a_transaction_that_is_not_gone_on_with_holds_nothing(end: str, build: Build) -> None:
    house, wire, ledger = await began(build)
    house.rooms.delivery.at_rcpt["c@l.example"] = RuntimeError("what it was told is not known")
    answers = await say(wire, "RCPT TO:<c@l.example>", end)
    assert [answer[:3] for answer in answers] == ["451", "451"]
    assert len(ledger.places) == 1


async def test_a_session_that_is_over_holds_nothing(build: Build) -> None:
    _, wire, ledger = await began(build)
    await say(wire, "QUIT")
    await until(lambda: len(ledger.places) == 0)


@pytest.mark.parametrize("inside", [(), ("DATA",)], ids=["between commands", "in the data"])
async def test_a_client_that_is_lost_holds_nothing(inside: tuple[str, ...], build: Build) -> None:
    _, wire, ledger = await began(build)
    await say(wire, *inside)
    wire.transport.lose(ConnectionResetError())
    await until(lambda: len(ledger.places) == 0)


async def test_a_server_that_stops_leaves_nothing(build: Build) -> None:
    house, _, ledger = await began(build)
    await house.server.stop(5)
    assert len(ledger.places) == 0
