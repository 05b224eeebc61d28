"""What this member has handed to its disk, and what its disk has confirmed.

The only place that numbers records, names tickets and makes Commit effects. Two positions are kept by branch:
`have`, which a record reaches when it is handed over, and `durable`, which it reaches when the disk said so. Nobody
is ever told anything but `durable`.
"""

from __future__ import annotations

from collections import deque

from replicator.core.events import Authority, Commit, Effect, Image, SnapshotItem
from replicator.core.values import Branch, Damage, Dot, Record, Vector
from replicator.core.vectors import raise_to

NOTHING: Vector = {}


class Journal:
    """Positions of all branches, and the one branch that is ours to write."""

    __slots__ = ("_raises", "durable", "durable_ticket", "have", "own", "own_durable", "seq", "ticket")

    def __init__(self, own: Branch, image: Image) -> None:
        self.own = own
        self.seq = 0  # of our last record; a new incarnation begins at 1, whatever is in the image
        self.own_durable = 0
        self.have: Vector = dict(image.vector)
        self.durable: Vector = dict(image.vector)
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
        self._commit_records(branch, first_seq, records, out)

    def _commit_records(self, branch: Branch, first: int, records: tuple[Record, ...], out: list[Effect]) -> None:
        self.ticket = ticket = self.ticket + 1
        last = first + len(records) - 1
        if len(records) == 1:
            named: tuple[tuple[Dot, Record], ...] = ((Dot(branch, first), records[0]),)
        else:
            named = tuple([(Dot(branch, seq), record) for seq, record in enumerate(records, first)])
        out.append(Commit(ticket, named))
        self.have[branch] = last
        self._raises.append((ticket, branch, last))

    def keep_authority(self, authority: Authority, out: list[Effect]) -> int:
        """Make an authority durable. Return the ticket."""
        self.ticket += 1
        out.append(Commit(self.ticket, authority=authority))
        return self.ticket

    def merge_items(self, items: tuple[SnapshotItem, ...], out: list[Effect]) -> None:
        """Merge a part of a peer's snapshot; no position rises before its end."""
        self.ticket += 1
        out.append(Commit(self.ticket, items=items))

    def end_snapshot(self, vector: Vector, keys: frozenset[bytes], out: list[Effect]) -> None:
        """Finish a peer's snapshot: drop what it has finished, and rise to its vector."""
        self.ticket += 1
        out.append(Commit(self.ticket, vector=vector, absent_of=(vector, keys)))
        raise_to(self.have, vector)
        self._raises.extend((self.ticket, branch, seq) for branch, seq in vector.items())

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
        return risen
