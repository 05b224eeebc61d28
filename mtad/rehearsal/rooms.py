"""The rooms that a server works with, played: next hops that answer as they are told, a queue in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from mtad.delivery.client_events import Mail
from mtad.mail.dsn_request import NO_REQUEST, RecipientRequest
from mtad.mail.memory import Memory
from mtad.mail.outcome import Outcome, Result
from mtad.mail.queue_id import QueueId, QueueIdSource
from mtad.mail.reply import Reply
from mtad.mail.route import Route
from mtad.server.collaborators import Authenticator, Clock, Collaborators, ComposeDsn, Policy, Signer
from mtad.spool.door import Changes, Committed, QueuedMessage, Refused
from mtad.spool.notification import Notifier

HOSTNAME = "mx.here.example"
DELIVERED = Outcome(Result.DELIVERED, Reply.of(250, "2.0.0", "Ok, taken"), "mx.example.net")


@dataclass(frozen=True)
class ScriptedFinished:
    """What is known of each recipient at the deadline."""

    outcomes: Mapping[str, Outcome]
    pending: Mapping[str, asyncio.Future[Outcome]]


@dataclass
class ScriptedThrough:
    """One transaction towards next hops that answer as the delivery's tables say."""

    delivery: ScriptedDelivery
    mail: Mail
    recipients: list[str] = field(default_factory=list)
    routes: dict[str, Route] = field(default_factory=dict)
    requests: dict[str, RecipientRequest] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    content: bytes | None = None
    is_aborted: bool = False

    async def recipient(self, address: str, route: Route, request: RecipientRequest = NO_REQUEST) -> Outcome | None:
        """Answer for the next hop as it is written."""
        answer = self.delivery.at_rcpt.get(address)
        if isinstance(answer, Exception):
            raise answer
        self.routes[address] = route
        if answer is None:
            self.recipients.append(address)
            self.requests[address] = request
        return answer

    async def add(self, address: str, route: Route, request: RecipientRequest = NO_REQUEST) -> None:
        """Take a recipient that is asked for with the content."""
        self.routes[address] = route
        self.recipients.append(address)
        self.requests[address] = request

    async def leave_out(self, addresses: Collection[str]) -> None:
        """Forget recipients."""
        self.left_out += [address for address in self.recipients if address in addresses]
        self.recipients = [address for address in self.recipients if address not in addresses]

    async def finish(self, content: bytes, deadline_seconds: float) -> ScriptedFinished:
        """Take the content, and answer for each recipient as it is written."""
        self.content = content
        if self.delivery.gate is not None:
            await self.delivery.gate.wait()
        outcomes: dict[str, Outcome] = {}
        pending: dict[str, asyncio.Future[Outcome]] = {}
        for address in self.recipients:
            refusal = self.delivery.at_rcpt.get(address)
            if isinstance(refusal, Outcome):
                outcomes[address] = refusal
            elif address in self.delivery.pending:
                pending[address] = self.delivery.pending[address]
            else:
                outcomes[address] = self.delivery.at_end.get(address, self.delivery.delivered)
        return ScriptedFinished(outcomes, pending)

    async def abort(self) -> None:
        """Note that it was given up."""
        self.is_aborted = True


@dataclass
class ScriptedDelivery:
    """Opens such transactions.

    at_rcpt    what the next hop says of a recipient when asked: None is 250
    at_end     what it says after the final dot; `delivered` where nothing stands here
    pending    recipients whose answer comes after the deadline
    gate       when it is there, `finish` waits for it
    """

    at_rcpt: dict[str, Outcome | Exception] = field(default_factory=dict)
    at_end: dict[str, Outcome] = field(default_factory=dict)
    delivered: Outcome = DELIVERED
    pending: dict[str, asyncio.Future[Outcome]] = field(default_factory=dict)
    gate: asyncio.Event | None = None
    opened: list[ScriptedThrough] = field(default_factory=list)

    def open(self, mail: Mail, *, trace: str) -> ScriptedThrough:
        """Begin a transaction."""
        through = ScriptedThrough(self, mail)
        self.opened.append(through)
        return through

    @property
    def contents(self) -> list[bytes]:
        """What was delivered, oldest first."""
        return [through.content for through in self.opened if through.content is not None]


