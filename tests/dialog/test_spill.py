"""Contents that memory has no room for go over the disk, and a little at a time back into memory."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from mtad.server import spill as spill_module
from mtad.server.limits import Limits
from mtad.server.spill import Spill, SpillLimits
from mtad.telemetry.events import CollectedEvents
from tests.dialog.conftest import Build, House
from tests.dialog.wires import MemoryWire, greeted, reply, say
from tests.fakes.server_rooms import FakeRooms
from tests.fakes.waiting import until

LIMITS = Limits(content=replace(Limits().content, octets_in_flight_max=100))
CONTENT = b"Subject: large\r\n\r\n" + b"text\r\n" * 100


async def spilling(build: Build, folder: Path, rooms: FakeRooms | None = None) -> tuple[House, Spill]:
    spill = Spill(folder, SpillLimits(octets_max=2000, read_back_octets_max=700), CollectedEvents())
    return await build(rooms, LIMITS, overflow=spill), spill


async def begun(house: House, command: str = "DATA") -> MemoryWire:
    wire = await greeted(house.wire())
    await say(wire, "MAIL FROM:<sender@client.example>", "RCPT TO:<one@example.net>")
    if command == "DATA":
        assert (await say(wire, "DATA"))[0].startswith("354")
        await wire.send(CONTENT + b".\r\n")
    else:
        await wire.send(f"BDAT {len(CONTENT)} LAST\r\n".encode() + CONTENT)
    return wire


@pytest.mark.parametrize("command", ["DATA", "BDAT"])
async def test_a_content_larger_than_memory_goes_through(build: Build, tmp_path: Path, command: str) -> None:
    house, spill = await spilling(build, tmp_path)
    wire = await begun(house, command)
    assert (await reply(wire))[0].startswith("250 2.0.0 Ok: delivered")
    assert house.rooms.delivery.contents[0].endswith(CONTENT)
    assert (spill.octets, spill.reading_back.octets, house.server.octets_in_flight) == (0, 0, 0)


async def test_one_waits_on_the_disk_while_another_is_handled(build: Build, tmp_path: Path) -> None:
    rooms = FakeRooms()
    rooms.delivery.gate = asyncio.Event()
    house, spill = await spilling(build, tmp_path, rooms)
    first = await begun(house)
    await until(lambda: spill.reading_back.octets > 0)
    second = await begun(house, "BDAT")
    await until(lambda: spill.octets == 2 * len(CONTENT))
    assert spill.reading_back.octets == len(CONTENT)
    rooms.delivery.gate.set()
    for wire in (first, second):
        assert (await reply(wire))[0].startswith("250 2.0.0 Ok: delivered")
    assert len(rooms.delivery.contents) == 2
    assert (spill.octets, spill.reading_back.octets) == (0, 0)


async def test_who_waits_for_too_long_is_to_come_again(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill_module, "TURN_SECONDS_MAX", 0.05)
    rooms = FakeRooms()
    rooms.delivery.gate = asyncio.Event()
    house, spill = await spilling(build, tmp_path, rooms)
    first = await begun(house)
    await until(lambda: spill.reading_back.octets > 0)
    second = await begun(house)
    assert await reply(second) == ["452 4.3.1 Too much mail in hand, try again later"]
    rooms.delivery.gate.set()
    assert (await reply(first))[0].startswith("250")
    assert spill.octets == 0


async def test_past_the_disk_there_is_no_room_before_data(build: Build, tmp_path: Path) -> None:
    house, _ = await spilling(build, tmp_path)
    wire = await greeted(house.wire())
    await say(wire, "MAIL FROM:<sender@client.example> SIZE=2001", "RCPT TO:<one@example.net>")
    assert await say(wire, "DATA") == ["452 4.3.1 Too much mail in hand, try again later"]


async def test_a_client_that_goes_leaves_nothing_on_the_disk(build: Build, tmp_path: Path) -> None:
    house, spill = await spilling(build, tmp_path)
    wire = await greeted(house.wire())
    await say(wire, "MAIL FROM:<sender@client.example>", "RCPT TO:<one@example.net>", "DATA")
    await wire.send(CONTENT)
    await until(lambda: spill.octets > 0)
    await wire.close()
    await until(lambda: spill.octets == 0)
