"""What is fed with octets: the pieces that read what strangers send. A target raises AssertionError at a fault.

It returns what it was seen to do: octets that make it do something new are worth more changes.

framing   command lines, contents and chunks, in every cut the same
client    the replies of a next hop, and the protocol that acts on them
session   a whole server on a wire in memory
script    a Sieve script
message   a message that Sieve scripts read
"""

from __future__ import annotations

import asyncio
import random
import re
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from mtad.delivery.client_events import ContentWanted, Ended, Event, Greeting, Mail, Opened, Settled
from mtad.delivery.client_protocol import ClientProtocol
from mtad.delivery.reply_parser import Broken, ReplyParser
from mtad.mail.outcome import Result
from mtad.mail.reply import Reply
from mtad.mail.route import TlsLevel, Transport
from mtad.server.framing import BadLine, CommandLines, ContentReader, OctetBudget, Spoilt
from mtad.server.limits import Limits
from mtad.server.listener import Identity, Server
from mtad.telemetry.events import CollectedEvents
from tests.dialog.wires import MemoryWire
from tests.fakes.server_rooms import DELAYED, FAILED, FakeRooms
from tests.fuzz import scripts, seeds

Seen = tuple[str, ...]
OCTETS_MAX = 4096  # of one input
LINE_OCTETS_MAX = 80
SIZE_OCTETS_MAX = 400
TEXT_LINE_OCTETS_MAX = 200

_LIMITS = Limits()
_LIMITS = replace(
    _LIMITS,
    session=replace(_LIMITS.session, errors_max=8, recipients_max=3, command_octets_max=LINE_OCTETS_MAX),
    content=replace(_LIMITS.content, size_octets_max=SIZE_OCTETS_MAX, line_octets_max=TEXT_LINE_OCTETS_MAX),
)
_REPLY_LINE = re.compile(rb"[2-5][0-5][0-9][ -][\x20-\x7e]{0,505}\r\n")
_ENHANCED = re.compile(rb"([245])[0-9]{2}[ -]\1\.[0-9]{1,3}\.[0-9]{1,3} ")
_WITHOUT_STATUS = re.compile(rb"(220 mx|250[ -](mx|[A-Z0-9]+( |\r))|35[34] )")


def pieces_of(octets: bytes) -> list[bytes]:
    """Cut octets into pieces, always the same ones: none, one a line as of who waits for each reply, or anywhere."""
    dice = random.Random(zlib.crc32(octets))
    way = dice.choice(("whole", "lines", "lines", "anywhere"))
    if way == "lines":
        return octets.splitlines(keepends=True) or [b""]
    if way == "whole" or len(octets) < 2:
        return [octets]
    cuts = sorted(dice.randrange(1, len(octets)) for _ in range(dice.choice((1, 2, 5, 20))))
    return [octets[start:end] for start, end in pairwise((0, *cuts, len(octets)))]


def framing(octets: bytes) -> Seen:
    """Read lines and a content, whole and cut: the same must come out."""
    parts = pieces_of(octets)
    lines, content = _lines([octets]), _content([octets])
    assert _lines(parts) == lines
    assert _content(parts) == content
    kinds = {line if isinstance(line, BadLine) else "line" for line in lines}
    return (*sorted(kinds), content[0] if content and isinstance(content[0], Spoilt) else str(content is None))


def _lines(parts: list[bytes]) -> list[bytes | BadLine]:
    found, cutter = [], CommandLines(LINE_OCTETS_MAX)
    for part in parts:
        cutter.feed(part)
        while (line := cutter.next()) is not None:
            found.append(line)
            assert isinstance(line, BadLine) or (b"\n" not in line and b"\r" not in line)
            assert len(line) <= LINE_OCTETS_MAX
    return found


def _content(parts: list[bytes]) -> tuple[bytes | Spoilt, bytes] | None:
    budget = OctetBudget(10_000)
    reader = ContentReader(budget, size_octets_max=SIZE_OCTETS_MAX, line_octets_max=TEXT_LINE_OCTETS_MAX)
    for index, part in enumerate(parts):
        rest = reader.feed(part)
        if rest is not None:
            found = reader.finish()
            reader.release()
            assert budget.octets == 0
            if not isinstance(found, Spoilt):
                assert len(found) <= SIZE_OCTETS_MAX
                assert found.count(b"\r\n") == found.count(b"\r") == found.count(b"\n")
            return found, rest + b"".join(parts[index + 1 :])
    return None


