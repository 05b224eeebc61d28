"""What is spilt comes back whole, leaves nothing behind, and is read back a little at a time."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from mtad.server import spill as spill_module
from mtad.server.chunking import ChunkReader
from mtad.server.framing import ContentReader, OctetBudget, Spoilt
from mtad.server.spill import ReadingBack, Spill, SpillLimits
from mtad.telemetry.events import CollectedEvents

CONTENT = b"".join(b"line %d\r\n" % number for number in range(1000))


def spill_in(folder: Path, octets_max: int = 1_000_000, read_back_octets_max: int = 1_000_000) -> Spill:
    return Spill(folder, SpillLimits(octets_max, read_back_octets_max), CollectedEvents())


def reader_of(budget: OctetBudget, size_octets_max: int = 1_000_000) -> ContentReader:
    return ContentReader(budget, size_octets_max=size_octets_max, line_octets_max=2000)


@pytest.mark.parametrize("memory", [0, 1, 100, 5000, len(CONTENT) - 1])
@pytest.mark.parametrize("step", [1, 7, 4096, 100_000])
def test_a_content_that_memory_has_no_room_for_is_the_same(tmp_path: Path, memory: int, step: int) -> None:
    spill = spill_in(tmp_path)
    budget = OctetBudget(memory, spill)
    reader = reader_of(budget)
    octets = CONTENT.replace(b"\r\nline 5", b"\r\n..line 5") + b".\r\nQUIT\r\n"
    rest = None
    for at in range(0, len(octets), step):
        rest = reader.feed(octets[at : at + step])
        if rest is not None:
            break
    assert reader.spilt is not None
    assert budget.octets == 0
    assert spill.octets > 0
    assert os.listdir(tmp_path) == []  # it has no name: nothing is left, however the process ends
    assert reader.finish() == CONTENT.replace(b"\r\nline 5", b"\r\n.line 5")
    reader.release()
    assert spill.octets == 0


@pytest.mark.parametrize(("is_binary", "ending"), [(False, b"\r\n"), (True, b"")])
def test_chunks_are_spilt_too(tmp_path: Path, is_binary: bool, ending: bytes) -> None:
    spill = spill_in(tmp_path)
    reader = ChunkReader(
        OctetBudget(10, spill), size_octets_max=100_000, line_octets_max=2000, latest=0.0, is_binary=is_binary
    )
    for at in range(0, len(CONTENT) - 2, 1000):
        reader.feed(CONTENT[at : min(at + 1000, len(CONTENT) - 2)])
    assert reader.finish() == CONTENT[:-2] + ending
    reader.release()
    assert spill.octets == 0


def test_what_fits_in_memory_stays_there(tmp_path: Path) -> None:
    reader = reader_of(OctetBudget(len(CONTENT) + 3, spill_in(tmp_path)))
    reader.feed(CONTENT + b".\r\n")
    assert reader.spilt is None


def test_past_the_files_there_is_no_room(tmp_path: Path) -> None:
    spill = spill_in(tmp_path, octets_max=1000)
    budget = OctetBudget(100, spill)
    assert (budget.has(1000), budget.has(1001)) == (True, False)
    reader = reader_of(budget)
    reader.feed(CONTENT + b".\r\n")
    assert (reader.finish(), spill.octets) == (Spoilt.NO_ROOM, 0)


def test_a_content_that_is_too_large_leaves_the_disk_at_once(tmp_path: Path) -> None:
    spill = spill_in(tmp_path)
    reader = reader_of(OctetBudget(10, spill), size_octets_max=5000)
    reader.feed(CONTENT[:4000])
    assert spill.octets == 4000
    reader.feed(CONTENT[4000:])
    assert spill.octets == 0
    reader.feed(b".\r\n")
    assert reader.finish() is Spoilt.TOO_LARGE


def test_a_folder_that_takes_no_files_means_no_room(tmp_path: Path) -> None:
    spill = spill_in(tmp_path / "missing")
    reader = reader_of(OctetBudget(10, spill))
    reader.feed(CONTENT + b".\r\n")
    assert reader.finish() is Spoilt.NO_ROOM
    assert isinstance(spill.events, CollectedEvents)
    assert len(spill.events.named("spill.failed")) == 1


def test_a_full_disk_means_no_room() -> None:
    class FullFile:
        def write(self, octets: memoryview) -> int:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            return

    spill = spill_in(Path("/"))
    file = spill_module.SpiltFile(spill, FullFile())  # type: ignore[arg-type]
    assert not file.add(b"x")
    file.close()
    assert spill.octets == 0
    assert isinstance(spill.events, CollectedEvents)
    assert len(spill.events.named("spill.failed")) == 1


async def granted(turns: ReadingBack, octets: int, seconds: float = 60.0) -> asyncio.Task[bool]:
    task = asyncio.create_task(turns.take(octets, seconds))
    for _ in range(3):
        await asyncio.sleep(0)
    return task


class TestReadingBack:
    async def test_come_in_order_as_there_is_room(self) -> None:
        turns = ReadingBack(100)
        first, large, small = [await granted(turns, octets) for octets in (60, 70, 10)]
        assert [task.done() for task in (first, large, small)] == [True, False, False]
        turns.give_back(60)
        assert await large
        assert await small
        assert turns.octets == 80

    async def test_what_is_larger_than_all_room_comes_alone(self) -> None:
        turns = ReadingBack(100)
        huge = await granted(turns, 1000)
        after = await granted(turns, 1)
        assert (huge.done(), after.done()) == (True, False)
        turns.give_back(1000)
        assert await after

    async def test_who_waited_for_too_long_has_none_and_stops_nobody(self) -> None:
        turns = ReadingBack(100)
        assert await turns.take(60, 1)
        large = await granted(turns, 70, 0.01)
        small = await granted(turns, 10)
        assert not await large
        assert await small
        assert turns.octets == 70

    @pytest.mark.parametrize("is_let_in", [False, True])
    async def test_who_goes_away_gives_back_what_it_was_given(self, is_let_in: bool) -> None:
        turns = ReadingBack(100)
        assert await turns.take(100, 1)
        waiting = await granted(turns, 50)
        if is_let_in:
            turns.give_back(100)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert turns.octets == (0 if is_let_in else 100)
        if not is_let_in:
            turns.give_back(100)
        assert await turns.take(100, 1)

    async def test_the_turn_ends_with_the_file(self, tmp_path: Path) -> None:
        spill = spill_in(tmp_path, read_back_octets_max=100)
        files = [spill.open(), spill.open()]
        for file in files:
            assert file is not None
            assert file.add(b"x" * 80)
        one, other = files
        assert one is not None
        assert other is not None
        assert await one.turn()
        second = asyncio.create_task(other.turn())
        await asyncio.sleep(0)
        assert not second.done()
        one.close()
        assert await second
        other.close()
        assert (spill.reading_back.octets, spill.octets) == (0, 0)
