"""What a node tells of itself and of its peer, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from replicator.core.authority import WitnessState
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
class NodeStatus:
    """The node at one moment."""

    node: int
    name: str
    role: str  # passive, promoting, active, draining, rejoining, fenced; stopped while the store cannot commit
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
    witness: WitnessStatus | None = None  # None: there is none


def witness_status(name: str, state: WitnessState, problem: str) -> WitnessStatus:
    """Return what is told of the witness. problem: of its last call that failed."""
    heard_seconds = state.heard_ago / 1e9 if state.heard_ago >= 0 else -1.0
    return WitnessStatus(name, state.word, heard_seconds, state.lease_left / 1e9, problem * (state.word == "silent"))
