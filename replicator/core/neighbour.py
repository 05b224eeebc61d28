"""Another node that this member keeps a link to: how the link stands, what goes over it, what is known of the other.

A neighbour has one link at a time, under a session that no other link of this member ever had.
"""

from __future__ import annotations

from replicator.core.peer import Peer
from replicator.core.receiving import Incoming
from replicator.core.sending import Outgoing
from replicator.core.status import Link
from replicator.core.values import Vector


class Neighbour:
    """One of them. What is known of it (`peer`) outlives the link; its next Hello replaces it."""

    __slots__ = ("beats", "heard_at", "incoming", "link", "node", "outgoing", "peer", "session", "why")

    def __init__(self, node: int, floors: Vector, now: int) -> None:
        self.node = node
        self.peer = Peer(node, floors)
        self.session = 0
        self.link = Link.DOWN
        self.why = "not connected since the start"
        self.outgoing: Outgoing | None = None
        self.incoming: Incoming | None = None
        self.heard_at = now
        self.beats = 0  # the ticket of the last one in this session

    @property
    def greeted(self) -> int | None:
        """The session, when the neighbour greeted us on it."""
        return self.session if self.link is Link.UP else None

    def begin(self, session: int, now: int) -> None:
        """Take note of a link that stands: nothing is believed of it before the Hello."""
        self.session, self.link, self.why = session, Link.GREETING, "the peer has not said who it is"
        self.heard_at = now
        self.beats = 0

    def greet(self, incoming: Incoming, outgoing: Outgoing | None) -> None:
        """Let messages flow: the neighbour is who it should be. Outgoing begins from what the Hello says."""
        self.link, self.why = Link.UP, ""
        self.incoming, self.outgoing = incoming, outgoing

    def end(self, link: Link, why: str) -> None:
        """Forget the link."""
        self.link, self.why = link, why
        self.outgoing = self.incoming = None

    def is_silent(self, now: int, patience: int) -> bool:
        """Tell whether nothing was heard for so long on a link that should stand."""
        return self.link in (Link.GREETING, Link.UP) and now - self.heard_at >= patience
