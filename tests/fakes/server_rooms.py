"""The rooms that the server works with, played: each does as its script says and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mtad.delivery.client_events import Mail
from mtad.mail.dsn import Notice, Reported, by_event
from mtad.mail.dsn_request import NO_REQUEST, RecipientRequest
from mtad.mail.envelope import Client, Envelope
from mtad.mail.outcome import Outcome, Result
from mtad.mail.queue_id import QueueId, QueueIdSource
from mtad.mail.reply import Reply
from mtad.mail.route import Route
from mtad.mail.verdict import GO_ON, Disposition, RetryPlan, Verdict
from mtad.server.collaborators import Authenticator, Clock, Collaborators
from mtad.spool.door import Changes, Committed, QueuedMessage, RecipientState, Refused
from tests.fakes.queue import FakeMemories

DELIVERED = Outcome(Result.DELIVERED, Reply.of(250, "2.0.0", "Ok, taken"), "mx.example.net")
DELAYED = Outcome(Result.DELAYED, Reply.of(450, "4.2.0", "Mailbox busy"), "mx.example.net")
FAILED = Outcome(Result.FAILED, Reply.of(550, "5.1.1", "No such mailbox"), "mx.example.net")
UNKNOWN = Outcome(Result.UNKNOWN, Reply.of(451, "4.4.2", "Connection lost after the data"), "mx.example.net")


def _no_verdicts() -> dict[str, Verdict | Exception]:
    return {}


@dataclass
class FakePolicy:
    """Goes on, except where `verdicts` says otherwise: by stage, or by `rcpt ADDRESS`; an exception is raised."""

    verdicts: dict[str, Verdict | Exception] = field(default_factory=_no_verdicts)
    dispositions: dict[str, Disposition] = field(default_factory=dict)
    disposition: Disposition = field(default_factory=lambda: Disposition(Route(hosts=("mx.example.net",)), RetryPlan()))
    asked: list[str] = field(default_factory=list)

    def _answer(self, *keys: str) -> Verdict:
        self.asked.append(keys[-1])
        for key in reversed(keys):
            if key in self.verdicts:
                verdict = self.verdicts[key]
                if isinstance(verdict, Exception):
                    raise verdict
                return verdict
        return GO_ON

    async def connect(self, client: Client) -> Verdict:
        return self._answer("connect")

    async def ehlo(self, client: Client) -> Verdict:
        return self._answer("ehlo", f"ehlo {client.helo}")

    async def auth(self, client: Client) -> Verdict:
        return self._answer("auth", f"auth {client.identity}")

    async def mail(self, envelope: Envelope) -> Verdict:
        return self._answer("mail", f"mail {envelope.reverse_path}")

    async def rcpt(self, envelope: Envelope, recipient_address: str) -> Verdict:
        return self._answer("rcpt", f"rcpt {recipient_address}")

    async def data(self, envelope: Envelope, content: bytes) -> Verdict:
        return self._answer("data")

    async def deliver(self, envelope: Envelope, recipient_address: str) -> Disposition:
        return self.dispositions.get(recipient_address, self.disposition)


@dataclass(frozen=True)
class FakeFinished:
    outcomes: Mapping[str, Outcome]
    pending: Mapping[str, asyncio.Future[Outcome]]


@dataclass
class FakeThrough:
    """One transaction towards next hops that answer as the delivery's tables say."""

    delivery: FakeDelivery
    mail: Mail
    recipients: list[str] = field(default_factory=list)
    requests: dict[str, RecipientRequest] = field(default_factory=dict)
    content: bytes | None = None
    is_aborted: bool = False

    async def recipient(self, address: str, route: Route, request: RecipientRequest = NO_REQUEST) -> Outcome | None:
        answer = self.delivery.at_rcpt.get(address)
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            self.recipients.append(address)
            self.requests[address] = request
        return answer

    async def leave_out(self, addresses: Collection[str]) -> None:
        self.recipients = [address for address in self.recipients if address not in addresses]

    async def finish(self, content: bytes, deadline_seconds: float) -> FakeFinished:
        self.content = content
        if self.delivery.gate is not None:
            await self.delivery.gate.wait()
        outcomes: dict[str, Outcome] = {}
        pending: dict[str, asyncio.Future[Outcome]] = {}
        for address in self.recipients:
            if address in self.delivery.pending:
                pending[address] = self.delivery.pending[address]
            else:
                outcomes[address] = self.delivery.at_end.get(address, self.delivery.delivered)
        return FakeFinished(outcomes, pending)

    async def abort(self) -> None:
        self.is_aborted = True


