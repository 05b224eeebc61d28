"""What is said on the links of one member, and what follows from what it hears there.

One link to each neighbour: the pair's peer, and nodes across a WAN. The peer alone counts for answers, protection,
consent and silence; to all of them alike goes what they lack, and from all of them alike records are taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from replicator.core.accept import Accept, Sign
from replicator.core.authority import OWNING, Cue, Ownership
from replicator.core.events import (
    CloseLink,
    Effect,
    ItemRead,
    LinkDown,
    LinkUp,
    LogRead,
    Note,
    Received,
    Send,
    Settings,
    SnapshotRead,
)
from replicator.core.journal import Journal
from replicator.core.messages import (
    Ack,
    Beat,
    Bye,
    Fetch,
    Fetched,
    Handover,
    Hello,
    Records,
    SnapshotBegin,
    SnapshotEnd,
    SnapshotItem,
)
from replicator.core.neighbour import Neighbour, Owed
from replicator.core.peer import ahead_of_us, objection, too_far
from replicator.core.quarantine import Quarantine, answer, asked
from replicator.core.receiving import Incoming
from replicator.core.sending import Outgoing
from replicator.core.sites import Sites
from replicator.core.status import Link
from replicator.core.switchover import Commands
from replicator.core.tail import Tail
from replicator.core.values import MILLISECOND, AckLevel, Authority, Dot, Kind, Mode, Protection, Role, Vector
from replicator.core.vectors import beyond, covers_all
from replicator.core.versions import VERSION_MAX, VERSION_MIN

LAG_RECORDS_MAX = 100  # of a peer that comes back so soon that changes wait for it at once
LAG_SECONDS_MAX = 1.0  # of a peer that has caught up

Taker = Callable[[Neighbour, Any, int, list[Effect]], None]


class Concerned(NamedTuple):
    """The parts of a member that what is heard concerns."""

    journal: Journal
    tail: Tail
    accept: Accept
    ownership: Ownership
    sites: Sites
    quarantine: Quarantine
    commands: Commands
    finished: dict[Dot, bytes]  # items that ended and await an owner's DONE: one that is heard of is forgotten


class Links:
    """All links of one member.

    pair   the neighbour that is the pair's peer; its link never stands when there is none
    """

    def __init__(self, settings: Settings, store_id: bytes, pair: Neighbour, concerned: Concerned) -> None:
        self._settings = settings
        self._store_id = store_id
        self._pair = pair
        self._journal = concerned.journal
        self._tail = concerned.tail
        self._accept = concerned.accept
        self._ownership = concerned.ownership
        self._sites = concerned.sites
        self._quarantine = concerned.quarantine
        self._commands = concerned.commands
        self._finished = concerned.finished
        self.beats = 0  # since the link to the peer came up
        self.neighbours = dict(self._sites.neighbours)
        if settings.peer_node >= 0:
            self.neighbours[settings.peer_node] = pair
        else:
            pair.end(Link.NONE, "no peer is configured")
        self._standing: dict[int, Neighbour] = {}  # by the session of their link, from LinkUp on
        self._takers: dict[type, Taker] = {
            Records: self._take_records,
            Ack: self._take_ack,
            Beat: self._take_beat,
            SnapshotBegin: self._take_snapshot_begin,
            SnapshotItem: self._take_snapshot_item,
            SnapshotEnd: self._take_snapshot_end,
            Handover: self._take_handover,
            Hello: self._take_second_hello,
            Bye: self._take_bye,
            Fetch: self._take_fetch,
            Fetched: self._take_fetched,
        }

    # --- links ----------------------------------------------------------------------------------------------

    def link_up(self, event: LinkUp, now: int, out: list[Effect]) -> None:
        """Greet whoever is at the other end."""
        neighbour = self.neighbours.get(event.node)
        if neighbour is None or event.session <= neighbour.session:
            return
        self._lose_link(neighbour, Link.DOWN, "replaced by a newer one", now, out)
        neighbour.begin(event.session, now)
        self._standing[event.session] = neighbour
        if neighbour is self._pair:
            self.beats = 0
            self._ownership.link_up()
        hello = Hello(
            group=self._settings.group,
            node=self._settings.node,
            name=self._settings.name,
            store_id=self._store_id,
            incarnation=self._journal.own.incarnation,
            version_min=VERSION_MIN,
            version_max=VERSION_MAX,
            vector=dict(self._journal.durable),
            authority=self._ownership.authority,
            role=self._ownership.role,
            session=event.session,
            mode=self._settings.authority.value,
            lease=self._settings.lease if self._settings.authority is Mode.WITNESS else 0,
            wants_received=neighbour is self._pair and self._settings.level is AckLevel.REMOTE_RECEIVED,
        )
        neighbour.told = hello.vector
        out.append(Send(event.session, hello))

    def link_down(self, event: LinkDown, now: int, out: list[Effect]) -> None:
        """Forget the link."""
        neighbour = self._standing.get(event.session)
        if neighbour is not None:
            self._lose_link(neighbour, Link.DOWN, event.why, now, out)

    def _lose_link(self, neighbour: Neighbour, link: Link, why: str, now: int, out: list[Effect]) -> None:
        """Forget a link. What is known of the neighbour stays, until its next Hello replaces it."""
        was_up = neighbour.link is Link.UP
        self._standing.pop(neighbour.session, None)
        neighbour.end(link, why)
        if was_up:
            out.append(Note("replica.link_down", neighbour.about(why)))
        self._quarantine.link_lost(neighbour)
        if neighbour is self._pair:
            self._accept.sign(Sign.LINK_LOST, now, why, out)
            self._commands.advance(None, now, out)

    def _close_link(self, neighbour: Neighbour, link: Link, why: str, now: int, out: list[Effect]) -> None:
        """End a link ourselves."""
        out.append(CloseLink(neighbour.session, why))
        self._lose_link(neighbour, link, why, now, out)

    def _refuse(self, neighbour: Neighbour, why: str, now: int, out: list[Effect]) -> None:
        """Tell a neighbour what is wrong with it, and talk to it no more."""
        out.append(Send(neighbour.session, Bye(why)))
        out.append(Note("replica.refused", neighbour.about(why)))
        self._close_link(neighbour, Link.REFUSED, why, now, out)

    def received(self, event: Received, now: int, out: list[Effect]) -> None:
        """Take in what a neighbour said."""
        session, message = event
        neighbour = self._standing.get(session)
        if neighbour is None:
            return
        neighbour.heard_at = now
        if neighbour.link is Link.GREETING:
            if type(message) is Hello:
                self._take_hello(neighbour, message, now, out)
            elif type(message) is Bye:
                self._take_bye(neighbour, message, now, out)
            return
        neighbour.believed_at = now
        if not neighbour.is_site and self._ownership.breaks_silence(neighbour.peer.role):
            self._ownership.alive(now)
        self._takers[type(message)](neighbour, message, now, out)

    def _take_hello(self, neighbour: Neighbour, hello: Hello, now: int, out: list[Effect]) -> None:
        peer, journal = neighbour.peer, self._journal
        why = objection(self._settings, neighbour.node, journal, self._ownership.seen, hello)
        why = why or peer.has_said(hello) or neighbour.doubt(hello, journal.own, now)
        if why:
            is_pair = neighbour is self._pair and (hello.group, hello.node) == (self._settings.group, neighbour.node)
            if is_pair and self._ownership.breaks_silence(hello.role):
                self._ownership.alive(now)  # what it does it does, whether we talk to it or not
            self._refuse(neighbour, why, now, out)
            return
        self._know_store(neighbour, hello, out)
        peer.replace(hello, journal.own)
        neighbour.believed_at = now
        incoming = Incoming(
            neighbour.session,
            self._settings.gathered_octets_max,
            journal,
            wants_received=hello.wants_received,
        )
        neighbour.greet(incoming)
        lag = peer.lacks(journal)
        named = (("name", hello.name), ("version", peer.version), ("lag_records", lag))
        fields = (("session", neighbour.session), *named)
        out.append(Note("replica.link_up", fields))
        self._hear(neighbour, hello.authority, hello.role, now, out)
        self._quarantine.greeted(neighbour)
        if neighbour is self._pair:
            self._pair.outgoing = Outgoing(neighbour.session, self._settings, journal, self._tail, peer, now)
            self._protect(lag, now, out)
            self._tail.release(peer.own_durable)
            self._pair.outgoing.begin(now, out)

    def _hear(self, neighbour: Neighbour, authority: Authority, role: Role, now: int, out: list[Effect]) -> None:
        """Take in what a neighbour says of who owns. Of a site only that it was promoted is of any meaning."""
        if not neighbour.is_site or (role in OWNING and authority > self._ownership.seen):
            self._ownership.heard(authority, role, now, out)

    def _know_store(self, neighbour: Neighbour, hello: Hello, out: list[Effect]) -> None:
        """Remember a neighbour's store, and say loudly that it is another one than before."""
        known, came = neighbour.peer.store_id, hello.store_id
        if came == known:
            return
        if known:
            fields = (("name", hello.name), ("was", known.hex()), ("came", came.hex()))
            out.append(Note("replica.peer_store_changed", fields))
        self._journal.keep_store(neighbour.node, came, out)

    def _protect(self, lag: int, now: int, out: list[Effect]) -> None:
        """Take in how much the peer lacks that has just greeted us: may changes wait for it?"""
        accept = self._accept
        if accept.protection is Protection.DEGRADED:
            accept.target = self._journal.seq
        is_near = lag == 0 or (lag < LAG_RECORDS_MAX and accept.protection is Protection.SUSPECT)
        accept.sign(Sign.CAUGHT_UP if is_near else Sign.GREETED, now, f"the peer lacks {lag} records", out)
        accept.settle(self._pair.peer.own_durable, out)

    def _take_second_hello(self, neighbour: Neighbour, message: Hello, now: int, out: list[Effect]) -> None:
        self._refuse(neighbour, "hello: expected one on a link, came two", now, out)

    def _take_bye(self, neighbour: Neighbour, message: Bye, now: int, out: list[Effect]) -> None:
        out.append(Note("replica.refused_by_peer", neighbour.about(message.why)))
        self._close_link(neighbour, Link.REFUSED, f"the peer says: {message.why}", now, out)

    # --- what a neighbour sends -----------------------------------------------------------------------------

    def _take_records(self, neighbour: Neighbour, message: Records, now: int, out: list[Effect]) -> None:
        if neighbour.incoming is None:
            return
        neighbour.feeds_us = True
        self._sites.count(message.records)
        fault = neighbour.incoming.records(message, out)
        if fault:
            self._refuse(neighbour, fault, now, out)
            return
        self._stand_aside(neighbour, neighbour.incoming.not_understood, now, out)
        if self._finished:
            taken = self._journal.have.get(message.branch, 0) + 1 - message.first_seq  # not what came after a gap
            for record in message.records[: max(0, taken)]:
                if record.put is not None and record.kind in (Kind.DONE, Kind.ABORT):
                    self._finished.pop(record.put, None)

    def _stand_aside(self, neighbour: Neighbour, kind: int, now: int, out: list[Effect]) -> None:
        """Own no longer when a neighbour wrote what has to be understood and is not."""
        if kind and not self._ownership.is_unfit:
            out.append(Note("replica.not_understood", (("name", neighbour.peer.name), ("kind", kind))))
            self._ownership.stand_aside(now, out)

    def _take_ack(self, neighbour: Neighbour, message: Ack, now: int, out: list[Effect]) -> None:
        if message.received and neighbour is self._pair:
            fault = ahead_of_us(self._journal.own, self._journal.seq, message.received)
            if fault:
                self._refuse(neighbour, fault, now, out)
                return
            self._accept.received(message.received.get(self._journal.own, 0), neighbour.peer.own_durable, out)
        self._believe(neighbour, message.durable, now, out)

    def _take_beat(self, neighbour: Neighbour, message: Beat, now: int, out: list[Effect]) -> None:
        peer = neighbour.peer
        fault = too_far(self._ownership.seen, message.authority)
        if fault:
            self._refuse(neighbour, fault, now, out)
            return
        peer.role, peer.authority = message.role, message.authority
        peer.free_permille = message.free_permille
        self._hear(neighbour, message.authority, message.role, now, out)
        if neighbour is self._pair:
            self._ownership.heard_words(message, now, out)
            self._sites.peer_feeds(message.feeding, now)
        neighbour.is_filled_at_home = neighbour.node in message.feeding
        self._believe(neighbour, message.durable, now, out)

    def _believe(self, neighbour: Neighbour, durable: Vector, now: int, out: list[Effect]) -> None:
        """Take in how far a neighbour's disk is: answer first, then send what there is room for."""
        fault = ahead_of_us(self._journal.own, self._journal.seq, durable)
        if fault:
            self._refuse(neighbour, fault, now, out)
            return
        is_more, is_pair = neighbour.peer.raise_to(durable, self._journal.own), neighbour is self._pair
        if is_more and is_pair:
            self._settle(now, out)
        if is_more and neighbour.outgoing is not None:
            neighbour.outgoing.acknowledged(durable, now, out)
        if is_more:
            self._pay(neighbour, out)
        if not is_pair:
            return
        if is_more and self._accept.protection is Protection.DEGRADED and not neighbour.peer.is_full:
            self._accept.sign(Sign.PROGRESS, now, "the peer confirms again", out)
        if self._accept.protection is Protection.CATCHUP:
            self._look_whether_caught_up(now, out)
        self._commands.advance(neighbour.greeted, now, out)

    def _settle(self, now: int, out: list[Effect]) -> None:
        """Answer what the peer has confirmed, and keep it in memory no longer."""
        own_durable = self._pair.peer.own_durable
        self._accept.settle(own_durable, out)
        self._tail.release(own_durable)

    def _look_whether_caught_up(self, now: int, out: list[Effect]) -> None:
        peer, outgoing = self._pair.peer, self._pair.outgoing
        if outgoing is None or outgoing.is_in_snapshot or peer.is_full:
            return
        if peer.own_durable < self._accept.target or self._tail.lag_seconds(now) >= LAG_SECONDS_MAX:
            return
        if peer.lacks_of_others(self._journal) == 0:
            self._accept.sign(Sign.CAUGHT_UP, now, "the peer has caught up", out)

    def _take_snapshot_begin(self, neighbour: Neighbour, message: SnapshotBegin, now: int, out: list[Effect]) -> None:
        """Take a snapshot; one comes at a time, and the peer's goes on before a site's: that is passed over."""
        incoming = neighbour.incoming
        if incoming is None:
            return
        if self._is_filled_at_home(neighbour):
            incoming.has_passed_over = True
            return
        neighbour.feeds_us = True
        self._refuse_if(neighbour, incoming.snapshot_begin(message, out), now, out)

    def _is_filled_at_home(self, neighbour: Neighbour) -> bool:
        incoming = self._pair.incoming
        return neighbour is not self._pair and incoming is not None and incoming.is_in_snapshot

    def _take_snapshot_item(self, neighbour: Neighbour, message: SnapshotItem, now: int, out: list[Effect]) -> None:
        if neighbour.incoming is not None:
            self._refuse_if(neighbour, neighbour.incoming.snapshot_item(message, out), now, out)

    def _take_snapshot_end(self, neighbour: Neighbour, message: SnapshotEnd, now: int, out: list[Effect]) -> None:
        incoming = neighbour.incoming
        if incoming is None or incoming.vector is None:
            return
        vector = incoming.vector
        fault = incoming.snapshot_end(message, out)
        if fault:
            self._refuse(neighbour, fault, now, out)
        else:
            self._quarantine.snapshot_ended(neighbour.node, vector)

    def _refuse_if(self, neighbour: Neighbour, fault: str, now: int, out: list[Effect]) -> None:
        if fault:
            self._refuse(neighbour, fault, now, out)

    def _take_handover(self, neighbour: Neighbour, message: Handover, now: int, out: list[Effect]) -> None:
        """Promote at once: the owner is drained, and has stepped down before it said so.

        A member that is promoting names its own claim as the highest that it knows of; the owner need not have heard.
        """
        fault = too_far(self._ownership.seen, message.authority)
        if fault:
            self._refuse(neighbour, fault, now, out)
            return
        neighbour.peer.role = Role.PASSIVE
        if message.authority >= self._ownership.seen or self._ownership.role is Role.PROMOTING:
            self._ownership.promote(Cue.HANDOVER, now, out)

    def _take_fetch(self, neighbour: Neighbour, message: Fetch, now: int, out: list[Effect]) -> None:
        neighbour.owed = None  # it was given up, or is asked for again: what has come since then is not in it
        asked(message, neighbour.session, out)

    def _take_fetched(self, neighbour: Neighbour, message: Fetched, now: int, out: list[Effect]) -> None:
        self._quarantine.fetched(message, neighbour.node, now, out)

    # --- what the disk answers ------------------------------------------------------------------------------

    def confirm(self, risen: Vector, out: list[Effect]) -> None:
        """Tell the neighbours what is on our disk now."""
        for neighbour in self._standing.values():
            if neighbour.incoming is not None and (neighbour.feeds_us or neighbour is self._pair):
                durable = neighbour.incoming.ackable(risen)
                if durable:
                    out.append(Send(neighbour.session, Ack(durable)))

    def log_read(self, event: LogRead, now: int, out: list[Effect]) -> None:
        """Send what the log gave."""
        neighbour = self._standing.get(event.session)
        if neighbour is not None and neighbour.outgoing is not None:
            neighbour.outgoing.log_read(event, now, out)

    def snapshot_read(self, event: SnapshotRead, now: int, out: list[Effect]) -> None:
        """Send a piece of a snapshot."""
        neighbour = self._standing.get(event.session)
        if neighbour is not None and neighbour.outgoing is not None:
            neighbour.outgoing.snapshot_read(event, now, out)

    def item_read(self, event: ItemRead, now: int, out: list[Effect]) -> None:
        """Send what a neighbour has damaged, as soon as it lacks nothing that this may rely on."""
        neighbour = self._standing.get(event.session)
        if neighbour is not None and neighbour.link is Link.UP:
            relied_on = {} if neighbour.is_site else neighbour.peer.unconfirmed(self._journal.have)
            neighbour.owed = Owed(event, relied_on)
            self._pay(neighbour, out)

    def _pay(self, neighbour: Neighbour, out: list[Effect]) -> None:
        """Send what was asked for and read, unless the neighbour's disk lacks something that it may rely on: then a
        bounce could come before its notification. That it was sent is not enough, for it may have been lost.

        A site may be kept waiting for that very item, and gets it at once.
        """
        owed = neighbour.owed
        if owed is not None and covers_all(neighbour.peer.durable, owed.relied_on):
            neighbour.owed = None
            answer(owed.answer, out)

    # --- time -----------------------------------------------------------------------------------------------

    def paused(self, now: int) -> None:
        """Note that this process did not run for a while: nothing could be heard."""
        for neighbour in self.neighbours.values():
            neighbour.heard_at = neighbour.believed_at = now

    def tick(self, free_permille: int, now: int, out: list[Effect], *, is_beat: bool) -> None:
        """Say and send what it is time for, and end links on which nothing comes."""
        for neighbour in self.neighbours.values():
            self._watch_link(neighbour, now, out)
            if is_beat and neighbour.link is Link.UP:
                self._send_beat(neighbour, free_permille, now, out)
            if neighbour.outgoing is not None:
                neighbour.outgoing.tick(now, out)
        self._quarantine.pump(now, out)
        if self._pair.link is Link.UP:
            self._watch_peer(now, out)
        if self._ownership.role is Role.REJOINING and self._has_caught_up():
            self._ownership.move(Cue.CAUGHT_UP, out)

    def _watch_link(self, neighbour: Neighbour, now: int, out: list[Effect]) -> None:
        """End a link on which nothing comes, or whose snapshot was passed over for the peer's, which has ended.

        A new one may get through; on a new one what is still lacking comes at once, not when the sender loses patience.
        """
        incoming = neighbour.incoming
        if neighbour.is_silent(now):
            silence = (now - neighbour.heard_at) // MILLISECOND
            self._close_link(neighbour, Link.DOWN, f"nothing was heard for {silence} ms", now, out)
        elif incoming is not None and incoming.has_passed_over and not self._is_filled_at_home(neighbour):
            self._close_link(neighbour, Link.DOWN, "its snapshot was passed over for the peer's, which ended", now, out)

    def _watch_peer(self, now: int, out: list[Effect]) -> None:
        if self._pair.peer.is_full:
            self._accept.sign(Sign.PEER_FULL, now, "the peer's disk is nearly full", out)
        elif self._accept.protection is not Protection.PROTECTED:
            self._look_whether_caught_up(now, out)

    def _has_caught_up(self) -> bool:
        """Tell whether we have all that those have whom we hear, and hear anybody."""
        heard = [neighbour.peer.durable for neighbour in self._standing.values() if neighbour.link is Link.UP]
        return bool(heard) and all(covers_all(self._journal.durable, durable) for durable in heard)

    def _send_beat(self, neighbour: Neighbour, free_permille: int, now: int, out: list[Effect]) -> None:
        neighbour.beats += 1
        plea, consent = self._ownership.words(neighbour.beats, now) if neighbour is self._pair else (None, None)
        beat = Beat(
            beyond(self._journal.durable, neighbour.told),
            self._ownership.authority,
            self._ownership.role,
            neighbour.beats,
            free_permille,
            plea,
            consent,
            self._fed(neighbour),
        )
        out.append(Send(neighbour.session, beat))

    def _fed(self, neighbour: Neighbour) -> tuple[int, ...]:
        """Return who is being fed, of those that matter to a neighbour: to the peer the sites that this member ships
        to, to a site this member while its peer fills it."""
        if neighbour is self._pair:
            return self._sites.feeding
        return (self._settings.node,) if self._is_filled_at_home(neighbour) else ()
