"""The verbs that make the envelope, MAIL and RCPT: what they say, and what it comes to (RFC 5321 §4.1.1.2, §4.1.1.3).

What is refused here is refused before policy is asked; it is the session that asks, and that changes the transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mtad.mail.envelope import Client, Envelope, Recipient
from mtad.mail.notes import NO_NOTES
from mtad.mail.reply import Reply, local_fault
from mtad.mail.route import Route
from mtad.mail.verdict import Verdict
from mtad.server.adding import Joining
from mtad.server.answering import Hears
from mtad.server.authentication import refusal_of_mail
from mtad.server.entrance import Entrance
from mtad.server.parameters import MailArgument, RcptArgument, parse_mail, parse_rcpt
from mtad.server.service import Service
from mtad.server.step import Step
from mtad.server.transaction import Transaction

TOO_MANY_RECIPIENTS = Step(Reply.of(452, "4.5.3", "Too many recipients"))
_HELO_FIRST = Step(Reply.of(503, "5.5.1", "Send EHLO or HELO first"))
_LHLO_FIRST = Step(Reply.of(503, "5.5.1", "Send LHLO first"))
_NESTED_MAIL = Step(Reply.of(503, "5.5.1", "Nested MAIL command"))
_TOO_LARGE = Step(Reply.of(552, "5.3.4", "Message too large"))


@dataclass(frozen=True, slots=True)
class Coming:
    """Who gets the mail by one RCPT.

    recipient   who the client hears of, without a route yet; None when policy drops it, and puts nobody in its place
                that is not hidden
    added       those that policy adds
    """

    recipient: Recipient | None
    added: Sequence[Joining]

    @property
    def besides(self) -> Sequence[Joining]:
        """Those that policy adds besides the recipient: it may be one of them."""
        return [one for one in self.added if self.recipient is None or one.address != self.recipient.address]


def hear_mail(service: Service, client: Client, argument: str, *, is_in_transaction: bool) -> MailArgument | Step:
    """Return what a client says with MAIL, or why it is not heard."""
    entrance = service.entrance
    if not client.helo:
        return _LHLO_FIRST if entrance.is_lmtp else _HELO_FIRST
    refusal = refusal_of_mail(service, client)
    if refusal is not None:
        return refusal
    if is_in_transaction:
        return _NESTED_MAIL
    said = parse_mail(
        argument,
        is_binary_offered=service.is_binary_offered,
        is_auth_offered=entrance.is_submission,
        is_prdr_offered=not entrance.is_lmtp,
    )
    if isinstance(said, Reply):
        return Step(said)
    return _TOO_LARGE if said.size_octets > service.limits.content.size_octets_max else said


def envelope_of(service: Service, client: Client, said: MailArgument, *, is_trusted: bool, number: int) -> Envelope:
    """Return the envelope that MAIL begins, with an id of its own.

    number   of the message in its session, from 1
    """
    by = None if said.within is None else said.within.from_now(service.clock.wall_ms())
    return Envelope(
        said.path,
        client,
        is_8bit=said.is_8bit,
        is_utf8=said.is_utf8,
        is_binary=said.is_binary,
        size_declared_octets=said.size_octets,
        is_submission=(is_trusted and not service.entrance.is_lmtp) or bool(client.identity),
        is_trusted=is_trusted,
        is_sender_verified=bool(client.identity),
        request=said.request if by is None else replace(said.request, by=by),
        queue_id=service.next_id(),
        number=number,
    )


def hears_of(entrance: Entrance, said: MailArgument) -> Hears:
    """Return what the client awaits after the end of the data."""
    if entrance.is_lmtp:
        return Hears.EACH
    return Hears.DIFFERENCES if said.is_prdr else Hears.ONE


def hear_rcpt(service: Service, transaction: Transaction, argument: str) -> RcptArgument | Step:
    """Return what a client says with RCPT, its path with a domain, or why it is not heard."""
    if transaction.chunks is not None:
        return transaction.chunks.refusal
    if transaction.is_broken:
        return Step(local_fault(transaction.queue_id))
    said = parse_rcpt(argument, is_utf8=transaction.envelope.is_utf8)
    if isinstance(said, Reply):
        return Step(said)
    if len(transaction.named) >= service.limits.session.recipients_max:
        return TOO_MANY_RECIPIENTS
    return said if "@" in said.path else replace(said, path=f"{said.path}@{service.postmaster_domain}")


def coming_of(said: RcptArgument, verdict: Verdict) -> Coming:
    """Return who gets the mail of a recipient that policy does not refuse."""
    address, request = said.path, said.request
    notes = NO_NOTES if verdict.noted is None else verdict.noted.recipients.get(address, NO_NOTES)
    asked, is_extra = request.of_alias(address), not verdict.is_discarded
    added = [Joining.by(one, asked, notes, is_extra=is_extra) for one in verdict.added]
    if not verdict.is_discarded:
        target = verdict.recipient or address
        request = request if target == address else request.of_alias(address)
        return Coming(Recipient(target, Route(), request=request, notes=notes), added)
    heard_of = next((one for one in added if not one.is_hidden), None)
    if heard_of is None:
        return Coming(None, added)
    return Coming(Recipient(heard_of.address, Route(), request=heard_of.request, notes=notes), added)
