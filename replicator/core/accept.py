"""Changes that wait for an answer: when it may be given, and what it says when the peer is away.

A change that a client waits for is answered when this disk and the peer's have it. While the peer is away nothing
waits for it: one wait of T_ack opens the circuit for all (`Protection`), and it closes when the peer has caught up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

from replicator.core.events import Answer, Effect, Note, Settings, Submit
from replicator.core.journal import Journal
from replicator.core.values import Dot, Durability, Kind, Protection, Record


class Sign(IntEnum):
    """What changes the protection."""

    CAUGHT_UP = 1  # the peer has all but the newest
    GREETED = 2  # a link stands, and the peer lacks much
    PROGRESS = 3  # a peer that was given up confirms something again
    LINK_LOST = 4
    TIMEOUT = 5  # T_ack went by without an acknowledgement, or without a link
    PEER_FULL = 6


PROTECTION: dict[tuple[Protection, Sign], Protection] = {
    (Protection.PROTECTED, Sign.LINK_LOST): Protection.SUSPECT,
    (Protection.PROTECTED, Sign.TIMEOUT): Protection.DEGRADED,
    (Protection.PROTECTED, Sign.PEER_FULL): Protection.DEGRADED,
    (Protection.SUSPECT, Sign.CAUGHT_UP): Protection.PROTECTED,
    (Protection.SUSPECT, Sign.GREETED): Protection.CATCHUP,
    (Protection.SUSPECT, Sign.TIMEOUT): Protection.DEGRADED,
    (Protection.DEGRADED, Sign.GREETED): Protection.CATCHUP,
    (Protection.DEGRADED, Sign.CAUGHT_UP): Protection.PROTECTED,
    (Protection.DEGRADED, Sign.PROGRESS): Protection.CATCHUP,
    (Protection.CATCHUP, Sign.CAUGHT_UP): Protection.PROTECTED,
    (Protection.CATCHUP, Sign.LINK_LOST): Protection.DEGRADED,
    (Protection.CATCHUP, Sign.PEER_FULL): Protection.DEGRADED,
}


class Waiter(NamedTuple):
    """A change that a client waits for, and that the peer has not confirmed."""

    token: int
    first_seq: int
    last_seq: int
    since: int
    records: tuple[Record, ...]


class Owed(NamedTuple):
    """A change that is answered as soon as this disk has everything up to last_seq, whatever the peer does."""

    token: int
    last_seq: int
    is_awaited: bool  # by a client: when only we have it, it counts as unprotected
    why: str  # "": it is kept; otherwise it is refused


class Span(NamedTuple):
    """Changes that were answered for with one copy: how many, and the seq of the last."""

    changes: int
    last_seq: int


Write = Callable[[tuple[Record, ...], list[Effect]], int]


class Accept:
    """All changes that were not answered, and whether new ones wait for the peer.

    write   continues our own branch, on disk and on the link, and returns the first seq
    """

    def __init__(self, settings: Settings, journal: Journal, write: Write, now: int) -> None:
        self._journal = journal
        self._write = write
        self._has_peer = settings.peer_node >= 0
        self._may_accept_alone = settings.accept_alone or not self._has_peer
        self._ack_within = settings.ack_within
        self._for_peer: deque[Waiter] = deque()  # by seq, by time
        self._for_disk: deque[Owed] = deque()
        self._alone: deque[Span] = deque()
        self._answered = 0  # the last seq that was answered for, and has or had two copies
        self._since = now  # of the present protection
        self.protection = Protection.SUSPECT if self._has_peer else Protection.DEGRADED
        self.target = 0  # our own seq that the peer must reach before anything waits for it again

    # --- taking in ------------------------------------------------------------------------------------------

    def refusal(self, submit: Submit) -> str:
        """Return why a change is refused before it is written; "" when it is not.

        Only what can be refused: a change that records facts is kept, whoever waits.
        """
        if self._may_accept_alone or not submit.wait or self.waits_for_peer():
            return ""
        return "peer" if _is_revocable(submit.records) else ""

    def waits_for_peer(self) -> bool:
        """Tell whether a new change waits for the peer: not one that is known to be away."""
        return self.protection is Protection.PROTECTED or (self.protection is Protection.SUSPECT and self._has_peer)

    def add(self, submit: Submit, first_seq: int, now: int) -> None:
        """Remember that a change was written, and is to be answered."""
        last_seq = first_seq + len(submit.records) - 1
        if submit.wait and self.waits_for_peer():
            self._for_peer.append(Waiter(submit.token, first_seq, last_seq, now, submit.records))
        else:
            is_new = submit.wait and _is_revocable(submit.records)
            self._for_disk.append(Owed(submit.token, last_seq, is_new, ""))

    # --- answering ------------------------------------------------------------------------------------------

    def is_answerable(self, last_seq: int, peer_durable: int) -> bool:
        """Tell whether both disks have everything up to last_seq."""
        return last_seq <= self._journal.own_durable and last_seq <= peer_durable

    def is_kept(self, last_seq: int) -> bool:
        """Tell whether this disk has everything up to last_seq."""
        return last_seq <= self._journal.own_durable

    def settle(self, peer_durable: int, out: list[Effect]) -> None:
        """Answer all that can be answered. peer_durable: how far the peer has our own branch on its disk."""
        waiters, owed = self._for_peer, self._for_disk
        while waiters and self.is_answerable(waiters[0].last_seq, peer_durable):
            waiter = waiters.popleft()
            self._answered = waiter.last_seq
            out.append(Answer(waiter.token, Durability.REMOTE))
        while owed and self.is_kept(owed[0].last_seq):
            token, last_seq, is_awaited, why = owed.popleft()
            if why:
                out.append(Answer(token, Durability.REFUSED, why))
            elif last_seq <= peer_durable:
                self._answered = max(last_seq, self._answered)
                out.append(Answer(token, Durability.REMOTE))
            else:
                out.append(Answer(token, Durability.LOCAL))
                if is_awaited and self._has_peer:
                    self._count_alone(last_seq)
        while self._alone and self._alone[0].last_seq <= peer_durable:
            self._answered = max(self._answered, self._alone.popleft().last_seq)

    def refuse_all(self, why: str, out: list[Effect]) -> None:
        """Refuse everything that waits: this member ends."""
        out.extend(Answer(waiter.token, Durability.REFUSED, why) for waiter in self._for_peer)
        out.extend(Answer(owed.token, Durability.REFUSED, why) for owed in self._for_disk)
        self._for_peer.clear()
        self._for_disk.clear()

    def _count_alone(self, last_seq: int) -> None:
        """Count a change that was answered for with one copy; neighbours share one span."""
        if self._alone and self.protection is not Protection.PROTECTED:
            self._alone[-1] = Span(self._alone[-1].changes + 1, last_seq)
        else:
            self._alone.append(Span(1, last_seq))

    def unprotected(self, peer_durable: int) -> int:
        """Count the changes of this incarnation that are here alone, answered for; never too few.

        A peer that lost its disk lacks also what was answered for with two copies: all of these records are counted.
        """
        lost = max(0, self._answered - peer_durable)
        return lost + sum(min(span.changes, span.last_seq - peer_durable) for span in self._alone)

    # --- protection -----------------------------------------------------------------------------------------

    def sign(self, sign: Sign, now: int, why: str, out: list[Effect]) -> None:
        """Take in what happened to the peer; the table says what follows."""
        was, becomes = self.protection, PROTECTION.get((self.protection, sign))
        if becomes is None or not self._has_peer:
            return
        self.protection, self._since = becomes, now
        out.append(Note("replica.protection", (("from", was.name), ("to", becomes.name), ("why", why))))
        if becomes is Protection.DEGRADED:
            self.target = self._journal.seq
            self._give_up(len(self._for_peer), out)

    def tick(self, now: int, peer_durable: int, out: list[Effect]) -> None:
        """Give the peer up when T_ack has passed. (One that catches up is not given up, only not waited for.)"""
        since = now
        if self._for_peer and self._for_peer[0].last_seq > peer_durable:  # else it waits for our own disk
            since = self._for_peer[0].since
        if self.protection is Protection.SUSPECT:
            since = min(since, self._since)
        if now - since < self._ack_within:
            return
        if self.protection is Protection.CATCHUP:
            late = sum(now - waiter.since >= self._ack_within for waiter in self._for_peer)
            self._give_up(late, out)
        else:
            what = "no link" if self.protection is Protection.SUSPECT else "no acknowledgement"
            self.sign(Sign.TIMEOUT, now, f"{what} for {self._ack_within // 1_000_000} ms", out)
        self.settle(peer_durable, out)

    def _give_up(self, count: int, out: list[Effect]) -> None:
        """Answer the oldest waiters without the peer, as policy says.

        What is refused is taken back by an ABORT, in one transaction, and answered when that is durable: neither we
        nor the peer, once it learns of it, deliver what the client was told to keep.
        """
        aborts: list[Record] = []
        refused: list[int] = []
        for waiter in [self._for_peer.popleft() for _ in range(count)]:
            if self._may_accept_alone or not _is_revocable(waiter.records):
                self._for_disk.append(Owed(waiter.token, waiter.last_seq, True, ""))
                continue
            refused.append(waiter.token)
            aborts.extend(
                Record(Kind.ABORT, record.key, Dot(self._journal.own, seq))
                for seq, record in enumerate(waiter.records, waiter.first_seq)
            )
        if aborts:
            self._write(tuple(aborts), out)
            self._for_disk.extend(Owed(token, self._journal.seq, True, "peer") for token in refused)


def _is_revocable(records: tuple[Record, ...]) -> bool:
    """Tell whether a change can be taken back: new items alone can, facts about older ones cannot."""
    return all(record.kind is Kind.PUT for record in records)
