"""The table of replies after DATA, row by row: two next hops, of which one refuses, hangs or goes away.

The one that takes everything is a scripted peer, and then a real Postfix. docs: "Through-delivery".
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from mtad.mail.outcome import Result
from mtad.mail.route import Route, TlsLevel
from mtad.mail.verdict import Disposition, RetryPlan, Verdict
from mtad.server.limits import Limits
from mtad.spool.door import Refusal, Refused
from tests.dialog.conftest import Build, House
from tests.dialog.conftest import build as build
from tests.dialog.wires import greeted, reply, say
from tests.fakes.outgoing import outgoing
from tests.fakes.scripted_server import DROP, HANG, Script, ScriptedServer
from tests.integration.sending import NextHop, next_hop
from tests.peers.postfix import Postfix, postfix
from tests.peers.process import wait_until
from tests.security.front import rooms_to

GOOD, BAD = "good@here.example", "bad@there.example"
LIMITS = Limits()
LIMITS = replace(LIMITS, seconds=replace(LIMITS.seconds, delivery_deadline=0.2))
DELIVERED, QUEUED = "250 2.0.0 Ok: delivered", "250 2.0.0 Ok: queued"


@dataclass(frozen=True)
class Row:
    """What one of the next hops does, and what follows.

    script       of the next hop that fails; the other takes all
    rcpt         what the client hears of the recipient there
    both, alone  the last reply where the other has the message as well, and where nobody else has
    is_kept      it goes to the queue
    is_refused   it is refused for good, which a submitter is told by a DSN where it has heard 250
    """

    script: Script
    rcpt: str
    both: str
    alone: str
    is_kept: bool = False
    is_refused: bool = False


def at(step: str, answer: str) -> Script:
    return Script(replies={step: answer})


NOBODY = "554 5.5.1"  # no valid recipients
REFUSED = {"is_refused": True}
KEPT = {"is_kept": True}
OF_AN_MTA = {
    "refuses at RCPT": Row(at("rcpt", "550 5.1.1 No"), "550 5.1.1", DELIVERED, NOBODY),
    "delays at RCPT": Row(at("rcpt", "450 4.2.1 Later"), "450 4.2.1", DELIVERED, NOBODY),
    "refuses MAIL": Row(at("mail", "550 5.7.1 No"), "550 5.7.1", DELIVERED, NOBODY),
    "refuses DATA": Row(at("data", "554 5.7.1 No"), "250", DELIVERED, "554 5.7.1", **REFUSED),
    "delays at DATA": Row(at("data", "451 4.3.2 Later"), "250", QUEUED, "451 4.3.2", **KEPT),
    "refuses at the dot": Row(at("dot", "554 5.7.1 Spam"), "250", DELIVERED, "554 5.7.1", **REFUSED),
    "delays at the dot": Row(at("dot", "452 4.3.1 Full"), "250", QUEUED, "452 4.3.1", **KEPT),
    "closes at the dot": Row(at("dot", "421 4.3.2 Bye"), "250", QUEUED, "451 4.3.2", **KEPT),
    "hangs": Row(at("dot", HANG), "250", QUEUED, QUEUED, **KEPT),
    "drops after the dot": Row(at("dot", DROP), "250", QUEUED, QUEUED, **KEPT),
    "drops before the dot": Row(at("data", DROP), "250", QUEUED, "450 4.4.2", **KEPT),
}
OF_A_SUBMITTER = {
    **OF_AN_MTA,
    "delays at RCPT": replace(OF_AN_MTA["delays at RCPT"], rcpt="250", both=QUEUED, alone=QUEUED, is_kept=True),
    **{
        name: replace(OF_AN_MTA[name], alone=QUEUED)
        for name in ("delays at DATA", "delays at the dot", "closes at the dot", "drops before the dot")
    },
}
CASES = [
    pytest.param(is_submitter, row, id=f"{'submitter' if is_submitter else 'MTA'}-{name}")
    for is_submitter, rows in ((False, OF_AN_MTA), (True, OF_A_SUBMITTER))
    for name, row in rows.items()
]


@asynccontextmanager
async def house_between(
    build: Build, bad: ScriptedServer, good_port: int, *, is_submitter: bool
) -> AsyncIterator[House]:
    """Run a server whose mail for BAD goes to one next hop and all else to the other."""
    async with outgoing() as out:
        rooms = rooms_to(good_port, out.delivery)
        route = Route(hosts=("127.0.0.1",), port=bad.port, tls=TlsLevel.NONE)
        rooms.policy.dispositions[BAD] = Disposition(route, RetryPlan())
        rooms.policy.verdicts["connect"] = Verdict(is_trusted=is_submitter)
        house = await build(rooms, LIMITS)
        try:
            yield house
        finally:
            bad.released.set()
            await house.server.stop(5)


async def sent(house: House, *recipients: str) -> tuple[list[str], str]:
    """Send a message; return what the client heard at each RCPT, and at the end."""
    wire = await greeted(house.wire())
    await say(wire, "MAIL FROM:<sender@client.example>")
    heard = await say(wire, *(f"RCPT TO:<{recipient}>" for recipient in recipients))
    (go_on,) = await say(wire, "DATA")
    if not go_on.startswith("354"):
        return heard, go_on
    await wire.send(b"Subject: row\r\n\r\n..\r\n...\r\n.\r\n")
    return heard, (await reply(wire))[0]


def kept(house: House) -> set[str]:
    """Return the recipients in the queue, but for those of reports."""
    return {address for one in house.rooms.door.messages.values() if not one.dsn_of for address in one.recipients}


def reports_count(house: House) -> int:
    return sum(bool(one.dsn_of) for one in house.rooms.door.messages.values())


@pytest.mark.parametrize(("is_submitter", "row"), CASES)
async def test_the_other_has_it(is_submitter: bool, row: Row, build: Build) -> None:
    async with (
        ScriptedServer() as good,
        ScriptedServer(row.script) as bad,
        house_between(build, bad, good.port, is_submitter=is_submitter) as house,
    ):
        heard, last = await sent(house, GOOD, BAD)
        assert heard[0].startswith("250")
        assert heard[1].startswith(row.rcpt)
        assert last.startswith(row.both)
        assert kept(house) == ({BAD} if row.is_kept else set())
        assert reports_count(house) == (row.is_refused and is_submitter)
        assert [message.recipients for message in good.messages] == [(GOOD,)]


@pytest.mark.parametrize(("is_submitter", "row"), CASES)
async def test_nobody_else_has_it(is_submitter: bool, row: Row, build: Build) -> None:
    async with (
        ScriptedServer(row.script) as bad,
        house_between(build, bad, bad.port, is_submitter=is_submitter) as house,
    ):
        heard, last = await sent(house, BAD)
        assert heard[0].startswith(row.rcpt)
        assert last.startswith(row.alone)
        assert kept(house) == ({BAD} if row.alone == QUEUED else set())
        assert reports_count(house) == 0


@pytest.mark.parametrize("name", ["drops after the dot", "hangs", "delays at the dot"])
async def test_nothing_can_be_kept(name: str, build: Build) -> None:
    """The last row: nothing is accepted, though the other has its copy; better twice than never."""
    async with (
        ScriptedServer() as good,
        ScriptedServer(OF_AN_MTA[name].script) as bad,
        house_between(build, bad, good.port, is_submitter=False) as house,
    ):
        house.rooms.door.answer = Refused(Refusal.FULL)
        _, last = await sent(house, GOOD, BAD)
        assert last.startswith("452 4.3.1")
        assert house.rooms.door.messages == {}


async def test_what_is_unknown_is_kept_as_unknown(build: Build) -> None:
    async with (
        ScriptedServer() as good,
        ScriptedServer(at("dot", DROP)) as bad,
        house_between(build, bad, good.port, is_submitter=False) as house,
    ):
        await sent(house, GOOD, BAD)
        (message,) = house.rooms.door.messages.values()
        assert message.recipients[BAD].attempts[-1].outcome.result is Result.UNKNOWN


@dataclass(frozen=True)
class RealHop:
    """A Postfix, and what stands behind it."""

    relay: Postfix
    behind: NextHop


@pytest.fixture(scope="module")
def real_hop() -> Iterator[RealHop]:
    with next_hop() as behind, postfix(behind.port) as relay:
        yield RealHop(relay, behind)


@pytest.mark.peer
@pytest.mark.parametrize(("is_submitter", "row"), CASES)
async def test_a_real_postfix_has_it(is_submitter: bool, row: Row, build: Build, real_hop: RealHop) -> None:
    before = len(real_hop.behind.taken)
    async with (
        ScriptedServer(row.script) as bad,
        house_between(build, bad, real_hop.relay.port, is_submitter=is_submitter) as house,
    ):
        heard, last = await sent(house, GOOD, BAD)
        assert heard[1].startswith(row.rcpt)
        assert last.startswith(row.both)
        assert kept(house) == ({BAD} if row.is_kept else set())
        assert reports_count(house) == (row.is_refused and is_submitter)
    log = real_hop.relay.folder / "log"
    await asyncio.to_thread(wait_until, lambda: len(real_hop.behind.taken) > before, "Postfix has relayed it", log)
    assert [one.recipients for one in real_hop.behind.taken[before:]] == [(GOOD,)]
