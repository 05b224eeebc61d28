"""The LMDB environment: opened once, by its owner alone, grown while nobody reads, opened anew after a failure.

Reads are short and may come from any thread; the one write transaction belongs to the writer's thread. LMDB forbids
a change of the map under an open transaction, so readers pass a gate that growth closes. A long read (a snapshot)
is not waited for: it is broken off and says so. A copy is waited for, and reads go on meanwhile.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmdb

from replicator.codec import DamagedError
from replicator.store import layout

Transaction = Any  # lmdb.Transaction[bytes]: the class is generic in the stubs alone

GROW_AT_PERMILLE = 750
RESERVE_PERMILLE = 50
RESERVE_OCTETS_MIN = 512 << 10
_PERMILLE = 1000
_DISK_LOOK_SECONDS = 1.0
_FULL_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
FILE_MODE = 0o600  # of what holds mail
_COPY = "compacting"  # the folder of a copy that is to take the store's place


class StoreFormatError(Exception):
    """The store was written by a newer version; nothing in it was touched."""

    def __init__(self, path: Path, found: int) -> None:
        super().__init__(f"{path} has format {found}; this version knows format {layout.FORMAT} and older")
        self.found = found
        self.known = layout.FORMAT


class StoreOwnerError(Exception):
    """The store belongs to another member; nothing in it was touched."""

    def __init__(self, path: Path, found: int, expected: int) -> None:
        super().__init__(f"{path} is the store of node {found}, not of node {expected}")
        self.found = found
        self.expected = expected


class StoreLockedError(Exception):
    """Another process has the store open."""


class SnapshotBrokenError(Exception):
    """A long read was ended, because the map had to change or the store was closed."""


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where the store is, whose it is, and how large it may become."""

    path: Path
    node: int
    terminal_rank: int
    map_octets: int = 256 << 20
    map_octets_max: int = 64 << 30
    log_octets_max: int = 1 << 30
    log_seconds_max: float = 86_400.0


class Gate:
    """Many may be inside, or one alone. Never enter it twice in one thread."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._inside = 0
        self._is_closed = False

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Be inside beside others."""
        with self._condition:
            while self._is_closed:
                self._condition.wait()
            self._inside += 1
        try:
            yield
        finally:
            with self._condition:
                self._inside -= 1
                if not self._inside:
                    self._condition.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let nobody in, wait until all have left, be inside alone."""
        with self._condition:
            while self._is_closed:
                self._condition.wait()
            self._is_closed = True
            while self._inside:
                self._condition.wait()
        try:
            yield
        finally:
            with self._condition:
                self._is_closed = False
                self._condition.notify_all()


class LongRead:
    """A read transaction that lives between calls, which one thread at a time has; the environment may break it off."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self._transaction: Transaction | None = None
        self._is_ended = False

    def transaction_of(self, env: Any) -> Transaction:
        """Return the transaction; it begins when it is first asked for. Errors: SnapshotBrokenError."""
        if self._is_ended:
            raise SnapshotBrokenError("the map changed under it")
        if self._transaction is None:
            self._transaction = env.begin()
        return self._transaction

    def end(self) -> None:
        """Let go of the pages. Nobody else may have its turn."""
        self._is_ended = True
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            transaction.abort()


