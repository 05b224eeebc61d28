"""The maps of a node, by the names that policies know them by; built from `policy.maps` of mtad.toml."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from mtad.config.forms import MapSource, Unfit, socketmap_place, tcp_table_place
from mtad.maps.answer import Map
from mtad.maps.cidr import read_networks
from mtad.maps.directory import Directory, read_search
from mtad.maps.file import FileMap, open_file
from mtad.maps.lines import Wrong
from mtad.maps.lmdb_file import LmdbFile, open_lmdb, whole_path
from mtad.maps.regexp import read_patterns
from mtad.maps.socketmap import Socketmap
from mtad.maps.table import read_table
from mtad.maps.tcp_table import TcpTable
from mtad.telemetry.events import Events

REFRESH_SECONDS = 2.0
RETIRED_SECONDS = 3600.0  # for which sessions may ask the maps that were there when they began
RETIRED_MAX = 100
_DESCRIBED = ("sql", "ldap")  # kinds whose file says what is asked: a map is made anew, for it may say something else


@dataclass(frozen=True, slots=True)
class Unusable:
    """What is wrong with a map, and where."""

    name: str
    where: str
    line: int
    why: str

    def __str__(self) -> str:
        return f"map {self.name}: {self.where}:{self.line}: {self.why}"


@dataclass(slots=True, eq=False)
class Opened:
    """A map, and what it holds open."""

    map: Map
    held: ExitStack


@dataclass(frozen=True, slots=True)
class _Retired:
    """One that no policy names any more, since this moment."""

    since: float
    opened: Opened


def _is_text(one: _Retired) -> bool:
    """Tell whether it is a text, of which nobody has looked since whether it has changed."""
    return isinstance(one.opened.map, FileMap)


@dataclass(frozen=True, slots=True)
class Draft:
    """The maps that a shelf could have.

    opened   by where they come from; those that the shelf has are the same
    made     those of them that it has not
    """

    maps: Mapping[str, Map]
    unusable: tuple[Unusable, ...]
    opened: Mapping[MapSource, Opened]
    made: Sequence[MapSource]


@dataclass(slots=True)
class Shelf:
    """The maps. Between `start` and `close` those in files follow their files."""

    maps: Mapping[str, Map] = field(default_factory=dict)
    unusable: tuple[Unusable, ...] = ()
    now: Callable[[], float] = time.monotonic
    _opened: Mapping[MapSource, Opened] = field(default_factory=dict)
    _retired: dict[MapSource, _Retired] = field(default_factory=dict)  # the oldest first
    _is_drafting: bool = False
    _turn: Lock = field(default_factory=Lock)  # a draft begins in a thread, what is retired is forgotten in the loop
    _watch: asyncio.Task[None] | None = None
    _told: dict[str, Wrong] = field(default_factory=dict)  # what is wrong with a file, until it is good again

    def start(self, events: Events) -> None:
        """Begin to look whether files have changed."""
        self._watch = asyncio.get_running_loop().create_task(self._follow(events))

    def draft(self, sources: Mapping[str, MapSource]) -> Draft:
        """Make the maps of these sources, those excepted that are here; may be called in a thread, once at a time."""
        with self._turn:
            self._is_drafting = True  # what is retired stays open meanwhile: the draft may have it again
            known = {source: one.opened for source, one in self._retired.items() if not _is_text(one)}
            known |= self._opened
        with ExitStack() as undone:
            undone.callback(self._end_draft)
            draft = _drafted(sources, known)
            undone.pop_all()
        return draft

    def take(self, draft: Draft) -> None:
        """Have the maps of a draft from now on. Who began with the others may ask them for a while."""
        for source, opened in draft.opened.items():
            if source in self._retired and self._retired[source].opened is opened:
                del self._retired[source]
        for source, opened in self._opened.items():
            if draft.opened.get(source) is not opened:
                self._retire(source, opened)
        self.maps, self._opened = draft.maps, draft.opened
        self._end_draft()

    def discard(self, draft: Draft) -> None:
        """Let go of what was made for a draft that is not taken."""
        with ExitStack() as undone:
            undone.callback(self._end_draft)
            for source in draft.made:
                undone.push(draft.opened[source].held)

    def _end_draft(self) -> None:
        self._is_drafting = False

    def _retire(self, source: MapSource, opened: Opened) -> None:
        before = self._retired.pop(source, None)
        if before is not None:
            before.opened.held.close()
        self._retired[source] = _Retired(self.now(), opened)

    async def close(self) -> None:
        """Let go of what is held open."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        self.release()

    def release(self) -> None:
        """Let go of it where `start` was not called."""
        for opened in (*self._opened.values(), *(one.opened for one in self._retired.values())):
            opened.held.close()

    async def _follow(self, events: Events) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            await self.refresh(events)
            self.forget_retired()

    def forget_retired(self) -> None:
        """Let go of maps that nobody should still ask; who does is told that they are not there."""
        with self._turn:
            if self._is_drafting:
                return
            until = self.now() - RETIRED_SECONDS
            surplus = len(self._retired) - RETIRED_MAX
            retired = enumerate(self._retired.items())
            gone = [source for at, (source, one) in retired if at < surplus or one.since <= until]
            for source in gone:
                self._retired.pop(source).opened.held.close()

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
    draft = _drafted(sources, {})
    return Shelf(draft.maps, draft.unusable, _opened=draft.opened)


def _drafted(sources: Mapping[str, MapSource], known: Mapping[MapSource, Opened]) -> Draft:
    maps: dict[str, Map] = {}
    unusable: list[Unusable] = []
    opened: dict[MapSource, Opened] = {}
    made: list[MapSource] = []
    with ExitStack() as undone:
        for name, given in sources.items():
            source = _as_opened(given, {**known, **opened})
            there = opened.get(source) or (None if source.kind in _DESCRIBED else known.get(source))
            if there is None:
                held = undone.enter_context(ExitStack())
                found = _KINDS[source.kind](source.where, held)
                if isinstance(found, Wrong):
                    unusable += [Unusable(name, source.where, line.number, line.text) for line in found.lines]
                    continue
                there = Opened(found, held)
                made.append(source)
            maps[name], opened[source] = there.map, there
        undone.pop_all()
    return Draft(maps, tuple(unusable), opened, made)


def _as_opened(source: MapSource, opened: Mapping[MapSource, Opened]) -> MapSource:
    """Return the source whose file this is in other words, if it is open: LMDB opens no file twice in a process."""
    if source.kind != "lmdb" or source in opened:
        return source
    whole = whole_path(Path(source.where))
    same = (one for one, there in opened.items() if isinstance(there.map, LmdbFile) and there.map.is_at(whole))
    return next(same, source)


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
