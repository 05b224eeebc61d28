"""Items that were found damaged: moved out of the way, asked of those who may have them, and back when one has.

A member asks its peer, then its sites; a site asks the members that it follows. While an item is away it is neither
shipped nor delivered, and nothing is concluded from its absence. One item is asked for at a time, of a neighbour whose
disk has all that was known here of what is away, and who answers when our disk has what the answer may rely on. That
ends it: it has the item (it is merged as any item of a snapshot is), or it has finished it. So does a record, or a
snapshot, that says of its end. Once each has said that it has none, what was damaged is lost: that is said, and asked
again later; that it is back, or has ended, is said as well.

A snapshot that leaves out what is away may mean that it has ended, and raises our position past the record of that: no
later one tells it. So nothing is asked for while one comes, what was read before its end is not taken, and who is asked
next has all that the snapshot stands for. A sound copy that a site's snapshot leaves out is dropped: so a damaged one
has ended too when that site says then that it has none. Else our peer could bring it back, for our own snapshot tells
it nothing of what is away here, and raises its position as far.

By the operator's order the same is done about what the peer holds otherwise: what is missing here is away, what has
another state is joined with the peer's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from replicator.core.events import Committed, Effect, Image, ItemRead, Note, ReadItem, Send, Settings
from replicator.core.journal import Journal
from replicator.core.messages import Fetch, Fetched, SnapshotItem
from replicator.core.neighbour import Neighbour
from replicator.core.sending import item_message
from replicator.core.status import Link
from replicator.core.values import (
    DOUBTED,
    LACKING,
    NO_FLAGS,
    NOWHERE,
    VOIDED,
    Damage,
    Dot,
    Kind,
    Presence,
    Vector,
    show_key,
)
from replicator.core.vectors import covers, covers_all, raise_to

AWAY_MAX = 100_000  # that are remembered; the next start finds the others
MENDING_MAX = 4_096
PATIENCE_BEATS = 40  # for an answer, which may be a large item
LOST_AGAIN_BEATS = 240


class Asked(NamedTuple):
    """What is being asked for."""

    key: bytes
    node: int
    at: int
    is_outdated: bool = False  # a snapshot has ended since: the answer may be older than our position


class Quarantine:
    """What is damaged here, and what is done about it. `healers` are asked while their links stand, the first first."""

    def __init__(self, settings: Settings, journal: Journal, healers: tuple[Neighbour, ...], image: Image) -> None:
        self._beat = settings.beat
        self._journal = journal
        self._healers = healers
        self._away = {away.key: away.put for away in image.away[:AWAY_MAX]}
        self._mending: dict[Damage, int] = {}  # by the ticket of its commit
        self._wanted = list(reversed(self._away))  # the next to ask for is the last
        self._lost: dict[bytes, None] = {}  # in the order in which it was known
        self._denied: dict[bytes, set[int]] = {}  # who has said that it has none
        self._silent: dict[bytes, set[int]] = {}  # who has said nothing since all were asked
        self._asked: Asked | None = None
        self._lost_at = 0
        self._voided = {away.key for away in image.away if away.is_voided}
        self._missing = {away.key for away in image.away if away.table == LACKING}
        self._doubted: set[bytes] = set()  # here, and to be joined with what the peer has of it
        self._theirs: dict[int, Vector] = {}  # what each member had when it greeted us
        self._merged: dict[int, Vector] = {}  # of each, the snapshot that it sent on the link that stands
        self._within = dict(image.vector)  # covers all that was known here of what is away
        reached = _all_of(image.vector, image.beyond)
        self._reached = {key: reached for key, put in self._away.items() if put is None}  # covers the put, by key

    @property
    def away_count(self) -> int:
        """How many items are away."""
        return len(self._away)

    def may_heal(self, key: bytes) -> bool:
        """Tell whether a damaged item may come back: not every member has said that it has none."""
        denied = self._denied.get(key, ())
        return any(healer.node not in denied for healer in self._healers if not healer.is_site)

    def is_kept_from(self, key: bytes, vector: Vector) -> bool:
        """Tell whether a node of that vector lacks a damaged item, which may come back. What was just found is not
        known better, and looked at again soon."""
        is_there = key in self._away and self._is_covered(self._away[key], vector)
        return self.may_heal(key) and not is_there

    def first_kept_from(self, vector: Vector) -> bytes:
        """Return the first of these items that is known; b"": there is none."""
        return next((key for key in self._away if self.is_kept_from(key, vector)), b"")

    # --- what is damaged here -------------------------------------------------------------------------------

    def found(self, damages: Iterable[Damage], out: list[Effect]) -> None:
        """Have the disk look again at what a read came upon, and move away what is damaged."""
        new = [damage for damage in dict.fromkeys(damages) if damage not in self._mending]
        doubted = [damage.key for damage in new if damage.table == DOUBTED and damage.key not in self._doubted]
        doubted = doubted[: AWAY_MAX - len(self._doubted)]
        self._doubted.update(doubted)
        self._wanted += doubted
        new = [damage for damage in new if damage.table != DOUBTED]
        new = new[: MENDING_MAX - len(self._mending)]
        if not new:
            return
        for table, key in new:
            if table not in ("item", "blob", VOIDED, LACKING):  # an item is named when it has been looked at again
                out.append(Note("replica.damaged", (("key", show_key(key)), ("table", table))))
        self._voided.update(key for table, key in new if table == VOIDED)
        ticket = self._journal.mend(tuple(new), out)
        self._mending |= dict.fromkeys(new, ticket)

    def committed(self, event: Committed, out: list[Effect]) -> None:
        """Note which items the disk moved away, found by a look or by a change that touched them, and which of them
        are so no longer: another change has brought them back, or ended them."""
        away = event.away
        self._mending = {damage: ticket for damage, ticket in self._mending.items() if ticket > event.ticket}
        reached = _all_of(self._journal.durable, self._journal.beyond) if away else {}
        for key, put, table, is_voided in away:
            if is_voided:
                self._voided.add(key)
            else:
                out.append(Note("replica.damaged", (("key", show_key(key)), ("table", table))))
            if table == LACKING:
                self._missing.add(key)
            if key not in self._away and len(self._away) < AWAY_MAX:
                self._away[key] = put
                self._wanted.append(key)
                raise_to(self._within, self._journal.durable)
                if put is None:
                    self._reached[key] = reached
        for key in event.back:
            if key in self._away:
                self._end(key)
                out.append(Note("replica.healed", (("key", show_key(key)), ("why", "it came again, or has ended"))))

    # --- asking ---------------------------------------------------------------------------------------------

    def greeted(self, neighbour: Neighbour) -> None:
        """Note what a member has: nothing of it was sent as VOID on this link. A site may take for finished what was
        damaged at home."""
        if not neighbour.is_site:
            self._theirs[neighbour.node] = dict(neighbour.peer.durable)

    def snapshot_ended(self, node: int, vector: Vector) -> None:
        """Note that a neighbour's snapshot is merged, which may have known more of what is away than it said."""
        self._merged[node] = vector
        raise_to(self._within, self._journal.have)
        if self._asked is not None:
            self._asked = self._asked._replace(is_outdated=True)

    @property
    def _is_snapshot_coming(self) -> bool:
        """Tell whether a snapshot has begun, and not ended."""
        return any(healer.incoming is not None and healer.incoming.is_in_snapshot for healer in self._healers)

    def link_lost(self, neighbour: Neighbour) -> None:
        """Ask anew on the next link, also for what was lost: its other end may be another store."""
        self._merged.pop(neighbour.node, None)
        if self._asked is not None and self._asked.node == neighbour.node:
            self._wanted.append(self._asked.key)
            self._asked = None
        if neighbour in self._healers:
            self._wanted += self._lost
            self._lost = {}
            for those in (*self._denied.values(), *self._silent.values()):
                those.discard(neighbour.node)

    def pump(self, now: int, out: list[Effect]) -> None:
        """Ask for one item, unless one is asked for, or a snapshot is coming."""
        if self._asked is not None and now - self._asked.at >= PATIENCE_BEATS * self._beat:
            asked, self._asked = self._asked, None
            self._wanted.insert(0, asked.key)
            if asked.key in self._away:
                self._silent.setdefault(asked.key, set()).add(asked.node)
        if self._lost and now - self._lost_at >= LOST_AGAIN_BEATS * self._beat:
            self._wanted, self._lost = [*self._lost, *self._wanted], {}
            self._denied.clear()
            self._silent.clear()
        if self._is_snapshot_coming:
            return
        too_early: list[bytes] = []
        while self._asked is None and self._wanted:
            key = self._wanted.pop()
            if key not in self._away and key not in self._doubted:
                continue
            healer = self._healer_of(key)
            if healer is None:
                too_early.append(key)
            else:
                self._asked = Asked(key, healer.node, now)
                out.append(Send(healer.session, Fetch(key)))
        self._wanted = too_early + self._wanted

    def _healer_of(self, key: bytes) -> Neighbour | None:
        """Return who is to be asked next. About what is here and in doubt that is a member, however often.

        Who said nothing has not said that it has none, and is asked again when nobody else is left.
        """
        is_here = key not in self._away
        denied = () if is_here else self._denied.get(key, ())
        able = [
            healer
            for healer in self._healers
            if healer.link is Link.UP
            and healer.node not in denied
            and not (healer.is_site if is_here else self._is_behind(key, healer.peer.durable))
        ]
        silent = self._silent.get(key, set())
        for healer in able:
            if healer.node not in silent:
                return healer
        silent.clear()
        return able[0] if able else None

    def _is_behind(self, key: bytes, theirs: Vector) -> bool:
        """Tell whether a neighbour's disk does not have all yet that was known here of the item, or the item itself.

        Its answer would say nothing of the item, or would bring it back as it was before what was done with it here.
        """
        return not (covers_all(theirs, self._within) and self._is_covered(self._away[key], theirs))

    def fetched(self, message: Fetched, node: int, now: int, out: list[Effect]) -> None:
        """Take in a neighbour's answer, and ask for the next item, or the next neighbour."""
        key, asked = message.key, self._asked
        if asked is None or (asked.key, asked.node) != (key, node):
            return
        self._asked = None
        is_outdated = asked.is_outdated or self._is_snapshot_coming
        if key in self._away and message.presence is Presence.HELD and is_outdated:
            self._wanted.append(key)
        elif key in self._away:
            self._take_back(message, asked, now, out)
        elif key in self._doubted and message.presence is Presence.HELD and message.item is not None:
            self._journal.merge_item(message.item, out)
            out.append(Note("replica.healed", (("key", show_key(key)), ("why", "joined with the peer's state"))))
        self._doubted.discard(key)
        self.pump(now, out)

    def _take_back(self, message: Fetched, asked: Asked, now: int, out: list[Effect]) -> None:
        """End an item's absence, one way or the other, or see whom to ask next."""
        key, node = asked.key, asked.node
        put = self._away[key]
        if message.presence is Presence.HELD and message.item is not None:
            self._journal.merge_item(message.item, out)
            self._end(key)
            out.append(Note("replica.healed", (("key", show_key(key)),)))
        elif message.presence is Presence.ABSENT and self._has_finished(key, put, node):
            gone = SnapshotItem(key, put or NOWHERE, (), NO_FLAGS, b"", None, Kind.DONE)
            self._journal.merge_item(gone, out)
            self._end(key)
            out.append(Note("replica.healed", (("key", show_key(key)), ("why", "the peer has finished it"))))
        else:
            denied = self._denied.setdefault(key, set())
            denied.add(node)
            if len(denied) == len(self._healers):
                self._lose(key, message.presence, now, out)
            else:
                self._wanted.append(key)

    def _end(self, key: bytes) -> None:
        """Forget an item that is back, or finished."""
        del self._away[key]
        self._lost.pop(key, None)
        self._denied.pop(key, None)
        self._silent.pop(key, None)
        self._reached.pop(key, None)
        self._missing.discard(key)

    def _lose(self, key: bytes, presence: Presence, now: int, out: list[Effect]) -> None:
        self._lost[key] = None
        self._lost_at = now
        why = "the peer's is damaged too" if presence is Presence.AWAY else "the peer has none"
        out.append(Note("replica.lost", (("key", show_key(key)), ("why", why))))

    def _has_finished(self, key: bytes, put: Dot | None, node: int) -> bool:
        """Tell whether a neighbour that does not hold the item has had it: a member before its link stood, or when
        compared, a site when it sent us a snapshot."""
        if key in self._missing:
            return node in self._theirs
        theirs = self._theirs.get(node, self._merged.get(node))
        if theirs is None or key in self._voided:
            return False
        return covers_all(theirs, self._reached[key]) if put is None else covers(theirs, put)

    def _is_covered(self, put: Dot | None, vector: Vector) -> bool:
        """Tell whether a vector covers the item's put, whichever that is when it could not be read."""
        return covers_all(vector, self._within) if put is None else covers(vector, put)


def _all_of(vector: Vector, beyond: Vector) -> Vector:
    """Return up to where items may be here."""
    reached = dict(vector)
    raise_to(reached, beyond)
    return reached


# --- answering the peer -------------------------------------------------------------------------------------


def asked(message: Fetch, session: int, out: list[Effect]) -> None:
    """Have the item read that the peer wants."""
    out.append(ReadItem(session, message.key))


def answer(event: ItemRead, out: list[Effect]) -> None:
    """Send it."""
    item = None if event.item is None else item_message(event.item, event.blob)
    out.append(Send(event.session, Fetched(event.key, event.presence, item)))
