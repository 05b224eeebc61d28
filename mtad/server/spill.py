"""Contents that memory has no room for, while they come and while they wait to be handled: files without a name.

A file of this kind ends with the process, however that happens. What handles a content needs it in memory, so what was
spilt is read back only as others of its kind are done with: their octets have a limit of their own.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mtad.telemetry.events import Events

TURN_SECONDS_MAX = 120.0  # for which a content waits to be read back; then the client is to come again


@dataclass(frozen=True, slots=True)
class SpillLimits:
    """What one process may spill, and hold again at one time."""

    octets_max: int
    read_back_octets_max: int


class ReadingBack:
    """Lets contents into memory in the order in which they ask; one alone is let in whatever its size."""

    def __init__(self, octets_max: int) -> None:
        self._octets_max = octets_max
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()
        self.octets = 0

    async def take(self, octets: int, seconds_max: float) -> bool:
        """Wait for a turn, to be given back; False when none came in time."""
        if not self._waiting and self._fits(octets):
            self.octets += octets
            return True
        entry = (asyncio.get_running_loop().create_future(), octets)
        self._waiting.append(entry)
        try:
            await asyncio.wait([entry[0]], timeout=seconds_max)
        except asyncio.CancelledError:
            if entry[0].done():
                self.give_back(octets)
            else:
                self._waiting.remove(entry)
            raise
        if not entry[0].done():
            self._waiting.remove(entry)
            self._let_in()  # a smaller one behind it may fit
        return entry[0].done()

    def give_back(self, octets: int) -> None:
        """End a turn."""
        self.octets -= octets
        self._let_in()

    def _fits(self, octets: int) -> bool:
        return not self.octets or self.octets + octets <= self._octets_max

    def _let_in(self) -> None:
        while self._waiting and self._fits(self._waiting[0][1]):
            future, octets = self._waiting.popleft()
            self.octets += octets
            future.set_result(None)


class Spill:
    """All spilt contents of one process, in a folder on a disk."""

    def __init__(self, folder: Path, limits: SpillLimits, events: Events) -> None:
        self._folder = folder
        self._octets_max = limits.octets_max
        self.reading_back = ReadingBack(limits.read_back_octets_max)
        self.octets = 0
        self.events = events

    def has(self, octets: int) -> bool:
        """Tell whether that many more fit."""
        return self.octets + octets <= self._octets_max

    def open(self) -> SpiltFile | None:
        """Begin to keep a content; None when the disk or the system's limits do not allow it."""
        try:
            return SpiltFile(self, tempfile.TemporaryFile(dir=self._folder, buffering=0))
        except OSError as error:
            self.failed(error)
            return None

    def failed(self, error: OSError) -> None:
        """Say why a content cannot be kept; its client hears 452."""
        self.events.emit("spill.failed", level="error", why=error.strerror or str(error))


class SpiltFile:
    """One content on the disk."""

    def __init__(self, spill: Spill, file: BinaryIO) -> None:
        self._spill = spill
        self._file = file
        self._octets_count = 0
        self._turn_octets = 0

    def add(self, octets: bytes | bytearray) -> bool:
        """Write what came next; False when there is no room, and then nothing more is to be added."""
        if not self._spill.has(len(octets)):
            return False
        self._spill.octets += len(octets)
        self._octets_count += len(octets)
        left = memoryview(octets)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            self._spill.failed(error)
            return False
        return True

    def cut(self, octets_count: int) -> None:
        """Keep only the first so many octets."""
        os.ftruncate(self._file.fileno(), octets_count)

    async def turn(self) -> bool:
        """Wait until the content may be read back; False when that takes too long."""
        octets = self._octets_count
        if await self._spill.reading_back.take(octets, TURN_SECONDS_MAX):
            self._turn_octets = octets
            return True
        return False

    def read(self) -> bytes:
        """Return the whole content. Errors: OSError."""
        self._file.seek(0)
        return self._file.read()

    def close(self) -> None:
        """Forget the content, and end its turn."""
        self._file.close()
        self._spill.octets -= self._octets_count
        if self._turn_octets:
            self._spill.reading_back.give_back(self._turn_octets)
        self._octets_count = self._turn_octets = 0