@dataclass
class FakeDelivery:
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
    opened: list[FakeThrough] = field(default_factory=list)

    def open(self, mail: Mail, *, trace: str) -> FakeThrough:
        through = FakeThrough(self, mail)
        self.opened.append(through)
        return through

    @property
    def contents(self) -> list[bytes]:
        """What was delivered, oldest first."""
        return [through.content for through in self.opened if through.content is not None]


@dataclass
class FakeDoor:
    """Keeps what it is given, or answers `answer` and keeps nothing."""

    answer: Committed | Refused = field(default_factory=lambda: Committed(2))
    messages: dict[QueueId, QueuedMessage] = field(default_factory=dict)
    changes: list[Changes] = field(default_factory=list)

    async def commit(self, changes: Changes, *, is_accepting: bool) -> Committed | Refused:
        self.changes.append(changes)
        if isinstance(self.answer, Refused):
            return self.answer
        for message in changes.puts:
            self.messages[message.queue_id] = message
        for queue_id, states in changes.states.items():
            message = self.messages[queue_id]
            self.messages[queue_id] = replace(message, recipients={**message.recipients, **states})
        return self.answer


@dataclass
class FakeSigner:
    """Signs with a field that says for whom."""

    def sign(self, content: bytes, domain: str) -> bytes:
        return f"DKIM-Signature: v=1; d={domain}\r\n".encode()


def fake_dsn(
    of: Reported, notices: Sequence[Notice], content: bytes, *, next_id: Callable[[], QueueId], now_ms: int
) -> tuple[QueuedMessage, ...]:
    """Return reports whose content is the list of the recipients, each with what became of it."""
    return tuple(
        QueuedMessage(
            queue_id=next_id(),
            reverse_path="",
            arrival_ms=now_ms,
            client=Client("127.0.0.1", 0),
            content="\r\n".join(f"{notice.address} {notice.action}" for notice in group).encode(),
            recipients={of.reverse_path: RecipientState(due_ms=now_ms)},
            dsn_of=of.queue_id,
        )
        for group in by_event(notices)
    )


@dataclass
class FakeTime:
    """Both clocks; they move when told."""

    monotonic: float = 1000.0
    utc: float = 1_800_000_000.0
    slept_seconds: float = 0.0

    def advance(self, seconds: float) -> None:
        self.monotonic += seconds
        self.utc += seconds

    async def sleep(self, seconds: float) -> None:
        self.slept_seconds += seconds
        self.advance(seconds)

    def clock(self) -> Clock:
        return Clock(now=lambda: self.monotonic, wall=lambda: self.utc, chance=lambda: 7, sleep=self.sleep)


@dataclass
class FakeRooms:
    """All of them, as one server has them."""

    policy: FakePolicy = field(default_factory=FakePolicy)
    delivery: FakeDelivery = field(default_factory=FakeDelivery)
    door: FakeDoor = field(default_factory=FakeDoor)
    memories: FakeMemories = field(default_factory=FakeMemories)
    time: FakeTime = field(default_factory=FakeTime)
    authenticator: Authenticator | None = None

    def collaborators(self) -> Collaborators:
        return Collaborators(
            lambda: self.policy,
            self.delivery,
            self.door,
            self.memories,
            FakeSigner(),
            fake_dsn,
            QueueIdSource(1),
            self.authenticator,
        )
