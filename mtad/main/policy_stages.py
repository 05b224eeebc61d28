"""Puts what a session knows into the facts that the policy's stages decide on."""

from __future__ import annotations

from mtad.admission.facts import MailFacts, MessageFacts, RecipientFacts, SessionFacts
from mtad.admission.policy import Policy
from mtad.mail.envelope import Client, Envelope
from mtad.mail.verdict import Disposition, Verdict


class PolicyStages:
    """The policy as `mtad.server` asks it."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    async def connect(self, client: Client) -> Verdict:
        """Decide before the greeting."""
        return await self._policy.connect(SessionFacts(client))

    async def ehlo(self, client: Client) -> Verdict:
        """Decide on the name that the client gives itself."""
        return await self._policy.ehlo(SessionFacts(client))

    async def mail(self, envelope: Envelope) -> Verdict:
        """Decide on the reverse-path."""
        return await self._policy.mail(MailFacts(_session(envelope), envelope.reverse_path))

    async def rcpt(self, envelope: Envelope, recipient_address: str) -> Verdict:
        """Decide on one more recipient."""
        return await self._policy.rcpt(RecipientFacts(_session(envelope), envelope.reverse_path, recipient_address))

    async def data(self, envelope: Envelope, content: bytes) -> Verdict:
        """Decide on the message."""
        recipients = tuple(recipient.address for recipient in envelope.recipients)
        return await self._policy.data(MessageFacts(_session(envelope), envelope.reverse_path, recipients, content))

    async def deliver(self, envelope: Envelope, recipient_address: str) -> Disposition:
        """Say where a recipient goes."""
        return await self._policy.deliver(envelope, recipient_address)


def _session(envelope: Envelope) -> SessionFacts:
    return SessionFacts(envelope.client, is_trusted=envelope.is_submission)
