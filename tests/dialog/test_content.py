"""Contents: size, long lines, many recipients, clients that go away. What is smuggled in them: tests/security."""

from __future__ import annotations

import asyncio
import tracemalloc
from dataclasses import replace

import pytest

from mtad.server.limits import Limits
from tests.dialog.conftest import Build
from tests.dialog.wires import Wire, greeted, reply, say, send_message
from tests.fakes.server_rooms import DELAYED, FAILED, FakeRooms
from tests.security.forms import SECOND

ENVELOPE = ("MAIL FROM:<sender@client.example>", "RCPT TO:<one@example.net>", "DATA")


async def test_two_messages_one_behind_the_other(build: Build) -> None:
    house = await build()
    wire = await greeted(house.wire())
    await say(wire, *ENVELOPE)
    await wire.send(b"first\r\n.\r\n" + SECOND.removesuffix(b"smuggled"))
    assert [(await reply(wire))[0][:3] for _ in range(4)] == ["250", "250", "250", "354"]
    await wire.send(b"second\r\n.\r\n")
    await reply(wire)
    first, second = house.rooms.delivery.contents
    assert first.endswith(b"\r\nfirst\r\n")
    assert second.endswith(b"\r\nsecond\r\n")


async def test_content_before_its_turn_ends_the_session(build: Build) -> None:
    """RFC 2920 §3.1: DATA is the last of its group."""
    house = await build()
    wire = await greeted(house.wire())
    await say(wire, *ENVELOPE[:2])
    await wire.send(b"DATA\r\nSubject: too early\r\n.\r\n")
    assert await reply(wire) == ["554 5.5.0 Client did not wait for its turn to speak"]
    assert await wire.line() == b""
    assert house.rooms.delivery.contents == []


@pytest.mark.parametrize("octets", [b"E", b"EHLO client.example\r\n", b"\x16\x03\x01", b"\r\n"])
async def test_octets_before_the_greeting_end_the_session(octets: bytes, build: Build) -> None:
    house = await build()
    wire = house.wire()
    await wire.send(octets)
    assert await reply(wire) == ["554 5.5.0 Client did not wait for its turn to speak"]
    assert await wire.line() == b""
    assert house.rooms.policy.asked == ["connect"]


async def test_commands_behind_ehlo_end_the_session(build: Build) -> None:
    house = await build()
    wire = house.wire()
    await reply(wire)
    await wire.send(b"EHLO client.example\r\nMAIL FROM:<a@client.example>\r\n")
    assert await reply(wire) == ["554 5.5.0 Client did not wait for its turn to speak"]
    assert await wire.line() == b""


@pytest.mark.parametrize("length", [1001, 100_000, 1_000_000])
async def test_long_lines_pass_as_they_are(length: int, build: Build) -> None:
    house = await build()
    wire = await greeted(house.wire())
    content = b"Subject: long\r\n\r\n" + b"x" * length
    assert (await send_message(wire, content)).startswith("250 ")
    assert house.rooms.delivery.contents[0].endswith(content + b"\r\n")


async def test_a_line_beyond_all_measure_is_refused(build: Build) -> None:
    limits = Limits()
    house = await build(limits=replace(limits, content=replace(limits.content, line_octets_max=5000)))
    wire = await greeted(house.wire())
    assert await send_message(wire, b"x" * 5000) == "550 5.6.0 Message contains a line that is too long"
    assert (await send_message(wire, b"x" * 4998)).startswith("250 ")


async def test_eight_bits_pass_as_they_are(build: Build) -> None:
    house = await build()
    wire = await greeted(house.wire())
    content = b"Subject: all\r\n\r\n" + bytes(octet for octet in range(1, 256) if octet not in b"\r\n")
    assert (await send_message(wire, content)).startswith("250 ")
    assert house.rooms.delivery.contents[0].endswith(content + b"\r\n")


