"""The maps of a node, by the names that policies know them by; built from `policy.maps` of mtad.toml."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mtad.config.forms import MapSource
from mtad.maps.answer import Map
from mtad.maps.cidr import read_networks
from mtad.maps.file import FileMap, open_file
from mtad.maps.lines import Wrong
from mtad.maps.regexp import read_patterns
from mtad.maps.table import read_table
from mtad.telemetry.events import Events

REFRESH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Unusable:
    """What is wrong with a map, and where."""

    name: str
    where: str
    line: int
    why: str

    def __str__(self) -> str:
        return f"map {self.name}: {self.where}:{self.line}: {self.why}"


@dataclass(slots=True)
class Shelf:
    """The maps. Between `start` and `close` those in files follow their files."""

    maps: Mapping[str, Map] = field(default_factory=dict)
    unusable: tuple[Unusable, ...] = ()
    _watch: asyncio.Task[None] | None = None
    _told: dict[str, Wrong] = field(default_factory=dict)  # what is wrong with a file, until it is good again

    def start(self, events: Events) -> None:
        """Begin to look whether files have changed."""
        if any(isinstance(one, FileMap) for one in self.maps.values()):
            self._watch = asyncio.get_running_loop().create_task(self._follow(events))

    async def close(self) -> None:
        """Let go of what is held open."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)

    async def _follow(self, events: Events) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            await self.refresh(events)

    async def refresh(self, events: Events) -> None:
        """Read the files that have changed, in a thread: sessions go on."""
        for name, one in self.maps.items():
            if isinstance(one, FileMap):
                self._tell(name, await asyncio.to_thread(one.refresh), events)

    def _tell(self, name: str, found: bool | Wrong, events: Events) -> None:
        if isinstance(found, Wrong):
            if self._told.get(name) != found:
                events.emit("map.unreadable", "error", map=name, line=found.lines[0].number, why=found.lines[0].text)
            self._told[name] = found
            return
        self._told.pop(name, None)
        if found:
            events.emit("map.read", map=name)


def build_shelf(sources: Mapping[str, MapSource]) -> Shelf:
    """Make the maps; what cannot be had is told in `unusable`, and the others are there."""
    maps: dict[str, Map] = {}
    unusable: list[Unusable] = []
    for name, source in sources.items():
        found = _KINDS[source.kind](source.where)
        if isinstance(found, Wrong):
            unusable += [Unusable(name, source.where, line.number, line.text) for line in found.lines]
        else:
            maps[name] = found
    return Shelf(maps, tuple(unusable))


_KINDS: Mapping[str, Callable[[str], Map | Wrong]] = {
    "file": lambda where: open_file(Path(where), read_table),
    "cidr": lambda where: open_file(Path(where), read_networks),
    "regexp": lambda where: open_file(Path(where), read_patterns),
}
