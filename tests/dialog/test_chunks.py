"""Contents in chunks: whatever is in them is never a command, however they are cut, and many cost no more than one."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import replace

import pytest

from mtad.server.limits import Limits
from tests.dialog.conftest import Build
from tests.dialog.wires import MemoryWire, greeted, reply, say
from tests.fakes.server_rooms import FakeRooms
from tests.security.forms import SECOND, SMUGGLED

ENVELOPE = ("MAIL FROM:<sender@client.example>", "RCPT TO:<one@example.net>")


@pytest.mark.parametrize(
    "line",
    [
        b"BDAT",
        b"BDAT LAST",
        b"BDAT -6",
        b"BDAT 6 FIRST",
        b"BDAT 6LAST",
        b"BDAT 0x6",
        b"BDAT 6 LAST LAST",
        b"BDAT 111111111111111111111",
        b"BDAT 6\0",
        b"BDAT\t6",
        b"BDAT \xff",
        b"BDAT \xd9\xa6",  # a six, in Arabic
        b"BDAT 6" + b" " * 600,
        b"bdat 6" + b" " * 6000,
        b"BDAT 6\rLAST",
    ],
    ids=lambda line: repr(line[:20]),
)
async def test_a_chunk_of_unknown_size_ends_the_session(line: bytes, build: Build) -> None:
    house = await build()
    wire = await greeted(house.wire())
    await say(wire, *ENVELOPE)
    await wire.send(line + b"\r\nRSET\r\n")
    assert (await reply(wire))[0][:3] in ("500", "501")
    assert await wire.line() == b""
    assert house.rooms.delivery.opened[0].is_aborted


async def test_a_line_feed_alone_behind_a_size_ends_the_session(build: Build) -> None:
    house = await build()
    wire = await greeted(house.wire())
    await wire.send(b"BDAT 6\nQUIT\r\n")
    assert await reply(wire) == ["501 5.5.4 Syntax: BDAT size [LAST]"]
    assert await wire.line() == b""


@pytest.mark.parametrize("sequence", [*SMUGGLED, b"\r\n.\r\n"], ids=repr)
@pytest.mark.parametrize("step", [1, 7, 100_000])
async def test_nothing_is_smuggled(sequence: bytes, step: int, build: Build) -> None:
    """The end of the data is no end of a chunk, and a next hop never sees it as one."""
    house = await build()
    wire = await greeted(house.wire())
    await say(wire, *ENVELOPE)
    content = b"first" + sequence + SECOND + b"\r\n.\r\n"
    octets = (
        b"".join(b"BDAT %d\r\n%b" % (len(piece), piece) for piece in (content[:9], content[9:])) + b"BDAT 0 LAST\r\n"
    )
    for at in range(0, len(octets), step):
        await wire.send(octets[at : at + step])
    assert [(await reply(wire))[0][:3] for _ in range(2)] == ["250", "250"]
    is_text = sequence == b"\r\n.\r\n"
    assert (await reply(wire))[0].startswith("250 2.0.0 Ok: delivered" if is_text else "550 5.")
    assert [octets.endswith(content) for octets in house.rooms.delivery.contents] == [True] * is_text
    assert house.rooms.policy.asked.count("mail admin@here.example") == 0


async def test_chunks_behind_one_that_was_refused_are_no_errors_of_their_own(build: Build) -> None:
    """RFC 3030 §2: a client that sends ahead must not be cut off for what was on its way."""
    house = await build()
    wire = await greeted(house.wire())
    await say(wire, ENVELOPE[0])
    await wire.send(b"BDAT 4\r\nRSET" * 60)
    assert await reply(wire) == ["554 5.5.1 No valid recipients"]
    for _ in range(59):
        assert await reply(wire) == ["503 5.5.1 A chunk was refused: RSET comes next"]
    assert await say(wire, "RSET", *ENVELOPE) == ["250 2.0.0 Ok", "250 2.1.0 Sender ok", "250 2.1.5 Recipient ok"]
    await say(wire, "RSET", ENVELOPE[0])
    await wire.send(b"BDAT 4\r\nRSET" * 60)
    last = [""]
    while last:
        said, last = last, await reply(wire)
    assert said == ["421 4.7.0 Too many commands without a message"], "and yet not for ever"


async def test_what_stands_behind_a_size_that_is_too_small_is_no_content(build: Build) -> None:
    house = await build()
    wire = await greeted(house.wire())
    await say(wire, *ENVELOPE)
    await wire.send(b"BDAT 4 LAST\r\ntext and more\r\n")
    assert (await reply(wire))[0].startswith("250 ")
    assert await reply(wire) == ["500 5.5.2 Command not recognized"]
    assert house.rooms.delivery.contents[0].endswith(b"\r\ntext\r\n")


async def test_a_great_many_chunks_cost_no_memory_and_little_time(build: Build) -> None:
    """Postfix lost its memory to them in 2026; and no chunk is paid for with the octets behind it."""
    house = await build()
    wire = await greeted(house.wire())
    await say(wire, *ENVELOPE)
    many = b"BDAT 1\r\nx" * 20_000
    begun = time.process_time()
    tracemalloc.start()
    try:
        for at in range(0, len(many), 65_536):
            await wire.send(many[at : at + 65_536])
            while house.server.octets_in_flight < min(at + 65_536, len(many)) // 9 - 1:
                await reply(wire)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000
    assert time.process_time() - begun < 30
    await wire.send(b"BDAT 0 LAST\r\n")
    while not (line := (await reply(wire))[0]).startswith("250 2.0.0 Ok: delivered"):
        assert line == "250 2.0.0 1 octets received"
    assert house.rooms.delivery.contents[0].endswith(b"x" * 20_000 + b"\r\n")


async def test_chunks_that_are_not_kept_cost_no_memory(build: Build) -> None:
    house = await build()
    wire = await greeted(house.wire())
    await wire.send(b"BDAT 100000000\r\n")
    tracemalloc.start()
    try:
        for _ in range(1000):
            await wire.send(b"x" * 100_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert await reply(wire) == ["503 5.5.1 Need MAIL command"]
    assert peak < 2_000_000


class TestTime:
    async def test_of_a_block_of_a_chunk(self, build: Build) -> None:
        house = await build()
        wire = await greeted(house.wire())
        await say(wire, *ENVELOPE)
        await wire.send(b"BDAT 10\r\n")
        for _ in range(2):
            await wire.send(b"x")
            house.rooms.time.advance(179)
            house.server.sweep(house.rooms.time.monotonic)
        house.rooms.time.advance(1)
        house.server.sweep(house.rooms.time.monotonic)
        assert (await reply(wire))[0].startswith("421 4.4.2")
        await wire.connection.ended(is_cancelled=False)
        assert house.rooms.delivery.opened[0].is_aborted

    async def test_of_all_the_chunks(self, build: Build) -> None:
        house = await build()
        wire = await greeted(house.wire())
        await say(wire, *ENVELOPE)
        for _ in range(36):
            await wire.send(b"BDAT 1\r\nx")
            assert await reply(wire) == ["250 2.0.0 1 octets received"]
            house.rooms.time.advance(100)
        await wire.send(b"BDAT 1\r\nx")
        assert await reply(wire) == ["421 4.4.2 Chunks come too slowly"]
        assert await wire.line() == b""
        assert house.rooms.delivery.opened[0].is_aborted


class TestClientsThatGoAway:
    @pytest.mark.parametrize(
        "sent", [b"BDAT 9\r\n", b"BDAT 9 LAST\r\nfour", b"BDAT 4\r\nfour", b"BDAT 4\r\nfourBDAT 1"]
    )
    async def test_before_the_last_octet(self, sent: bytes, build: Build) -> None:
        house = await build()
        wire = await greeted(house.wire())
        await say(wire, *ENVELOPE)
        await wire.send(sent)
        await wire.close()
        assert house.rooms.delivery.opened[0].is_aborted
        assert house.rooms.delivery.contents == []
        assert len(house.events.named("session.dropped_in_data")) == (b"9" in sent)


async def test_a_fault_while_the_next_hops_are_told_ends_the_session(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chunk was not read: what comes is content, not commands."""
    limits = Limits()
    house = await build(limits=replace(limits, content=replace(limits.content, octets_in_flight_max=10)))
    wire = await greeted(house.wire())
    await say(wire, "MAIL FROM:<sender@client.example> SIZE=1000", ENVELOPE[1])

    async def fails() -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(house.rooms.delivery.opened[0], "abort", fails)
    await wire.send(b"BDAT 6\r\nRSET\r\n")
    assert (await reply(wire))[0].startswith("451 4.3.0 Local error")
    assert await wire.line() == b""


