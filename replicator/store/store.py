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

from replicator.core import merge
from replicator.core.events import Commit, Image
from replicator.core.merge import Applied, Change
from replicator.core.values import (
    Authority,
    Away,
    Branch,
    Damage,
    Dot,
    Item,
    Presence,
    Vector,
)
from replicator.core.vectors import beyond, covers
from replicator.status import Totals
from replicator.store import layout
from replicator.store.environment import Environment, StoreSettings, Transaction
from replicator.store.reading import Reader
from replicator.store.retention import Retention
from replicator.store.shipped import LogPiece, Snapshot, read_log
from replicator.store.tables import WriteTables, walk_items, walk_vector

READ_ITEMS_MAX = 10_000
DAMAGE_MAX = 1_000  # what is found beyond is found again
_STORE_ID_OCTETS = 16


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
    back: tuple[bytes, ...] = ()  # keys of items that were away and are so no longer


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
        self._reader = Reader(self._tables, self.damage)
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
            store_id = self._reader.or_none(transaction, "meta", b"store_id") or os.urandom(_STORE_ID_OCTETS)
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

    def item(self, key: bytes) -> Item | None:
        """Return an item without its blob; None when it is not here, or damaged."""
        if not 0 < len(key) <= layout.KEY_OCTETS_MAX:
            return None
        with self._environment.read() as transaction:
            found = self._reader.item(transaction, key)
        return None if found is None else found[0]

    def blob(self, key: bytes) -> bytes | None:
        """Return an item's blob; None when the item is not here, or damaged."""
        if not 0 < len(key) <= layout.KEY_OCTETS_MAX:
            return None
        with self._environment.read() as transaction:
            found = self._reader.item(transaction, key)
            return None if found is None else self._reader.blob(transaction, *found)

    def whole(self, key: bytes) -> tuple[Presence, Item | None, bytes | None]:
        """Return an item with its blob, or whether it is not here or damaged."""
        if not 0 < len(key) <= layout.KEY_OCTETS_MAX:
            return Presence.ABSENT, None, None
        with self._environment.read() as transaction:
            found = self._reader.item(transaction, key)
            if found is not None:
                blob = self._reader.blob(transaction, *found)
                if blob is not None:
                    return Presence.HELD, found[0], blob
            is_here = any(transaction.get(key, db=self._tables[table]) is not None for table in ("item", "away"))
        return Presence.AWAY if is_here else Presence.ABSENT, None, None

    def check_blob(self, transaction: Transaction, key: bytes, sealed: bytes) -> int:
        """Look whether an item's blob is what was written; return how many octets it should have."""
        item, content_hash = layout.item_of(key, layout.unseal(key, sealed))
        self._reader.blob(transaction, item, content_hash)
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
            octets = self._reader.or_none(transaction, "meta", b"octets")
            with transaction.cursor(db=self._tables["item"]) as cursor:
                oldest_key = bytes(cursor.key()) if cursor.first() else b""
            return Totals(
                transaction.stat(self._tables["item"])["entries"],
                transaction.stat(self._tables["due"])["entries"],
                0 if octets is None else layout.number_of(octets),
                oldest_key,
                transaction.stat(self._tables["away"])["entries"],
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
            authority = self._reader.get(transaction, "meta", b"authority")
            floors = self._reader.or_none(transaction, "meta", b"floors")
            vector = walk_vector(transaction, self._tables["vector"])
            with transaction.cursor(db=self._tables["finished"]) as cursor:
                finished = [
                    (key, layout.dot_of(value))
                    for key in map(bytes, cursor.iternext(values=False))
                    if (value := self._reader.or_none(transaction, "finished", key)) is not None
                ]
            with transaction.cursor(db=self._tables["away"]) as cursor:
                away = [layout.away_of(bytes(key), layout.unseal(key, value)) for key, value in cursor]
            return Image(
                self._reader.get(transaction, "meta", b"store_id") or b"",
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
                value = self._reader.or_none(transaction, "meta", key)
                if value is not None:
                    stores[layout.store_of_node(key)] = value
                is_there = cursor.next()
        return stores

    def _beyond(self, transaction: Transaction, vector: Vector) -> Vector:
        """Return up to where items are here that the vector does not cover."""
        value = self._reader.or_none(transaction, "meta", b"beyond")
        uncovered = {} if value is None else beyond(layout.vector_of(value), vector)
        on: bytes | None = b"" if uncovered else None
        while on is not None:  # rarely more than one page: they are among the first, or none is left
            items, _, on = walk_items(transaction, self._tables["item"], on, READ_ITEMS_MAX)
            if not all(covers(vector, item.put) for item in items):
                return uncovered
        return {}

    # --- what is shipped ------------------------------------------------------------------------------------

    def read_log(self, branch: Branch, first_seq: int, octets_max: int, *, is_holding: bool = False) -> LogPiece:
        """Return consecutive records of a branch, as `shipped.read_log` says."""
        with self._environment.read() as transaction:
            return read_log(self._reader, transaction, Dot(branch, first_seq), octets_max, is_holding=is_holding)

    def snapshot(self, known: Vector, *, is_holding: bool = False) -> Snapshot:
        """Return a read of everything, not begun yet. is_holding: nobody takes for finished what is damaged of it."""
        return Snapshot(self._environment, self._reader, known, is_holding=is_holding)

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
            back = tables.damage.back()
        moved = tables.damage.moved
        for away in moved:
            keys.add(away.key)
            if away.put is not None:
                finished.pop(away.put, None)
        return Done(tuple((key, put) for put, key in finished.items()), frozenset(keys), tuple(moved), back)

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
            applied = merge.apply(tables, dot, record, rank, commit.passed)
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
