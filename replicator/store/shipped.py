"""What is read to be shipped: pieces of a branch's log, and everything there is at one moment."""

from __future__ import annotations

from typing import NamedTuple

from replicator.codec import DamagedError
from replicator.core.values import VOIDED, Damage, Dot, Item, Kind, Orphan, Record, Vector
from replicator.core.vectors import covers
from replicator.store import layout
from replicator.store.environment import Environment, LongRead, Transaction
from replicator.store.reading import Reader
from replicator.store.tables import walk_orphans, walk_vector

_RECORD_OCTETS = 256  # about what a record takes beside its blob


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


def read_log(reader: Reader, transaction: Transaction, first: Dot, octets_max: int, *, is_holding: bool) -> LogPiece:
    """Return consecutive records of a branch. A PUT whose item is finished comes as VOID, and so does one whose
    item is damaged, for a peer who lacks the record has no item either; for others, who may get it whole later,
    the read is holding: it ends there. A damaged record is a hole: the log reaches back no further than behind
    it."""
    records: list[Record] = []
    octets, held = 0, b""
    branch, seq = first
    with transaction.cursor(db=reader.tables["log"]) as cursor:
        is_there = cursor.set_range(layout.dot_key(Dot(branch, seq)))
        while is_there and cursor.key() == layout.dot_key(Dot(branch, seq)):
            key = cursor.key()
            try:
                record = layout.record_of(layout.unseal(key, cursor.value()))
            except DamagedError:
                reader.damage.append(Damage("log", bytes(key)))
                break
            if record.kind is Kind.PUT:
                record, is_damaged = _with_blob(reader, transaction, Dot(branch, seq), record)
                if is_damaged and is_holding:
                    held = record.key
                    break
                if is_damaged:
                    _note_voided(reader, transaction, record.key)
            octets += len(record.blob) + len(record.meta) + _RECORD_OCTETS
            if records and octets > octets_max:
                break
            records.append(record)
            seq += 1
            is_there = cursor.next()
    position = reader.get(transaction, "vector", layout.branch_key(branch))
    if not records and not held and position is not None and first.seq <= layout.number_of(position):
        return LogPiece(None)
    return LogPiece(tuple(records), held)


def _with_blob(reader: Reader, transaction: Transaction, dot: Dot, record: Record) -> tuple[Record, bool]:
    """Return a PUT with its blob, or the VOID in its place, and whether its item is damaged, not finished."""
    found = reader.item(transaction, record.key)
    if found is not None and found[0].put == dot:
        blob = reader.blob(transaction, *found)
        if blob is not None:
            return record._replace(blob=blob), False
    return Record(Kind.VOID, record.key), _is_damaged(reader, transaction, record.key, dot)


def _note_voided(reader: Reader, transaction: Transaction, key: bytes) -> None:
    """Have it remembered that a VOID goes in the place of an item, unless it is."""
    value = transaction.get(key, db=reader.tables["away"])
    if value is None or not layout.away_of(key, layout.unseal(key, value)).is_voided:
        reader.damage.append(Damage(VOIDED, key))


def _is_damaged(reader: Reader, transaction: Transaction, key: bytes, put: Dot) -> bool:
    """Tell whether the item that cannot be shipped is damaged, rather than finished."""
    if transaction.get(key, db=reader.tables["away"]) is not None:
        return True
    found = transaction.get(key, db=reader.tables["item"])
    if found is None or not layout.is_sealed(key, found):
        return found is not None
    return layout.item_of(key, layout.unseal(key, found))[0].put == put


class Snapshot:
    """A read of everything at one moment, that of the first piece, piece by piece; it pins pages until it is closed.

    Two walks over the items: those that `known` does not cover, with their blobs, then the others. A state that
    relies on another item may so never reach an item that the receiver has before that other item does.
    """

    def __init__(self, environment: Environment, reader: Reader, known: Vector, *, is_holding: bool) -> None:
        self._environment = environment
        self._reader = reader
        self._known = known
        self._is_holding = is_holding
        self._long_read = LongRead()
        self._after = b""
        self._is_begun = False
        self._is_of_known = False  # the second walk
        self._has_known = False

    def read(self, octets_max: int, items_max: int = 1_000) -> SnapshotPiece:
        """Return the next piece, of at most items_max items looked at: it may be empty before the last.

        Errors: SnapshotBrokenError; DamagedError for a damaged position.
        """
        tables = self._reader.tables
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
        tables = self._reader.tables
        orphans, damaged = walk_orphans(transaction, tables["orphan"])
        self._reader.damage.extend(Damage("orphan", key) for key in damaged)
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
        read = self._reader.item(transaction, key)
        if read is not None:
            item = read[0]
            if covers(self._known, item.put) is not self._is_of_known:
                self._has_known = True
                return None
            if self._is_of_known:
                return item, None
            blob = self._reader.blob(transaction, *read)
            if blob is not None:
                return item, blob
        away.append(key)  # else the receiver would take its absence for its end
        if not self._is_of_known:
            self._note_voided(key)
        return None

    def _note_voided(self, key: bytes) -> None:
        if not self._is_holding:
            self._reader.damage.append(Damage(VOIDED, key))

    def close(self) -> None:
        """Let go of the pages. Waits for a piece that another thread is reading."""
        self._environment.end_long_read(self._long_read)