async def test_sessions_share_the_octets_in_flight(build: Build) -> None:
    limits = Limits()
    house = await build(FakeRooms(), replace(limits, content=replace(limits.content, octets_in_flight_max=1000)))
    first, second = house.wire(), house.wire()
    for wire in (first, second):
        await greeted(wire)
        await say(wire, *ENVELOPE)
    await first.send(b"BDAT 600\r\n" + b"x" * 600)
    await second.send(b"BDAT 600\r\n" + b"x" * 600)
    assert await reply(first) == ["250 2.0.0 600 octets received"]
    assert (await reply(second))[0].startswith("452 4.3.1")
    assert house.server.octets_in_flight == 600
    await say(first, "RSET")
    assert house.server.octets_in_flight == 0


class TestLongestLines:
    @pytest.mark.parametrize(
        ("before", "after", "octets_max"),
        [
            (b"NOOP ", b"", 512),
            (b"EHLO ", b"", 512),
            (b"VRFY ", b"", 512),
            (b"HELP ", b"", 512),
            (b"MAIL FROM:<a@client.example>", b" SIZE=1", 2048),
            (b"RCPT TO:<one@example.net>", b"", 2048),
        ],
    )
    async def test_of_each_verb(self, before: bytes, after: bytes, octets_max: int, build: Build) -> None:
        """RFC 5321 §4.5.3.1.4: 512 octets with the CRLF, and what paths and extensions add."""
        house = await build()
        wire = await greeted(house.wire())
        filler = b" " if b"<" in before else b"x"
        if before.startswith(b"RCPT"):
            await say(wire, ENVELOPE[0])
        missing = octets_max - len(before) - len(after) - 2
        assert await _says(wire, before + filler * (missing + 1) + after) == "500 5.5.2 Command line too long"
        assert (await _says(wire, before + filler * missing + after))[:2] == ("21" if b"HELP" in before else "25")


async def _says(wire: MemoryWire, line: bytes) -> str:
    await wire.send(line + b"\r\n")
    return (await reply(wire))[0]
