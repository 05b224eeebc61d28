"""A map that stands in a text file, and is read again when the file has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mtad.maps.answer import Answer, AtOnce
from mtad.maps.lines import Line, Wrong

FILE_OCTETS_MAX = 64 << 20

Read = Callable[[str], AtOnce | Wrong]
Stamp = tuple[int, int, int, int]  # what tells a file from the one that was there before


class FileMap:
    """Answers from what the file held when it was last good."""

    def __init__(self, path: Path, read: Read, held: AtOnce, stamp: Stamp) -> None:
        self._path = path
        self._read = read
        self._held = held
        self._stamp = stamp
        self._seen = stamp

    def weight(self, key: str) -> int:
        """Return how much a look costs."""
        return self._held.weight(key)

    def get(self, key: str) -> Answer:
        """Return what the file has for a key."""
        return self._held.get(key)

    def refresh(self) -> bool | Wrong:
        """Read the file again if it has changed, and tell whether it was read.

        A file that is no good changes nothing. One that is not as it was at the last call may be half written: what
        it lacks would be refused for good. It is read when it has been still from one call to the next.
        """
        stamp = stamp_of(self._path)
        if isinstance(stamp, Wrong):
            return stamp
        is_still, self._seen = stamp == self._seen, stamp
        if not is_still or stamp == self._stamp:
            return False
        self._stamp = stamp
        held = _load(self._path, self._read)
        if isinstance(held, Wrong):
            return held
        if stamp_of(self._path) != stamp:
            return False
        self._held = held
        return True


def open_file(path: Path, read: Read) -> FileMap | Wrong:
    """Read a file for the first time."""
    stamp = stamp_of(path)  # before it is read: what is written meanwhile is seen by the next refresh
    if isinstance(stamp, Wrong):
        return stamp
    held = _load(path, read)
    return held if isinstance(held, Wrong) else FileMap(path, read, held, stamp)


def stamp_of(path: Path) -> Stamp | Wrong:
    """Return what a file has that another in its place, or a changed one, has not."""
    try:
        found = path.stat()
    except OSError as error:
        return _unreadable(error)
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns  # the last rises with its permissions too


def _load(path: Path, read: Read) -> AtOnce | Wrong:
    try:
        with path.open("rb") as file:
            octets = file.read(FILE_OCTETS_MAX + 1)
    except OSError as error:
        return _unreadable(error)
    if len(octets) > FILE_OCTETS_MAX:
        return Wrong.whole(f"is larger than {FILE_OCTETS_MAX} octets")
    try:
        return read(octets.decode("utf-8"))
    except UnicodeDecodeError as error:
        return Wrong((Line(octets.count(b"\n", 0, error.start) + 1, "is not UTF-8"),))


def _unreadable(error: OSError) -> Wrong:
    return Wrong.whole(f"cannot be read: {error.strerror}")
