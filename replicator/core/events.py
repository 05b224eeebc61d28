"""What the core is told and what it asks for: `Member.step(now, event) -> effects`.

Effects are carried out in list order, and a crash may fall between any two. The driver may group commits: every
Commit effect goes into one transaction with whatever waits beside it, in order; `Committed(ticket)` says that this
ticket and all before it are durable.
"""

from __future__ import annotations

from typing import NamedTuple

from replicator.core.compare import Range
from replicator.core.grants import Reply, Request
from replicator.core.values import (
    AckLevel,
    Away,
    Branch,
    Damage,
    Dot,
    Durability,
    Flags,
    Item,
    Kind,
    Mode,
    Orphan,
    PartValue,
    Presence,
    Record,
    Role,
    Vector,
)

# --- what members say to each other (proto/replicator/v1) ---------------------------------------------------


class Authority(NamedTuple):
    """A grant of the right to deliver. The larger tuple wins; the lower one steps down."""

    epoch: int
    node: int


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
    feeding: tuple[int, ...] = ()  # the sites that the sender ships to, for its peer to know


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


# --- events: what the core is told --------------------------------------------------------------------------


class Tick(NamedTuple):
    """Time passed; the driver sends one at least every 50 ms, after all input that had arrived."""

    free_permille: int = 1000  # of the store


class Submit(NamedTuple):
    """Local changes, to be one transaction here. PUTs carry no `put`; all others carry their item's.

    The peer takes them in this order, and may get the first ones alone: what relies on another record comes after it
    (the bounce of one item after the PUT of its notification).

    wait   a client waits: answer when the peer has it too (or by policy); otherwise when it is durable here
    """

    token: int
    records: tuple[Record, ...]
    wait: bool


class Committed(NamedTuple):
    """All Commit effects up to `ticket` are durable. `finished`: items whose parts all became terminal."""

    ticket: int
    finished: tuple[tuple[bytes, Dot], ...] = ()
    away: tuple[Away, ...] = ()  # items that were found damaged and moved out of the way


class CommitFailed(NamedTuple):
    """Nothing from `ticket` on was kept. The member stops: every waiting token is refused, and the driver starts a
    new member, of a new incarnation, from the durable image."""

    ticket: int
    why: str


class LinkUp(NamedTuple):
    """A link to that node stands; `session` is larger than any before it, whichever node that led to."""

    session: int
    node: int


class LinkDown(NamedTuple):
    session: int
    why: str


class Received(NamedTuple):
    session: int
    message: Message


class LogRead(NamedTuple):
    """Answers ReadLog. None: the log no longer reaches back so far. Finished PUTs come as VOID."""

    session: int
    branch: Branch
    first_seq: int
    records: tuple[Record, ...] | None


class SnapshotRead(NamedTuple):
    """Answers ReadSnapshot, piece by piece; all pieces are of one read transaction, whose vector the first carries."""

    session: int
    vector: Vector | None
    items: tuple[tuple[Item, bytes | None], ...]
    is_last: bool
    orphans: tuple[Orphan, ...] = ()  # all of them, with the first piece
    away: tuple[bytes, ...] = ()  # keys of items that are here, but damaged


class Command(NamedTuple):
    """An operator's wish: 'promote', 'switchover', 'demote'. Answered by Told."""

    token: int
    verb: str
    force: bool = False


class Drained(NamedTuple):
    """The owner's work in flight is ended and recorded: answers the Drain effect."""

    attempt: int = 0  # of that effect; 0: the latest. An answer to a switchover given up earlier counts for nothing


class WitnessSaid(NamedTuple):
    """The witness answered an AskWitness. Answers may be lost, late or out of order."""

    reply: Reply


class Damaged(NamedTuple):
    """A read, or the scrub, came upon values that are not what was written."""

    found: tuple[Damage, ...]


class ItemRead(NamedTuple):
    """Answers ReadItem."""

    session: int
    key: bytes
    presence: Presence
    item: Item | None = None
    blob: bytes | None = None


Event = (
    Tick
    | Submit
    | Committed
    | CommitFailed
    | LinkUp
    | LinkDown
    | Received
    | LogRead
    | SnapshotRead
    | Command
    | Drained
    | WitnessSaid
    | Damaged
    | ItemRead
)


# --- effects: what the core asks for ------------------------------------------------------------------------


class Stretch(NamedTuple):
    """Of a snapshot that comes, the keys above `after` and up to `until`. None: without an end.

    The sender's vector covers what the sender has finished. Of these keys it holds those that this Commit's items
    name, and those that were named before.
    """

    vector: Vector
    after: bytes
    until: bytes | None


class Commit(NamedTuple):
    """Make this durable, in one transaction: records merged in order, the vector raised, the authority stored.

    begin         a snapshot of this vector begins, and nothing was named by it yet; one comes at a time
    items         to be merged: of that snapshot, or one that was fetched
    is_snapshot   the items are of a snapshot, and name what its sender holds
    stretch       drop what the sender has finished there: every item that was not named and whose put it covers
    vector        for a snapshot's end only: raise the vector to it (pointwise maximum)
    """

    ticket: int
    records: tuple[tuple[Dot, Record], ...] = ()
    authority: Authority | None = None
    begin: Vector | None = None
    items: tuple[SnapshotItem, ...] = ()
    is_snapshot: bool = False
    stretch: Stretch | None = None
    vector: Vector | None = None
    mend: tuple[Damage, ...] = ()  # look again at these: move away what is damaged, make anew what follows from others
    floors: Vector | None = None  # the log may be cut up to these: both of the pair have them; kept for Image
    cut: Vector | None = None  # with floors: the log may be cut up to these alone, for sites that have less
    store_of: tuple[int, bytes] | None = None  # a neighbour's node, and the store that it has; kept for Image


