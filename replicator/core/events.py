"""What the core is told and what it asks for: `Member.step(now, event) -> effects`.

Effects are carried out in list order, and a crash may fall between any two. The driver may group commits: every
Commit effect goes into one transaction with whatever waits beside it, in order; `Committed(ticket)` says that this
ticket and all before it are durable.
"""

from __future__ import annotations

from typing import NamedTuple

from replicator.core.grants import Reply, Request
from replicator.core.messages import Message, SnapshotItem
from replicator.core.values import (
    MILLISECOND,
    AckLevel,
    Authority,
    Away,
    Branch,
    Damage,
    Dot,
    Durability,
    Item,
    Mode,
    Orphan,
    Presence,
    Record,
    Role,
    Vector,
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
    back: tuple[bytes, ...] = ()  # keys of items that were away and are so no longer: they came back, or have ended


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
    """Answers ReadLog. None: the log no longer reaches back so far. Finished PUTs come as VOID.

    held   the key of the damaged item that a holding read ends before; b"": it ends otherwise
    """

    session: int
    branch: Branch
    first_seq: int
    records: tuple[Record, ...] | None
    held: bytes = b""


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

    passed        what a snapshot that is coming has passed by now: a PUT among the records that it left out has ended
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
    passed: Stretch | None = None


class Send(NamedTuple):
    session: int
    message: Message


class CloseLink(NamedTuple):
    session: int
    why: str


class ReadLog(NamedTuple):
    """Read records of a branch, the first however large it is.

    is_holding   end before a PUT whose item is damaged; else that goes as VOID
    """

    session: int
    branch: Branch
    first_seq: int
    octets_max: int
    is_holding: bool = False


class ReadSnapshot(NamedTuple):
    """Read all items and orphans; blobs of items whose put `known` covers are left out.

    Items that `known` does not cover come first. A state that relies on another item (a bounce on its notification)
    must not reach an item that the receiver has before that other item does: a snapshot may break off anywhere. Those
    that it covers come in the order of their keys: the receiver sees at once what is not among them.

    The driver paces the pieces: the next one only when what waits to be sent on the link is below its limit.
    """

    session: int
    known: Vector
    is_holding: bool = False  # it does not end if it lacks what is damaged: that goes to nobody as finished


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


class BeginEmpty(NamedTuple):
    """This member ends: the driver sets its store aside, starts anew on an empty one, and tells the operator."""

    token: int
    risk: str  # as in Told


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
    | BeginEmpty
    | Stop
)


# --- settings and the durable image -------------------------------------------------------------------------


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
    peer_name: str = ""

    @property
    def peer(self) -> str:
        """What operators are told that the peer is called."""
        return self.peer_name or f"node {self.peer_node}"


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
