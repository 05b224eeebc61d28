"""A node's store as it really is: LMDB in a folder, asked and crashed as the model of it is.

What the members are told comes from LMDB alone. The checker looks at a view that is read anew after each transaction.
A transaction is given to LMDB at the moment at which the simulated disk says that it is durable, or never.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from replicator.codec import DamagedError
from replicator.core import merge
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
from replicator.core.merge import Applied, Change
from replicator.core.values import Authority, Away, Damage, Dot, Item, Orphan, Record, Vector
from replicator.store import layout, scrub
from replicator.store.environment import StoreSettings, Transaction
from replicator.store.store import Store
from replicator.store.tables import LimitError, WriteTables, walk_orphans, walk_vector

PIECE_OCTETS = 1 << 20
SCRUB_OCTETS = 4 << 10
_REFUSED = (merge.SequenceGapError, merge.KeyTakenError, merge.BlobMissingError, LimitError, DamagedError)


class _Watched(Store):
    """The store, with its log bounded by records as the scripts bound it, and what the merge made of each record."""

    def __init__(self, settings: StoreSettings, log_records_max: int) -> None:
        super().__init__(settings, monotonic=lambda: 0.0)  # no log grows old within a history
        self._log_records_max = log_records_max
        self.applied: list[tuple[Dot, Record, Applied]] = []

    def _apply(self, tables: WriteTables, commit: Commit, rank: int) -> Iterable[Applied]:  # type: ignore[override]
        for number, applied in enumerate(super()._apply(tables, commit, rank)):
            if number < len(commit.records):  # they come first, one each
                dot, record = commit.records[number]
                self.applied.append((dot, record, applied))
                if applied.change is not Change.HELD:
                    tables.cut_log(dot.branch, dot.seq - self._log_records_max)
            yield applied


class LmdbStore:
    """A store in a folder, open until it is closed. Usage as of the model.

    settings          where it is, and whose
    log_records_max   of one branch; older records are cut even when the peer lacks them
    known             items as they were before they were damaged
    """

    def __init__(self, settings: StoreSettings, log_records_max: int, known: Mapping[bytes, Item] = {}) -> None:
        self.found: list[Damage] = []  # by reads, for the member to decide about
        self.items: dict[bytes, Item] = dict(known)  # one that is damaged as it was last read
        self.rotten: dict[bytes, str] = {}  # items that are damaged: in the 'item' or in its 'blob'
        self.away: dict[bytes, Away] = {}
        self.vector: Vector = {}
        self.authority = Authority(0, 0)
        self._settings = settings
        self._log_records_max = log_records_max
        self._in_flight: tuple[Commit, ...] = ()
        self._values: dict[bytes, bytes] = {}  # of items, as they were when they were last read
        self._store = _Watched(settings, log_records_max)
        self._look()

    @property
    def folder(self) -> Path:
        return self._settings.path

    def name(self, store_id: bytes) -> None:
        """Give a new store the identity that the history has drawn for it."""
        self._write("meta", b"store_id", layout.seal(b"store_id", store_id))

    def reopen(self) -> None:
        """Let a process start on it: what is not in the file is gone."""
        self.close()
        self._store = _Watched(self._settings, self._log_records_max)
        self.found = []
        self._values.clear()
        self._look()

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()

    def copy(self, folder: Path) -> LmdbStore:
        """Return what a backup of the file holds, put into an empty folder."""
        folder.mkdir()
        self._store.environment.copy_to(folder)
        return LmdbStore(replace(self._settings, path=folder), self._log_records_max, self.items)

    # --- the transaction ------------------------------------------------------------------------------------

    def begin(self, *commits: Commit) -> None:
        """Remember a transaction that is on its way to the disk."""
        assert not self._in_flight, "one transaction at a time"
        self._in_flight = commits

    def lose(self) -> None:
        """Crash before the transaction was durable."""
        self._in_flight = ()

    def complete(self) -> Committed | CommitFailed:
        """Make the transaction durable, all or nothing."""
        commits, self._in_flight = self._in_flight, ()
        self._store.applied = []
        try:
            done = self._store.change(commits)
        except _REFUSED as error:
            return CommitFailed(commits[0].ticket, f"{type(error).__name__}: {error}")
        self._look()
        self._gather()
        return Committed(commits[-1].ticket, done.finished, done.away, done.back)

    @property
    def applied(self) -> Sequence[tuple[Dot, Record, Applied]]:
        return self._store.applied

    # --- reads, of what is durable --------------------------------------------------------------------------

    def image(self) -> Image:
        """Return what a member that starts on this store is given."""
        image = self._store.image()
        self._gather()
        return image

    def read_log(self, ask: ReadLog) -> LogRead:
        """Answer a ReadLog effect."""
        piece = self._store.read_log(ask.branch, ask.first_seq, ask.octets_max, is_holding=ask.is_holding)
        self._gather()
        return LogRead(ask.session, ask.branch, ask.first_seq, *piece)

    def read_snapshot(self, ask: ReadSnapshot, piece_items_max: int = 3) -> list[SnapshotRead]:
        """Answer a ReadSnapshot effect: all pieces, as they are at this moment."""
        snapshot = self._store.snapshot(ask.known, is_holding=ask.is_holding)
        pieces: list[SnapshotRead] = []
        while not pieces or not pieces[-1].is_last:
            piece = snapshot.read(PIECE_OCTETS, piece_items_max)
            pieces.append(
                SnapshotRead(ask.session, piece.vector, piece.items, piece.is_last, piece.orphans, piece.away)
            )
        snapshot.close()
        self._gather()
        return pieces

    def read_item(self, ask: ReadItem) -> ItemRead:
        """Answer a ReadItem effect."""
        whole = self._store.whole(ask.key)
        self._gather()
        return ItemRead(ask.session, ask.key, *whole)

    def scrub(self) -> None:
        """Read everything, in small steps."""
        place: scrub.Place | None = scrub.Place()
        while place is not None:
            place = scrub.step(self._store, place, SCRUB_OCTETS).place
        self._gather()

    def _gather(self) -> None:
        """Take over what reads have found damaged."""
        self.found += self._store.damage
        self._store.damage.clear()

    # --- damage ---------------------------------------------------------------------------------------------

    def rot(self, key: bytes, table: str = "blob") -> None:
        """Flip a bit of an item, or of its blob."""
        self._flip(table, layout.piece_key(key, 0) if table == "blob" else key)
        self._values.pop(key)
        self._look()

    def rot_log(self, dot: Dot) -> None:
        """Flip a bit of a record of the log, unless that is damaged already."""
        key = layout.dot_key(dot)
        if layout.is_sealed(key, self._read("log", key)):
            self._flip("log", key)

    def _flip(self, table: str, key: bytes) -> None:
        value = bytearray(self._read(table, key))
        value[len(value) // 2] ^= 0x10
        self._write(table, key, bytes(value))

    def _read(self, table: str, key: bytes) -> bytes:
        environment = self._store.environment
        with environment.read() as transaction:
            return bytes(transaction.get(key, db=environment.tables[table]))

    def _write(self, table: str, key: bytes, value: bytes) -> None:
        """Write a value past the store, as a disk does that has its own will."""
        environment = self._store.environment
        with environment.write() as transaction:
            transaction.put(key, value, db=environment.tables[table])

    # --- what the checker sees ------------------------------------------------------------------------------

    @property
    def beyond(self) -> Vector:
        """Up to where items may be here that the vector does not cover."""
        environment = self._store.environment
        with environment.read() as transaction:
            sealed = transaction.get(b"beyond", db=environment.tables["meta"])
        return {} if sealed is None else layout.vector_of(layout.unseal(b"beyond", sealed))

    def log_dots(self) -> list[Dot]:
        """Return which records are in the log."""
        environment = self._store.environment
        with environment.read() as transaction, transaction.cursor(db=environment.tables["log"]) as cursor:
            return [layout.dot_of(key) for key in cursor.iternext(values=False)]

    def orphans(self) -> Iterator[Orphan]:
        """Give what is kept for items that have not come."""
        environment = self._store.environment
        with environment.read() as transaction:
            yield from walk_orphans(transaction, environment.tables["orphan"])[0]

    def _look(self) -> None:
        """Read again what has changed, with no note of what is damaged: nobody in the history has read it."""
        environment = self._store.environment
        tables = environment.tables
        items: dict[bytes, Item] = {}
        values: dict[bytes, bytes] = {}
        rotten: dict[bytes, str] = {}
        with environment.read() as transaction:
            self.vector = walk_vector(transaction, tables["vector"])
            authority = transaction.get(b"authority", db=tables["meta"])
            if authority is not None:  # it only grows
                self.authority = layout.authority_of(layout.unseal(b"authority", authority))
            with transaction.cursor(db=tables["away"]) as cursor:
                self.away = {key: layout.away_of(key, layout.unseal(key, value)) for key, value in cursor}
            with transaction.cursor(db=tables["item"]) as cursor:
                for key, value in cursor:
                    values[key] = value
                    if self._values.get(key) == value and key not in self.rotten:
                        items[key] = self.items[key]
                        continue
                    items[key], table = self._examined(transaction, key, value)
                    if table:
                        rotten[key] = table
        self.items, self._values, self.rotten = items, values, rotten

    def _examined(self, transaction: Transaction, key: bytes, value: bytes) -> tuple[Item, str]:
        """Return an item, and in which of its tables it is damaged; "": in none."""
        if not layout.is_sealed(key, value):
            return self.items[key], "item"
        item, content_hash = layout.item_of(key, layout.unseal(key, value))
        pieces = [
            transaction.get(layout.piece_key(key, number), b"", db=self._store.environment.tables["blob"])
            for number in range(layout.pieces_count(item.size))
        ]
        return item, "" if layout.blob_hash(b"".join(pieces)) == content_hash else "blob"
