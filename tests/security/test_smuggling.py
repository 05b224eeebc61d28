"""One message stays one message, from the client to any next hop (CVE-2023-51764, -51765, -51766).

Only CRLF.CRLF ends the data. What others take for its end is refused by DATA and by BDAT; what we let pass holds
nothing that a next hop could take for it, by whichever rule it reads.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtad.delivery import through
from mtad.server import chunking, framing
from mtad.server.limits import Limits, SessionLimits
from tests.dialog.conftest import Build
from tests.dialog.wires import Wire, greeted, reply, say
from tests.fakes.outgoing import outgoing
from tests.fakes.recording_hop import END_RULES, RecordingHop, heard
from tests.security.forms import EDGES, SECOND, SMUGGLED
from tests.security.front import rooms_to
from tests.security.ways import END, REPLIES_BEFORE, WAYS, by_chunk, cuts, send

_RECEIVED = re.compile(rb"\AReceived:.*\r\n(?:[ \t].*\r\n)*")

ENVELOPE = ("MAIL FROM:<sender@client.example>", "RCPT TO:<one@example.net>")
REFUSED = ("550 5.5.2", "550 5.6.0")
PATIENT = Limits(session=SessionLimits(errors_max=1_000_000))


async def last_reply(wire: Wire, way: str, octets: bytes, at: tuple[int, ...] = ()) -> str:
    """Send a content in one of the ways; return the reply to its end."""
    await say(wire, *ENVELOPE, *(["DATA"] if way == "DATA" else []))
    await send(wire, WAYS[way](octets), at)
    for _ in range(REPLIES_BEFORE.get(way, 0)):
        assert (await reply(wire))[0].endswith("octets received")
    return (await reply(wire))[0]


@pytest.mark.parametrize("form", SMUGGLED, ids=repr)
async def test_no_form_ends_the_data_however_it_is_cut(form: bytes, build: Build) -> None:
    house = await build(limits=PATIENT)
    wire = await greeted(house.wire())
    for before_octets in EDGES:
        for at in cuts(form, before_octets):
            found = await last_reply(wire, "DATA", b"x" * before_octets + form + SECOND, at)
            assert found.startswith(REFUSED), (before_octets, at, found)
            assert await say(wire, "NOOP") == ["250 2.0.0 Ok"], "commands and replies are out of step"
    assert house.rooms.policy.asked.count("mail admin@here.example") == 0
    assert house.rooms.delivery.contents == []


@pytest.mark.parametrize("form", SMUGGLED, ids=repr)
async def test_what_is_pipelined_behind_a_refused_content_is_read_as_commands(form: bytes, build: Build) -> None:
    """The next message of an honest client behind its own end of data is its next message, and no more than that."""
    house = await build()
    wire = await greeted(house.wire())
    await say(wire, *ENVELOPE, "DATA")
    await wire.send(b"first" + form + SECOND + END + b"MAIL FROM:<next@client.example>\r\nNOOP\r\n")
    assert [(await reply(wire))[0][:3] for _ in range(3)] == ["550", "250", "250"]
    assert [asked for asked in house.rooms.policy.asked if asked.startswith("mail")] == [
        "mail sender@client.example",
        "mail next@client.example",
    ]


@pytest.mark.parametrize("before_octets", EDGES)
async def test_the_end_of_the_data_is_found_at_every_edge(before_octets: int, build: Build) -> None:
    house = await build(limits=PATIENT)
    wire = await greeted(house.wire())
    content = b"x" * before_octets
    for at in cuts(END, before_octets):
        assert (await last_reply(wire, "DATA", content, at)).startswith("250 2.0.0 Ok: delivered")
        assert house.rooms.delivery.contents.pop().endswith(b"\r\n" + content + b"\r\n")
        house.rooms.delivery.opened.clear()


@pytest.mark.parametrize(
    ("size", "contents"), [("3 LAST", [b"fir\r\n"]), ("5", []), ("9999 LAST", []), ("9999", []), ("0 LAST", [b""])]
)
async def test_a_chunk_is_as_long_as_it_says(size: str, contents: list[bytes], build: Build) -> None:
    """What stands behind it is the client's next commands, and what is missing is waited for."""
    house = await build()
    wire = await greeted(house.wire())
    await say(wire, *ENVELOPE)
    await wire.send(f"BDAT {size}\r\n".encode() + b"first\n.\n" + SECOND + END)
    await wire.close()
    delivered = [_RECEIVED.sub(b"", content, count=1) for content in house.rooms.delivery.contents]
    assert delivered == contents


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    """Draw a content out of the pieces that ends of data are made of."""
    pieces = (b"\r", b"\n", b".", b"\0", b"\r\n", b"..", b"text", SECOND, b"", END, *SMUGGLED)
    return b"".join(draw(st.lists(st.sampled_from(pieces), max_size=8)))


