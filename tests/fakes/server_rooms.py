"""The rooms of a rehearsal with a policy that answers as it is told, a signer and DSNs that tests can read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mtad.mail.dsn import Notice, Reported, by_event
from mtad.mail.dsn_request import NO_REQUEST, RecipientRequest
from mtad.mail.envelope import Client, Envelope
from mtad.mail.notes import NO_NOTES, Notes
from mtad.mail.outcome import Outcome, Result
from mtad.mail.queue_id import QueueId
from mtad.mail.reply import Reply
from mtad.mail.route import Route
from mtad.mail.verdict import GO_ON, Disposition, RetryPlan, Seen, Verdict
from mtad.rehearsal.rooms import DELIVERED as DELIVERED
from mtad.rehearsal.rooms import Rooms
from mtad.server.collaborators import ComposeDsn
from mtad.spool.door import QueuedMessage, RecipientState

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
    ended: list[str] = field(default_factory=list)
    remembered: list[Seen] = field(default_factory=list)

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

    async def rcpt(self, envelope: Envelope, recipient_address: str, request: RecipientRequest = NO_REQUEST) -> Verdict:
        return self._answer("rcpt", f"rcpt {recipient_address}")

    async def data(self, envelope: Envelope, content: bytes) -> Verdict:
        return self._answer("data")

    async def remember(self, seen: Sequence[Seen]) -> None:
        self.remembered += seen

    async def deliver(self, envelope: Envelope, recipient_address: str, notes: Notes = NO_NOTES) -> Disposition:
        return self.dispositions.get(recipient_address, self.disposition)

    def transaction_ended(self) -> None:
        self.ended.append("transaction")

    def session_ended(self) -> None:
        self.ended.append("session")


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
class FakeRooms(Rooms):
    """All of them, as one server has them."""

    policy: FakePolicy = field(default_factory=FakePolicy)
    signer: FakeSigner = field(default_factory=FakeSigner)
    compose_dsn: ComposeDsn = fake_dsn
