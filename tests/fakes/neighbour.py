"""A neighbour as a member has it that hears it."""

from __future__ import annotations

from replicator.core.events import Image
from replicator.core.neighbour import Neighbour
from replicator.core.status import Link
from replicator.core.values import Authority, Vector


def neighbour(node: int, durable: Vector) -> Neighbour:
    """Return one whose link stands, on session 7."""
    standing = Neighbour(node, Image(b"store", {}, Authority(0, 0), floors=durable), 0, 3_000_000_000)
    standing.session, standing.link = 7, Link.UP
    return standing
