"""The durable state of one member: what may be read of it, and the changes that the writer makes.

Reads may come from any thread and see what is durable. Changes come from the writer's thread alone. A read that
comes upon a damaged value leaves it out and notes it in `damage`, for the core to decide about; a value without
which nothing can be said (a position, the authority) raises DamagedError.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from replicator.codec import DamagedError
from replicator.core import merge
from replicator.core.events import Commit, Image
from replicator.core.merge import Applied, Change
from replicator.core.values import (
    VOIDED,
    Authority,
    Away,
    Branch,
    Damage,
    Dot,
    Item,
    Kind,
    Orphan,
    Presence,
    Record,
    Vector,
)
from replicator.core.vectors import beyond, covers
from replicator.status import Totals
from replicator.store import layout
from replicator.store.environment import Environment, LongRead, StoreSettings, Transaction
from replicator.store.retention import Retention
from replicator.store.tables import WriteTables, walk_items, walk_orphans, walk_vector

READ_ITEMS_MAX = 10_000
DAMAGE_MAX = 1_000  # what is found beyond is found again
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
    away: tuple[Away, ...] = ()  # of items that were found damaged and moved out of the way


class LogPiece(NamedTuple):
    """Consecutive records of a branch; None when the log does not reach back so far."""

    records: tuple[Record, ...] | None
    held: bytes = b""  # the key of the damaged item that they end before


class SnapshotPiece(NamedTuple):
    """Some items of a snapshot; the vector and the orphans come with the first."""

    vector: Vector | None
    items: tuple[tuple[Item, bytes | None], ...]
    orphans: tuple[Orphan, ...]
    is_last: bool
    away: tuple[bytes, ...] = ()  # keys of items that are here, but damaged


class Store:
    """One member's store, opened by this process alone."""

    def __init__(self, settings: StoreSettings, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Open or create. Errors: StoreFormatError, StoreOwnerError, StoreLockedError, DamagedError, lmdb.Error."""
        self._settings = settings
        self._monotonic = monotonic
        self._retention = Retention(settings.log_seconds_max)
        self._environment = Environment(settings)
        self.damage: deque[Damage] = deque(maxlen=DAMAGE_MAX)  # found by reads of any thread, not yet decided about
        self._tables = self._environment.tables
        try:
            self._found_if_new(os.urandom(_STORE_ID_OCTETS))
        except BaseException:
            self._environment.close()
            raise

    def _found_if_new(self, store_id: bytes) -> None:
        with self._environment.write() as transaction:
            if transaction.get(b"format", db=self._tables["meta"]) is not None:
                return
            values = {
                b"format": layout.number(layout.FORMAT),
                b"node": layout.number(self._settings.node),
                b"store_id": store_id,
            }
            for name, value in values.items():
                transaction.put(name, layout.seal(name, value), db=self._tables["meta"])

    def close(self) -> None:
        """Close it; no thread may be writing."""
        self._environment.close()

    def reopen(self) -> None:
        """Start from what is durable, after a failure. Errors: lmdb.Error when even that fails."""
        self._environment.reopen()

    def begin_empty(self, folder: Path) -> None:
        """Move all that is held into a folder, and begin anew; no thread may be writing.

        It keeps its identity: whoever knows it need not doubt that this is the node it was. That it has nothing any
        more, its position says.
        Errors: OSError, and it is what it was; lmdb.Error when the empty one cannot be opened.
        """
        with self._environment.read() as transaction:
            store_id = self._or_none(transaction, "meta", b"store_id") or os.urandom(_STORE_ID_OCTETS)
        try:
            self._environment.move_to(folder)
        finally:
            self._found_if_new(store_id)
        self._retention = Retention(self._settings.log_seconds_max)

    @property
    def environment(self) -> Environment:
        """The environment below, for the writer."""
        return self._environment

    # --- reads ----------------------------------------------------------------------------------------------

    def _get(self, transaction: Transaction, table: str, key: bytes) -> bytes | None:
        found = transaction.get(key, db=self._tables[table])
        return None if found is None else layout.unseal(key, found)

    def item(self, key: bytes) -> Item | None:
        """Return an item without its blob; None when it is not here, or damaged."""
        if not 0 < len(key) <= layout.KEY_OCTETS_MAX:
            return None
        with self._environment.read() as transaction:
            found = self._item(transaction, key)
        return None if found is None else found[0]

    def blob(self, key: bytes) -> bytes | None:
        """Return an item's blob; None when the item is not here, or damaged."""
        if not 0 < len(key) <= layout.KEY_OCTETS_MAX:
            return None
        with self._environment.read() as transaction:
            found = self._item(transaction, key)
            return None if found is None else self._sound_blob(transaction, *found)

    def whole(self, key: bytes) -> tuple[Presence, Item | None, bytes | None]:
        """Return an item with its blob, or whether it is not here or damaged."""
        if not 0 < len(key) <= layout.KEY_OCTETS_MAX:
            return Presence.ABSENT, None, None
        with self._environment.read() as transaction:
            found = self._item(transaction, key)
            if found is not None:
                blob = self._sound_blob(transaction, *found)
                if blob is not None:
                    return Presence.HELD, found[0], blob
            is_here = any(transaction.get(key, db=self._tables[table]) is not None for table in ("item", "away"))
        return Presence.AWAY if is_here else Presence.ABSENT, None, None

    def _item(self, transaction: Transaction, key: bytes) -> tuple[Item, bytes] | None:
        """Return an item and its blob's hash; None when it is not here, or damaged."""
        try:
            value = self._get(transaction, "item", key)
        except DamagedError:
            self.damage.append(Damage("item", key))
            return None
        return None if value is None else layout.item_of(key, value)

    def _sound_blob(self, transaction: Transaction, item: Item, content_hash: bytes) -> bytes | None:
        """Return a blob, or None when it is damaged."""
        try:
            return self._blob(transaction, item, content_hash)
        except DamagedError:
            self.damage.append(Damage("blob", item.key))
            return None

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

    def check_blob(self, transaction: Transaction, key: bytes, sealed: bytes) -> int:
        """Look whether an item's blob is what was written; return how many octets it should have."""
        item, content_hash = layout.item_of(key, layout.unseal(key, sealed))
        self._sound_blob(transaction, item, content_hash)
        return item.size

    def items(self, after: bytes, limit: int) -> list[Item]:
        """Return items in the order of their keys, from the first above `after` on; damaged ones are left out."""
        limit = min(limit, READ_ITEMS_MAX)
        with self._environment.read() as transaction:
            found: list[Item] = []
            on: bytes | None = after
            while on is not None and not found:
                found, damaged, on = walk_items(transaction, self._tables["item"], on, limit)
                self.damage.extend(Damage("item", key) for key in damaged)
            return found

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
                if layout.is_sealed(key, value):
                    found.append(Due(*layout.due_from(key), layout.unseal(key, value)))
                else:
                    self.damage.append(Damage("due", layout.due_from(key)[1]))
        return found

    def totals(self) -> Totals:
        """Say what is held. Cheap: no item is read."""
        with self._environment.read() as transaction:
            octets = self._or_none(transaction, "meta", b"octets")
            with transaction.cursor(db=self._tables["item"]) as cursor:
                oldest_key = bytes(cursor.key()) if cursor.first() else b""
            return Totals(
                transaction.stat(self._tables["item"])["entries"],
                transaction.stat(self._tables["due"])["entries"],
                0 if octets is None else layout.number_of(octets),
                oldest_key,
                transaction.stat(self._tables["away"])["entries"],
            )

    def _or_none(self, transaction: Transaction, table: str, key: bytes) -> bytes | None:
        """Return what can be done without: None when it is damaged."""
        try:
            return self._get(transaction, table, key)
        except DamagedError:
            self.damage.append(Damage(table, key))
            return None

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
            floors = self._or_none(transaction, "meta", b"floors")
            vector = walk_vector(transaction, self._tables["vector"])
            with transaction.cursor(db=self._tables["finished"]) as cursor:
                finished = [
                    (key, layout.dot_of(value))
                    for key in map(bytes, cursor.iternext(values=False))
                    if (value := self._or_none(transaction, "finished", key)) is not None
                ]
            with transaction.cursor(db=self._tables["away"]) as cursor:
                away = [layout.away_of(bytes(key), layout.unseal(key, value)) for key, value in cursor]
            return Image(
                self._get(transaction, "meta", b"store_id") or b"",
                vector,
                Authority(0, 0) if authority is None else layout.authority_of(authority),
                {} if floors is None else layout.vector_of(floors),
                tuple(finished),
                tuple(away),
                self._stores(transaction),
                self._beyond(transaction, vector),
            )

    def _stores(self, transaction: Transaction) -> dict[int, bytes]:
        """Return which stores the neighbours have; one that is damaged is left out, and told again."""
        stores: dict[int, bytes] = {}
        with transaction.cursor(db=self._tables["meta"]) as cursor:
            is_there = cursor.set_range(layout.STORE_OF)
            while is_there and (key := bytes(cursor.key())).startswith(layout.STORE_OF):
                value = self._or_none(transaction, "meta", key)
                if value is not None:
                    stores[layout.store_of_node(key)] = value
                is_there = cursor.next()
        return stores

    def _beyond(self, transaction: Transaction, vector: Vector) -> Vector:
        """Return up to where items are here that the vector does not cover."""
        value = self._or_none(transaction, "meta", b"beyond")
        uncovered = {} if value is None else beyond(layout.vector_of(value), vector)
        on: bytes | None = b"" if uncovered else None
        while on is not None:  # rarely more than one page: they are among the first, or none is left
            items, _, on = walk_items(transaction, self._tables["item"], on, READ_ITEMS_MAX)
            if not all(covers(vector, item.put) for item in items):
                return uncovered
        return {}

    # --- what is shipped ------------------------------------------------------------------------------------

    def read_log(self, branch: Branch, first_seq: int, octets_max: int, *, is_holding: bool = False) -> LogPiece:
        """Return consecutive records of a branch. A PUT whose item is finished comes as VOID, and so does one whose
        item is damaged, for a peer who lacks the record has no item either; for others, who may get it whole later,
        the read is holding: it ends there. A damaged record is a hole: the log reaches back no further than behind
        it."""
        records: list[Record] = []
        octets, held = 0, b""
        with self._environment.read() as transaction, transaction.cursor(db=self._tables["log"]) as cursor:
            seq = first_seq
            is_there = cursor.set_range(layout.dot_key(Dot(branch, seq)))
            while is_there and cursor.key() == layout.dot_key(Dot(branch, seq)):
                key = cursor.key()
                try:
                    record = layout.record_of(layout.unseal(key, cursor.value()))
                except DamagedError:
                    self.damage.append(Damage("log", bytes(key)))
                    break
                if record.kind is Kind.PUT:
                    record, is_damaged = self._with_blob(transaction, Dot(branch, seq), record)
                    if is_damaged and is_holding:
                        held = record.key
                        break
                    if is_damaged:
                        self._note_voided(transaction, record.key)
                octets += len(record.blob) + len(record.meta) + _RECORD_OCTETS
                if records and octets > octets_max:
                    break
                records.append(record)
                seq += 1
                is_there = cursor.next()
            position = self._get(transaction, "vector", layout.branch_key(branch))
        if not records and not held and position is not None and first_seq <= layout.number_of(position):
            return LogPiece(None)
        return LogPiece(tuple(records), held)

    def _with_blob(self, transaction: Transaction, dot: Dot, record: Record) -> tuple[Record, bool]:
        """Return a PUT with its blob, or the VOID in its place, and whether its item is damaged, not finished."""
        found = self._item(transaction, record.key)
        if found is not None and found[0].put == dot:
            blob = self._sound_blob(transaction, *found)
            if blob is not None:
                return record._replace(blob=blob), False
        return Record(Kind.VOID, record.key), self._is_damaged(transaction, record.key, dot)

    def _note_voided(self, transaction: Transaction, key: bytes) -> None:
        """Have it remembered that a VOID goes in the place of an item, unless it is."""
        value = transaction.get(key, db=self._tables["away"])
        if value is None or not layout.away_of(key, layout.unseal(key, value)).is_voided:
            self.damage.append(Damage(VOIDED, key))

    def _is_damaged(self, transaction: Transaction, key: bytes, put: Dot) -> bool:
        """Tell whether the item that cannot be shipped is damaged, rather than finished."""
        if transaction.get(key, db=self._tables["away"]) is not None:
            return True
        found = transaction.get(key, db=self._tables["item"])
        if found is None or not layout.is_sealed(key, found):
            return found is not None
        return layout.item_of(key, layout.unseal(key, found))[0].put == put

    def snapshot(self, known: Vector, *, is_holding: bool = False) -> Snapshot:
        """Begin to read everything, as it is now. is_holding: nobody takes for finished what is damaged of it."""
        return Snapshot(self._environment, self, known, is_holding=is_holding)

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
                for damage in commit.mend:
                    tables.mend(damage)
            tables.shorten_log(self._settings.log_octets_max)
            tables.finish()
            self._drop_old_log(tables)
            self._environment.count_live(transaction)
        moved = tables.damage.moved
        for away in moved:
            keys.add(away.key)
            if away.put is not None:
                finished.pop(away.put, None)
        return Done(tuple((key, put) for put, key in finished.items()), frozenset(keys), tuple(moved))

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
        vector = commit.vector or {}
        raised = [branch for branch, seq in vector.items() if seq > tables.position(branch)]
        yield from merge.take_items(tables, commit, rank)
        for branch in raised:
            tables.cut_log(branch, vector[branch])
        if commit.authority is not None:
            tables.set_authority(commit.authority)
        if commit.store_of is not None:
            tables.set_store_of(*commit.store_of)
        if commit.floors is not None:
            tables.set_floors(commit.floors)
            for branch, seq in (commit.floors if commit.cut is None else commit.cut).items():
                tables.cut_log(branch, seq)


class Snapshot:
    """A read of everything at one moment, piece by piece; it pins pages until it is closed.

    Two walks over the items: those that `known` does not cover, with their blobs, then the others. A state that
    relies on another item may so never reach an item that the receiver has before that other item does.
    """

    def __init__(self, environment: Environment, store: Store, known: Vector, *, is_holding: bool) -> None:
        self._environment = environment
        self._store = store
        self._known = known
        self._is_holding = is_holding
        self._long_read: LongRead = environment.begin_long_read()
        self._after = b""
        self._is_begun = False
        self._is_of_known = False  # the second walk
        self._has_known = False

    def read(self, octets_max: int, items_max: int = 1_000) -> SnapshotPiece:
        """Return the next piece, of at most items_max items looked at: it may be empty before the last.

        Errors: SnapshotBrokenError; DamagedError for a damaged position.
        """
        tables = self._environment.tables
        with self._environment.resume(self._long_read) as transaction:
            vector = None if self._is_begun else walk_vector(transaction, tables["vector"])
            orphans, away = ((), []) if self._is_begun else self._read_first(transaction)
            self._is_begun = True
            found: list[tuple[Item, bytes | None]] = []
            octets = looked_at = 0
            with transaction.cursor(db=tables["item"]) as cursor:
                is_there = cursor.set_range(self._after) if self._after else cursor.first()
                if is_there and self._after and cursor.key() == self._after:
                    is_there = cursor.next()
                while is_there and octets < octets_max and looked_at < items_max:
                    self._after = key = bytes(cursor.key())
                    entry = self._entry(transaction, key, away)
                    if entry is not None:
                        found.append(entry)
                        octets += len(entry[1] or b"") + len(entry[0].meta) + _RECORD_OCTETS
                    looked_at += 1
                    is_there = cursor.next()
            is_last = not is_there and (self._is_of_known or not self._has_known)
            if not is_there:
                self._after, self._is_of_known = b"", True
            return SnapshotPiece(vector, tuple(found), orphans, is_last, tuple(away))

    def _read_first(self, transaction: Transaction) -> tuple[tuple[Orphan, ...], list[bytes]]:
        """Return what goes with the first piece: all orphans, and the keys of what is away."""
        tables = self._environment.tables
        orphans, damaged = walk_orphans(transaction, tables["orphan"])
        self._store.damage.extend(Damage("orphan", key) for key in damaged)
        away: list[bytes] = []
        with transaction.cursor(db=tables["away"]) as cursor:
            for key, value in cursor:
                entry = layout.away_of(bytes(key), layout.unseal(key, value))
                away.append(entry.key)
                if not entry.is_voided and (entry.put is None or not covers(self._known, entry.put)):
                    self._note_voided(entry.key)
        return tuple(orphans), away

    def _entry(self, transaction: Transaction, key: bytes, away: list[bytes]) -> tuple[Item, bytes | None] | None:
        """Return an item as it is shipped in this walk; None when it belongs to the other, or is damaged."""
        read = self._store._item(transaction, key)
        if read is not None:
            item = read[0]
            if covers(self._known, item.put) is not self._is_of_known:
                self._has_known = True
                return None
            if self._is_of_known:
                return item, None
            blob = self._store._sound_blob(transaction, *read)
            if blob is not None:
                return item, blob
        away.append(key)  # else the receiver would take its absence for its end
        if not self._is_of_known:
            self._note_voided(key)
        return None

    def _note_voided(self, key: bytes) -> None:
        if not self._is_holding:
            self._store.damage.append(Damage(VOIDED, key))

    def close(self) -> None:
        """Let go of the pages."""
        self._environment.end_long_read(self._long_read)
