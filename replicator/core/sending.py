"""One link's sending side: what the peer lacks, in the order of each branch, within a bound in flight.

Our own new records leave at once, beside the commit. What the peer lacks of older ones comes from the tail in
memory, else from the log; when the log no longer reaches back so far, the whole state goes as a snapshot, and the
records beyond it follow. Acknowledgements are cumulative; when they stop, sending begins again at the last one.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from replicator.core.events import Effect, LogRead, Note, ReadLog, ReadSnapshot, Send, Settings, SnapshotRead
from replicator.core.holding import Held, Hold
from replicator.core.journal import Journal
from replicator.core.messages import Records, SnapshotBegin, SnapshotEnd, SnapshotItem
from replicator.core.peer import Peer
from replicator.core.tail import Tail, octets_of
from replicator.core.values import NO_FLAGS, NOWHERE, SECOND, Branch, Item, Kind, Orphan, Record, Vector, show_key
from replicator.core.vectors import covers_all, raise_to

BACKOFF_MAX = 8  # patience doubles each time that going back did not help


class Line(NamedTuple):
    """How long a link may go without progress; then sending begins again at the last acknowledgement."""

    beats: int
    snapshot_beats: int  # a snapshot takes the receiver longer
    nanoseconds_per_octet: int  # of what is in flight, besides


NEAR = Line(3, 20, 0)
FAR = Line(120, 800, SECOND >> 14)  # as slow as 16 KiB a second


class Outgoing:
    """What this member sends on one link, from the peer's Hello on."""

    def __init__(self, session: int, settings: Settings, journal: Journal, tail: Tail, peer: Peer, now: int) -> None:
        self.session = session
        self._settings = settings
        self._journal = journal
        self._tail = tail
        self._peer = peer
        self._own_sent = peer.own_durable
        self._sent: Vector = dict(peer.durable)  # of the other branches
        self._in_flight: dict[Branch, deque[tuple[int, int]]] = {}  # last seq, octets
        self.in_flight_octets = 0
        self._all_sent_at = -1  # the journal's count of risings by which nothing of other branches was left to send
        self._reading: ReadLog | None = None
        self._is_snapshot_open = False
        self._snapshot_items = 0
        self._snapshot_orphans: tuple[Orphan, ...] = ()
        self._expected: Vector = {}  # of the snapshot that was sent and not confirmed
        self._progress_at = now
        self._backoff = 1
        self._known: Vector = {}  # to the peer, when the snapshot began
        self.reach = journal.durable  # what may be sent: all that our disk has, or less
        self.hold = Hold()
        self.line = NEAR

    # --- our own new records --------------------------------------------------------------------------------

    def offer(self, first_seq: int, records: tuple[Record, ...], octets: int, now: int, out: list[Effect]) -> None:
        """Send what was just written, if everything before it was sent and there is room; else it goes in turn."""
        if first_seq == self._own_sent + 1 and self._has_room() and not self._is_snapshot_open:
            self._send(self._journal.own, first_seq, records, octets, now, out)

    # --- what the peer lacks --------------------------------------------------------------------------------

    def begin(self, now: int, out: list[Effect]) -> None:
        """Begin with what the peer lacks. What a broken-off snapshot brought here is in no log: a snapshot has it."""
        if covers_all(self._peer.durable, self._journal.uncovered()):
            self.pump(now, out)
        else:
            self._begin_snapshot(now, out)

    def pump(self, now: int, out: list[Effect]) -> None:
        """Send, or ask the disk for, what the peer lacks; as much as there is room for."""
        while self._has_room() and self._reading is None and not self._is_snapshot_open and not self.hold.snapshot:
            if self._own_sent < self._journal.seq:
                records, octets = self._tail.batch(self._own_sent + 1, self._settings.batch_octets_max)
                if records:
                    self._send(self._journal.own, self._own_sent + 1, records, octets, now, out)
                    continue
            branch = self._unsent_branch()
            if branch is None:
                return
            self._read_log(branch, self._settings.batch_octets_max, out, is_holding=self.hold.is_holding)

    def _read_log(self, branch: Branch, octets_max: int, out: list[Effect], *, is_holding: bool) -> None:
        self._reading = ReadLog(self.session, branch, self._sent_of(branch) + 1, octets_max, is_holding)
        out.append(self._reading)

    def look_again(self, now: int, out: list[Effect]) -> None:
        """Try again what was held back: it may be whole by now, or the peer may have it from another."""
        if self._reading is None and not self._is_snapshot_open:
            key, is_snapshot = self.hold.key, bool(self.hold.snapshot)
            held = self.hold.let_go(now)
            if held is not None:
                about = (("name", self._peer.name), ("key", show_key(key)))
                out.append(Note("replica.held_too_long" if held is Held.TOO_LONG else "replica.held_back", about))
            if key:
                raise_to(self._sent, self._peer.durable)
                self._own_sent = max(self._own_sent, self._peer.own_durable)
            if is_snapshot:
                self.begin(now, out)
        self.pump(now, out)

    def _has_room(self) -> bool:
        return self.in_flight_octets < self._settings.in_flight_octets_max

    def _sent_of(self, branch: Branch) -> int:
        return self._own_sent if branch == self._journal.own else self._sent.get(branch, 0)

    def _unsent_branch(self) -> Branch | None:
        """Return a branch of which our disk has more than was sent, our own first.

        Never the one that the peer writes: it has all of it, even when its disk has not confirmed it yet.
        """
        own, theirs, reach, held = self._journal.own, self._peer.branch, self.reach, self.hold.branches
        if self._own_sent < reach.get(own, 0) and own not in held:
            return own
        is_all = reach is self._journal.durable
        if is_all and self._all_sent_at == self._journal.others_risen:
            return None
        for branch, seq in reach.items():
            if branch != own and branch != theirs and seq > self._sent.get(branch, 0) and branch not in held:
                return branch
        self._all_sent_at = self._journal.others_risen if is_all and not held else -1
        return None

    def log_read(self, event: LogRead, now: int, out: list[Effect]) -> None:
        """Send what the log gave, or begin a snapshot when it no longer reaches back so far."""
        asked, self._reading = self._reading, None
        if asked is None or asked.branch != event.branch or asked.first_seq != event.first_seq:
            self._reading = asked  # the answer to a question from before sending began again
            return
        if event.first_seq != self._sent_of(event.branch) + 1:
            self.pump(now, out)
        elif event.records is None:
            self._begin_snapshot(now, out)
        elif records := self._reachable(event.branch, event.first_seq, event.records):
            self._send(event.branch, event.first_seq, records, octets_of(records), now, out)
            self.pump(now, out)
        elif event.held:
            if self.hold.stops(event.branch, event.held, now):
                self.pump(now, out)
            else:
                self._read_log(event.branch, 0, out, is_holding=False)  # past this one alone

    def _reachable(self, branch: Branch, first_seq: int, records: tuple[Record, ...]) -> tuple[Record, ...]:
        """Return those that may be sent by now."""
        if self.reach is self._journal.durable:
            return records
        return records[: max(0, self.reach.get(branch, 0) - first_seq + 1)]

    def _send(
        self, branch: Branch, first_seq: int, records: tuple[Record, ...], octets: int, now: int, out: list[Effect]
    ) -> None:
        last_seq = first_seq + len(records) - 1
        out.append(Send(self.session, Records(branch, first_seq, records)))
        if not self.in_flight_octets:
            self._progress_at = now
        self.in_flight_octets += octets
        waiting = self._in_flight.get(branch)
        if waiting is None:
            waiting = self._in_flight[branch] = deque()
        waiting.append((last_seq, octets))
        if branch == self._journal.own:
            self._own_sent = last_seq
        else:
            self._sent[branch] = last_seq

    # --- acknowledgements -----------------------------------------------------------------------------------

    def acknowledged(self, durable: Vector, now: int, out: list[Effect]) -> None:
        """Make room for what the peer has durable, and fill it."""
        for branch, seq in durable.items():
            waiting = self._in_flight.get(branch)
            while waiting and waiting[0][0] <= seq:
                self.in_flight_octets -= waiting.popleft()[1]
                self._progress_at = now
                self._backoff = 1
        self._look_for_snapshot(now)
        self.pump(now, out)

    def _look_for_snapshot(self, now: int) -> None:
        """Note that a snapshot is confirmed; the receiver may have had all of it before."""
        if self._expected and not self._is_snapshot_open and covers_all(self._peer.durable, self._expected):
            self._expected = {}
            self._progress_at = now
            self._backoff = 1

    def tick(self, now: int, out: list[Effect]) -> None:
        """Go back to what the peer confirmed when it has confirmed nothing for too long."""
        self._look_for_snapshot(now)
        if not self._is_snapshot_open and (self.in_flight_octets or self._expected):
            beats = self.line.snapshot_beats if self._expected else self.line.beats
            patience = beats * self._backoff * self._settings.beat
            if now - self._progress_at >= patience + self.in_flight_octets * self.line.nanoseconds_per_octet:
                self._go_back(now, out)
        self.pump(now, out)

    def _go_back(self, now: int, out: list[Effect]) -> None:
        out.append(Note("replica.went_back", (("in_flight_octets", self.in_flight_octets),)))
        self._expected = {}
        self._restart_from(self._expected, now)
        self._backoff = min(BACKOFF_MAX, 2 * self._backoff)

    # --- snapshot -------------------------------------------------------------------------------------------

    @property
    def is_in_snapshot(self) -> bool:
        """Tell whether a snapshot is being read, sent, or awaits its confirmation."""
        return self._is_snapshot_open or bool(self._expected)

    def _begin_snapshot(self, now: int, out: list[Effect]) -> None:
        known = dict(self._peer.durable)
        raise_to(known, self._sent)  # what is under way on this link is taken before the snapshot is
        known[self._journal.own] = max(known.get(self._journal.own, 0), self._own_sent)
        if self.hold.delays_snapshot(known, now):
            return
        self._is_snapshot_open = True
        self._snapshot_items = 0
        self._known = known
        out.append(ReadSnapshot(self.session, known, self.hold.is_holding))

    def snapshot_read(self, event: SnapshotRead, now: int, out: list[Effect]) -> None:
        """Send one piece of the snapshot; after the last one, go on with the records beyond it.

        Orphans go last: what they say of an item that the receiver has may rely on another item (a bounce on its
        notification), which must be there first even if the snapshot breaks off.
        """
        if not self._is_snapshot_open:
            return
        send = self.session
        if event.vector is not None:
            self._expected = event.vector
            self._snapshot_orphans = event.orphans
            out.append(Send(send, SnapshotBegin(event.vector)))
        is_cut_short = bool(self.hold.snapshot) or self.hold.forbids_end(event.away, self._known, now)
        messages = [away_message(key) for key in event.away]  # first: else they would be missing where they belong
        messages += [item_message(item, blob) for item, blob in event.items]
        if event.is_last and not is_cut_short:
            messages += [orphan_message(orphan) for orphan in self._snapshot_orphans]
        out.extend(Send(send, message) for message in messages)
        self._snapshot_items += len(messages)
        if not event.is_last:
            return
        self._snapshot_orphans = ()
        self._is_snapshot_open = False
        if is_cut_short:  # its positions must not rise there: another one is sent when it may end
            self._expected = {}
            self._restart_from(self._expected, now)
            return
        out.append(Send(send, SnapshotEnd(self._snapshot_items)))
        out.append(Note("replica.snapshot_sent", (("items", self._snapshot_items),)))
        self._restart_from(self._expected, now)
        self.pump(now, out)

    def _restart_from(self, vector: Vector, now: int) -> None:
        """Count as sent what the peer has confirmed or `vector` covers, and nothing else."""
        self._sent = dict(self._peer.durable)
        raise_to(self._sent, vector)
        self._own_sent = self._sent.get(self._journal.own, 0)
        self._all_sent_at = -1
        self._in_flight.clear()
        self.in_flight_octets = 0
        self._reading = None
        self._progress_at = now


def item_message(item: Item, blob: bytes | None) -> SnapshotItem:
    """Return how an item travels in a snapshot. blob: None when the receiver needs none."""
    return SnapshotItem(item.key, item.put, tuple(item.parts.items()), item.flags, item.meta, blob)


def away_message(key: bytes) -> SnapshotItem:
    """Return how that travels which is here, but damaged."""
    return SnapshotItem(key, NOWHERE, (), NO_FLAGS, b"", None, Kind.VOID)


def orphan_message(orphan: Orphan) -> SnapshotItem:
    """Return how that travels which is known of an item that is not here."""
    kind = Kind.DONE if orphan.is_gone else Kind.PART
    return SnapshotItem(orphan.key, orphan.put, tuple(orphan.parts.items()), orphan.flags, b"", None, kind)
