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
class NodeStatus:
    """The node at one moment."""

    node: int
    name: str
    role: str  # passive, promoting, active, draining, rejoining; stopped while the store cannot commit
    epoch: int
    epoch_node: int
    position: Vector
    peer: PeerStatus
    durability: int  # copies that the next accepted change gets: 2, or 1 without a caught-up peer
    protection: str  # protected, suspect, degraded, catchup: whether an accepted change gets its second copy
    unprotected: int  # answered for with one copy and not confirmed by the peer since
    free_permille: int
    totals: Totals
