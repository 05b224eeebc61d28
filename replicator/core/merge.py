"""The merge: what one record, or one item of a snapshot, does to what a member holds.

Pure rules over a small set of tables, so that the store on disk and the simulator's model run the same code. The
rules are those of an observed-remove set without tombstones, its elements being join-semilattices:

- parts only rise: the join of two values is the larger one, whoever wrote it and in whatever order they come;
- an item that is absent while its PUT is covered by the vector was finished; absent and not covered, it was never
  here. Nothing else is remembered of what is gone, and no record of it is ever needed again;
- a record about an item whose PUT has not come is kept as an *orphan* and joined when the PUT comes; when it says that
  the item is gone, the PUT is skipped. An item that is removed while its PUT is not covered (it came in a
  snapshot that is not at its end yet) leaves such an orphan too;
- what a snapshot names is remembered until its end, in the store, so that its length costs no memory. What its sender
  has finished is dropped as soon as the snapshot has passed the item's key;
- what the sender has finished may still come of another, who has not heard of its end, when the snapshot has passed
  its key (`was_left_out`). It is not added: nobody looks at the key again, the snapshot's end covers the record that
  ended it, and it would stay here and be done again. That holds although the snapshot may break off: what was finished
  stays so, and what its end may rely on came before any key was passed;
- an item whose octets were found damaged is *away*: neither here nor finished, whatever the vector covers. What was
  known of it, where that can be read, is an orphan as well (`state_of`), and so is what is said of it meanwhile: a
  snapshot whose vector covers it tells it. It ends by coming back when it is asked for (a snapshot brings back only
  what no position here covers yet), or by being removed.

What the store has to do around this:

- all that one Commit effect asks for, in one write transaction with whatever else it groups, in the order of the
  effect's fields: records, what a snapshot brings, authority, floors. An exception from here means that the whole
  transaction is given up (CommitFailed);
- the log takes each record that `apply` did not find to be IGNORED as already held, under its dot. The blob of a PUT is
  kept beside the item alone, never in the log. A PUT that is read from the log for shipping takes its blob from the
  item; when the item is gone (or the table holds the key under another PUT), it is shipped as VOID;
- after `end_snapshot` the log has a hole below each raised position: drop the log of those branches up to there, and
  answer a ReadLog that begins in the hole with None;
- an item that cannot be read as it was written is moved away within the transaction, and `item` says None;
- Committed.finished takes the items for which `is_finished` was told, unless they left within the transaction;
  Committed.back those that were away, also for a moment, and are so no longer at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from enum import IntEnum
from typing import NamedTuple, Protocol

from replicator.core.events import Commit, Stretch
from replicator.core.messages import SnapshotItem
from replicator.core.values import (
    NO_FLAGS,
    Branch,
    Dot,
    Flags,
    Item,
    Kind,
    Orphan,
    PartValue,
    Record,
    Vector,
)

Parts = Mapping[bytes, PartValue]


class SequenceGapError(Exception):
    """A record came before its predecessor in its branch: applying it would make the vector lie."""


class KeyTakenError(Exception):
    """Two PUTs of different names carry the same key: the application must never use a key twice."""


class BlobMissingError(Exception):
    """An item that was never here came without its blob."""


class Tables(Protocol):
    """What the merge reads and writes, within one write transaction."""

    def item(self, key: bytes) -> Item | None: ...

    def put_item(self, item: Item, was: Item | None, blob: bytes | None) -> None:
        """Write an item in place of `was`. blob: None when it is already there."""

    def delete_item(self, was: Item) -> None:
        """Remove an item and its blob."""

    def unnamed(self, after: bytes, until: bytes | None, keys: Set[bytes]) -> Iterable[Item]:
        """All items above `after`, up to `until`, that are neither named nor among `keys`; the walk must bear the
        deletion of the item that it just gave."""

    def name(self, key: bytes) -> None:
        """Remember that the snapshot that is coming names this key."""

    def is_named(self, key: bytes) -> bool: ...

    def forget_names(self) -> None:
        """Begin, or end, a snapshot: nothing is named."""

    def reach(self, vector: Vector) -> None:
        """Remember that items up to there may be here without being covered."""

    def orphan(self, put: Dot) -> Orphan | None: ...

    def put_orphan(self, orphan: Orphan) -> None: ...

    def delete_orphan(self, put: Dot) -> None: ...

    def orphans(self) -> Iterable[Orphan]:
        """All orphans; the walk must bear the deletion of the orphan that it just gave."""

    def position(self, branch: Branch) -> int:
        """The highest seq of a branch that is applied; 0 for an unknown branch."""

    def set_position(self, branch: Branch, seq: int) -> None: ...

    def is_away(self, key: bytes) -> bool:
        """Whether the item of that key was found damaged and has not come back; `put_item` brings it back."""

    def forget_away(self, key: bytes) -> None:
        """The item is finished: it need not come back."""


class Change(IntEnum):
    """What came of a record."""

    HELD = 0  # it was applied before: nothing was touched, and the log has it
    NOTHING = 1  # the vector alone: it said nothing new, or spoke of an item that was finished
    ADDED = 2
    CHANGED = 3
    REMOVED = 4
    ORPHANED = 5  # kept until the PUT comes


class Applied(NamedTuple):
    """What one record did to one item."""

    change: Change
    key: bytes
    put: Dot
    is_finished: bool = False  # all parts are terminal now: whoever owns the item writes its DONE


# --- the lattice --------------------------------------------------------------------------------------------


def join_part(mine: PartValue, theirs: PartValue) -> PartValue:
    """Return the larger of two values. Values are totally ordered, so there are no ties to break."""
    return theirs if theirs > mine else mine


def join_parts(mine: Parts, theirs: Parts) -> dict[bytes, PartValue]:
    """Return the union of two sets of parts; a part that both know has the larger value."""
    joined = dict(mine)
    for name, value in theirs.items():
        known = joined.get(name)
        joined[name] = value if known is None else join_part(known, value)
    return joined


def join_flags(mine: Flags, theirs: Flags) -> Flags:
    """Return the one written last; of two written at once, the one with the larger data."""
    return theirs if theirs > mine else mine


def state_of(item: Item) -> Orphan:
    """Return what is known of an item beside its content, for the day when that is here again."""
    return Orphan(item.key, item.put, False, dict(item.parts), item.flags)


def are_terminal(parts: Parts, terminal_rank: int) -> bool:
    """Tell whether nothing is left to do. An item without parts ends by an explicit DONE alone."""
    return bool(parts) and all(value.rank >= terminal_rank for value in parts.values())


# --- what absence means -------------------------------------------------------------------------------------


def absent_is_finished(tables: Tables, key: bytes, put: Dot) -> bool:
    """Tell what it means that an item is not here: True, it was finished; False, it never came or is away."""
    return tables.position(put.branch) >= put.seq and not tables.is_away(key)


def absent_there_is_finished(sender: Vector, put: Dot) -> bool:
    """Tell what it means that an item we hold is not in a snapshot of that vector: finished, or never seen there."""
    return sender.get(put.branch, 0) >= put.seq


def was_left_out(tables: Tables, passed: Stretch, key: bytes, put: Dot) -> bool:
    """Tell whether the sender of a snapshot has finished an item whose PUT comes now, behind what that has passed.

    What came without its blob was not named, but its PUT was covered here: it does not come now.
    """
    is_within = passed.after < key and (passed.until is None or key <= passed.until)
    return is_within and absent_there_is_finished(passed.vector, put) and not tables.is_named(key)


# --- records ------------------------------------------------------------------------------------------------


def apply(tables: Tables, dot: Dot, record: Record, terminal_rank: int, passed: Stretch | None = None) -> Applied:
    """Merge one record, and raise the vector to it.

    The record may be our own or a peer's, new or long known: the same rules hold.
    passed   what a snapshot that is coming has passed
    Errors: SequenceGapError, KeyTakenError; nothing of the transaction may then be kept.
    """
    position = tables.position(dot.branch)
    put = record.put if record.put is not None else dot
    if dot.seq <= position:
        return Applied(Change.HELD, record.key, put)
    if dot.seq != position + 1:
        raise SequenceGapError(f"{dot.branch.node}/{dot.branch.incarnation:x}: at {position}, came {dot.seq}")
    rule = _RULES.get(record.kind, _keep)
    if passed is not None and record.kind is Kind.PUT and was_left_out(tables, passed, record.key, put):
        rule = _void
    applied = rule(tables, put, record, terminal_rank)
    tables.set_position(dot.branch, dot.seq)
    return applied


def _put(tables: Tables, put: Dot, record: Record, terminal_rank: int) -> Applied:
    was = _item_of(tables, record.key, put)
    if was is not None:  # it came with a snapshot that had not ended
        return _join(tables, was, dict(record.parts), record.flags, terminal_rank)
    item = Item(record.key, put, dict(record.parts), record.flags, record.meta, len(record.blob))
    return _insert(tables, item, record.blob, terminal_rank)


def _change(tables: Tables, put: Dot, record: Record, terminal_rank: int) -> Applied:
    return _learn(tables, record.key, put, dict(record.parts), record.flags, terminal_rank)


def _end(tables: Tables, put: Dot, record: Record, terminal_rank: int) -> Applied:
    return _remove(tables, record.key, put)


def _void(tables: Tables, put: Dot, record: Record, terminal_rank: int) -> Applied:
    applied = _remove(tables, record.key, put)
    tables.delete_orphan(put)  # covered from now on: absence says all
    return applied if applied.change is Change.REMOVED else Applied(Change.NOTHING, record.key, put)


def _keep(tables: Tables, put: Dot, record: Record, terminal_rank: int) -> Applied:
    """Leave a record of a later version to those who understand it: the log passes it on."""
    return Applied(Change.NOTHING, record.key, put)


_RULES: dict[int, Callable[[Tables, Dot, Record, int], Applied]] = {
    Kind.PUT: _put,
    Kind.PART: _change,
    Kind.FLAGS: _change,
    Kind.DONE: _end,
    Kind.ABORT: _end,
    Kind.VOID: _void,
}


# --- snapshots ----------------------------------------------------------------------------------------------


def take_items(tables: Tables, commit: Commit, terminal_rank: int) -> Iterator[Applied]:
    """Do what a Commit says of a snapshot, or of an item that was fetched.

    Errors: KeyTakenError, BlobMissingError; nothing of the transaction may then be kept.
    """
    if commit.begin is not None:
        tables.forget_names()
        tables.reach(commit.begin)
    for item in commit.items:
        if commit.is_snapshot:
            yield _take_named(tables, item, terminal_rank)
        else:
            yield merge_item(tables, item, terminal_rank)
    if commit.stretch is not None:
        yield from drop_absent(tables, commit.stretch, {item.key for item in commit.items if item.kind is Kind.PUT})
    if commit.vector is not None:
        end_snapshot(tables, commit.vector)


def _take_named(tables: Tables, item: SnapshotItem, terminal_rank: int) -> Applied:
    """Merge one thing of a snapshot; remember that the sender has it, unless that is said in the order of the keys."""
    if item.kind is Kind.VOID:
        tables.name(item.key)
        return Applied(Change.NOTHING, item.key, item.put)
    if item.kind is Kind.PUT and item.blob is not None:
        tables.name(item.key)
    applied = merge_item(tables, item, terminal_rank, is_asked_for=False)
    if applied.change is Change.ADDED:
        tables.reach({item.put.branch: item.put.seq})
    return applied


def merge_item(tables: Tables, item: SnapshotItem, terminal_rank: int, *, is_asked_for: bool = True) -> Applied:
    """Merge one thing of a peer's snapshot, or what was asked for. May be done item by item, between other changes.

    The vector stays: until `end_snapshot` an added item is here without being covered, which every rule bears.
    What is away and covered comes back only when asked for, of who has all that was known of it here: a snapshot may
    be older than that.
    Errors: KeyTakenError, BlobMissingError.
    """
    if item.kind is Kind.DONE:
        return _remove(tables, item.key, item.put)
    parts = dict(item.parts)
    if item.kind is not Kind.PUT:
        return _learn(tables, item.key, item.put, parts, item.flags, terminal_rank)
    was = _item_of(tables, item.key, item.put)
    if was is not None:
        return _join(tables, was, parts, item.flags, terminal_rank)
    if absent_is_finished(tables, item.key, item.put):
        return Applied(Change.NOTHING, item.key, item.put)
    orphan = tables.orphan(item.put)
    if orphan is not None and orphan.is_gone:  # the PUT is not covered yet: the orphan must outlive this snapshot
        return Applied(Change.NOTHING, item.key, item.put)
    is_covered = tables.position(item.put.branch) >= item.put.seq
    if tables.is_away(item.key) and (item.blob is None or (is_covered and not is_asked_for)):
        return _learn(tables, item.key, item.put, parts, item.flags, terminal_rank)
    if item.blob is None:
        raise BlobMissingError(f"{item.key!r} of {item.put}")
    added = Item(item.key, item.put, parts, item.flags, item.meta, len(item.blob))
    return _insert(tables, added, item.blob, terminal_rank)


def drop_absent(tables: Tables, stretch: Stretch, keys: Set[bytes]) -> Iterator[Applied]:
    """Drop what the sender has finished of a stretch. keys: those that it holds there, beside what was named.

    What is not covered here yet leaves an orphan: its PUT may come before the snapshot ends, or instead.
    """
    for item in tables.unnamed(stretch.after, stretch.until, keys):
        if absent_there_is_finished(stretch.vector, item.put):
            yield _remove(tables, item.key, item.put)


def end_snapshot(tables: Tables, vector: Vector) -> None:
    """Raise the vector to the sender's: the snapshot is merged.

    vector  the sender's, of the very read transaction that the snapshot was read in
    """
    tables.forget_names()
    for branch, seq in vector.items():
        if seq > tables.position(branch):
            tables.set_position(branch, seq)
    for orphan in tables.orphans():
        if absent_is_finished(tables, orphan.key, orphan.put):  # covered now: absence says all that the orphan said
            tables.delete_orphan(orphan.put)


# --- the few things that can happen to an item --------------------------------------------------------------


def _item_of(tables: Tables, key: bytes, put: Dot) -> Item | None:
    """Return the item of that PUT. Errors: KeyTakenError when the key is another PUT's."""
    was = tables.item(key)
    if was is not None and was.put != put:
        raise KeyTakenError(f"{key!r}: held of {was.put}, came of {put}")
    return was