async def test_a_hundred_megabytes_are_refused_in_bounded_memory(build: Build) -> None:
    house = await build()
    wire = await greeted(house.wire())
    await say(wire, *ENVELOPE)
    block = (b"x" * 998 + b"\r\n") * 64
    tracemalloc.start()
    try:
        for _ in range(100_000_000 // len(block)):
            await wire.send(block)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert house.server.octets_in_flight == 0
    await wire.send(b".\r\n")
    assert await reply(wire) == ["552 5.3.4 Message too large"]
    assert peak < 1.5 * Limits().content.size_octets_max
    assert (await send_message(wire, b"small")).startswith("250 ")


async def test_two_thousand_recipients(build: Build) -> None:
    house = await build()
    wire = await greeted(house.wire())
    await say(wire, ENVELOPE[0])
    for first in range(0, 2000, 100):
        await wire.send(b"".join(b"RCPT TO:<r%d@example.net>\r\n" % n for n in range(first, first + 100)))
    codes = [(await reply(wire))[0] for _ in range(2000)]
    assert codes[:1000] == ["250 2.1.5 Recipient ok"] * 1000
    assert codes[1000:] == ["452 4.5.3 Too many recipients"] * 1000
    assert (await say(wire, "DATA"))[0].startswith("354")
    await wire.send(b"text\r\n.\r\n")
    assert (await reply(wire))[0].startswith("250 ")
    assert house.rooms.delivery.opened[0].recipients == [f"r{n}@example.net" for n in range(1000)]


class TestClientsThatGoAway:
    @pytest.mark.parametrize("sent", [b"", b"half", b"half\r\n", b"half\r\n.", b"half\r\n.\r"])
    async def test_in_the_data(self, sent: bytes, build: Build) -> None:
        house = await build()
        wire = await greeted(house.wire())
        await say(wire, *ENVELOPE)
        await wire.send(sent)
        await wire.close()
        assert house.rooms.delivery.opened[0].is_aborted
        assert house.rooms.delivery.contents == []
        assert house.rooms.door.changes == []
        assert len(house.events.named("session.dropped_in_data")) == 1

    async def test_in_the_data_over_a_socket(self, build: Build) -> None:
        house = await build()
        wire = await house.socket()
        await greeted(wire)
        await say(wire, *ENVELOPE)
        wire.writer.transport.abort()  # a reset, no end of file
        while house.server.sessions_count:
            await asyncio.sleep(0)
        assert house.rooms.delivery.opened[0].is_aborted

    async def test_between_commands(self, build: Build) -> None:
        house = await build()
        wire = await greeted(house.wire())
        await say(wire, *ENVELOPE[:2])
        await wire.close()
        assert house.rooms.delivery.opened[0].is_aborted

    @pytest.mark.parametrize("outcome", [None, DELAYED, FAILED])
    async def test_while_waiting_for_the_reply(self, outcome: object, build: Build) -> None:
        """What was begun comes to its end: delivered to one, the other kept or not, and all of it in the log."""
        rooms = FakeRooms()
        rooms.delivery.gate = asyncio.Event()
        if outcome is not None:
            rooms.delivery.at_end["two@example.net"] = outcome  # type: ignore[assignment]
        house = await build(rooms)
        wire = await greeted(house.wire())
        await say(wire, *ENVELOPE[:2], "RCPT TO:<two@example.net>", "DATA")
        await wire.send(b"text\r\n.\r\n")
        wire.connection.eof_received()
        wire.transport.lose(ConnectionResetError("gone"))
        await asyncio.sleep(0)
        assert house.server.sessions_count == 1
        rooms.delivery.gate.set()
        await wire.connection.ended(is_cancelled=False)
        assert len(rooms.delivery.contents) == 1
        assert not rooms.delivery.opened[0].is_aborted
        assert len(house.events.named("mail.accepted")) == 1
        assert len(rooms.door.messages) == (outcome is DELAYED)

    async def test_a_client_may_close_its_side_and_wait(self, build: Build) -> None:
        house = await build()
        wire = await house.socket()
        await greeted(wire)
        await say(wire, *ENVELOPE)
        await wire.send(b"text\r\n.\r\nQUIT\r\n")
        wire.writer.write_eof()
        assert (await reply(wire))[0].startswith("250 ")
        assert (await reply(wire))[0].startswith("221 ")
        assert await wire.line() == b""


async def test_sessions_share_the_octets_in_flight(build: Build) -> None:
    limits = Limits()
    house = await build(limits=replace(limits, content=replace(limits.content, octets_in_flight_max=1000)))
    first, second = house.wire(), house.wire()
    for wire in (first, second):
        await greeted(wire)
        await say(wire, *ENVELOPE)
        await wire.send(b"x" * 600)
    assert house.server.octets_in_flight == 600
    third: Wire = house.wire()
    await greeted(third)
    await say(third, "MAIL FROM:<a@client.example> SIZE=500", ENVELOPE[1])
    assert (await say(third, "DATA"))[0].startswith("452 4.3.1")
    await second.send(b"\r\n.\r\n")
    assert (await reply(second))[0].startswith("452 4.3.1")
    await first.send(b"\r\n.\r\n")
    assert (await reply(first))[0].startswith("250 ")
    assert house.server.octets_in_flight == 0
    assert (await say(third, "DATA"))[0].startswith("354")
