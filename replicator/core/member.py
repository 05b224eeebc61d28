"""One member of a pair: `step(now, event)` takes in what happened and returns what is to be done.

Nothing here reads a clock, a disk or a socket, and nothing is random: equal input gives equal output. The parts are:
`Journal` (what was handed to the disk and what the disk confirmed), `Accept` (who waits for an answer), `Links` (what
neighbours say and are told), `Sites` (those across a WAN), `Ownership` (who may deliver), `Commands` (the operator's
wishes).
This module joins them: it takes each event to the parts that it concerns, in an order that matters where noted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from replicator.core.accept import Accept
from replicator.core.authority import Ownership
from replicator.core.events import (
    Answer,
    Command,
    CommitFailed,
    Committed,
    Damaged,
    Drained,
    Effect,
    Event,
    Image,
    ItemRead,
    LinkDown,
    LinkUp,
    LogRead,
    Note,
    Received,
    Settings,
    SnapshotRead,
    Stop,
    Submit,
    Tick,
    WitnessSaid,
)
from replicator.core.following import Following
from replicator.core.journal import Journal
from replicator.core.leased import Leased
from replicator.core.links import Concerned, Links
from replicator.core.neighbour import neighbours_of
from replicator.core.quarantine import Quarantine
from replicator.core.sites import Sites
from replicator.core.status import Status
from replicator.core.switchover import Commands
from replicator.core.tail import Tail, octets_of
from replicator.core.values import Authority, Branch, Dot, Durability, Kind, Mode, Protection, Record, Role, Vector
from replicator.core.vectors import minimum
from replicator.core.versions import VERSION_MAX, may_write

FLOORS_EVERY_BEATS = 4
FINISHED_MAX = 100_000  # items awaiting an owner's DONE that are remembered; the next start finds the others

Handler = Callable[[Any, int, list[Effect]], None]


def _kind_of(settings: Settings) -> type[Ownership]:
    """Return by whose word a member owns."""
    if settings.follows:
        return Following
    return Leased if settings.peer_node >= 0 and settings.authority is Mode.WITNESS else Ownership


class Member:
    """One member, from its start to its end. incarnation: 64 bits never used before for this node."""

    def __init__(self, settings: Settings, image: Image, incarnation: int, now: int) -> None:
        own = Branch(settings.node, incarnation)
        if own in image.vector:
            raise ValueError(f"incarnation {incarnation:x} was used before")
        self._settings = settings
        self._now = now
        self._is_stopped = False
        self._free_permille = 1000
        self._finished: dict[Dot, bytes] = {put: key for key, put in image.finished}
        self._floors: Vector = dict(image.floors)
        self._cut: Vector | None = None
        self._has_peer = settings.peer_node >= 0
        self._journal = Journal(own, image)
        self._tail = Tail(settings.tail_octets_max if self._has_peer else 0)
        neighbours = neighbours_of(settings, image, now)
        self._pair = neighbours.pair
        self._accept = Accept(settings, self._journal, self._write, now)
        self._ownership = _kind_of(settings)(settings, self._journal, image.authority, now)
        self._quarantine = Quarantine(settings, self._journal, neighbours.healers, image)
        self._sites = Sites(settings, self._journal, self._ownership, neighbours, self._quarantine, now)
        self._commands = Commands(settings, self._ownership, self._journal, self._pair.peer)
        concerned = Concerned(
            self._journal,
            self._tail,
            self._accept,
            self._ownership,
            self._sites,
            self._quarantine,
            self._commands,
            self._finished,
        )
        self._links = Links(settings, image.store_id, self._pair, concerned)
        self._beat_at = now - settings.beat
        self._handlers: dict[type, Handler] = {
            Tick: self._tick,
            Submit: self._submit,
            Committed: self._committed,
            CommitFailed: self._commit_failed,
            LinkUp: self._links.link_up,
            LinkDown: self._links.link_down,
            Received: self._links.received,
            LogRead: self._links.log_read,
            SnapshotRead: self._links.snapshot_read,
            Command: self._command,
            Drained: self._drained,
            WitnessSaid: self._witness_said,
            Damaged: self._damaged,
            ItemRead: self._links.item_read,
        }

    def step(self, now: int, event: Event) -> list[Effect]:
        """Take in one event; return what is to be done about it, in this order.

        now   nanoseconds of CLOCK_BOOTTIME, never going back
        """
        out: list[Effect] = []
        if self._is_stopped:
            return out
        gap, self._now = now - self._now, now
        if gap > self._settings.pause_voids:
            self._ownership.paused(now, out)
            self._links.paused(now)
        self._ownership.expire(now, out)
        self._handlers[type(event)](event, now, out)
        return out

    # --- changes of our own ---------------------------------------------------------------------------------

    def _submit(self, event: Submit, now: int, out: list[Effect]) -> None:
        why = self._accept.refusal(event) or self._full(event) or self._too_new(event)
        if why:
            out.append(Answer(event.token, Durability.REFUSED, why))
            return
        self._accept.add(event, self._write(event.records, out), now)

    def _full(self, event: Submit) -> str:
        """Return 'full' for new items when the disk is nearly so: the room left is for the endings of old ones."""
        if self._free_permille >= self._settings.full_below_permille or not event.wait:
            return ""
        return "full" if any(record.kind is Kind.PUT for record in event.records) else ""

    def _too_new(self, event: Submit) -> str:
        """Return 'version' for records of kinds that a node which this member writes for does not know."""
        known = min((neighbour.peer.version for neighbour in self._links.neighbours.values()), default=VERSION_MAX)
        return "" if may_write(known, event.records) else "version"

    def _write(self, records: tuple[Record, ...], out: list[Effect]) -> int:
        """Continue our own branch: on its way to the disk and to the peer at once. Return the first seq."""
        first_seq = self._journal.write(records, out)
        self._sites.count(records)
        if self._has_peer:
            octets = octets_of(records)
            self._tail.add(first_seq, records, octets)
            outgoing = self._pair.outgoing
            if outgoing is not None:
                outgoing.offer(first_seq, records, octets, self._now, out)
        return first_seq

    def _committed(self, event: Committed, now: int, out: list[Effect]) -> None:
        risen = self._journal.confirm(event.ticket)
        self._accept.settle(self._pair.peer.own_durable, out)
        if risen:
            self._links.confirm(risen, out)
        self._quarantine.committed(event, out)
        if event.finished:
            self._remember_finished(event.finished)
            self._finish(out)
        self._commands.advance(self._pair.greeted, now, out)

    def _commit_failed(self, event: CommitFailed, now: int, out: list[Effect]) -> None:
        self._is_stopped = True
        self._accept.refuse_all("failed", out)
        out.append(Note("replica.commit_failed", (("ticket", event.ticket), ("why", event.why))))
        out.append(Stop(event.why))

    def _remember_finished(self, finished: tuple[tuple[bytes, Dot], ...]) -> None:
        for key, put in finished:
            if len(self._finished) < FINISHED_MAX:
                self._finished[put] = key

    def _finish(self, out: list[Effect]) -> None:
        """Write the DONE of items that ended, if that is ours to do. Twice is harmless; the owner alone is enough."""
        if self._finished and self._ownership.is_owner:
            finished = dict(self._finished)
            self._finished.clear()
            self._write(tuple([Record(Kind.DONE, key, put) for put, key in finished.items()]), out)

    # --- what the disk answers, what the operator wants ------------------------------------------------------

    def _damaged(self, event: Damaged, now: int, out: list[Effect]) -> None:
        self._quarantine.found(event.found, out)

    def _command(self, event: Command, now: int, out: list[Effect]) -> None:
        if self._sites.objects(event, now, out):
            return
        self._commands.command(event, self._pair.greeted, self._accept.protection, now, out)

    def _drained(self, event: Drained, now: int, out: list[Effect]) -> None:
        self._commands.drained(event.attempt)
        self._commands.advance(self._pair.greeted, now, out)

    def _witness_said(self, event: WitnessSaid, now: int, out: list[Effect]) -> None:
        self._ownership.witness_said(event.reply, now, out)

    # --- time -----------------------------------------------------------------------------------------------

    def _tick(self, event: Tick, now: int, out: list[Effect]) -> None:
        self._free_permille = event.free_permille
        is_beat = now - self._beat_at >= self._settings.beat
        if is_beat:
            self._beat_at = now
            self._links.beats += 1
            self._tail.mark(now, self._journal.seq)
            self._sites.beat(now, out, is_peer_given_up=self._accept.protection is Protection.DEGRADED)
        self._ownership.tick(now, out)
        self._finish(out)
        self._links.tick(event.free_permille, now, out, is_beat=is_beat)
        self._accept.tick(now, self._pair.peer.own_durable, out)
        self._commands.advance(self._pair.greeted, now, out)
        self._commands.confirm(now, out)
        if is_beat and self._links.beats % FLOORS_EVERY_BEATS == 0:
            self._raise_floors(out)

    def floors(self) -> Vector:
        """Return up to where both members of the pair have everything on their disks."""
        durable = self._journal.durable
        return minimum(durable, self._pair.peer.durable) if self._has_peer else dict(durable)

    def _raise_floors(self, out: list[Effect]) -> None:
        if self._has_peer and not self._pair.peer.is_known:
            return
        floors = self.floors()
        cut = self._sites.cut(floors)
        if (floors, cut) != (self._floors, self._cut):
            self._floors, self._cut = floors, cut
            self._journal.cut_log(floors, cut, out)

    # --- status ---------------------------------------------------------------------------------------------

    @property
    def role(self) -> Role:
        return self._ownership.role

    def is_owner_at(self, now: int, spare: int) -> bool:
        """Tell whether this member may deliver for so long from now on."""
        return not self._is_stopped and self._ownership.is_owner_at(now, spare)

    @property
    def authority(self) -> Authority:
        """The grant that this member holds, or the highest that it knows of."""
        return self._ownership.authority

    @property
    def protection(self) -> Protection:
        return self._accept.protection

    @property
    def own(self) -> Branch:
        """The branch that this member writes."""
        return self._journal.own

    def _unprotected(self) -> int:
        """Count what is here alone, answered for; never too few: a store that we do not believe in yet may be true."""
        journal, pair = self._journal, self._pair
        peers = (pair.peer,) if pair.doubted is None else (pair.peer, pair.doubted)
        return max(
            self._accept.unprotected(peer.own_durable)
            + peer.lacks_of_others(journal)
            + peer.lacks_of_uncovered(journal)
            for peer in peers
        )

    @property
    def status(self) -> Status:
        peer, journal = self._pair.peer, self._journal
        return Status(
            role=self._ownership.role,
            authority=self._ownership.authority,
            protection=self._accept.protection,
            vector=dict(journal.durable),
            free_permille=self._free_permille,
            link=self._pair.link,
            why=self._pair.why,
            unprotected=self._unprotected() if self._has_peer else 0,
            peer_name=peer.name,
            peer_role=peer.role,
            peer_vector=dict(peer.durable),
            lag_records=peer.lacks(journal) if self._has_peer else 0,
            lag_octets=self._tail.octets,
            lag_seconds=self._tail.lag_seconds(self._now),
            witness=self._ownership.witness_state(self._now),
            is_unfit=self._ownership.is_unfit,
            far=self._sites.status(self._now),
        )