class Environment:
    """The open environment and its tables."""

    def __init__(self, settings: StoreSettings, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Open or create. Errors: StoreFormatError, StoreOwnerError, StoreLockedError, DamagedError, lmdb.Error."""
        self._settings = settings
        self._monotonic = monotonic
        self._gate = Gate()
        self._copying = threading.Lock()  # held while a copy is made: it may take minutes
        self._long_reads: set[LongRead] = set()
        self._map_octets = settings.map_octets
        self._disk_octets = 0
        self._disk_seen = float("-inf")
        self.live_octets = 0
        self.tables: dict[str, Any] = {}  # the same object after the environment was opened anew
        settings.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(settings.path / "owner.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._take_lock()
            self.drop_copy()
            if (settings.path / "data.mdb").exists():
                self._look_before_opening()
            self._open()
        except BaseException:
            os.close(self._lock)
            raise

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreLockedError(f"{self._settings.path} is open in another process") from error

    def _look_before_opening(self) -> None:
        """Read format and owner without writing anything."""
        env = lmdb.open(
            str(self._settings.path), readonly=True, lock=False, create=False, max_dbs=layout.TABLES_MAX, subdir=True
        )
        try:
            with env.begin() as transaction:
                if b"meta" not in env.dbs(transaction):
                    return
                table = env.open_db(b"meta", txn=transaction, create=False)
                found = transaction.get(b"format", db=table)
                if found is None:
                    return
                version = layout.number_of(layout.unseal(b"format", found))
                if version > layout.FORMAT:
                    raise StoreFormatError(self._settings.path, version)
                owner = transaction.get(b"node", db=table)
                if owner is None:
                    raise DamagedError(f"{self._settings.path} does not say whose it is")
                node = layout.number_of(layout.unseal(b"node", owner))
                if node != self._settings.node:
                    raise StoreOwnerError(self._settings.path, node, self._settings.node)
        finally:
            env.close()

    def _open(self) -> None:
        self._env = lmdb.open(
            str(self._settings.path),
            map_size=self._map_octets,
            max_dbs=layout.TABLES_MAX,
            max_readers=126,
            sync=True,
            metasync=True,
            writemap=False,
            subdir=True,
            readahead=False,
            mode=FILE_MODE,
        )
        self.tables.update({name: self._env.open_db(name.encode()) for name in layout.TABLES})
        info = self._env.info()
        self._page_octets = int(self._env.stat()["psize"])
        self._map_octets = max(self._map_octets, int(info["map_size"]))
        with self._env.begin() as transaction:
            self.count_live(transaction)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait until no copy is being made, then let nobody in and be inside alone."""
        with self._copying, self._gate.alone():
            yield

    def close(self) -> None:
        """Break off long reads, close, let other processes have it."""
        with self._alone():
            self._end_long_reads()
            self._env.close()
            os.close(self._lock)

    def reopen(self) -> None:
        """Start from what is durable, after a transaction that failed. Errors: lmdb.Error when even that fails."""
        with self._alone():
            self._end_long_reads()
            self._env.close()
            self._open()

    # --- transactions ---------------------------------------------------------------------------------------

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Give a read transaction for a short while."""
        with self._gate.shared(), self._env.begin() as transaction:
            yield transaction

    def write(self) -> Transaction:
        """Begin the write transaction: the writer's thread alone."""
        return self._env.begin(write=True)

    def copy_to(self, folder: Path) -> None:
        """Write what is durable now into an empty folder, without the free pages. The map cannot grow meanwhile."""
        with self._copying:
            self._env.copy(str(folder), compact=True)
        (folder / "data.mdb").chmod(FILE_MODE)

    # --- a file of another size -----------------------------------------------------------------------------

    @property
    def path(self) -> Path:
        """The folder of the store."""
        return self._settings.path

    def file_octets(self) -> int:
        """Return the size of the file."""
        return (self.path / "data.mdb").stat().st_size

    def make_copy(self) -> None:
        """Write a durable copy beside the store, without the free pages. Errors: OSError, lmdb.Error."""
        self.drop_copy()
        folder = self.path / _COPY
        folder.mkdir(mode=0o700)
        self.copy_to(folder)
        sync(folder / "data.mdb")

    def use_copy(self) -> None:
        """Go on in the copy. Nothing may have been committed since it was made, and nobody may be writing.

        Errors: OSError, and the store goes on as it was; lmdb.Error when it cannot be opened.
        """
        with self._alone():
            self._end_long_reads()
            self._env.close()
            try:
                (self.path / _COPY / "data.mdb").replace(self.path / "data.mdb")
                sync(self.path)
            finally:
                self._open()

    def drop_copy(self) -> None:
        """Remove what is left of a copy that was not used."""
        folder = self.path / _COPY
        if folder.exists():
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()

    def move_to(self, folder: Path) -> None:
        """Move the file into a folder of the same disk, and go on in an empty one. Nobody may be writing.

        Errors: OSError, and the store goes on as it was; lmdb.Error when the empty one cannot be opened.
        """
        with self._alone():
            self._end_long_reads()
            self._env.close()
            try:
                (self.path / "data.mdb").rename(folder / "data.mdb")
                sync(folder)
                sync(self.path)
            finally:
                self._open()

    # --- reads that live between calls ----------------------------------------------------------------------

    @contextmanager
    def resume(self, long_read: LongRead) -> Iterator[Transaction]:
        """Give a long read's transaction for a short while. Errors: SnapshotBrokenError."""
        with self._gate.shared(), long_read.turn:
            transaction = long_read.transaction_of(self._env)
            self._long_reads.add(long_read)
            yield transaction

    def end_long_read(self, long_read: LongRead) -> None:
        """Let go of a long read's pages, once nobody reads them."""
        with self._gate.shared(), long_read.turn:
            long_read.end()
            self._long_reads.discard(long_read)

    def _end_long_reads(self) -> None:
        for long_read in self._long_reads:
            long_read.end()
        self._long_reads.clear()

    # --- space ----------------------------------------------------------------------------------------------

    def count_live(self, transaction: Transaction) -> None:
        """Count the octets of all pages that hold something, as this transaction sees them."""
        pages = 0
        for table in self.tables.values():
            stat = transaction.stat(table)
            pages += stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]
        self.live_octets = (pages + 3) * self._page_octets

    def table_octets(self, transaction: Transaction, name: str) -> int:
        """Return the octets of one table's pages."""
        stat = transaction.stat(self.tables[name])
        return int(stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]) * self._page_octets

    @property
    def map_octets(self) -> int:
        """The size of the map now."""
        return self._map_octets

    def free_disk_octets(self) -> int:
        """Return how much the disk under the store has left."""
        disk = os.statvfs(self._settings.path)
        return disk.f_bavail * disk.f_frsize

    def capacity_octets(self) -> int:
        """Return how much the store could ever hold: the largest map, or what the disk has left for it."""
        now = self._monotonic()
        if now - self._disk_seen >= _DISK_LOOK_SECONDS:
            self._disk_seen = now
            data = self._settings.path / "data.mdb"
            self._disk_octets = self.free_disk_octets() + data.stat().st_blocks * 512
        return min(self._settings.map_octets_max, self._disk_octets)

    def free_permille(self) -> int:
        """Return how much of the capacity is free."""
        capacity = self.capacity_octets()
        return max(0, (capacity - self.live_octets) * _PERMILLE // capacity) if capacity else 0

    def has_room_for(self, octets: int) -> bool:
        """Tell whether new items of this size would leave the reserve in which terminal states are recorded."""
        capacity = self.capacity_octets()
        reserve = max(capacity * RESERVE_PERMILLE // _PERMILLE, RESERVE_OCTETS_MIN)
        return self.live_octets + octets + reserve <= capacity

    def grow_for(self, octets: int) -> bool:
        """Double the map while this much more would fill it; tell whether it changed. No transaction may be open
        in the calling thread. Long reads and copies are spared unless the map is all but full."""
        wanted = self._map_octets
        needed = self.live_octets + octets
        while needed * _PERMILLE > wanted * GROW_AT_PERMILLE and wanted < self._settings.map_octets_max:
            wanted = min(wanted * 2, self._settings.map_octets_max)
        if wanted == self._map_octets:
            return False
        is_spared = bool(self._long_reads) or self._copying.locked()
        if is_spared and needed * 10 < self._map_octets * 9:
            return False
        return self._resize(wanted)

    def grow(self) -> bool:
        """Double the map, because a transaction did not fit; tell whether it changed."""
        wanted = min(self._map_octets * 2, self._settings.map_octets_max)
        return wanted > self._map_octets and self._resize(wanted)

    def _resize(self, octets: int) -> bool:
        with self._alone():
            self._end_long_reads()
            self._env.set_mapsize(octets)
            self._map_octets = octets
        return True

    def is_full(self, error: lmdb.Error) -> bool:
        """Tell whether this failure is one of space; LMDB says EIO when a write was cut short by a full disk."""
        if isinstance(error, lmdb.MapFullError) or getattr(error, "code", 0) in _FULL_ERRORS:
            return True
        return self.free_disk_octets() < RESERVE_OCTETS_MIN


def sync(path: Path) -> None:
    """Make a file or a folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
