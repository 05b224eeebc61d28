"""Commits for tests, all of one branch; a store to make them in; and a disk that flips a bit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lmdb

from replicator.core.events import Commit
from replicator.core.values import Branch, Dot, Kind, PartValue, Record
from replicator.store.environment import StoreSettings
from replicator.store.store import Store

BRANCH = Branch(0, 5)
TERMINAL_RANK = 2
MEBI = 1 << 20


def key(number: int) -> bytes:
    """Return the key of the item that `put` adds under that number."""
    return b"K%06d" % number


def put(number: int, blob: bytes = b"blob", due: int = 100) -> Commit:
    """Return a commit of one new item with one part; its seq and its ticket are the number."""
    parts = ((b"part", PartValue(0, 0, 1, due, b"")),)
    record = Record(Kind.PUT, key(number), parts=parts, meta=b"meta", blob=blob)
    return Commit(number, records=((Dot(BRANCH, number), record),))


def part(number: int, of: int, rank: int) -> Commit:
    """Return a commit that raises the part of an item."""
    parts = ((b"part", PartValue(rank, 1, 2, 900, b"said")),)
    record = Record(Kind.PART, key(of), Dot(BRANCH, of), parts)
    return Commit(number, records=((Dot(BRANCH, number), record),))


def done(number: int, of: int) -> Commit:
    """Return a commit that removes an item."""
    record = Record(Kind.DONE, key(of), Dot(BRANCH, of))
    return Commit(number, records=((Dot(BRANCH, number), record),))


@contextmanager
def opened(folder: Path) -> Iterator[Store]:
    """Open the store of a folder, small at first, and close it in the end."""
    store = Store(StoreSettings(folder / "store", 0, TERMINAL_RANK, 16 * MEBI, 64 * MEBI))
    try:
        yield store
    finally:
        store.close()


def flip(path: Path, table: str, at: bytes) -> None:
    """Flip one bit in the middle of a value of a closed store."""
    env = lmdb.open(str(path), max_dbs=16, map_size=64 << 20)
    handle = env.open_db(table.encode())
    with env.begin(write=True) as transaction:
        value = bytearray(transaction.get(at, db=handle))
        value[len(value) // 2] ^= 0x10
        transaction.put(at, bytes(value), db=handle)
    env.close()
