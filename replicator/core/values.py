"""The values that replication speaks of: dots, vectors, parts, items and records.

All are tuples, because the simulator makes millions of them. Times are integers: `hlc` and `due` are milliseconds
of UTC (a hybrid clock that never goes back within a branch), `now` elsewhere is nanoseconds of CLOCK_BOOTTIME.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import NamedTuple

SECOND = 1_000_000_000  # of `now`
MILLISECOND = SECOND // 1_000


class Branch(NamedTuple):
    """The records that one incarnation of one member wrote; never continued after a restart."""

    node: int
    incarnation: int  # 64 random bits, drawn at process start


class Dot(NamedTuple):
    """The name of one record: equal dots are equal records."""

    branch: Branch
    seq: int  # 1, 2, 3, ... without holes


NOWHERE = Dot(Branch(0, 0), 0)
"""Stands where no record is meant; none has this name."""

Vector = dict[Branch, int]
"""Highest contiguous seq applied and durable, by branch."""


class PartValue(NamedTuple):
    """One part's state. Values are totally ordered as tuples; the join of two is the larger one."""

    rank: int
    attempts: int
    hlc: int
    due: int  # when the owner should look at it again
    data: bytes  # opaque here


class Flags(NamedTuple):
    """The operator's register of an item: last writer wins, ties by data (the larger wins)."""

    hlc: int
    data: bytes


NO_FLAGS = Flags(0, b"")


class Kind(IntEnum):
    """What a record does. Numbers are the wire's and the disk's; never reuse one. Of later ones: versions.py."""

    PUT = 1  # a new item: meta, parts, flags, blob
    PART = 2  # parts rise
    FLAGS = 3  # the register is written
    DONE = 4  # the item is finished everywhere: every part is terminal
    ABORT = 5  # the item was never answered for: drop it
    VOID = 6  # a PUT whose item was finished before this copy was shipped


class Record(NamedTuple):
    """One change. `put` is the dot of the item's PUT; None in the PUT itself and in a VOID, whose own dot it is."""

    kind: int  # a Kind, or the number of one that a later version brought
    key: bytes
    put: Dot | None = None
    parts: tuple[tuple[bytes, PartValue], ...] = ()
    flags: Flags = NO_FLAGS
    meta: bytes = b""
    blob: bytes = b""


class Item(NamedTuple):
    """An item as the store holds it, without its blob."""

    key: bytes
    put: Dot
    parts: dict[bytes, PartValue]
    flags: Flags
    meta: bytes
    size: int  # octets of the blob


class Orphan(NamedTuple):
    """What is known of an item whose PUT has not come: joined when it comes. Named by the dot of that PUT."""

    key: bytes
    put: Dot
    is_gone: bool  # it was finished or aborted: its PUT is skipped
    parts: dict[bytes, PartValue]
    flags: Flags


class Presence(IntEnum):
    """Whether a store has an item. Numbers are the wire's."""

    HELD = 1
    ABSENT = 2
    AWAY = 3  # it was found damaged and has not come back


def show_key(key: bytes) -> str:
    """Write a key for the log."""
    return key.decode("ascii", "backslashreplace")


VOIDED = "voided"
LACKING = "missing"
DOUBTED = "doubted"


class Damage(NamedTuple):
    """Where a value was found that is not what was written."""

    # Or VOIDED: the item was damaged when its PUT had to be shipped, and a VOID went in its place. By the operator's
    # order, of what the peer holds otherwise: LACKING, it is not here and should be; DOUBTED, its state is another.
    table: str
    key: bytes  # of the item, where the value belongs to one; else the table's own


class Away(NamedTuple):
    """An item that was found damaged and taken out of use, until it comes back from the peer."""

    key: bytes
    put: Dot | None  # None: that could not be read either
    table: str = "item"  # where the damage was
    is_voided: bool = False  # the peer never had it: a VOID was shipped in its place


class Role(IntEnum):
    """What a member may do. Numbers are the wire's."""

    PASSIVE = 1
    PROMOTING = 2  # the new epoch is on its way to the disk
    ACTIVE = 3
    DRAINING = 4  # still the owner, starting nothing new, about to hand over
    REJOINING = 5  # a deposed or returning member that is catching up
    FENCED = 6  # the owner, with no word that it still may deliver: it waits for one, or for a higher epoch


class Mode(StrEnum):
    """By whose word a member owns: its own after a silence, the witness's, or the operator's alone."""

    PAIR = "pair"
    WITNESS = "witness"
    MANUAL = "manual"


class Authority(NamedTuple):
    """A grant of the right to deliver. The larger tuple wins; the lower one steps down."""

    epoch: int
    node: int


class AckLevel(StrEnum):
    """How far an accepted change must get before its answer, while the peer is there."""

    REMOTE_DURABLE = "remote-durable"  # on both disks
    REMOTE_RECEIVED = "remote-received"  # on this disk, and at the peer, on its way to its disk
    LOCAL = "local"  # on this disk; the peer gets it when it gets it


class Durability(IntEnum):
    """How far an accepted change got before its answer."""

    REFUSED = 0
    LOCAL = 1  # on this member's disk alone: counted until it is on the peer's too
    RECEIVED = 2  # on this disk, and the peer has received it: counted as well
    REMOTE = 3  # on this disk and on the peer's


class Protection(IntEnum):
    """Whether an accepted change gets its second copy before the answer."""

    PROTECTED = 1  # the peer has all but the newest: changes wait for it
    SUSPECT = 2  # no link, for less than T_ack: changes wait still
    DEGRADED = 3  # the peer was given up: nothing waits
    CATCHUP = 4  # the peer is back and is getting what it lacks: nothing waits yet
