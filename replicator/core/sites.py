"""Followers across a WAN: which member ships to a site, what goes over each of these links, how far each is behind.

Both members keep a link to each site, and one of them ships: the passive, which spares the active's uplink (a
chain), as long as it says in its beats that it does; else the active (a star). Both shipping for a moment is
harmless. A site ships back what it wrote itself; all else only when it owns, or when a member has been lacking it for
so long that nobody at home can have it: a member that comes with an empty store is filled at home, where its peer may
know of items that the site was spared.
"""

from __future__ import annotations

from typing import NamedTuple

from replicator.core import risks
from replicator.core.authority import OWNING, Ownership
from replicator.core.events import Command, Effect, Remote, Settings, Told
from replicator.core.holding import Hold
from replicator.core.journal import Journal
from replicator.core.lag import Marks
from replicator.core.neighbour import Neighbour, Neighbours
from replicator.core.quarantine import Quarantine
from replicator.core.sending import FAR, Outgoing
from replicator.core.status import Far, Link
from replicator.core.tail import Tail, octets_of
from replicator.core.values import SECOND, Record, Vector, show_key
from replicator.core.vectors import covers_all, minimum


class Lacking(NamedTuple):
    """Since when a neighbour's store was seen to lack something that is durable here."""

    store_id: bytes
    since: int