def client(octets: bytes) -> Seen:
    """Answer our client with whatever octets, in a transaction of which the first octet says how it goes."""
    whole, cut = _replies([octets]), _replies(pieces_of(octets))
    assert whole == cut
    kind, said = (octets[0], octets[1:]) if octets else (0, b"")
    transport = Transport.LMTP if kind & 1 else Transport.SMTP
    core = ClientProtocol(Greeting("us.test", transport, TlsLevel.NONE if kind & 2 else TlsLevel.MAY, "mx.test"))
    opening = (
        b"220 mx\r\n250-mx\r\n250-PIPELINING\r\n250-PRDR\r\n250-CHUNKING\r\n250 BINARYMIME\r\n" if kind & 4 else b""
    )
    asked: list[str] = []
    seen = core.receive(opening)
    seen += _go_on(core, seen, asked, kind)
    for part in pieces_of(said):
        seen += core.receive(part)
        seen += _go_on(core, seen, asked, kind)
        core.to_send()
    seen += core.lost("closed")
    settled = Counter(known.recipient for known in seen if isinstance(known, Settled))
    assert max(settled.values(), default=0) <= 1
    assert set(settled) == set(asked)
    unknown = [known for known in seen if isinstance(known, Settled) and known.outcome.result is Result.UNKNOWN]
    assert not unknown or any(isinstance(known, ContentWanted) for known in seen)
    assert sum(isinstance(known, Ended) for known in seen) <= 1
    return tuple(known.outcome.result if isinstance(known, Settled) else type(known).__name__ for known in seen)


def _go_on(core: ClientProtocol, seen: list[Event], asked: list[str], kind: int) -> list[Event]:
    """Ask what comes next of a transaction: two recipients and a content."""
    if core.is_dead:
        return []
    found: list[Event] = []
    if Opened() in seen and not asked and core.is_idle:
        mail = Mail("x@a.test", is_binary="BINARYMIME" in core.extensions and bool(kind & 8))
        found += core.begin(mail)
        for address in ("u@b.test", "v@b.test"):
            asked.append(address)
            found += core.recipient(address)
        if not core.is_dead:
            found += core.data(9)
    if any(isinstance(known, ContentWanted) for known in (*seen, *found)) and not core.is_past_dot and core.recipients:
        found += core.end_of_data()
    return found


def _replies(parts: list[bytes]) -> list[Reply | Broken]:
    parser = ReplyParser()
    found: list[Reply | Broken] = []
    for part in parts:
        found += parser.feed(part)
        if found and isinstance(found[-1], Broken):
            break
    return found


async def converse(pieces: list[bytes]) -> tuple[list[bytes], FakeRooms, CollectedEvents]:
    """Send the pieces, each as soon as the server has done what it does of itself; return what it said."""
    rooms = FakeRooms()
    rooms.delivery.at_rcpt["none@example.net"] = FAILED
    rooms.delivery.at_end["busy@example.net"] = DELAYED
    rooms.delivery.at_end["late@example.net"] = FAILED
    events = CollectedEvents()
    server = Server(Identity("mx.here.example"), _LIMITS, rooms.collaborators(), events, rooms.time.clock())
    wire = MemoryWire(server)
    greeting = await wire.line()
    for piece in pieces:
        await wire.send(piece)
    await wire.close()
    assert server.sessions_count == 0
    assert server.octets_in_flight == 0
    return (greeting + await wire.replies.read()).splitlines(keepends=True), rooms, events


def check_conversation(lines: list[bytes], rooms: FakeRooms, events: CollectedEvents) -> None:
    """Check that what a server said is replies, and that nothing is left of what it did."""
    for line in lines:
        assert _REPLY_LINE.fullmatch(line), line
        assert _ENHANCED.match(line) or _WITHOUT_STATUS.match(line), line
    assert events.named("session.fault") == []
    for content in rooms.delivery.contents:
        assert content.count(b"\r\n") == content.count(b"\r") == content.count(b"\n")
        assert b"\0" not in content
    accepted = len(events.named("mail.accepted"))
    assert accepted <= sum(line.startswith((b"250 2.0.0 Ok: delivered", b"250 2.0.0 Ok: queued")) for line in lines)
    assert all(one.is_aborted or one.content is not None for one in rooms.delivery.opened), "a transaction is open"


def session(octets: bytes) -> Seen:
    """Send a server whatever octets: it answers with replies, or closes, and forgets."""
    with asyncio.Runner() as runner:
        lines, rooms, events = runner.run(converse(pieces_of(octets)))
    check_conversation(lines, rooms, events)
    return tuple(line[:9].decode() for line in lines)


@dataclass(frozen=True, slots=True)
class Target:
    """What is fed, and with which octets one begins."""

    feed: Callable[[bytes], Seen]
    seeds: Callable[[], list[bytes]]
    share: float  # of the inputs


TARGETS: Mapping[str, Target] = {
    "framing": Target(framing, seeds.of_servers, 0.25),
    "client": Target(client, seeds.of_clients, 0.25),
    "session": Target(session, seeds.of_servers, 0.3),
    "script": Target(scripts.script, scripts.of_scripts, 0.15),
    "message": Target(scripts.message, scripts.of_messages, 0.05),
}
