"""What a node tells of itself and of its peer, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from replicator.core.values import Durability, Vector


class Submitted(NamedTuple):
    """How far a change got. `why` is set when it is REFUSED: 'peer', 'full' or 'failed'."""

    durability: Durability
    why: str = ""


class Told(NamedTuple):
    """The answer to an operator's command."""

    is_done: bool
    text: str
    risk: str = ""  # what it may cost; of what was refused, what it would by force


class Totals(NamedTuple):
    """What the store holds now."""

    items: int
    parts: int  # that are not terminal
    octets: int  # of blobs
    oldest_key: bytes  # the smallest key: the oldest item where keys sort by time; b"" when there is none
    damaged: int = 0  # items found damaged that have not come back from the peer


NO_TOTALS = Totals(0, 0, 0, b"")


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """The peer as this node sees it."""

    name: str
    state: str  # none, connecting, down, refused, greeting, up
    role: str  # as it last said; "" when it has said nothing
    position: Vector
    lag_records: int  # what the peer has not confirmed, of what we hold
    lag_octets: int
    lag_seconds: float  # age of the oldest unconfirmed record
    problem: str  # why the link does not stand, for the operator; "" when it does


@dataclass(frozen=True, slots=True)
class WitnessStatus:
    """The witness as this node sees it."""

    name: str
    state: str  # granted or denied, as it last answered; silent
    heard_seconds: float  # since that answer; -1: never
    lease_seconds: float  # for which this node may own, by the witness's word or the peer's; 0: it does not
    problem: str  # why it does not answer, for the operator; "" when it does


@dataclass(frozen=True, slots=True)
class FarStatus:
    """A node across a WAN as this node sees it: of a member a site, of a site a member that it follows."""

    name: str
    state: str  # connecting, down, refused, greeting, up
    role: str  # as it last said; "" when it has said nothing
    is_fed: bool  # this node ships to it
    lag_records: int  # what it has not confirmed, of what we hold
    lag_octets: int  # of these, what came since this node started
    lag_seconds: float  # since the oldest of these was durable here, or this node started
    problem: str


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """The node at one moment."""

    node: int
    name: str
    role: str  # passive, promoting, active, draining, rejoining, fenced, following (a site); stopped: no commit can be
    epoch: int
    epoch_node: int
    position: Vector
    peer: PeerStatus
    durability: int  # copies that the next accepted change is answered with: 2, or 1 without a caught-up peer
    level: str  # how far it must get while the peer is there
    protection: str  # protected, suspect, degraded, catchup: whether an accepted change gets its second copy
    unprotected: int  # answered for with one copy and not confirmed by the peer since
    free_permille: int
    totals: Totals
    is_unfit: bool = False  # a newer version wrote what this one does not understand: this node does not deliver
    witness: WitnessStatus | None = None  # None: there is none
    sites: tuple[FarStatus, ...] = ()
    follows: tuple[FarStatus, ...] = ()  # of a site
