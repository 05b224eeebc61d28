"""Another node that this member keeps a link to: how the link stands, what goes over it, what is known of the other.

A neighbour has one link at a time, under a session that no other link of this member ever had.
"""

from __future__ import annotations

from typing import NamedTuple

from replicator.core.events import Image, ItemRead, Settings
from replicator.core.messages import Hello
from replicator.core.peer import Peer
from replicator.core.receiving import Incoming
from replicator.core.sending import Outgoing
from replicator.core.status import Link
from replicator.core.values import MILLISECOND, Branch, Vector


class Neighbours(NamedTuple):
    """All that a member may have a link to."""

    pair: Neighbour  # its link never stands when there is none
    far: dict[int, Neighbour]  # across a WAN, by node: a member's sites, or the members that a site follows

    @property
    def healers(self) -> tuple[Neighbour, ...]:
        """Those who may have what is damaged here, members first."""
        far = tuple(self.far.values())
        return far if self.pair.node < 0 else (self.pair, *far)


def neighbours_of(settings: Settings, image: Image, now: int) -> Neighbours:
    """Return them; no link stands yet."""
    pair = Neighbour(settings.peer_node, image, now, settings.promote_after, name=settings.peer)
    far = {
        remote.node: Neighbour(
            remote.node, image, now, settings.site_silence, name=remote.name, is_site=not settings.follows
        )
        for remote in (*settings.sites, *settings.follows)
    }
    return Neighbours(pair, far)


class Owed(NamedTuple):
    """The answer to a Fetch. relied_on: what the neighbour's disk must have before it goes."""

    answer: ItemRead
    relied_on: Vector


class Neighbour:
    """One of them. What is known of it (`peer`) outlives the link; its next Hello replaces it."""

    __slots__ = (
        "beats",
        "believed_at",
        "doubted",
        "feeds_us",
        "heard_at",
        "incoming",
        "is_filled_at_home",
        "is_site",
        "link",
        "name",
        "node",
        "outgoing",
        "owed",
        "peer",
        "session",
        "silence_max",
        "told",
        "why",
    )

    def __init__(
        self, node: int, image: Image, now: int, silence_max: int, *, name: str = "", is_site: bool = False
    ) -> None:
        self.node = node
        self.name = name or f"node {node}"  # what operators call it, whatever it says
        self.silence_max = silence_max  # after which a link is given up
        self.is_site = is_site  # it follows: what it says of authority counts only while it owns
        self.peer = Peer(node, image.floors, image.stores.get(node, b""))
        self.session = 0
        self.link = Link.DOWN
        self.why = "not connected since the start"
        self.outgoing: Outgoing | None = None
        self.incoming: Incoming | None = None
        self.heard_at = now
        self.believed_at = now  # when it was last heard behind a Hello that we took, or may have been: at our start
        self.doubted: Peer | None = None  # what it would be if a Hello that is not believed yet were its
        self.beats = 0  # the ticket of the last one in this session
        self.feeds_us = False  # records came in this session
        self.is_filled_at_home = False  # a member, by its peer: so it says in this session
        self.told: Vector = {}  # what our Hello said is durable here: beats say what is beyond it
        self.owed: Owed | None = None

    @property
    def greeted(self) -> int | None:
        """The session, when the neighbour greeted us on it."""
        return self.session if self.link is Link.UP else None

    def begin(self, session: int, now: int) -> None:
        """Take note of a link that stands: nothing is believed of it before the Hello."""
        self.session, self.link, self.why = session, Link.GREETING, "the peer has not said who it is"
        self.heard_at = now
        self.beats = 0
        self.feeds_us = self.is_filled_at_home = False

    def greet(self, incoming: Incoming) -> None:
        """Let messages come: the neighbour is who it should be. What is sent begins from what its Hello says."""
        self.link, self.why = Link.UP, ""
        self.doubted = None
        self.incoming = incoming

    def end(self, link: Link, why: str) -> None:
        """Forget the link."""
        self.link, self.why = link, why
        self.outgoing = self.incoming = self.owed = None

    def about(self, why: str) -> tuple[tuple[str, str | int], ...]:
        """Return what is told of its link, which ends or is refused."""
        return ("name", self.name), ("session", self.session), ("why", why)

    def doubt(self, hello: Hello, own: Branch, now: int) -> str:
        """Return why a Hello is not believed that names another store than we know of; "" when it is.

        A node whose disk was replaced has another store; so has a second process under its name. The one that we know
        goes first: the other is taken when that one was silent for too long.
        """
        known, silence = self.peer.store_id, now - self.believed_at
        if not known or hello.store_id == known or silence >= self.silence_max:
            return ""
        self.doubted = Peer(self.node, {})
        self.doubted.replace(hello, own)
        expected = f"expected {known.hex()}, heard {silence // MILLISECOND} ms ago"
        return f"store: {expected}, came {hello.store_id.hex()}"

    def is_silent(self, now: int) -> bool:
        """Tell whether nothing was heard for too long on a link that should stand."""
        return self.link in (Link.GREETING, Link.UP) and now - self.heard_at >= self.silence_max
