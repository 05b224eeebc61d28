"""The maps of a node, by the names that policies know them by; built from `policy.maps` of mtad.toml."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from mtad.config.forms import MapSource, Unfit, socketmap_place, tcp_table_place
from mtad.maps.answer import Map
from mtad.maps.cidr import read_networks
from mtad.maps.directory import Directory, read_search
from mtad.maps.file import FileMap, open_file
from mtad.maps.lines import Wrong
from mtad.maps.lmdb_file import LmdbFile, open_lmdb
from mtad.maps.regexp import read_patterns
from mtad.maps.socketmap import Socketmap
from mtad.maps.table import read_table
from mtad.maps.tcp_table import TcpTable
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
    _held: ExitStack = field(default_factory=ExitStack)
    _watch: asyncio.Task[None] | None = None
    _told: dict[str, Wrong] = field(default_factory=dict)  # what is wrong with a file, until it is good again

    def start(self, events: Events) -> None:
        """Begin to look whether files have changed."""
        if any(isinstance(one, FileMap | LmdbFile) for one in self.maps.values()):
            self._watch = asyncio.get_running_loop().create_task(self._follow(events))

    async def close(self) -> None:
        """Let go of what is held open."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        self.release()

    def release(self) -> None:
        """Let go of it where `start` was not called."""
        self._held.close()

    async def _follow(self, events: Events) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            await self.refresh(events)

    async def refresh(self, events: Events) -> None:
        """Read the files that have changed, in a thread: sessions go on."""
        for name, one in self.maps.items():
            self._tell(name, await _refreshed(one), events)

    def _tell(self, name: str, found: bool | Wrong, events: Events) -> None:
        if isinstance(found, Wrong):
            if self._told.get(name) != found:
                events.emit("map.unreadable", "error", map=name, line=found.lines[0].number, why=found.lines[0].text)
            self._told[name] = found
            return
        self._told.pop(name, None)
        if found:
            events.emit("map.read", map=name)


async def _refreshed(one: Map) -> bool | Wrong:
    try:
        if isinstance(one, FileMap):
            return await asyncio.to_thread(one.refresh)
        if isinstance(one, LmdbFile):
            return one.refresh()  # not in a thread: the file is not closed amid a look
    except Exception as error:  # noqa: BLE001 (the boundary of one look: no file would be read again without a next one)
        return Wrong.whole(f"{type(error).__name__}: {error}")
    return False


def build_shelf(sources: Mapping[str, MapSource]) -> Shelf:
    """Make the maps; what cannot be had is told in `unusable`, and the others are there."""
    maps: dict[str, Map] = {}
    unusable: list[Unusable] = []
    held = ExitStack()
    for name, source in sources.items():
        found = _KINDS[source.kind](source.where, held)
        if isinstance(found, Wrong):
            unusable += [Unusable(name, source.where, line.number, line.text) for line in found.lines]
        else:
            maps[name] = found
    return Shelf(maps, tuple(unusable), held)


def _lmdb(where: str, held: ExitStack) -> Map | Wrong:
    found = open_lmdb(Path(where))
    if isinstance(found, LmdbFile):
        held.callback(found.close)
    return found


def _socketmap(where: str, held: ExitStack) -> Map | Wrong:
    place = socketmap_place(where)
    if isinstance(place, Unfit):
        return Wrong.whole(place.why)
    found = Socketmap(*place)
    held.callback(found.close)
    return found


def _tcp_table(where: str, held: ExitStack) -> Map | Wrong:
    address = tcp_table_place(where)
    if isinstance(address, Unfit):
        return Wrong.whole(address.why)
    found = TcpTable(address)
    held.callback(found.close)
    return found


def _sql(where: str, held: ExitStack) -> Map | Wrong:
    try:
        from mtad.maps.sql import Sql, open_sql  # here, for who has such a map alone needs SQLAlchemy
    except ImportError:
        return Wrong.whole("needs SQLAlchemy, which the extra mtad[sql] brings, and the database's driver")
    found = open_sql(Path(where))
    if isinstance(found, Sql):
        held.callback(found.close)
    return found


def _ldap(where: str, held: ExitStack) -> Map | Wrong:
    try:
        from mtad.maps.ldap_client import LdapConnection  # here, for who has such a map alone needs python-ldap
    except ImportError:
        return Wrong.whole("needs python-ldap, which the extra mtad[ldap] brings")
    search = read_search(Path(where))
    if isinstance(search, Wrong):
        return search
    found = Directory(search, lambda: LdapConnection(search))
    held.callback(found.close)
    return found


_KINDS: Mapping[str, Callable[[str, ExitStack], Map | Wrong]] = {
    "file": lambda where, held: open_file(Path(where), read_table),
    "cidr": lambda where, held: open_file(Path(where), read_networks),
    "regexp": lambda where, held: open_file(Path(where), read_patterns),
    "lmdb": _lmdb,
    "socketmap": _socketmap,
    "tcp": _tcp_table,
    "sql": _sql,
    "ldap": _ldap,
}
