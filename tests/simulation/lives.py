"""What the world knows of one item, and what it asks a disk about it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from replicator.core.values import Dot, Durability, Item, Vector
from tests.simulation.ranks import TERMINAL

if TYPE_CHECKING:
    from tests.simulation.disk import Disk


class End(NamedTuple):
    """A delivery that a next hop took."""

    node: int
    pid: int  # of the process that sent the dot
    is_reply_lost: bool


class Life:
    """What the world knows of one item: a try of a client, or a notification."""

    __slots__ = (
        "aborted",
        "acked",
        "damaged_on",
        "delivered",
        "done",
        "ends",
        "held_by",
        "is_revived",
        "key",
        "parts",
        "put",
        "refused_by",
        "results",
        "untold",
    )

    def __init__(self, key: bytes, put: Dot, parts: tuple[bytes, ...]) -> None:
        self.key = key
        self.put = put
        self.parts = parts
        self.acked = Durability.REFUSED
        self.refused_by = 0  # the process that said 451
        self.aborted: list[Dot] = []
        self.done: list[Dot] = []
        self.delivered: Counter[bytes] = Counter()
        self.held_by: set[int] = set()  # stores that ever had it durable, by their number
        self.damaged_on: set[int] = set()  # stores of which a bit was flipped in it
        self.untold: set[int] = set()  # stores that hold it, and took a snapshot of one whose copy was damaged
        self.is_revived = False  # an old backup brought it back, and the peer cannot read that it has ended
        self.ends: dict[bytes, list[End]] = {}  # by part: what next hops took
        self.results: dict[bytes, list[Dot]] = {}  # by part: the records that say so


class Before(NamedTuple):
    """What a store held before a transaction."""

    vector: Vector
    items: dict[bytes, Item]  # that the transaction may touch
    away: set[bytes]


def is_whole_on(disk: Disk, life: Life) -> bool:
    """Tell whether a disk has an item as it should be."""
    return disk.holds(life.key) and disk.vector.get(life.put.branch, 0) >= life.put.seq


def has_ended_on(disk: Disk, life: Life) -> bool:
    """Tell whether a disk had an item to its end."""
    return disk.number in life.held_by and life.key not in disk.items and life.key not in disk.away


def knows_less(disk: Disk, other: Disk, life: Life) -> bool:
    """Tell whether two disks hold an item, and the first knows less of it: a snapshot raised its position past what a
    damaged copy could not tell it."""
    mine, theirs = disk.items.get(life.key), other.items.get(life.key)
    if mine is None or theirs is None or disk.number not in life.untold:
        return False
    is_lower = all(value <= theirs.parts[name] for name, value in mine.parts.items())
    return is_lower and mine.flags <= theirs.flags


def is_pending(item: Item) -> bool:
    return any(value.rank < TERMINAL for value in item.parts.values())
