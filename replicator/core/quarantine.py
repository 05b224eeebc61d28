"""Items that were found damaged: moved out of the way, asked of the peer, and back when it has them.

While an item is away it is neither shipped nor delivered, and nothing is concluded from its absence. One item is
asked for at a time, once the peer's disk has all that was known here of what is away. Its answer ends it: it has the
item (it is merged as any item of a snapshot is), or it has finished it, or it never had it, and then what was damaged
is lost: that is said, and asked again later.

By the operator's order the same is done about what the peer holds otherwise: what is missing here is away, what has
another state is joined with the peer's.
"""

from __future__ import annotations

from collections.abc import Iterable

from replicator.core.events import Effect, Image, ItemRead, Note, ReadItem, Send, Settings
from replicator.core.journal import Journal
from replicator.core.messages import Fetch, Fetched, SnapshotItem
from replicator.core.peer import Peer
from replicator.core.sending import item_message
from replicator.core.values import (
    DOUBTED,
    LACKING,
    NO_FLAGS,
    NOWHERE,
    VOIDED,
    Away,
    Damage,
    Dot,
    Kind,
    Presence,
    Vector,
)
from replicator.core.vectors import covers, covers_all

AWAY_MAX = 100_000  # that are remembered; the next start finds the others
MENDING_MAX = 4_096
PATIENCE_BEATS = 40  # for an answer, which may be a large item
LOST_AGAIN_BEATS = 240


class Quarantine:
    """What is damaged here, and what is done about it. `peer` is asked while a link stands."""

    def __init__(self, settings: Settings, journal: Journal, peer: Peer, image: Image) -> None:
        self._beat = settings.beat
        self._journal = journal
        self._peer = peer
        self._away = {away.key: away.put for away in image.away[:AWAY_MAX]}
        self._mending: dict[Damage, int] = {}  # by the ticket of its commit
        self._wanted = list(reversed(self._away))  # the next to ask for is the last
        self._lost: list[bytes] = []
        self._asked: tuple[bytes, int] | None = None  # the key, and when
        self._lost_at = 0
        self._voided = {away.key for away in image.away if away.is_voided}
        self._missing = {away.key for away in image.away if away.table == LACKING}
        self._doubted: set[bytes] = set()  # here, and to be joined with what the peer has of it
        self._theirs: Vector = {}  # what the peer had when it greeted us
        self._within = dict(image.vector)  # covers all that was known here of what is away

    @property
    def away_count(self) -> int:
        """How many items are away."""
        return len(self._away)

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
                out.append(Note("replica.damaged", (("key", show(key)), ("table", table))))
        ticket = self._journal.mend(tuple(new), out)
        self._mending |= dict.fromkeys(new, ticket)

    def committed(self, ticket: int, away: tuple[Away, ...], out: list[Effect]) -> None:
        """Note which items the disk moved away, found by a look or by a change that touched them."""
        self._mending = {damage: theirs for damage, theirs in self._mending.items() if theirs > ticket}
        for key, put, table, is_voided in away:
            if is_voided:
                self._voided.add(key)
            else:
                out.append(Note("replica.damaged", (("key", show(key)), ("table", table))))
            if table == LACKING:
                self._missing.add(key)
            if key not in self._away and len(self._away) < AWAY_MAX:
                self._away[key] = put
                self._wanted.append(key)
                self._within = dict(self._journal.durable)

    # --- asking the peer ------------------------------------------------------------------------------------

    def greeted(self) -> None:
        """Note what the peer has: nothing of it was sent as VOID on this link."""
        self._theirs = dict(self._peer.durable)

    def link_lost(self) -> None:
        """Ask anew on the next link, also for what was lost: the peer may be another."""
        if self._asked is not None:
            self._wanted.append(self._asked[0])
            self._asked = None
        self._wanted += self._lost
        self._lost = []

    def pump(self, session: int, now: int, out: list[Effect]) -> None:
        """Ask for one item, unless one is asked for."""
        if self._asked is not None and now - self._asked[1] >= PATIENCE_BEATS * self._beat:
            self._wanted.insert(0, self._asked[0])
            self._asked = None
        if self._lost and now - self._lost_at >= LOST_AGAIN_BEATS * self._beat:
            self._wanted, self._lost = self._lost + self._wanted, []
        too_early: list[bytes] = []
        while self._asked is None and self._wanted:
            key = self._wanted.pop()
            if key in self._away and self._is_on_its_way(self._away[key]):
                too_early.append(key)
            elif key in self._away or key in self._doubted:
                self._asked = (key, now)
                out.append(Send(session, Fetch(key)))
        self._wanted = too_early + self._wanted

    def _is_on_its_way(self, put: Dot | None) -> bool:
        """Tell whether the peer's disk does not have all yet that was known here of the item, or the item itself.

        Its answer would say nothing of the item, or would bring it back as it was before what was done with it here.
        """
        theirs = self._peer.durable
        return not (covers_all(theirs, self._within) and self._is_covered(put, theirs))

    def fetched(self, message: Fetched, session: int, now: int, out: list[Effect]) -> None:
        """Take in the peer's answer, and ask for the next one."""
        key = message.key
        if self._asked is None or self._asked[0] != key:
            return
        self._asked = None
        if key in self._away:
            self._take_back(message, now, out)
        elif message.presence is Presence.HELD and message.item is not None:
            self._journal.merge_item(message.item, out)
            out.append(Note("replica.healed", (("key", show(key)), ("why", "joined with the peer's state"))))
        self._doubted.discard(key)
        self.pump(session, now, out)

    def _take_back(self, message: Fetched, now: int, out: list[Effect]) -> None:
        """End an item's absence, one way or the other, or say that it does not end."""
        key = message.key
        put = self._away.pop(key)
        if message.presence is Presence.HELD and message.item is not None:
            self._journal.merge_item(message.item, out)
            out.append(Note("replica.healed", (("key", show(key)),)))
        elif message.presence is Presence.ABSENT and self._has_finished(key, put):
            gone = SnapshotItem(key, put or NOWHERE, (), NO_FLAGS, b"", None, Kind.DONE)
            self._journal.merge_item(gone, out)
            out.append(Note("replica.healed", (("key", show(key)), ("why", "the peer has finished it"))))
        else:
            self._away[key] = put
            self._lost.append(key)
            self._lost_at = now
            why = "the peer's is damaged too" if message.presence is Presence.AWAY else "the peer has none"
            out.append(Note("replica.lost", (("key", show(key)), ("why", why))))
            return
        self._missing.discard(key)

    def _has_finished(self, key: bytes, put: Dot | None) -> bool:
        """Tell whether a peer that does not hold the item has had it, before this link stood or when compared."""
        if key in self._missing:
            return True
        return key not in self._voided and self._is_covered(put, self._theirs)

    def _is_covered(self, put: Dot | None, vector: Vector) -> bool:
        """Tell whether a vector covers the item's put, whichever that is when it could not be read."""
        return covers_all(vector, self._within) if put is None else covers(vector, put)


# --- answering the peer -------------------------------------------------------------------------------------


def asked(message: Fetch, session: int, out: list[Effect]) -> None:
    """Have the item read that the peer wants."""
    out.append(ReadItem(session, message.key))


def answer(event: ItemRead, out: list[Effect]) -> None:
    """Send it."""
    item = None if event.item is None else item_message(event.item, event.blob)
    out.append(Send(event.session, Fetched(event.key, event.presence, item)))


def show(key: bytes) -> str:
    """Write a key for the log."""
    return key.decode("ascii", "backslashreplace")