class Send(NamedTuple):
    session: int
    message: Message


class CloseLink(NamedTuple):
    session: int
    why: str


class ReadLog(NamedTuple):
    session: int
    branch: Branch
    first_seq: int
    octets_max: int


class ReadSnapshot(NamedTuple):
    """Read all items and orphans; blobs of items whose put `known` covers are left out.

    Items that `known` does not cover come first. A state that relies on another item (a bounce on its notification)
    must not reach an item that the receiver has before that other item does: a snapshot may break off anywhere. Those
    that it covers come in the order of their keys: the receiver sees at once what is not among them.

    The driver paces the pieces: the next one only when what waits to be sent on the link is below its limit.
    """

    session: int
    known: Vector


class ReadItem(NamedTuple):
    """Read one item with its blob, for a peer whose copy is damaged."""

    session: int
    key: bytes


class Answer(NamedTuple):
    """To a Submit: how far it got. `why` is set when it is REFUSED: 'peer', 'failed', 'full' or 'version'."""

    token: int
    durability: Durability
    why: str = ""


class Told(NamedTuple):
    """To a Command."""

    token: int
    is_done: bool
    text: str
    risk: str = ""  # what it may cost, now that it is done; of what was refused, what it would by force


class RoleChanged(NamedTuple):
    role: Role
    authority: Authority
    why: str


class Drain(NamedTuple):
    """Start no attempt, end those in flight; then tell Drained."""

    attempt: int = 0  # rises by one with each


class AskWitness(NamedTuple):
    """Bring this to the witness, if it can be reached; nothing waits for it."""

    request: Request


class Note(NamedTuple):
    """For the log."""

    name: str
    fields: tuple[tuple[str, str | int | float], ...] = ()


class Stop(NamedTuple):
    """This member ends: the driver starts anew from the durable image."""

    why: str


Effect = (
    Commit
    | Send
    | CloseLink
    | ReadLog
    | ReadSnapshot
    | ReadItem
    | Answer
    | Told
    | RoleChanged
    | Drain
    | AskWitness
    | Note
    | Stop
)


# --- settings and the durable image -------------------------------------------------------------------------

MILLISECOND = 1_000_000


class Remote(NamedTuple):
    """A node at the other end of a WAN: of a member a site, of a site a member."""

    node: int
    name: str
    delay: int = 0  # of a site: a record is shipped to it when it is so old; most mail is finished by then


class Settings(NamedTuple):
    """Times in nanoseconds of CLOCK_BOOTTIME. A site has no peer, and follows members."""

    group: str
    node: int
    name: str
    peer_node: int  # -1: no peer
    beat: int = 250 * MILLISECOND
    promote_after: int = 3_000 * MILLISECOND  # T_p
    ack_within: int = 2_000 * MILLISECOND  # T_ack
    accept_alone: bool = True  # on_timeout: accept or reject
    level: AckLevel = AckLevel.REMOTE_DURABLE
    in_flight_octets_max: int = 4 << 20  # sent and not acknowledged, on one link; what is accepted there waits for it
    tail_octets_max: int = 64 << 20  # own records kept in memory for sending
    pause_voids: int = 200 * MILLISECOND  # a gap between steps after which silence means nothing
    drain_within: int = 3_000 * MILLISECOND  # a switchover not over by then is given up: the owner resumes
    batch_octets_max: int = 1 << 20  # of records sent or read from the log at once (one larger record goes alone)
    gathered_octets_max: int = 256 << 10  # of a snapshot that comes, for one commit
    full_below_permille: int = 0  # new items are refused as 'full' when less of the store is free
    authority: Mode = Mode.PAIR
    lease: int = 3_000 * MILLISECOND  # L, with a witness
    ask_after: int = 1_000 * MILLISECOND  # T_p with a witness: silence after which it is asked
    sites: tuple[Remote, ...] = ()  # that follow this member
    follows: tuple[Remote, ...] = ()  # of a site: the members
    site_silence: int = 15_000 * MILLISECOND  # after which a link across a WAN is given up
    feed_after: int = 30_000 * MILLISECOND  # for so long the peer need not say that it feeds a site


class Image(NamedTuple):
    """What the store holds when a member starts."""

    store_id: bytes
    vector: Vector
    authority: Authority  # the highest this store has seen or held
    floors: Vector = {}  # as last committed: what every member had durable  # noqa: RUF012
    finished: tuple[tuple[bytes, Dot], ...] = ()  # items whose parts are all terminal, awaiting their DONE
    away: tuple[Away, ...] = ()  # items that were found damaged and have not come back
    stores: dict[int, bytes] = {}  # of the neighbours, by node, as they last said  # noqa: RUF012
    beyond: Vector = {}  # up to where items are held that `vector` does not cover: no log has them  # noqa: RUF012
