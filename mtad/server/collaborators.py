"""What the server needs of the other rooms, as signatures; and its clock."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from mtad.delivery.client_events import Mail
from mtad.mail.dsn import Notice, Reported
from mtad.mail.dsn_request import NO_REQUEST, RecipientRequest
from mtad.mail.envelope import Client, Envelope
from mtad.mail.notes import NO_NOTES, Notes
from mtad.mail.outcome import Outcome
from mtad.mail.queue_id import QueueId, QueueIdSource
from mtad.mail.route import Route
from mtad.mail.sasl import SaslAnswer
from mtad.mail.verdict import Disposition, Seen, Verdict
from mtad.spool.door import Door, Memories, QueuedMessage


class Policy(Protocol):
    """Decides at each stage; a session asks one and the same from its beginning to its end (mtad.admission)."""

    async def connect(self, client: Client) -> Verdict:
        """Decide before the greeting."""
        ...

    async def ehlo(self, client: Client) -> Verdict:
        """Decide on the name that the client gives itself, which is in `client.helo`."""
        ...

    async def auth(self, client: Client) -> Verdict:
        """Decide on who authenticated, which is in `client.identity`."""
        ...

    async def mail(self, envelope: Envelope) -> Verdict:
        """Decide on the reverse-path."""
        ...

    async def rcpt(self, envelope: Envelope, recipient_address: str, request: RecipientRequest = NO_REQUEST) -> Verdict:
        """Decide on one more recipient, which is not in the envelope yet, and of which the sender asks this."""
        ...

    async def data(self, envelope: Envelope, content: bytes) -> Verdict:
        """Decide on the content as the client sent it."""
        ...

    async def remember(self, seen: Sequence[Seen]) -> None:
        """Have what `data` has seen known from now on: its message is accepted. Never raises."""
        ...

    async def deliver(self, envelope: Envelope, recipient_address: str, notes: Notes = NO_NOTES) -> Disposition:
        """Say where a recipient that `rcpt` let pass goes, and what to do when it cannot go there now.

        notes   that policy has made of the recipient
        """
        ...

    def transaction_ended(self) -> None:
        """Hear that the transaction is over, however it ended: accepted, refused, dropped, or begun and refused."""
        ...

    def session_ended(self) -> None:
        """Hear that the session is over, and will ask nothing more."""
        ...


class Finished(Protocol):
    """What is known of each recipient at the deadline."""

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """The recipients whose outcome is known."""
        ...

    @property
    def pending(self) -> Mapping[str, asyncio.Future[Outcome]]:
        """The recipients whose attempt goes on in the background."""
        ...


class Through(Protocol):
    """One message on its way to its next hops while the client waits (mtad.delivery)."""

    async def recipient(self, address: str, route: Route, request: RecipientRequest) -> Outcome | None:
        """Ask the next hop for this recipient; None is accepted or not yet asked, an Outcome a refusal."""
        ...

    async def add(self, address: str, route: Route, request: RecipientRequest) -> None:
        """Have the next hop asked for this recipient with the content."""
        ...

    async def leave_out(self, addresses: Collection[str]) -> None:
        """Forget recipients: nothing is delivered to them, and nothing said of them."""
        ...

    async def finish(self, content: bytes, deadline_seconds: float) -> Finished:
        """Send the content to every next hop and collect the answers until the deadline."""
        ...

    async def abort(self) -> None:
        """Give the transaction up; nothing was or will be delivered."""
        ...


class Delivery(Protocol):
    """Opens transactions towards next hops (mtad.delivery)."""

    def open(self, mail: Mail, *, trace: str) -> Through:
        """Begin one; no connection is made before the first recipient."""
        ...


class Signer(Protocol):
    """Signs what our submitters send (mtad.auth.dkim)."""

    def sign(self, content: bytes, domain: str) -> bytes:
        """Return the DKIM-Signature field to prepend, with its CRLF; b'' when there is no key for it."""
        ...

    def sign_by(self, content: bytes, domain: str, selector: str, fields: Sequence[str] = ()) -> bytes | None:
        """Return the same by exactly this key, with '' the first of the domain; None when there is no such key.

        fields   those that are signed beside From, in small letters; () are those that are signed as a rule
        """
        ...


class ComposeDsn(Protocol):
    """Writes the reports on a message (mtad.spool.notification)."""

    def __call__(
        self,
        of: Reported,
        notices: Sequence[Notice],
        content: bytes,
        *,
        next_id: Callable[[], QueueId],
        now_ms: int,
    ) -> tuple[QueuedMessage, ...]:
        """Return the reports to the sender, whose path is not null, from the null reverse-path.

        notices   what there is to report, at least one
        content   the message itself
        next_id   gives each report its own id; `of.queue_id` becomes its `dsn_of`
        now_ms    UTC; when the reports arrive in the queue and are due
        """
        ...


class Exchange(Protocol):
    """One authentication by one mechanism (RFC 4422 §3)."""

    async def answer(self, response: bytes | None) -> SaslAnswer:
        """Take a response of the client, without its base64; None at the beginning, when AUTH brought none."""
        ...


class Authenticator(Protocol):
    """Knows the users (mtad.users); whatever speaks SASL may stand here, such as a Dovecot."""

    @property
    def mechanisms(self) -> Sequence[str]:
        """The names of the mechanisms, in upper case, the best first."""
        ...

    def begin(self, mechanism: str, client: Client) -> Exchange:
        """Begin an exchange by one of the mechanisms."""
        ...


@dataclass(frozen=True, slots=True)
class Collaborators:
    """The other rooms, as one server uses them.

    policy_now   returns the policy that a session which begins now follows
    """

    policy_now: Callable[[], Policy]
    delivery: Delivery
    door: Door
    memories: Memories
    signer: Signer
    compose_dsn: ComposeDsn
    queue_ids: QueueIdSource
    authenticator: Authenticator | None = None  # without one nobody can authenticate


def _new_dice() -> Callable[[], int]:
    return partial(random.Random().getrandbits, 32)  # noqa: S311 - for ids that differ, not for secrets


@dataclass(frozen=True, slots=True)
class Clock:
    """Both clocks, the dice and the pillow, so that tests may bring their own."""

    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    chance: Callable[[], int] = field(default_factory=_new_dice)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def wall_ms(self) -> int:
        """Return UTC in milliseconds since 1970."""
        return int(self.wall() * 1000)
