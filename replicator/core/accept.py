"""Changes that wait for an answer: when it may be given, and what it says when the peer is away.

A change that a client waits for is answered when this disk and the peer's have it; at a lower `AckLevel` when the peer
has received it, or without the peer. While the peer is away nothing waits for it: one wait of T_ack opens the circuit
for all (`Protection`), and it closes when the peer has caught up. At every level protection says whether the peer's
disk keeps up, and what was answered for and is not on it is counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

from replicator.core.events import Answer, Effect, Note, Settings, Submit
from replicator.core.journal import Journal
from replicator.core.values import MILLISECOND, AckLevel, Dot, Durability, Kind, Protection, Record

SPANS_MAX = 4_096


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
    since: int
    is_awaited: bool  # a new item, by a client: when only we have it, it counts as unprotected
    why: str  # "": it is kept; otherwise it is refused


class Span(NamedTuple):
    """Changes that were answered for with one copy: how many, the seq of the last, and when the first came."""

    changes: int
    last_seq: int
    since: int


Write = Callable[[tuple[Record, ...], list[Effect]], int]


class Accept:
    """All changes that were not answered, and whether new ones wait for the peer.

    write   continues our own branch, on disk and on the link, and returns the first seq
    """

    def __init__(self, settings: Settings, journal: Journal, write: Write, now: int) -> None:
        self._journal = journal
        self._write = write
        self._has_peer = settings.peer_node >= 0
        self._level = settings.level
        self._may_accept_alone = settings.accept_alone or not self._has_peer or self._level is AckLevel.LOCAL
        self._ack_within = settings.ack_within
        self._for_peer: deque[Waiter] = deque()  # by seq, by time
        self._for_disk: deque[Owed] = deque()
        self._alone: deque[Span] = deque()
        self._received = 0  # how far the peer has received our own branch, on this link; told at one level alone
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
        is_new = submit.wait and _is_revocable(submit.records)
        is_local = is_new and self._level is AckLevel.LOCAL  # what is no new item is a word to the peer
        if submit.wait and self.waits_for_peer() and not is_local:
            self._for_peer.append(Waiter(submit.token, first_seq, last_seq, now, submit.records))
        else:
            self._for_disk.append(Owed(submit.token, last_seq, now, is_new, ""))

    # --- answering ------------------------------------------------------------------------------------------

    def is_answerable(self, last_seq: int, peer_has: int) -> bool:
        """Tell whether our disk and the peer (its disk, or its memory, as the level says) have all up to last_seq."""
        return last_seq <= self._journal.own_durable and last_seq <= peer_has

    def is_kept(self, last_seq: int) -> bool:
        """Tell whether this disk has everything up to last_seq."""
        return last_seq <= self._journal.own_durable

    def settle(self, peer_durable: int, out: list[Effect]) -> None:
        """Answer all that can be answered. peer_durable: how far the peer has our own branch on its disk."""
        waiters, owed = self._for_peer, self._for_disk
        peer_has = max(peer_durable, self._received)
        while waiters and self.is_answerable(waiters[0].last_seq, peer_has):
            waiter = waiters.popleft()
            if waiter.last_seq <= peer_durable:
                self._answered = max(waiter.last_seq, self._answered)
                out.append(Answer(waiter.token, Durability.REMOTE))
            else:
                out.append(Answer(waiter.token, Durability.RECEIVED))
                if _is_revocable(waiter.records):
                    self._count_alone(waiter.last_seq, waiter.since)
        while owed and self.is_kept(owed[0].last_seq):
            token, last_seq, since, is_awaited, why = owed.popleft()
            if why:
                out.append(Answer(token, Durability.REFUSED, why))
            elif last_seq <= peer_durable:
                self._answered = max(last_seq, self._answered)
                out.append(Answer(token, Durability.REMOTE))
            else:
                out.append(Answer(token, Durability.LOCAL))
                if is_awaited and self._has_peer:
                    self._count_alone(last_seq, since)
        while self._alone and self._alone[0].last_seq <= peer_durable:
            self._answered = max(self._answered, self._alone.popleft().last_seq)

    def received(self, seq: int, peer_durable: int, out: list[Effect]) -> None:
        """Note how far the peer has received our own branch, and answer those for whom that is enough."""
        if self._level is AckLevel.REMOTE_RECEIVED and seq > self._received:
            self._received = seq
            self.settle(peer_durable, out)

    def refuse_all(self, why: str, out: list[Effect]) -> None:
        """Refuse everything that waits: this member ends."""
        out.extend(Answer(waiter.token, Durability.REFUSED, why) for waiter in self._for_peer)
        out.extend(Answer(owed.token, Durability.REFUSED, why) for owed in self._for_disk)
        self._for_peer.clear()
        self._for_disk.clear()

    def _count_alone(self, last_seq: int, since: int) -> None:
        """Count a change that was answered for with one copy; neighbours share one span."""
        is_shared = self.protection is not Protection.PROTECTED or len(self._alone) >= SPANS_MAX
        if self._alone and is_shared:
            last = self._alone[-1]
            self._alone[-1] = Span(last.changes + 1, max(last.last_seq, last_seq), last.since)
        else:
            self._alone.append(Span(1, last_seq, since))

    def unprotected(self, peer_durable: int) -> int:
        """Count the changes of this incarnation that are here alone, answered for; never too few.

        A peer that lost its disk lacks also what was answered for with two copies: all of these records are counted.
        """
        lost = max(0, self._answered - peer_durable)
        return lost + sum(min(span.changes, span.last_seq - peer_durable) for span in self._alone)

    # --- protection -----------------------------------------------------------------------------------------

    def sign(self, sign: Sign, now: int, why: str, out: list[Effect]) -> None:
        """Take in what happened to the peer; the table says what follows."""
        if sign is Sign.LINK_LOST:
            self._received = 0  # what was on its way to the peer's disk may be lost with it
        was, becomes = self.protection, PROTECTION.get((self.protection, sign))
        if becomes is None or not self._has_peer:
            return
        self.protection, self._since = becomes, now
        out.append(Note("replica.protection", (("from", was.name), ("to", becomes.name), ("why", why))))
        if becomes is Protection.DEGRADED:
            self.target = self._journal.seq
            self._give_up(len(self._for_peer), out)

    def tick(self, now: int, peer_durable: int, out: list[Effect]) -> None:
        """Give the peer up when T_ack has passed, and answer who waits for it no longer, whatever gave it up."""
        if now - self._unconfirmed_since(now, peer_durable) >= self._ack_within:
            self._time_out(now, out)
        self.settle(peer_durable, out)

    def _time_out(self, now: int, out: list[Effect]) -> None:
        """Wait for the peer no longer. (One that catches up is not given up, only not waited for.)"""
        if self.protection is Protection.CATCHUP:
            late = sum(now - waiter.since >= self._ack_within for waiter in self._for_peer)
            self._give_up(late, out)
        else:
            what = "no link" if self.protection is Protection.SUSPECT else "no acknowledgement"
            self.sign(Sign.TIMEOUT, now, f"{what} for {self._ack_within // MILLISECOND} ms", out)

    def _unconfirmed_since(self, now: int, peer_durable: int) -> int:
        """Return since when the peer owes a confirmation; now, when it owes none.

        Who is answered without its disk waits for nobody, but that disk must keep up all the same.
        """
        since = now
        if self._for_peer and self._for_peer[0].last_seq > max(peer_durable, self._received):  # else it is our own disk
            since = self._for_peer[0].since
        if self.protection is Protection.SUSPECT:
            since = min(since, self._since)
        elif self.protection is Protection.PROTECTED and self._level is not AckLevel.REMOTE_DURABLE and self._alone:
            since = min(since, max(self._alone[0].since, self._since))
        return since

    def _give_up(self, count: int, out: list[Effect]) -> None:
        """Answer the oldest waiters without the peer, as policy says.

        What is refused is taken back by an ABORT, in one transaction, and answered when that is durable: neither we
        nor the peer, once it learns of it, deliver what the client was told to keep.
        """
        aborts: list[Record] = []
        refused: list[int] = []
        for waiter in [self._for_peer.popleft() for _ in range(count)]:
            is_new = _is_revocable(waiter.records)
            if self._may_accept_alone or not is_new:
                self._for_disk.append(Owed(waiter.token, waiter.last_seq, waiter.since, is_new, ""))
                continue
            refused.append(waiter.token)
            aborts.extend(
                Record(Kind.ABORT, record.key, Dot(self._journal.own, seq))
                for seq, record in enumerate(waiter.records, waiter.first_seq)
            )
        if aborts:
            self._write(tuple(aborts), out)
            self._for_disk.extend(Owed(token, self._journal.seq, self._since, True, "peer") for token in refused)


def _is_revocable(records: tuple[Record, ...]) -> bool:
    """Tell whether a change can be taken back: new items alone can, facts about older ones cannot."""
    return all(record.kind is Kind.PUT for record in records)
