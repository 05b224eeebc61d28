"""The policy as sessions ask it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mtad.admission.facts import Asked, MailFacts, MessageFacts, Progress, RecipientFacts, SessionFacts
from mtad.admission.policy import Policy
from mtad.limits.places import Holder
from mtad.mail.dsn_request import NO_REQUEST, RecipientRequest
from mtad.mail.envelope import Client, Envelope
from mtad.mail.notes import NO_NOTES, Notes
from mtad.mail.verdict import Disposition, Seen, Verdict


@dataclass(frozen=True, slots=True)
class ListenerPolicy:
    """Asks the policy in the words that a session has: to its end the one that it began with."""

    policy: Policy
    holder: Holder = field(default_factory=Holder)

    async def connect(self, client: Client) -> Verdict:
        """Decide before the greeting."""
        return await self.policy.connect(self._session(client))

    async def ehlo(self, client: Client) -> Verdict:
        """Decide on the name that the client gives itself."""
        return await self.policy.ehlo(self._session(client))

    async def auth(self, client: Client) -> Verdict:
        """Decide on who authenticated."""
        return await self.policy.auth(self._session(client))

    async def mail(self, envelope: Envelope) -> Verdict:
        """Decide on the reverse-path."""
        return await self.policy.mail(
            MailFacts(
                self._session(envelope.client, is_trusted=envelope.is_trusted),
                envelope.reverse_path,
                envelope.notes,
                Asked(envelope.request),
                _progress(envelope),
            )
        )

    async def rcpt(self, envelope: Envelope, recipient_address: str, request: RecipientRequest = NO_REQUEST) -> Verdict:
        """Decide on one more recipient."""
        facts = RecipientFacts(
            self._session(envelope.client, is_trusted=envelope.is_trusted),
            envelope.reverse_path,
            recipient_address,
            envelope.notes,
            Asked(envelope.request, request),
            _progress(envelope),
        )
        return await self.policy.rcpt(facts)

    async def data(self, envelope: Envelope, content: bytes) -> Verdict:
        """Decide on the message."""
        recipients = tuple(recipient.address for recipient in envelope.recipients)
        return await self.policy.data(
            MessageFacts(
                self._session(envelope.client, is_trusted=envelope.is_trusted),
                envelope.reverse_path,
                recipients,
                content,
                envelope.noted,
                Asked(envelope.request),
                _progress(envelope),
            )
        )

    async def remember(self, seen: Sequence[Seen]) -> None:
        """Have what `data` has seen known from now on."""
        await self.policy.remember(seen)

    async def deliver(self, envelope: Envelope, recipient_address: str, notes: Notes = NO_NOTES) -> Disposition:
        """Say where a recipient goes."""
        return await self.policy.deliver(envelope, recipient_address, notes)

    def transaction_ended(self) -> None:
        """Give back the places that the transaction held."""
        self.holder.end_transaction()

    def session_ended(self) -> None:
        """Give back all places."""
        self.holder.end()

    def _session(self, client: Client, *, is_trusted: bool = False) -> SessionFacts:
        return SessionFacts(client, client.listener, is_trusted, self.holder)


def _progress(envelope: Envelope) -> Progress:
    return Progress(envelope.queue_id, envelope.number, len(envelope.recipients))
