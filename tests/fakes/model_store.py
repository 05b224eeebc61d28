"""A member's store in memory: what is durable, what is on its way, and what a crash does to either.

It runs the same merge as the store on disk and keeps the same promises, without a disk. Usage:

    store.begin(commit, ...)   # Commit effects that go into one transaction
    store.complete()           # it became durable: a Committed event; or it could not be applied: CommitFailed
    store.lose()               # crash (or full disk) instead: nothing of it was kept
    store.image()              # what a member that starts now is given
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Any

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
from replicator.core.merge import Applied, Change, state_of
from replicator.core.tail import octets_of
from replicator.core.values import (
    LACKING,
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
from replicator.store import layout

MISSING = object()


class ModelTables:
    """The tables that the merge works on. Every write can be undone until the transaction is kept."""

    def __init__(self) -> None:
        self.held: dict[bytes, Item] = {}
        self.blobs: dict[bytes, bytes] = {}
        self.orphaned: dict[Dot, Orphan] = {}
        self.away: dict[bytes, Away] = {}
        self.vector: Vector = {}
        self.named: dict[bytes, None] = {}
        self.beyond: Vector = {}
        self.rotten: dict[bytes, str] = {}  # items of which a bit was flipped: in the 'item' or in its 'blob'
        self.moved: list[Away] = []  # by this transaction
        self.forgotten: dict[bytes, None] = {}  # what was away, by this transaction
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []

    def write(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        """Set an entry of any table, or remove it when the value is MISSING."""
        self._undo.append((table, key, table.get(key, MISSING)))
        if value is MISSING:
            table.pop(key, None)
        else:
            table[key] = value

    def keep(self) -> None:
        self._undo.clear()

    def undo(self) -> None:
        self.moved.clear()
        while self._undo:
            table, key, value = self._undo.pop()
            if value is MISSING:
                table.pop(key, None)
            else:
                table[key] = value

    # what merge.Tables asks for

    def item(self, key: bytes) -> Item | None:
        if self.rotten.get(key) == "item":
            self.move_away(key)
            return None
        return self.held.get(key)

    def put_item(self, item: Item, was: Item | None, blob: bytes | None) -> None:
        assert self.held.get(item.key) == was
        self.write(self.held, item.key, item)
        self.forget_away(item.key)
        if blob is not None:
            self.write(self.blobs, item.key, blob)

    def is_away(self, key: bytes) -> bool:
        return key in self.away

    def forget_away(self, key: bytes) -> None:
        if key in self.away:
            self.write(self.away, key, MISSING)
            self.forgotten[key] = None

    def delete_item(self, was: Item) -> None:
        assert self.held.get(was.key) == was
        self.write(self.held, was.key, MISSING)
        self.write(self.blobs, was.key, MISSING)
        if was.key in self.rotten:
            self.write(self.rotten, was.key, MISSING)

    def unnamed(self, after: bytes, until: bytes | None, keys: Set[bytes]) -> Iterator[Item]:
        for key in sorted(self.held):
            if key > after and (until is None or key <= until) and key not in keys and key not in self.named:
                item = self.item(key)
                if item is not None:
                    yield item

    def name(self, key: bytes) -> None:
        self.write(self.named, key, None)

    def is_named(self, key: bytes) -> bool:
        return key in self.named

    def forget_names(self) -> None:
        for key in list(self.named):
            self.write(self.named, key, MISSING)

    def reach(self, vector: Vector) -> None:
        for branch, seq in vector.items():
            if seq > self.beyond.get(branch, 0):
                self.write(self.beyond, branch, seq)

    # what the disk does about damage

    def move_away(self, key: bytes) -> None:
        """Take a damaged item out of use. Of one that cannot be read its dot is not known either."""
        item, table = self.held[key], self.rotten[key]
        self.delete_item(item)
        self.keep_away(Away(key, None if table == "item" else item.put, table))
        if table != "item":
            self.put_orphan(state_of(item))

    def keep_away(self, away: Away) -> None:
        self.write(self.away, away.key, away)
        self.moved.append(away)

    def orphan(self, put: Dot) -> Orphan | None:
        return self.orphaned.get(put)

    def put_orphan(self, orphan: Orphan) -> None:
        self.write(self.orphaned, orphan.put, orphan)

    def delete_orphan(self, put: Dot) -> None:
        if put in self.orphaned:
            self.write(self.orphaned, put, MISSING)

    def orphans(self) -> Iterator[Orphan]:
        return iter(list(self.orphaned.values()))

    def position(self, branch: Branch) -> int:
        return self.vector.get(branch, 0)

    def set_position(self, branch: Branch, seq: int) -> None:
        self.write(self.vector, branch, seq)


class ModelStore:
    """Tables, log, floors and authority, with at most one transaction in flight.

    log_records_max   of one branch; older records are cut even when the peer lacks them
    """

    def __init__(self, store_id: bytes, terminal_rank: int, log_records_max: int = 1 << 30) -> None:
        self.store_id = store_id
        self.terminal_rank = terminal_rank
        self.log_records_max = log_records_max
        self.tables = ModelTables()
        self.log: dict[Dot, Record] = {}
        self.cut: Vector = {}  # the log of a branch begins after this seq
        self.floors: Vector = {}
        self.stores: dict[int, bytes] = {}
        self.authority = Authority(0, 0)
        self.in_flight: tuple[Commit, ...] = ()
        self.found: list[Damage] = []  # by reads, for the member to decide about
        self.rotten_log: set[Dot] = set()  # records of which a bit was flipped
        self.applied: list[tuple[Dot, Record, Applied]] = []  # by the last transaction, for whoever watches

    def copy(self) -> ModelStore:
        """Return what a backup of the store's file holds."""
        copy = ModelStore(self.store_id, self.terminal_rank, self.log_records_max)
        copy.tables.held = dict(self.tables.held)
        copy.tables.blobs = dict(self.tables.blobs)
        copy.tables.orphaned = dict(self.tables.orphaned)
        copy.tables.vector = dict(self.tables.vector)
        copy.tables.named = dict(self.tables.named)
        copy.tables.beyond = dict(self.tables.beyond)
        copy.tables.away = dict(self.tables.away)
        copy.tables.rotten = dict(self.tables.rotten)
        copy.rotten_log = set(self.rotten_log)
        copy.log = dict(self.log)
        copy.cut = dict(self.cut)
        copy.floors = dict(self.floors)
        copy.stores = dict(self.stores)
        copy.authority = self.authority
        return copy

    def reopen(self) -> None:
        """Let a process start on it: what another one found is not known."""
        self.found = []

    # --- the transaction ------------------------------------------------------------------------------------

    def begin(self, *commits: Commit) -> None:
        """Start a transaction; nothing of it can be read before it is complete."""
        assert not self.in_flight, "one transaction at a time"
        self.in_flight = commits

    def lose(self) -> None:
        """Crash before the transaction was durable."""
        self.in_flight = ()

    def complete(self) -> Committed | CommitFailed:
        """Make the transaction durable, all or nothing."""
        commits, self.in_flight = self.in_flight, ()
        finished: dict[Dot, bytes] = {}
        self.applied = []
        self.tables.moved = []
        self.tables.forgotten = {}
        try:
            for commit in commits:
                self._apply(commit, finished)
        except (merge.SequenceGapError, merge.KeyTakenError, merge.BlobMissingError) as error:
            self.tables.undo()
            return CommitFailed(commits[0].ticket, f"{type(error).__name__}: {error}")
        self.tables.keep()
        moved = tuple(self.tables.moved)
        for away in moved:
            if away.put is not None:
                finished.pop(away.put, None)
        back = tuple(key for key in self.tables.forgotten if key not in self.tables.away)
        return Committed(commits[-1].ticket, tuple((key, put) for put, key in finished.items()), moved, back)

    def _apply(self, commit: Commit, finished: dict[Dot, bytes]) -> None:
        write = self.tables.write
        for dot, record in commit.records:
            applied = merge.apply(self.tables, dot, record, self.terminal_rank, commit.passed)
            self._note(applied, finished)
            self.applied.append((dot, record, applied))
            if applied.change is not Change.HELD:
                write(self.log, dot, record._replace(blob=b""))
                self._cut(dot.branch, dot.seq - self.log_records_max)
        vector = commit.vector or {}
        raised = [branch for branch, seq in vector.items() if seq > self.tables.position(branch)]
        for applied in merge.take_items(self.tables, commit, self.terminal_rank):
            self._note(applied, finished)
        for branch in raised:
            self._cut(branch, vector[branch])
        for damage in commit.mend:
            self._mend(damage)
        if commit.authority is not None:
            assert commit.authority >= self.authority, "authority never goes back"
            write(self.__dict__, "authority", commit.authority)
        if commit.store_of is not None:
            node, store_id = commit.store_of
            write(self.stores, node, store_id)
        if commit.floors is not None:
            write(self.__dict__, "floors", dict(commit.floors))
            for branch, seq in (commit.floors if commit.cut is None else commit.cut).items():
                assert seq <= self.tables.position(branch)
                self._cut(branch, seq)

    def _mend(self, damage: Damage) -> None:
        """Look again at what a read came upon: it may have been removed or written anew meanwhile."""
        tables = self.tables
        if damage.table == VOIDED:
            away = tables.away.get(damage.key)
            if away is not None and not away.is_voided:
                tables.keep_away(away._replace(is_voided=True))
        elif damage.table == LACKING:
            if damage.key not in tables.away and damage.key not in tables.held:
                tables.keep_away(Away(damage.key, None, LACKING))
        elif damage.table == "log":
            dot = layout.dot_of(damage.key)
            if dot in self.rotten_log and dot in self.log:
                tables.write(self.log, dot, MISSING)
        elif damage.key in tables.rotten:
            tables.move_away(damage.key)

    def _cut(self, branch: Branch, seq: int) -> None:
        """Drop the log of a branch up to a seq."""
        was = self.cut.get(branch, 0)
        if seq > was:
            self.tables.write(self.cut, branch, seq)
            for old in range(was + 1, seq + 1):
                if Dot(branch, old) in self.log:
                    self.tables.write(self.log, Dot(branch, old), MISSING)

    @staticmethod
    def _note(applied: Applied, finished: dict[Dot, bytes]) -> None:
        if applied.is_finished:
            finished[applied.put] = applied.key
        elif applied.change is Change.REMOVED:
            finished.pop(applied.put, None)

    # --- reads, of what is durable --------------------------------------------------------------------------

    @property
    def vector(self) -> Vector:
        return self.tables.vector

    @property
    def items(self) -> dict[bytes, Item]:
        return self.tables.held

    @property
    def rotten(self) -> dict[bytes, str]:
        return self.tables.rotten

    @property
    def away(self) -> dict[bytes, Away]:
        return self.tables.away

    @property
    def beyond(self) -> Vector:
        return self.tables.beyond

    def orphans(self) -> Iterator[Orphan]:
        return self.tables.orphans()

    def log_dots(self) -> list[Dot]:
        return list(self.log)

    def read_log(self, ask: ReadLog) -> LogRead:
        """Answer a ReadLog effect."""
        if ask.first_seq <= self.cut.get(ask.branch, 0):
            return LogRead(ask.session, ask.branch, ask.first_seq, None)
        records: list[Record] = []
        octets, held = 0, b""
        for seq in range(ask.first_seq, self.vector.get(ask.branch, 0) + 1):
            dot = Dot(ask.branch, seq)
            if dot not in self.log:
                break
            if dot in self.rotten_log:
                self.found.append(Damage("log", layout.dot_key(dot)))
                break
            record, is_damaged = self._shippable(dot, self.log[dot])
            if is_damaged and ask.is_holding:
                held = record.key
                break
            if is_damaged:
                self._note_voided(record.key)
            octets += octets_of((record,))
            if records and octets > ask.octets_max:
                break
            records.append(record)
        if not records and not held and ask.first_seq <= self.vector.get(ask.branch, 0):
            return LogRead(ask.session, ask.branch, ask.first_seq, None)
        return LogRead(ask.session, ask.branch, ask.first_seq, tuple(records), held)

    def _shippable(self, dot: Dot, record: Record) -> tuple[Record, bool]:
        """Return a record as it is shipped, and whether it is of an item that is damaged."""
        if record.kind is not Kind.PUT:
            return record, False
        item = self.items.get(record.key)
        if item is not None and item.put == dot and record.key not in self.tables.rotten:
            return record._replace(blob=self.tables.blobs[record.key]), False
        is_rotten = item is not None and item.put == dot
        if is_rotten:
            self.found.append(Damage(self.tables.rotten[record.key], record.key))
        return Record(Kind.VOID, record.key), is_rotten or record.key in self.tables.away

    def _note_voided(self, key: bytes) -> None:
        away = self.tables.away.get(key)
        if away is None or not away.is_voided:
            self.found.append(Damage(VOIDED, key))

    def read_snapshot(self, ask: ReadSnapshot, piece_items_max: int = 3) -> list[SnapshotRead]:
        """Answer a ReadSnapshot effect: all pieces, as they are at this moment; new items before known ones."""
        keys = sorted(self.items)
        known = {key for key in keys if self.rotten.get(key) != "item" and covers(ask.known, self.items[key].put)}
        pieces: list[SnapshotRead] = []
        for is_of_known in (False, True) if known else (False,):
            for at in range(0, len(keys), piece_items_max) or (0,):
                away = [] if pieces else self._away_of_snapshot(ask)
                found = [
                    (self.items[key], None if is_of_known else self.tables.blobs[key])
                    for key in keys[at : at + piece_items_max]
                    if (key in known) is is_of_known or self.rotten.get(key) == "item"
                    if self._is_fit(key, away, is_of_known=is_of_known, is_holding=ask.is_holding)
                ]
                pieces.append(SnapshotRead(ask.session, None, tuple(found), False, (), tuple(away)))
        orphans = tuple(orphan for _, orphan in sorted(self.tables.orphaned.items()))
        pieces[0] = pieces[0]._replace(vector=_in_order(self.vector), orphans=orphans)
        pieces[-1] = pieces[-1]._replace(is_last=True)
        return pieces

    def _away_of_snapshot(self, ask: ReadSnapshot) -> list[bytes]:
        """Return the keys of what was found damaged before."""
        for _, entry in sorted(self.tables.away.items()):
            is_lacking = entry.put is None or not covers(ask.known, entry.put)
            if is_lacking and not entry.is_voided and not ask.is_holding:
                self.found.append(Damage(VOIDED, entry.key))
        return sorted(self.tables.away)

    def _is_fit(self, key: bytes, away: list[bytes], *, is_of_known: bool, is_holding: bool) -> bool:
        """Tell whether an item can be shipped; else its key goes with what is away. Of a known one goes no blob."""
        table = self.rotten.get(key)
        if table is None or (table == "blob" and is_of_known):
            return True
        self.found.append(Damage(table, key))
        if not is_of_known and not is_holding:
            self.found.append(Damage(VOIDED, key))
        away.append(key)
        return False

    def read_item(self, ask: ReadItem) -> ItemRead:
        """Answer a ReadItem effect."""
        item, table = self.items.get(ask.key), self.tables.rotten.get(ask.key)
        if table is not None:
            self.found.append(Damage(table, ask.key))
        if item is None or table is not None:
            is_away = self.tables.is_away(ask.key) or table is not None
            return ItemRead(ask.session, ask.key, Presence.AWAY if is_away else Presence.ABSENT)
        return ItemRead(ask.session, ask.key, Presence.HELD, item, self.tables.blobs[ask.key])

    def rot(self, key: bytes, table: str = "blob") -> None:
        """Flip a bit of an item, or of its blob. Reads notice it, and note it in `found`."""
        self.tables.rotten[key] = table

    def rot_log(self, dot: Dot) -> None:
        """Flip a bit of a record of the log."""
        self.rotten_log.add(dot)

    def scrub(self) -> None:
        """Read everything, as a walk over the whole store does."""
        self.found += [Damage(table, key) for key, table in sorted(self.tables.rotten.items())]
        self.found += [Damage("log", layout.dot_key(dot)) for dot in sorted(self.rotten_log) if dot in self.log]

    def image(self) -> Image:
        """Return what a member that starts on this store is given."""
        finished = tuple(
            (key, item.put)
            for key, item in sorted(self.items.items())
            if merge.are_terminal(item.parts, self.terminal_rank)
        )
        readable = (item for key, item in self.items.items() if self.rotten.get(key) != "item")
        are_covered = all(covers(self.vector, item.put) for item in readable)
        return Image(
            self.store_id,
            _in_order(self.vector),
            self.authority,
            _in_order(self.floors),
            finished,
            tuple(away for _, away in sorted(self.away.items())),
            dict(sorted(self.stores.items())),
            {} if are_covered else _in_order(beyond(self.tables.beyond, self.vector)),
        )


def _in_order(vector: Vector) -> Vector:
    """Return a vector as it comes from a disk: branch after branch."""
    return dict(sorted(vector.items()))
