"""Where the stores of a history come from: models in memory, or LMDB in a folder that is removed with the history."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from replicator.core.events import (
    Commit,
    CommitFailed,
    Committed,
    Image,
    ItemRead,
    LogRead,
    ReadItem,
    ReadLog,
    ReadSnapshot,
    SnapshotRead,
)
from replicator.core.merge import Applied
from replicator.core.values import Authority, Away, Damage, Dot, Item, Orphan, Record, Vector
from replicator.store.environment import StoreSettings
from tests.fakes.model_store import ModelStore
from tests.simulation.lmdb_store import LmdbStore
from tests.simulation.ranks import TERMINAL

MODEL = "model"
MAP_OCTETS = 16 << 20
IN_MEMORY = Path("/dev/shm")  # where it is: the power cuts of a history are simulated
PREFIX = "simulated-"
YOUNG_SECONDS = 60.0  # a folder that is younger may be one that is just being made


class DiskStore(Protocol):
    """What both kinds can do: `tests/fakes/model_store.py` says it."""

    found: list[Damage]

    @property
    def items(self) -> Mapping[bytes, Item]: ...
    @property
    def rotten(self) -> Mapping[bytes, str]: ...
    @property
    def away(self) -> Mapping[bytes, Away]: ...
    @property
    def vector(self) -> Vector: ...
    @property
    def beyond(self) -> Vector: ...
    @property
    def authority(self) -> Authority: ...
    @property
    def applied(self) -> Sequence[tuple[Dot, Record, Applied]]: ...
    def orphans(self) -> Iterator[Orphan]: ...
    def log_dots(self) -> list[Dot]: ...

    def begin(self, *commits: Commit) -> None: ...
    def lose(self) -> None: ...
    def complete(self) -> Committed | CommitFailed: ...
    def reopen(self) -> None: ...
    def image(self) -> Image: ...
    def read_log(self, ask: ReadLog) -> LogRead: ...
    def read_snapshot(self, ask: ReadSnapshot, piece_items_max: int = 3) -> list[SnapshotRead]: ...
    def read_item(self, ask: ReadItem) -> ItemRead: ...
    def scrub(self) -> None: ...
    def rot(self, key: bytes, table: str = "blob") -> None: ...
    def rot_log(self, dot: Dot) -> None: ...


class Shelf(Protocol):
    """Gives stores, and takes back what is no longer used."""

    def new(self, node: int, store_id: bytes, log_records_max: int) -> DiskStore: ...
    def copy(self, store: DiskStore) -> DiskStore: ...
    def drop(self, store: DiskStore) -> None: ...
    def close(self) -> None: ...


class ModelShelf:
    """Models of the store."""

    def new(self, node: int, store_id: bytes, log_records_max: int) -> ModelStore:
        return ModelStore(store_id, TERMINAL, log_records_max)

    def copy(self, store: DiskStore) -> ModelStore:
        assert isinstance(store, ModelStore)
        return store.copy()

    def drop(self, store: DiskStore) -> None:
        """A model goes when nobody knows it."""

    def close(self) -> None:
        """There is nothing to remove."""


class LmdbShelf:
    """Real stores, each in a folder of its own."""

    def __init__(self) -> None:
        place = IN_MEMORY if IN_MEMORY.is_dir() else Path(tempfile.gettempdir())
        remove_left_over(place)
        self._folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        self._lock = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._count = 0
        self._open: list[LmdbStore] = []

    def _place(self) -> Path:
        self._count += 1
        return self._folder / str(self._count)

    def new(self, node: int, store_id: bytes, log_records_max: int) -> LmdbStore:
        store = LmdbStore(StoreSettings(self._place(), node, TERMINAL, MAP_OCTETS, MAP_OCTETS), log_records_max)
        store.name(store_id)
        self._open.append(store)
        return store

    def copy(self, store: DiskStore) -> LmdbStore:
        assert isinstance(store, LmdbStore)
        copy = store.copy(self._place())
        self._open.append(copy)
        return copy

    def drop(self, store: DiskStore) -> None:
        assert isinstance(store, LmdbStore)
        self._open.remove(store)
        store.close()
        shutil.rmtree(store.folder)

    def close(self) -> None:
        for store in self._open:
            store.close()
        self._open.clear()
        shutil.rmtree(self._folder)
        os.close(self._lock)


def remove_left_over(place: Path) -> None:
    """Remove the folders of simulations that were killed: nobody holds their locks."""
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError):  # another simulation removes it too, or it is another user's
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if time.time() - folder.stat().st_mtime > YOUNG_SECONDS:
                    shutil.rmtree(folder)
            finally:
                os.close(lock)


SHELVES: Mapping[str, type[ModelShelf | LmdbShelf]] = {MODEL: ModelShelf, "lmdb": LmdbShelf}