def is_one_message(content: bytes) -> bool:
    """Tell whether a content that DATA brings ends where its sender thinks it does."""
    return (b"\r\n" + content + END).index(END) == len(content) + 2


async def sent_on(build: Build, tries: list[tuple[str, bytes]], hop: RecordingHop) -> int:
    """Send messages through a whole server to a next hop; return how many were answered 250."""
    async with outgoing() as out:
        house = await build(rooms_to(hop.port, out.delivery), PATIENT)
        wire = await greeted(house.wire())
        accepted = 0
        for way, content in tries:
            found = await last_reply(wire, way, content)
            accepted += found.startswith("250 2.0.0 Ok: delivered")
            assert found.startswith(("250 2.0.0 Ok: delivered", *REFUSED)), found
            await say(wire, "RSET")
        await wire.close()
    return accepted


BAITS = [
    (way, before + form + SECOND)
    for way in WAYS
    for before in (b"first", b"", b"x" * 4094, b"x" * 65534)
    for form in (*SMUGGLED, END, b"\r\n..\r\n", b"\r\n...\r\n")
    if way != "DATA" or form != END
]


async def test_no_next_hop_reads_two_messages_in_one(build: Build) -> None:
    async with RecordingHop() as hop:
        accepted = await sent_on(build, BAITS, hop)
        assert accepted == 4 * (3 * 2 + 2), "what a text may hold goes on"
        assert hop.counts() == dict.fromkeys(END_RULES, accepted)
        for stream in hop.streams:
            assert all(b"MAIL FROM:<sender@" in one.mail for one in heard(bytes(stream), END_RULES["strict"]))


async def test_no_next_hop_reads_two_messages_in_anything(build: Build) -> None:
    """The same of whatever can be made of the octets that matter."""
    tries: list[tuple[str, bytes]] = []

    @settings(max_examples=300, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.sampled_from(list(WAYS)), contents())
    def collect(way: str, content: bytes) -> None:
        if way != "DATA" or is_one_message(content):
            tries.append((way, content))

    collect()
    async with RecordingHop() as hop:
        accepted = await sent_on(build, tries, hop)
        assert 20 < accepted < len(tries)
        assert hop.counts() == dict.fromkeys(END_RULES, accepted)


async def test_binary_content_goes_on_by_its_size_alone(build: Build) -> None:
    async with RecordingHop(("CHUNKING", "BINARYMIME")) as hop, outgoing() as out:
        house = await build(rooms_to(hop.port, out.delivery), is_binary_offered=True)
        wire = await greeted(house.wire())
        body = b"first" + b"".join(form + SECOND for form in (*SMUGGLED, END))
        await say(wire, "MAIL FROM:<sender@client.example> BODY=BINARYMIME", ENVELOPE[1])
        await wire.send(by_chunk(b"Subject: binary\r\n\r\n" + body))
        assert (await reply(wire))[0].startswith("250 2.0.0 Ok: delivered")
        await wire.close()
        assert hop.counts() == dict.fromkeys(END_RULES, 1)
        assert heard(bytes(hop.streams[0]), END_RULES["strict"])[0].content.endswith(body)


def dots_alone(content: bytes) -> bytes:
    """Double dots, and let everything else pass."""
    return content.replace(b"\r\n.", b"\r\n..")


async def test_a_server_that_lets_stray_line_ends_pass_is_caught(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug, planted: what the tests above look for is there to be found."""
    for module in (framing, chunking):
        monkeypatch.setattr(module, "spoilt_by_octets", lambda octets, *, line_octets_max: None)
    monkeypatch.setattr(through, "stuffed", dots_alone)
    async with RecordingHop() as hop:
        assert await sent_on(build, [("DATA", b"first\n.\n" + SECOND)], hop) == 1
        counts = hop.counts()
    assert (counts["strict"], counts["\\n.\\n"]) == (1, 2)


async def test_a_server_that_does_not_double_dots_is_caught(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where the content is clean and comes in a chunk."""
    monkeypatch.setattr(through, "stuffed", lambda content: content)
    async with RecordingHop() as hop:
        assert await sent_on(build, [("one chunk", b"first" + END + SECOND + b"\r\n")], hop) == 1
        assert min(hop.counts().values()) == 2
