"""An LMDB file as `postmap` makes it; what is written to it counts at once, a file in its place within seconds.

It is read without LMDB's own locks, which Postfix does not take either: a look reads a few pages, and would have to
outlast two transactions of a writer to see one that was used again.

LMDB maps the file into memory, and whoever reads a page there that the file does not have any more ends with SIGBUS. No
writer of LMDB's cuts a file off, but who copies another one over it does: its size is looked at before each look. A
file that lacks pages when it is opened (they may be those that its last writer gave back) is read from a copy that has
nothing in their place. So is one that is open by another name: LMDB opens no file twice in a process.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import lmdb

from mtad.maps.answer import ABSENT, Answer, Found, Unavailable, folded
from mtad.maps.file import Stamp, stamp_of
from mtad.maps.lines import Wrong

SUFFIX = ".lmdb"
KEY_OCTETS_MAX = 511  # LMDB's own
COPY_OCTETS_MAX = 64 << 20
_WEIGHT = 16
_META_OCTETS = 2 * 4096  # without its first two pages it is no database
_CUT_OFF = "the file was cut off"
_OPEN_ALREADY = "already open in this process"  # what py-lmdb says, which has no other word for it


@dataclass(slots=True)
class _Opened:
    """A database as it was opened.

    size_octets   what the file had at least once
    is_copy       it is read from memory, where nobody cuts it off and nobody writes
    """

    environment: lmdb.Environment
    stamp: Stamp
    size_octets: int
    is_copy: bool = False


class LmdbFile:
    """Answers from an open file."""

    def __init__(self, path: Path, opened: _Opened) -> None:
        self._path = path
        self._opened = opened
        self._seen = opened.stamp
        self._lost = ""  # why there is nothing to look into

    def weight(self, _key: str) -> int:
        """Return how much a look costs, where the pages are in memory."""
        return _WEIGHT

    def get(self, key: str) -> Answer:
        """Return the value of a key; as in Postfix both may end with a zero octet or not."""
        octets = folded(key).encode("utf-8", "surrogateescape")
        if not 0 < len(octets) < KEY_OCTETS_MAX:
            return ABSENT
        if not self._lost and not self._is_whole():
            self._lost = _CUT_OFF
        if self._lost:
            return Unavailable(self._lost)
        try:
            value = self._value(octets)
        except lmdb.Error as error:
            return Unavailable(str(error))
        return ABSENT if value is None else Found(value.removesuffix(b"\0").decode("utf-8", "surrogateescape"))

    def refresh(self) -> bool | Wrong:
        """Open the file anew if another one has taken its place, once that is still, and tell whether it has.

        What a writer changes in it counts without.
        """
        stamp = stamp_of(self._path)
        if isinstance(stamp, Wrong):
            return stamp
        is_still, self._seen = stamp == self._seen, stamp
        if not (is_still and self._is_another(stamp)):
            return False
        self._opened.environment.close()
        opened = _opened(self._path)
        if isinstance(opened, Wrong):
            self._lost = opened.lines[0].text
            return opened
        self._opened, self._lost = opened, ""
        return True

    def is_at(self, path: Path) -> bool:
        """Tell whether this path leads to the same file, however it is written and whatever links it goes by."""
        try:
            return self._path.samefile(path)
        except OSError:
            return False

    def close(self) -> None:
        """Close the file."""
        self._opened.environment.close()

    def _is_another(self, stamp: Stamp) -> bool:
        inode, size_octets, *_ = stamp
        if self._lost or self._opened.is_copy:
            return bool(self._lost) or stamp != self._opened.stamp
        return inode != self._opened.stamp[0] or size_octets < self._opened.size_octets

    def _is_whole(self) -> bool:
        """Tell whether the file has all that it had; one that has lost its name nobody cuts off."""
        opened = self._opened
        try:
            found = self._path.stat()
        except OSError:
            return True
        if opened.is_copy or found.st_ino != opened.stamp[0]:
            return True
        opened.size_octets, before = max(found.st_size, opened.size_octets), opened.size_octets
        return found.st_size >= before

    def _value(self, key: bytes) -> bytes | None:
        try:
            return self._read(key)
        except lmdb.MapResizedError:  # the writer has made it larger
            self._opened.environment.set_mapsize(0)
            return self._read(key)

    def _read(self, key: bytes) -> bytes | None:
        with self._opened.environment.begin() as transaction:
            for form in (key + b"\0", key):
                value = transaction.get(form)
                if value is not None:
                    return bytes(value)
        return None


def whole_path(path: Path) -> Path:
    """Return where a file is, whose name may be given without its end as Postfix has it."""
    return path if path.name.endswith(SUFFIX) else path.with_name(path.name + SUFFIX)


def open_lmdb(path: Path) -> LmdbFile | Wrong:
    """Open a file."""
    whole = whole_path(path)
    opened = _opened(whole)
    return opened if isinstance(opened, Wrong) else LmdbFile(whole, opened)


def _opened(path: Path) -> _Opened | Wrong:
    stamp = stamp_of(path)
    if isinstance(stamp, Wrong):
        return stamp
    inode, size_octets, *_ = stamp
    if size_octets < _META_OCTETS:
        return Wrong.whole("cannot be opened: it is cut off")
    try:
        environment = _environment(path)
        pages_octets = _pages_octets(environment)
        now = stamp_of(path)
        if isinstance(now, Wrong) or now[0] != inode:
            environment.close()
            return Wrong.whole("was replaced while it was opened")
        if size_octets >= pages_octets:
            return _Opened(environment, stamp, size_octets)
        environment.close()
        return _copied(path, stamp, "it lacks pages")
    except (lmdb.Error, OSError) as error:
        is_open = isinstance(error, lmdb.Error) and _OPEN_ALREADY in str(error)
        return _copied(path, stamp, "it is open by another name") if is_open else _unusable(error)


def _copied(path: Path, stamp: Stamp, why: str) -> _Opened | Wrong:
    """Open a copy in memory that has as many octets as there are to be."""
    _, size_octets, *_ = stamp
    if size_octets > COPY_OCTETS_MAX:
        return Wrong.whole(f"cannot be opened: {why}, and is too large for a copy")
    try:
        with path.open("rb") as file, open(os.memfd_create(path.name), "w+b") as copy:
            shutil.copyfileobj(file, copy)
            copy.flush()
            environment = _environment(Path(f"/proc/self/fd/{copy.fileno()}"))
            octets = max(size_octets, _pages_octets(environment))
            if octets <= COPY_OCTETS_MAX:
                copy.truncate(octets)
                return _Opened(environment, stamp, octets, is_copy=True)
    except (lmdb.Error, OSError) as error:
        return _unusable(error)
    environment.close()
    return Wrong.whole(f"cannot be opened: {why}, and is too large for a copy")


def _unusable(error: lmdb.Error | OSError) -> Wrong:
    return Wrong.whole(f"cannot be opened: {error}")


def _pages_octets(environment: lmdb.Environment) -> int:
    """Return how many octets the pages need that are in use."""
    return int((environment.info()["last_pgno"] + 1) * environment.stat()["psize"])


def _environment(path: Path) -> lmdb.Environment:
    return lmdb.open(str(path), subdir=False, readonly=True, lock=False, map_size=0, readahead=False)