@dataclass
class MemoryDoor:
    """Keeps what it is given, or answers `answer` and keeps nothing."""

    answer: Committed | Refused = field(default_factory=lambda: Committed(2))
    messages: dict[QueueId, QueuedMessage] = field(default_factory=dict)
    changes: list[Changes] = field(default_factory=list)

    async def commit(self, changes: Changes, *, is_accepting: bool) -> Committed | Refused:
        """Keep the changes, all or none."""
        self.changes.append(changes)
        if isinstance(self.answer, Refused):
            return self.answer
        for message in changes.puts:
            self.messages[message.queue_id] = message
        for queue_id, states in changes.states.items():
            message = self.messages[queue_id]
            self.messages[queue_id] = replace(message, recipients={**message.recipients, **states})
        return self.answer


class DictMemories:
    """Remembers in a dictionary, and recalls at once: without what went on and has ended."""

    def __init__(self, *, may_remember: bool = True, can_tell: bool = True) -> None:
        self.may_remember = may_remember
        self.can_tell = can_tell
        self.kept: dict[bytes, list[Memory]] = {}
        self._hearers: list[Callable[[bytes, bool], None]] = []

    def fingerprints(self) -> Collection[bytes]:
        """Return those of which something is remembered."""
        return self.kept.keys()

    @contextmanager
    def following(self, hear: Callable[[bytes, bool], None]) -> Iterator[None]:
        """Tell of each fingerprint that comes or goes."""
        self._hearers.append(hear)
        try:
            yield
        finally:
            self._hearers.remove(hear)

    def has(self, fingerprint: bytes) -> bool:
        """Tell whether something is remembered of a message."""
        return fingerprint in self.kept

    async def recall(self, fingerprint: bytes) -> tuple[Memory, ...] | None:
        """Return what is remembered, or None when that cannot be told."""
        if not self.can_tell:
            return None
        return tuple(self.kept.get(fingerprint, ()))

    async def remember(self, memory: Memory) -> bool:
        """Keep a memory."""
        if self.may_remember:
            self.keep(memory)
        return self.may_remember

    def keep(self, memory: Memory) -> None:
        """Keep a memory in place of the one of the same queue id."""
        others = [one for one in self.kept.get(memory.fingerprint, ()) if one.queue_id != memory.queue_id]
        self.kept[memory.fingerprint] = [*others, *([memory] if memory.outcomes else [])]
        if not self.kept[memory.fingerprint]:
            del self.kept[memory.fingerprint]
        self._tell(memory.fingerprint)

    def forget(self, fingerprint: bytes) -> None:
        """Forget what is remembered of a message."""
        del self.kept[fingerprint]
        self._tell(fingerprint)

    @property
    def all(self) -> list[Memory]:
        """All memories."""
        return [memory for memories in self.kept.values() for memory in memories]

    def _tell(self, fingerprint: bytes) -> None:
        for hear in self._hearers:
            hear(fingerprint, fingerprint in self.kept)


@dataclass
class SteppedTime:
    """Both clocks; they move when told, and when somebody sleeps."""

    monotonic: float = 1000.0
    utc: float = 1_800_000_000.0
    slept_seconds: float = 0.0

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.monotonic += seconds
        self.utc += seconds

    async def sleep(self, seconds: float) -> None:
        """Pass the time at once."""
        self.slept_seconds += seconds
        self.advance(seconds)

    def clock(self) -> Clock:
        """Return the clock of a server that lives in this time."""
        return Clock(now=lambda: self.monotonic, wall=lambda: self.utc, chance=lambda: 7, sleep=self.sleep)


@dataclass
class NoSigner:
    """Has no key.

    asked   those that policy wanted since this was read last: selector and domain, and the fields
    """

    asked: list[str] = field(default_factory=list)

    def sign(self, content: bytes, domain: str) -> bytes:
        """Return nothing."""
        return b""

    def sign_by(self, content: bytes, domain: str, selector: str, fields: Sequence[str] = ()) -> bytes | None:
        """Say that there is no such key."""
        self.asked.append(" ".join((f"{selector}._domainkey.{domain}" if selector else domain, *fields)))
        return None


@dataclass
class Rooms:
    """All of them, as one server has them."""

    policy: Policy
    delivery: ScriptedDelivery = field(default_factory=ScriptedDelivery)
    door: MemoryDoor = field(default_factory=MemoryDoor)
    memories: DictMemories = field(default_factory=DictMemories)
    time: SteppedTime = field(default_factory=SteppedTime)
    authenticator: Authenticator | None = None
    signer: Signer = field(default_factory=NoSigner)
    compose_dsn: ComposeDsn = field(default_factory=lambda: Notifier(HOSTNAME, NoSigner().sign))

    def collaborators(self) -> Collaborators:
        """Return them as a server takes them."""
        return Collaborators(
            lambda: self.policy,
            self.delivery,
            self.door,
            self.memories,
            self.signer,
            self.compose_dsn,
            QueueIdSource(1),
            self.authenticator,
        )
