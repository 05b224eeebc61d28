"""What this member has handed to its disk, and what its disk has confirmed.

The only place that numbers records, names tickets and makes Commit effects. Two positions are kept by branch:
`have`, which a record reaches when it is handed over, and `durable`, which it reaches when the disk said so. Nobody
is ever told anything but `durable`.
"""

from __future__ import annotations

from collections import deque

from replicator.core.events import Commit, Effect, Image, Stretch
from replicator.core.messages import SnapshotItem
from replicator.core.values import Authority, Branch, Damage, Dot, Record, Vector
from replicator.core.vectors import beyond, raise_to

NOTHING: Vector = {}


class Journal:
    """Positions of all branches, and the one branch that is ours to write."""

    __slots__ = (
        "_raises",
        "beyond",
        "coming",
        "durable",
        "durable_ticket",
        "have",
        "others_risen",
        "own",
        "own_durable",
        "passed",
        "seq",
        "ticket",
    )

    def __init__(self, own: Branch, image: Image) -> None:
        self.own = own
        self.seq = 0  # of our last record; a new incarnation begins at 1, whatever is in the image
        self.own_durable = 0
        self.others_risen = 0  # how often a branch that is not ours has risen on the disk
        self.have: Vector = dict(image.vector)
        self.durable: Vector = dict(image.vector)
        self.beyond: Vector = dict(image.beyond)  # up to where snapshots that came may have brought items
        self.coming = 0  # the session of the link on which a snapshot began last: one comes at a time
        self.passed: Stretch | None = None  # the keys that it has passed, until its end
        self.ticket = 0
        self.durable_ticket = 0
        self._raises: deque[tuple[int, Branch, int]] = deque()  # what each ticket raises, oldest first

    def write(self, records: tuple[Record, ...], out: list[Effect]) -> int:
        """Continue our own branch with these records. Return the seq of the first."""
        own, first = self.own, self.seq + 1
        self._commit_records(own, first, records, out)
        self.seq = first + len(records) - 1
        return first

    def take(self, branch: Branch, first_seq: int, records: tuple[Record, ...], out: list[Effect]) -> None:
        """Take over records that another member wrote, under the names that it gave them."""
        passed = self.passed
        if passed is not None and passed.vector.get(branch, 0) < first_seq:  # the snapshot knows nothing of these
            passed = None
        self._commit_records(branch, first_seq, records, out, passed)

    def _commit_records(
        self,
        branch: Branch,
        first: int,
        records: tuple[Record, ...],
        out: list[Effect],
        passed: Stretch | None = None,
    ) -> None:
        self.ticket = ticket = self.ticket + 1
        last = first + len(records) - 1
        if len(records) == 1:
            named: tuple[tuple[Dot, Record], ...] = ((Dot(branch, first), records[0]),)
        else:
            named = tuple([(Dot(branch, seq), record) for seq, record in enumerate(records, first)])
        out.append(Commit(ticket, named, passed=passed))
        self.have[branch] = last
        self._raises.append((ticket, branch, last))

    def keep_authority(self, authority: Authority, out: list[Effect]) -> int:
        """Make an authority durable. Return the ticket."""
        self.ticket += 1
        out.append(Commit(self.ticket, authority=authority))
        return self.ticket

    def merge_item(self, item: SnapshotItem, out: list[Effect]) -> None:
        """Merge one item that was fetched from the peer."""
        self.ticket += 1
        out.append(Commit(self.ticket, items=(item,)))

    def begin_snapshot(self, session: int, vector: Vector, out: list[Effect]) -> None:
        """Make ready for a peer's snapshot. From now on there may be items here that no position covers."""
        self.ticket += 1
        self.coming, self.passed = session, None
        out.append(Commit(self.ticket, begin=vector))
        raise_to(self.beyond, vector)

    def take_snapshot(self, items: tuple[SnapshotItem, ...], stretch: Stretch, out: list[Effect]) -> None:
        """Merge a part of a peer's snapshot; no position rises before its end."""
        self._take_items(items, stretch, None, out)
        self.passed = stretch._replace(after=b"")

    def end_snapshot(self, items: tuple[SnapshotItem, ...], stretch: Stretch, out: list[Effect]) -> None:
        """Finish a peer's snapshot: rise to its vector."""
        vector = stretch.vector
        self._take_items(items, stretch, vector, out)
        self.passed = None
        raise_to(self.have, vector)
        self._raises.extend((self.ticket, branch, seq) for branch, seq in vector.items())

    def _take_items(
        self, items: tuple[SnapshotItem, ...], stretch: Stretch, vector: Vector | None, out: list[Effect]
    ) -> None:
        self.ticket += 1
        out.append(Commit(self.ticket, items=items, is_snapshot=True, stretch=stretch, vector=vector))
        for item in items:
            if item.put.seq > self.beyond.get(item.put.branch, 0):  # the peer's own vector does not cover it either
                self.beyond[item.put.branch] = item.put.seq

    def uncovered(self) -> Vector:
        """Return up to where items may be here that our vector does not cover: a broken-off snapshot brought them."""
        return beyond(self.beyond, self.durable)

    def mend(self, damages: tuple[Damage, ...], out: list[Effect]) -> int:
        """Have damaged values moved out of the way. Return the ticket."""
        self.ticket += 1
        out.append(Commit(self.ticket, mend=damages))
        return self.ticket

    def cut_log(self, floors: Vector, cut: Vector | None, out: list[Effect]) -> None:
        """Let the store keep these floors, and cut its log up to them, or up to `cut`."""
        self.ticket += 1
        out.append(Commit(self.ticket, floors=floors, cut=cut))

    def keep_store(self, node: int, store_id: bytes, out: list[Effect]) -> None:
        """Remember which store a neighbour has."""
        self.ticket += 1
        out.append(Commit(self.ticket, store_of=(node, store_id)))

    def confirm(self, ticket: int) -> Vector:
        """Note that all up to `ticket` is durable. Return the branches that rose, with their new positions."""
        self.durable_ticket = ticket
        raises = self._raises
        if not raises or raises[0][0] > ticket:
            return NOTHING
        risen: Vector = {}
        durable = self.durable
        while raises and raises[0][0] <= ticket:
            _, branch, seq = raises.popleft()
            if seq > durable.get(branch, 0):
                durable[branch] = risen[branch] = seq
        self.own_durable = durable.get(self.own, 0)
        if len(risen) > 1 or self.own not in risen:
            self.others_risen += 1
        return risen
