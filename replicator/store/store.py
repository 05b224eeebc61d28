"""The durable state of one member: what may be read of it, and the changes that the writer makes.

Reads may come from any thread and see what is durable. Changes come from the writer's thread alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from replicator.codec import DamagedError
from replicator.core import merge
from replicator.core.events import Authority, Commit, Image
from replicator.core.merge import Applied, Change
from replicator.core.values import Branch, Dot, Item, Kind, Orphan, Record, Vector
from replicator.core.vectors import covers
from replicator.status import Totals
from replicator.store import layout
from replicator.store.environment import Environment, LongRead, StoreSettings, Transaction
from replicator.store.retention import Retention
from replicator.store.tables import WriteTables, walk_items, walk_orphans, walk_vector

READ_ITEMS_MAX = 10_000
_STORE_ID_OCTETS = 16
_RECORD_OCTETS = 256  # about what a record takes beside its blob


class Due(NamedTuple):
    """One part that is not terminal, and when it should be looked at."""

    due_ms: int
    key: bytes
    part: bytes


class Done(NamedTuple):
    """What a transaction did."""

    finished: tuple[tuple[bytes, Dot], ...]
    keys: frozenset[bytes]  # of the items that were added, changed or removed


class SnapshotPiece(NamedTuple):
    """Some items of a snapshot; the vector and the orphans come with the first."""

    vector: Vector | None
    items: tuple[tuple[Item, bytes | None], ...]
    orphans: tuple[Orphan, ...]
    is_last: bool


class Store:
    """One member's store, opened by this process alone."""

    def __init__(self, settings: StoreSettings, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Open or create. Errors: StoreFormatError, StoreOwnerError, StoreLockedError, DamagedError, lmdb.Error."""
        self._settings = settings
        self._monotonic = monotonic
        self._retention = Retention(settings.log_seconds_max)
        self._environment = Environment(settings)
        self._tables = self._environment.tables
        try:
            self._found_if_new()
        except BaseException:
            self._environment.close()
            raise

    def _found_if_new(self) -> None:
        with self._environment.write() as transaction:
            if transaction.get(b"format", db=self._tables["meta"]) is not None:
                return
            values = {
                b"format": layout.number(layout.FORMAT),
                b"node": layout.number(self._settings.node),
                b"store_id": os.urandom(_STORE_ID_OCTETS),
            }
            for name, value in values.items():
                transaction.put(name, layout.seal(name, value), db=self._tables["meta"])

    def close(self) -> None:
        """Close it; no thread may be writing."""
        self._environment.close()

    def reopen(self) -> None:
        """Start from what is durable, after a failure. Errors: lmdb.Error when even that fails."""
        self._environment.reopen()
        self._tables = self._environment.tables

    @property
    def environment(self) -> Environment:
        """The environment below, for the writer."""
        return self._environment

    # --- reads ----------------------------------------------------------------------------------------------

    def _get(self, transaction: Transaction, table: str, key: bytes) -> bytes | None:
        found = transaction.get(key, db=self._tables[table])
        return None if found is None else layout.unseal(key, found)

    def item(self, key: bytes) -> Item | None:
        """Return an item without its blob. Errors: DamagedError."""
        if not 0 < len(key) <= layout.KEY_OCTETS_MAX:
            return None
        with self._environment.read() as transaction:
            value = self._get(transaction, "item", key)
        return None if value is None else layout.item_of(key, value)[0]

    def blob(self, key: bytes) -> bytes | None:
        """Return an item's blob. Errors: DamagedError when it is not what was written."""
        if not 0 < len(key) <= layout.KEY_OCTETS_MAX:
            return None
        with self._environment.read() as transaction:
            value = self._get(transaction, "item", key)
            if value is None:
                return None
            item, content_hash = layout.item_of(key, value)
            return self._blob(transaction, item, content_hash)

    def _blob(self, transaction: Transaction, item: Item, content_hash: bytes) -> bytes:
        table = self._tables["blob"]
        pieces = [
            transaction.get(layout.piece_key(item.key, piece), b"", db=table)
            for piece in range(layout.pieces_count(item.size))
        ]
        blob = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if layout.blob_hash(blob) != content_hash:
            raise DamagedError(f"blob of {item.key!r}: its hash does not fit")
        return blob

    def items(self, after: bytes, limit: int) -> list[Item]:
        """Return items in the order of their keys, from the first above `after` on."""
        with self._environment.read() as transaction:
            return walk_items(transaction, self._tables["item"], after, min(limit, READ_ITEMS_MAX))

    def due(self, before_ms: int, limit: int, after: Due | None = None) -> list[Due]:
        """Return the parts that are due before that moment, the most overdue first, or the first after `after`."""
        limit = min(limit, READ_ITEMS_MAX)
        end = layout.due_before(before_ms)
        start = b"" if after is None else layout.due_key(*after)
        found: list[Due] = []
        with self._environment.read() as transaction, transaction.cursor(db=self._tables["due"]) as cursor:
            cursor.set_range(start)
            for key, value in cursor:
                if len(found) >= limit or key >= end:
                    break
                if key == start:
                    continue
                found.append(Due(*layout.due_from(key), layout.unseal(key, value)))
        return found

    def totals(self) -> Totals:
        """Say what is held. Cheap: no item is read."""
        with self._environment.read() as transaction:
            octets = self._get(transaction, "meta", b"octets")
            with transaction.cursor(db=self._tables["item"]) as cursor:
                oldest_key = bytes(cursor.key()) if cursor.first() else b""
            return Totals(
                transaction.stat(self._tables["item"])["entries"],
                transaction.stat(self._tables["due"])["entries"],
                0 if octets is None else layout.number_of(octets),
                oldest_key,
            )

    def vector(self) -> Vector:
        """Return what is applied and durable."""
        with self._environment.read() as transaction:
            return walk_vector(transaction, self._tables["vector"])

    def free_permille(self) -> int:
        """Return how much of what the store may ever take is free."""
        return self._environment.free_permille()

    def image(self) -> Image:
        """Return what a member that starts now is given. Errors: DamagedError."""
        with self._environment.read() as transaction:
            authority = self._get(transaction, "meta", b"authority")
            floors = self._get(transaction, "meta", b"floors")
            with transaction.cursor(db=self._tables["finished"]) as cursor:
                finished = tuple((bytes(key), layout.dot_of(layout.unseal(key, value))) for key, value in cursor)
            return Image(
                self._get(transaction, "meta", b"store_id") or b"",
                walk_vector(transaction, self._tables["vector"]),
                Authority(0, 0) if authority is None else layout.authority_of(authority),
                {} if floors is None else layout.vector_of(floors),
                finished,
            )

    # --- what is shipped ------------------------------------------------------------------------------------

    def read_log(self, branch: Branch, first_seq: int, octets_max: int) -> tuple[Record, ...] | None:
        """Return consecutive records of a branch; None when the log does not reach back so far. A PUT whose item
        is finished comes as VOID. Errors: DamagedError."""
        records: list[Record] = []
        octets = 0
        with self._environment.read() as transaction, transaction.cursor(db=self._tables["log"]) as cursor:
            seq = first_seq
            is_there = cursor.set_range(layout.dot_key(Dot(branch, seq)))
            while is_there and cursor.key() == layout.dot_key(Dot(branch, seq)):
                key = cursor.key()
                record = layout.record_of(layout.unseal(key, cursor.value()))
                if record.kind is Kind.PUT:
                    record = self._with_blob(transaction, Dot(branch, seq), record)
                octets += len(record.blob) + len(record.meta) + _RECORD_OCTETS
                if records and octets > octets_max:
                    break
                records.append(record)
                seq += 1
                is_there = cursor.next()
            position = self._get(transaction, "vector", layout.branch_key(branch))
        if not records and position is not None and first_seq <= layout.number_of(position):
            return None
        return tuple(records)

    def _with_blob(self, transaction: Transaction, dot: Dot, record: Record) -> Record:
        value = self._get(transaction, "item", record.key)
        if value is not None:
            item, content_hash = layout.item_of(record.key, value)
            if item.put == dot:
                return record._replace(blob=self._blob(transaction, item, content_hash))
        return Record(Kind.VOID, record.key)

    def snapshot(self, known: Vector) -> Snapshot:
        """Begin to read everything, as it is now."""
        return Snapshot(self._environment, self, known)

    # --- changes: the writer's thread -----------------------------------------------------------------------

    def change(self, commits: Sequence[Commit]) -> Done:
        """Make all of it durable in one transaction.

        Errors: lmdb.Error, DamagedError, LimitError and those of the merge; nothing is kept then.
        """
        rank = self._settings.terminal_rank
        finished: dict[Dot, bytes] = {}
        keys: set[bytes] = set()
        with self._environment.write() as transaction:
            tables = WriteTables(self._environment, transaction, rank)
            for commit in commits:
                for applied in self._apply(tables, commit, rank):
                    if applied.is_finished:
                        finished[applied.put] = applied.key
                    elif applied.change is Change.REMOVED:
                        finished.pop(applied.put, None)
                    if applied.change in (Change.ADDED, Change.CHANGED, Change.REMOVED):
                        keys.add(applied.key)
            tables.shorten_log(self._settings.log_octets_max)
            tables.finish()
            self._drop_old_log(tables)
            self._environment.count_live(transaction)
        return Done(tuple((key, put) for put, key in finished.items()), frozenset(keys))

    def _drop_old_log(self, tables: WriteTables) -> None:
        """Drop what is older than the log is kept, a mark's worth at a time."""
        now = self._monotonic()
        if self._retention.is_due(now):
            for branch, seq in (self._retention.mark(now, tables.vector()) or {}).items():
                tables.cut_log(branch, seq)

    @staticmethod
    def _apply(tables: WriteTables, commit: Commit, rank: int) -> Iterable[Applied]:
        """Do what one Commit effect asks for, in the order of its fields."""
        for dot, record in commit.records:
            applied = merge.apply(tables, dot, record, rank)
            if applied.change is not Change.HELD:
                tables.append_log(dot, record)
            yield applied
        for item in commit.items:
            yield merge.merge_item(tables, item, rank)
        if commit.absent_of is not None:
            vector, keys = commit.absent_of
            raised = [branch for branch, seq in vector.items() if seq > tables.position(branch)]
            yield from merge.end_snapshot(tables, vector, keys)
            for branch in raised:
                tables.cut_log(branch, vector[branch])
        if commit.authority is not None:
            tables.set_authority(commit.authority)
        if commit.floors is not None:
            tables.set_floors(commit.floors)
            for branch, seq in commit.floors.items():
                tables.cut_log(branch, seq)


class Snapshot:
    """A read of everything at one moment, piece by piece; it pins pages until it is closed.

    Two walks over the items: those that `known` does not cover, with their blobs, then the others. A state that
    relies on another item may so never reach an item that the receiver has before that other item does.
    """

    def __init__(self, environment: Environment, store: Store, known: Vector) -> None:
        self._environment = environment
        self._store = store
        self._known = known
        self._long_read: LongRead = environment.begin_long_read()
        self._after = b""
        self._is_begun = False
        self._is_of_known = False  # the second walk

    def read(self, octets_max: int, items_max: int = 1_000) -> SnapshotPiece:
        """Return the next piece, of at most items_max items looked at: it may be empty before the last.

        Errors: SnapshotBrokenError, DamagedError.
        """
        tables = self._environment.tables
        with self._environment.resume(self._long_read) as transaction:
            vector = None if self._is_begun else walk_vector(transaction, tables["vector"])
            orphans = () if self._is_begun else tuple(walk_orphans(transaction, tables["orphan"]))
            self._is_begun = True
            found: list[tuple[Item, bytes | None]] = []
            octets = looked_at = 0
            with transaction.cursor(db=tables["item"]) as cursor:
                is_there = cursor.set_range(self._after) if self._after else cursor.first()
                if is_there and self._after and cursor.key() == self._after:
                    is_there = cursor.next()
                while is_there and octets < octets_max and looked_at < items_max:
                    self._after = key = bytes(cursor.key())
                    item, content_hash = layout.item_of(key, layout.unseal(key, cursor.value()))
                    if covers(self._known, item.put) is self._is_of_known:
                        blob = None if self._is_of_known else self._store._blob(transaction, item, content_hash)
                        found.append((item, blob))
                        octets += len(blob or b"") + len(item.meta) + _RECORD_OCTETS
                    looked_at += 1
                    is_there = cursor.next()
            is_last = not is_there and self._is_of_known
            if not is_there:
                self._after, self._is_of_known = b"", True
            return SnapshotPiece(vector, tuple(found), orphans, is_last)

    def close(self) -> None:
        """Let go of the pages."""
        self._environment.end_long_read(self._long_read)
