"""What members say to each other; proto/replicator/v1 has how it travels."""

from __future__ import annotations

from typing import NamedTuple

from replicator.core.compare import Range
from replicator.core.values import Authority, Branch, Dot, Flags, Kind, PartValue, Presence, Record, Role, Vector


class Hello(NamedTuple):
    """First on every link, both ways; it replaces all that was known of the peer."""

    group: str
    node: int
    name: str
    store_id: bytes
    incarnation: int
    version_min: int
    version_max: int
    vector: Vector
    authority: Authority
    role: Role
    session: int = 0  # of the sender's link; larger on each that an incarnation has. 0: not told
    mode: str = ""  # by whose word the sender owns. "": not told
    lease: int = 0  # where that is the witness
    wants_received: bool = False  # the sender answers on what the receiver has received: it is to be told


class Records(NamedTuple):
    """Consecutive records of one branch, from first_seq on."""

    branch: Branch
    first_seq: int
    records: tuple[Record, ...]


class Ack(NamedTuple):
    durable: Vector
    received: Vector = {}  # handed to the disk, which has not confirmed it; for who asked in its Hello  # noqa: RUF012


class Plea(NamedTuple):
    """On an owner's beat, where there is a witness: may I go on, for so long from when I sent this?"""

    generation: int
    lease: int


class Consent(NamedTuple):
    """The answer: the sender stands back. ticket: of the beat that asked, in this session."""

    generation: int
    ticket: int


class Beat(NamedTuple):
    """Often, both ways. durable: of the branches that have risen since the sender's Hello on this link."""

    durable: Vector
    authority: Authority
    role: Role
    ticket: int
    free_permille: int
    plea: Plea | None = None
    consent: Consent | None = None
    feeding: tuple[int, ...] = ()  # to the peer: the sites that it ships to; to a site: the sender, while it is filled


class SnapshotBegin(NamedTuple):
    vector: Vector


class SnapshotItem(NamedTuple):
    """One thing that the sender holds.

    kind   PUT: an item. PART: parts and flags that it knows of an item whose PUT it lacks. DONE: it knows such an
           item to be gone. A snapshot without the last two would let the receiver keep what is finished.
           VOID: the sender's copy is damaged; the receiver concludes nothing from its absence.
    """

    key: bytes
    put: Dot
    parts: tuple[tuple[bytes, PartValue], ...]
    flags: Flags
    meta: bytes
    blob: bytes | None  # None when the receiver's vector covers `put`: it has the blob, or has finished the item
    kind: Kind = Kind.PUT


class SnapshotEnd(NamedTuple):
    items: int


class Handover(NamedTuple):
    """From a drained owner: the receiver may take the next epoch at once."""

    authority: Authority


class Bye(NamedTuple):
    why: str


class Fetch(NamedTuple):
    """The sender's copy of this item is damaged: it wants the receiver's."""

    key: bytes


class Compare(NamedTuple):
    """How do the receiver's states compare? ranges, from key `begin` on; or, without any, what of these keys is here.

    Not for the core: the driver asks and answers.
    """

    number: int
    begin: bytes
    ranges: tuple[Range, ...]
    keys: tuple[bytes, ...]


class Compared(NamedTuple):
    """Answers Compare. differing: which of the ranges; states: of all keys in those, or of the keys asked for."""

    number: int
    differing: tuple[int, ...]
    states: tuple[tuple[bytes, int], ...]
    is_failed: bool


class Fetched(NamedTuple):
    """Answers Fetch. item: set when it is held."""

    key: bytes
    presence: Presence
    item: SnapshotItem | None = None


Message = (
    Hello
    | Records
    | Ack
    | Beat
    | SnapshotBegin
    | SnapshotItem
    | SnapshotEnd
    | Handover
    | Bye
    | Fetch
    | Fetched
    | Compare
    | Compared
)
