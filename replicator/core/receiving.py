"""One link's receiving side: what is taken from the peer, and what is not.

Records are taken in the order of their branch alone: what overlaps is trimmed, what would leave a gap is refused by
saying again what is durable here. Whose epoch it is plays no part: authority fences deliveries, never data.
"""

from __future__ import annotations

from replicator.core.events import Effect, Note, Send, Stretch
from replicator.core.journal import Journal
from replicator.core.messages import Ack, Records, SnapshotBegin, SnapshotEnd, SnapshotItem
from replicator.core.peer import ahead_of_us
from replicator.core.values import Branch, Kind, Vector
from replicator.core.vectors import covers
from replicator.core.versions import first_critical

OCTETS_OF_AN_ITEM = 256
_REPLACED = "snapshot: another one has begun on another link"


class Incoming:
    """What this member takes on one link, from the peer's Hello on. Faults are returned, for the link to be closed."""

    def __init__(
        self, session: int, gathered_octets_max: int, journal: Journal, *, wants_received: bool = False
    ) -> None:
        self._session = session
        self._gathered_octets_max = gathered_octets_max
        self._journal = journal
        self._wants_received = wants_received  # the peer is told of what is only on its way to the disk, too
        self.vector: Vector | None = None  # of the snapshot that is coming
        self._items = 0
        self._gathered: list[SnapshotItem] = []  # not handed to the disk yet
        self._octets = 0
        self._last = b""  # the key of the last item that came without its blob: they come in the order of their keys
        self._after = b""  # the same, of those that were handed to the disk
        self.not_understood = 0  # the kind of a record at which a branch stopped, because it must be understood
        self.has_passed_over = False  # a snapshot, and what came after it: the sender takes all that for sent

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

    @property
    def is_in_snapshot(self) -> bool:
        """Tell whether a snapshot has begun, and not ended."""
        return self.vector is not None

    def snapshot_begin(self, message: SnapshotBegin, out: list[Effect]) -> str:
        """Expect the items of a snapshot; one that had begun is forgotten: what came of it is joined, and harms not."""
        fault = ahead_of_us(self._journal.own, self._journal.seq, message.vector)
        if not fault:
            self.vector, self._after, self._last, self._items = message.vector, b"", b"", 0
            self._gathered, self._octets = [], 0
            self._journal.begin_snapshot(self._session, message.vector, out)
        return fault

    def snapshot_item(self, item: SnapshotItem, out: list[Effect]) -> str:
        """Take in one item; many go to the disk together."""
        if self.vector is None:
            return ""  # of a snapshot whose beginning was lost or passed over
        if self._journal.coming != self._session:
            return _REPLACED
        if item.kind is Kind.PUT and item.blob is None:
            if not covers(self._journal.have, item.put):
                return f"item {item.key!r}: expected its blob, came none"
            if item.key <= self._last:
                return f"snapshot: expected a key above {self._last!r}, came {item.key!r}"
            self._last = item.key
        self._items += 1
        self._gathered.append(item)
        self._octets += OCTETS_OF_AN_ITEM + len(item.blob or b"")
        if self._octets >= self._gathered_octets_max:
            self._journal.take_snapshot(*self._take_gathered(self.vector, self._last), out)
        return ""

    def snapshot_end(self, message: SnapshotEnd, out: list[Effect]) -> str:
        """Finish the snapshot: only now its vector counts."""
        vector, self.vector = self.vector, None
        if vector is None:
            return ""
        if self._journal.coming != self._session:
            return _REPLACED
        if message.items != self._items:
            return f"snapshot: expected {message.items} items, came {self._items}"
        self._journal.end_snapshot(*self._take_gathered(vector, None), out)
        out.append(Note("replica.snapshot_merged", (("items", self._items),)))
        return ""

    def _take_gathered(self, vector: Vector, until: bytes | None) -> tuple[tuple[SnapshotItem, ...], Stretch]:
        """Return what was gathered, and the stretch of keys of which it says what the peer holds."""
        items, stretch = tuple(self._gathered), Stretch(vector, self._after, until)
        self._gathered, self._octets, self._after = [], 0, self._last
        return items, stretch
