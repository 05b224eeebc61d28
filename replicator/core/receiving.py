"""One link's receiving side: what is taken from the peer, and what is not.

Records are taken in the order of their branch alone: what overlaps is trimmed, what would leave a gap is refused by
saying again what is durable here. Whose epoch it is plays no part: authority fences deliveries, never data.
"""

from __future__ import annotations

from replicator.core.events import (
    Ack,
    Effect,
    Note,
    Records,
    Send,
    SnapshotBegin,
    SnapshotEnd,
    SnapshotItem,
)
from replicator.core.journal import Journal
from replicator.core.peer import ahead_of_us
from replicator.core.values import Branch, Kind, Vector
from replicator.core.vectors import covers
from replicator.core.versions import first_critical


class Incoming:
    """What this member takes on one link, from the peer's Hello on. Faults are returned, for the link to be closed."""

    def __init__(self, session: int, journal: Journal, *, wants_received: bool = False) -> None:
        self._session = session
        self._journal = journal
        self._wants_received = wants_received  # the peer is told of what is only on its way to the disk, too
        self._vector: Vector | None = None  # of the snapshot that is coming
        self._keys: set[bytes] = set()
        self._items = 0
        self.not_understood = 0  # the kind of a record at which a branch stopped, because it must be understood

    def accepts(self, branch: Branch, first_seq: int) -> bool:
        """Tell whether records from first_seq on leave no gap after what we have."""
        return first_seq <= self._journal.have.get(branch, 0) + 1

    def records(self, message: Records, out: list[Effect]) -> str:
        """Hand what is new of these records to the disk, under their own names."""
        branch, first_seq, records = message
        have = self._journal.have.get(branch, 0)
        if not self.accepts(branch, first_seq):
            self._say_durable(branch, out)
            return ""
        known = have + 1 - first_seq
        if known >= len(records):
            self._say_durable(branch, out)
            return ""
        if branch == self._journal.own:
            return ahead_of_us(branch, have, {branch: first_seq + len(records) - 1})
        if known > 0:
            records, first_seq = records[known:], have + 1
        critical = first_critical(records)
        if critical >= 0:
            self.not_understood = records[critical].kind
            records = records[:critical]
        if records:
            self._journal.take(branch, first_seq, records, out)
            if self._wants_received:
                out.append(Send(self._session, Ack({}, {branch: self._journal.have[branch]})))
        return ""

    def _say_durable(self, branch: Branch, out: list[Effect]) -> None:
        out.append(Send(self._session, Ack({branch: self._journal.durable.get(branch, 0)})))

    def ackable(self, risen: Vector) -> Vector:
        """Return what to confirm to the peer, of the positions that just became durable here."""
        if len(risen) == 1 and self._journal.own in risen:
            return {}
        return {branch: seq for branch, seq in risen.items() if branch != self._journal.own}

    # --- snapshot -------------------------------------------------------------------------------------------

    def snapshot_begin(self, message: SnapshotBegin) -> str:
        """Expect the items of a snapshot; one that had begun is forgotten: what came of it is joined, and harms not."""
        self._vector, self._keys, self._items = message.vector, set(), 0
        return ahead_of_us(self._journal.own, self._journal.seq, message.vector)

    def snapshot_item(self, item: SnapshotItem, out: list[Effect]) -> str:
        """Hand one item to the disk."""
        if self._vector is None:
            return ""  # of a snapshot whose beginning was lost: it will be sent again
        if item.kind is Kind.PUT:
            if item.blob is None and not covers(self._journal.have, item.put):
                return f"item {item.key!r}: expected its blob, came none"
            self._keys.add(item.key)
        self._items += 1
        if item.kind is Kind.VOID:  # damaged there: its absence says nothing
            self._keys.add(item.key)
            return ""
        self._journal.merge_items((item,), out)
        return ""

    def snapshot_end(self, message: SnapshotEnd, out: list[Effect]) -> str:
        """Finish the snapshot: only now its vector counts, and absence from it means anything."""
        vector, keys = self._vector, frozenset(self._keys)
        self._vector, self._keys = None, set()
        if vector is None:
            return ""
        if message.items != self._items:
            return f"snapshot: expected {message.items} items, came {self._items}"
        self._journal.end_snapshot(vector, keys, out)
        out.append(Note("replica.snapshot_merged", (("items", self._items),)))
        return ""
