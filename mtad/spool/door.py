"""What a session and a runner may ask of the queue, whichever process it lives in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Protocol

from mtad.mail.dsn_request import NO_MESSAGE_REQUEST, MessageRequest, Requests
from mtad.mail.envelope import Client
from mtad.mail.memory import Memory
from mtad.mail.notes import NOTHING_NOTED, Noted
from mtad.mail.outcome import Outcome
from mtad.mail.queue_id import QueueId
from mtad.mail.route import Route

META_FORMAT = 1
ATTEMPTS_KEPT = 8
DUE_AT_ONCE = 0  # whatever the clock of the node says that will attempt it: this one's may be ahead
FAR_MS = (1 << 53) - 1  # the due time of what is held: never by itself


class Rank(IntEnum):
    """A recipient's place in the lattice: it only ever rises; from CANCELLED on nothing is left to do."""

    QUEUED = 0
    DEFERRED = 1
    CANCELLED = 2  # by an operator
    FAILED = 3  # with its DSN committed, or no DSN owed
    DELIVERED = 4


TERMINAL_RANK = int(Rank.CANCELLED)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt as the queue remembers it."""

    at_ms: int
    outcome: Outcome
    node: int


@dataclass(frozen=True, slots=True)
class Claim:
    """An attempt that may have come to its final dot, and whose outcome is not recorded yet.

    until_ms   of the claiming node's clock; from then on the recipient may be tried again
    """

    node: int
    since_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class RecipientState:
    """One recipient in the queue."""

    rank: Rank = Rank.QUEUED
    due_ms: int = 0  # UTC; when to try next
    attempts: tuple[Attempt, ...] = ()  # the last ATTEMPTS_KEPT, oldest first
    attempts_count: int = 0
    claim: Claim | None = None
    delay_told_ms: int = 0  # UTC; when the sender was told of the delay, which happens once
    route: Route | None = None  # that policy has chosen when it could not be delivered to; None: as `deliver` says
    uncounted_count: int = 0  # of the attempts, those that say nothing of the recipient: see `Outcome.is_counted`

    @property
    def counted_count(self) -> int:
        """How many attempts there were after so many of which it is given up."""
        return self.attempts_count - self.uncounted_count


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """All that the queue is told of a message when it is committed. `content` is final: fields added, signed.

    requests     what the sender asked of recipients; some may not be kept, for a DSN may be due on them at once
    is_verp      it goes to each recipient by itself, from a reverse-path that names it
    held         why nobody is tried before an operator releases it; '' where it is not held
    priority     what has a higher one is tried before it; 0 is that of most mail
    queue_name   of the queue in which policy has it wait; '' is that of most mail
    noted        the variables that policy has set, of the message and its recipients; nothing else of it is kept
    """

    queue_id: QueueId
    reverse_path: str
    arrival_ms: int
    client: Client
    content: bytes
    recipients: Mapping[str, RecipientState]
    is_8bit: bool = False
    is_utf8: bool = False
    is_binary: bool = False
    is_sender_verified: bool = False
    is_submission: bool = False
    is_verp: bool = False
    dsn_of: QueueId = ""
    request: MessageRequest = NO_MESSAGE_REQUEST
    requests: Requests = field(default_factory=dict)
    noted: Noted = NOTHING_NOTED
    held: str = ""
    priority: int = 0
    queue_name: str = ""


class Refusal(StrEnum):
    """Why nothing was kept."""

    FULL = "full"  # disk or map: 452 4.3.1
    PEER = "peer"  # the second copy is missing and policy forbids one: 451 4.4.0
    FAILED = "failed"  # our fault: 451 4.3.0


@dataclass(frozen=True, slots=True)
class Committed:
    """How many disks hold it: 2, or 1 in degraded mode, without a peer, or where no more was asked for."""

    copies: int
    is_received: bool = False  # with one copy: the peer has received it, and its disk has not confirmed it


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was kept."""

    why: Refusal


@dataclass(frozen=True, slots=True)
class Changes:
    """Several changes that become durable together or not at all, in this order."""

    puts: tuple[QueuedMessage, ...] = ()  # a DSN stands before the failure that it reports
    states: Mapping[QueueId, Mapping[str, RecipientState]] = field(default_factory=dict)


class Door(Protocol):
    """The queue as sessions and the runner see it."""

    async def commit(self, changes: Changes, *, is_accepting: bool) -> Committed | Refused:
        """Keep the changes, all or none.

        is_accepting   a client waits for the answer: return when both copies are durable, or what else
                       replication.level asks for; when the peer is away, as policy says. The caller answers 250
                       only on Committed. Otherwise return when they are durable here.
        """
        ...


class Memories(Protocol):
    """What is remembered of messages whose clients may not have heard what became of them."""

    def has(self, fingerprint: bytes) -> bool:
        """Tell, without asking anybody, whether something is remembered of a message."""
        ...

    async def recall(self, fingerprint: bytes) -> Sequence[Memory] | None:
        """Return what is remembered, the oldest first, or None when that cannot be told now.

        Waits a while for an attempt that goes on.
        """
        ...

    async def remember(self, memory: Memory) -> bool:
        """Keep a memory for a day, for both nodes; return when it is durable here, False when it could not be kept.

        A transaction may be remembered while its attempt goes on, and once it has ended.
        """
        ...