class Sites:
    """The links across a WAN of one node: a member's to its sites, or a site's to the members that it follows."""

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        ownership: Ownership,
        neighbours: Neighbours,
        quarantine: Quarantine,
        now: int,
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._ownership = ownership
        self._pair = neighbours.pair
        self._quarantine = quarantine
        self.neighbours = neighbours.far
        self._remotes: dict[int, Remote] = {remote.node: remote for remote in (*settings.sites, *settings.follows)}
        self._fed_at = dict.fromkeys(self._remotes, now)  # when the peer last said that it feeds it
        self._tail = Tail(0)  # all is read from the log, where a PUT that is finished by then goes as VOID
        self._marks = Marks(journal.durable, now)
        self._lacking: dict[int, Lacking] = {}  # by node

    def count(self, records: tuple[Record, ...]) -> None:
        """Note what was handed to the disk."""
        if self.neighbours:
            self._marks.count(octets_of(records))

    def peer_feeds(self, sites: tuple[int, ...], now: int) -> None:
        """Take in which sites the peer says that it feeds."""
        for node in sites:
            if node in self._fed_at:
                self._fed_at[node] = now

    @property
    def feeding(self) -> tuple[int, ...]:
        """The sites that this member ships to, and has nothing that it holds back from."""
        fed = [(node, far.outgoing) for node, far in self.neighbours.items()]
        return tuple([node for node, outgoing in fed if outgoing is not None and not outgoing.hold.key])

    # --- what goes over each link ---------------------------------------------------------------------------

    def beat(self, now: int, out: list[Effect], *, is_peer_given_up: bool) -> None:
        """Decide anew, once a beat, to whom is shipped, and what."""
        if not self.neighbours:
            return
        self._marks.mark(self._journal.durable, now)
        for far in self.neighbours.values():
            if far.link is not Link.UP:
                continue
            self._look_for_lack(far, now)
            is_fed = not far.is_site or self._feeds(far, now, is_peer_given_up=is_peer_given_up)
            if far.outgoing is None:
                if is_fed:
                    self._begin(far, now, out)
            elif is_fed or far.outgoing.is_in_snapshot:
                far.outgoing.reach = self._reach(far, now)
                far.outgoing.look_again(now, out)
            else:
                far.outgoing = None

    def _begin(self, far: Neighbour, now: int, out: list[Effect]) -> None:
        """Begin to ship to a neighbour."""
        far.outgoing = outgoing = Outgoing(far.session, self._settings, self._journal, self._tail, far.peer, now)
        outgoing.line = FAR
        outgoing.reach = self._reach(far, now)
        if far.is_site:
            outgoing.hold = Hold(self._quarantine)
            outgoing.begin(now, out)
        else:
            outgoing.pump(now, out)

    def _feeds(self, site: Neighbour, now: int, *, is_peer_given_up: bool) -> bool:
        """Tell whether this member ships to a site: it comes first, or the peer does not say that it does."""
        pair, ownership = self._pair, self._ownership
        if pair.link is Link.NONE or is_peer_given_up:
            return True
        theirs = (pair.peer.role in OWNING, pair.node)
        is_first = pair.link is Link.UP and (ownership.is_owner, self._settings.node) < theirs
        return is_first or now - self._fed_at[site.node] >= self._settings.feed_after

    def _reach(self, far: Neighbour, now: int) -> Vector:
        """Return how much of what is durable here may be shipped to a neighbour now."""
        durable, delay = self._journal.durable, self._remotes[far.node].delay
        if delay:
            return self._marks.vector_at(now - delay)
        if far.is_site or self._ownership.is_owner or self._lags_long(far, now):
            return durable
        return {branch: seq for branch, seq in durable.items() if branch.node == self._settings.node}

    def _lags_long(self, far: Neighbour, now: int) -> bool:
        """Tell whether a member lacks something that nobody at home seems to have: it is old, and so is the lack.

        What its peer's snapshot brings it has only at the end of that, however long that takes.
        """
        lacking = self._lacking.get(far.node)
        if lacking is None or far.is_filled_at_home or now - lacking.since < self._settings.feed_after:
            return False
        lag = self._marks.lag(far.peer.durable, self._journal.durable, now)
        return lag.seconds * SECOND >= self._settings.feed_after

    def _look_for_lack(self, far: Neighbour, now: int) -> None:
        """Note since when a neighbour lacks something; one with another store has only begun to."""
        lacking = self._lacking.get(far.node)
        if covers_all(far.peer.durable, self._journal.durable):
            self._lacking.pop(far.node, None)
        elif lacking is None or lacking.store_id != far.peer.store_id:
            self._lacking[far.node] = Lacking(far.peer.store_id, now)

    # --- the log --------------------------------------------------------------------------------------------

    def cut(self, floors: Vector) -> Vector | None:
        """Return up to where the log may be cut, of what the pair does not need: a site that was not heard since the
        start may need all of it, as far as the store keeps a log. None: up to the floors."""
        if not self.neighbours:
            return None
        for far in self.neighbours.values():
            if not far.peer.is_known:
                return {}
            floors = minimum(floors, far.peer.durable)
        return floors

    # --- the operator ---------------------------------------------------------------------------------------

    def objects(self, command: Command, now: int, out: list[Effect]) -> bool:
        """Tell whether a promotion is refused for what may be across the WAN; the operator is told why."""
        if command.verb != "promote" or command.force or self._ownership.is_owner:
            return False
        why = risk = ""
        if self._settings.follows:
            why, risk = risks.of_site_promotion(self._ownership, self._names(), self._journal, now)
        elif self._ownership.is_abroad:
            site = self.neighbours[self._ownership.seen.node]
            why, risk = risks.of_taking_back(self._remotes[site.node].name, site, self._journal)
        if why:
            out.append(Told(command.token, False, why, risk))
        return bool(why)

    def _names(self) -> dict[str, Neighbour]:
        return {remote.name: self.neighbours[node] for node, remote in self._remotes.items()}

    def status(self, now: int) -> tuple[Far, ...]:
        """Say how each of them is."""
        return tuple([self._status(name, far, now) for name, far in self._names().items()])

    def _status(self, name: str, far: Neighbour, now: int) -> Far:
        peer = far.peer
        lag = self._marks.lag(peer.durable, self._journal.durable, now)
        records = peer.lacks(self._journal)
        return Far(
            far.node,
            name,
            far.link,
            far.why or _why_held(far),
            peer.role if peer.is_known else None,
            far.outgoing is not None,
            dict(peer.durable),
            records,
            lag.octets if records else 0,
            lag.seconds if records else 0.0,
        )


def _why_held(far: Neighbour) -> str:
    """Say what a site is kept waiting for; "": for nothing."""
    held = b"" if far.outgoing is None else far.outgoing.hold.key
    return f"held back: {show_key(held)} is damaged here and may come back" if held else ""
