"""An LMDB file as `postmap` makes it; what is written to it counts at once, a file in its place within seconds.

It is read without LMDB's own locks, which Postfix does not take either: a look reads a few pages, and would have to
outlast two transactions of a writer to see one that was used again.
"""

from __future__ import annotations

from pathlib import Path

import lmdb

from mtad.maps.answer import ABSENT, Answer, Found, Unavailable, folded
from mtad.maps.file import Stamp, stamp_of
from mtad.maps.lines import Wrong

SUFFIX = ".lmdb"
KEY_OCTETS_MAX = 511  # LMDB's own
_WEIGHT = 16


class LmdbFile:
    """Answers from an open file."""

    def __init__(self, path: Path, environment: lmdb.Environment, stamp: Stamp) -> None:
        self._path = path
        self._environment = environment
        self._stamp = stamp

    def weight(self, _key: str) -> int:
        """Return how much a look costs, where the pages are in memory."""
        return _WEIGHT

    def get(self, key: str) -> Answer:
        """Return the value of a key; as in Postfix both may end with a zero octet or not."""
        octets = folded(key).encode("utf-8", "surrogateescape")
        if not 0 < len(octets) < KEY_OCTETS_MAX:
            return ABSENT
        try:
            value = self._value(octets)
        except lmdb.Error as error:
            return Unavailable(str(error))
        return ABSENT if value is None else Found(value.removesuffix(b"\0").decode("utf-8", "surrogateescape"))

    def refresh(self) -> bool | Wrong:
        """Open the file anew if it has changed: another one may have taken its place. Tell whether it had."""
        stamp = stamp_of(self._path)
        if isinstance(stamp, Wrong) or stamp == self._stamp:
            return stamp if isinstance(stamp, Wrong) else False
        self._environment.close()
        try:
            self._environment, self._stamp = _opened(self._path), stamp
        except lmdb.Error as error:
            return Wrong.whole(f"cannot be opened: {error}")
        return True

    def close(self) -> None:
        """Close the file."""
        self._environment.close()

    def _value(self, key: bytes) -> bytes | None:
        try:
            return self._read(key)
        except lmdb.MapResizedError:  # the writer has made it larger
            self._environment.set_mapsize(0)
            return self._read(key)

    def _read(self, key: bytes) -> bytes | None:
        with self._environment.begin() as transaction:
            for form in (key + b"\0", key):
                value = transaction.get(form)
                if value is not None:
                    return bytes(value)
        return None


def open_lmdb(path: Path) -> LmdbFile | Wrong:
    """Open a file, whose name may be given without its end as Postfix has it."""
    whole = path if path.name.endswith(SUFFIX) else path.with_name(path.name + SUFFIX)
    stamp = stamp_of(whole)
    if isinstance(stamp, Wrong):
        return stamp
    try:
        return LmdbFile(whole, _opened(whole), stamp)
    except lmdb.Error as error:
        return Wrong.whole(f"cannot be opened: {error}")


def _opened(path: Path) -> lmdb.Environment:
    return lmdb.open(str(path), subdir=False, readonly=True, lock=False, map_size=0, readahead=False)
