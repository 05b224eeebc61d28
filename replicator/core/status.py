"""What a member tells of itself and of its peer, at one moment."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from replicator.core.authority import WitnessState
from replicator.core.values import Authority, Protection, Role, Vector


class Link(StrEnum):
    """How the link to the peer is."""

    NONE = "none"  # no peer is configured
    DOWN = "down"
    GREETING = "greeting"  # it stands; the peer's Hello has not come
    UP = "up"
    REFUSED = "refused"  # one side found the other not to be its peer


class Far(NamedTuple):
    """A node at the other end of a WAN: of a member a site, of a site a member."""

    node: int
    name: str
    link: Link
    why: str  # there is no link; "" when it is up
    role: Role | None  # as it last said; None when it has said nothing
    is_fed: bool  # this node ships to it
    vector: Vector
    lag_records: int  # what we have and it has not confirmed
    lag_octets: int
    lag_seconds: float


class Status(NamedTuple):
    """The member at one moment.

    unprotected   changes answered for with one copy that the peer has not confirmed since. Never too few: of changes
                  from before this start it is only known how many records the peer lacks, and all of these are counted
    """

    role: Role
    authority: Authority
    protection: Protection
    vector: Vector  # durable here
    free_permille: int
    link: Link
    why: str  # there is no link, or why it is refused; "" when it is up
    unprotected: int
    peer_name: str  # "" until it has greeted us once
    peer_role: Role
    peer_vector: Vector
    lag_records: int  # what we have and the peer has not confirmed
    lag_octets: int  # of these, as far as they are in memory
    lag_seconds: float  # for how long the peer has been lacking the oldest of them
    witness: WitnessState
    is_unfit: bool  # what the peer wrote is not understood here: this member does not own
    far: tuple[Far, ...] = ()