def _insert(tables: Tables, item: Item, blob: bytes, terminal_rank: int) -> Applied:
    """Add an item, with what was learned of it before it came."""
    orphan = tables.orphan(item.put)
    if orphan is not None:
        tables.delete_orphan(item.put)
        if orphan.is_gone:
            return Applied(Change.NOTHING, item.key, item.put)
        item = item._replace(parts=join_parts(item.parts, orphan.parts), flags=join_flags(item.flags, orphan.flags))
    tables.put_item(item, None, blob)
    return Applied(Change.ADDED, item.key, item.put, are_terminal(item.parts, terminal_rank))


def _join(tables: Tables, was: Item, parts: Parts, flags: Flags, terminal_rank: int) -> Applied:
    """Raise an item that is here."""
    item = was._replace(parts=join_parts(was.parts, parts), flags=join_flags(was.flags, flags))
    if item == was:
        return Applied(Change.NOTHING, was.key, was.put)
    tables.put_item(item, was, None)
    return Applied(Change.CHANGED, was.key, was.put, are_terminal(item.parts, terminal_rank))


def _learn(tables: Tables, key: bytes, put: Dot, parts: Parts, flags: Flags, terminal_rank: int) -> Applied:
    """Join what is said of an item into it, or keep it for the day it comes."""
    was = tables.item(key)
    if was is not None and was.put == put:
        return _join(tables, was, parts, flags, terminal_rank)
    if absent_is_finished(tables, key, put):
        return Applied(Change.NOTHING, key, put)
    known = tables.orphan(put) or Orphan(key, put, False, {}, NO_FLAGS)
    if known.is_gone:
        return Applied(Change.NOTHING, key, put)
    orphan = known._replace(parts=join_parts(known.parts, parts), flags=join_flags(known.flags, flags))
    tables.put_orphan(orphan)
    return Applied(Change.ORPHANED, key, put)


def _remove(tables: Tables, key: bytes, put: Dot) -> Applied:
    """Take an item away, and see to it that its PUT, should it come later, does not bring it back."""
    was = tables.item(key)
    is_here = was is not None and was.put == put
    if is_here and was is not None:
        tables.delete_item(was)
    elif tables.is_away(key):
        tables.forget_away(key)
        tables.delete_orphan(put)
        if not put.seq:  # which PUT it was could not be read: what was learned of it meanwhile goes with it
            _forget_orphans(tables, key)
    if not absent_is_finished(tables, key, put):
        tables.put_orphan(Orphan(key, put, True, {}, NO_FLAGS))
        return Applied(Change.REMOVED if is_here else Change.ORPHANED, key, put)
    return Applied(Change.REMOVED if is_here else Change.NOTHING, key, put)


def _forget_orphans(tables: Tables, key: bytes) -> None:
    """Drop what is known of the PUTs under this key that are finished."""
    for orphan in tables.orphans():
        if orphan.key == key and absent_is_finished(tables, key, orphan.put):
            tables.delete_orphan(orphan.put)
