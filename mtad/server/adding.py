"""Recipients that policy adds: of an alias, an archive. Next hops are asked for them with the content."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mtad.delivery.client_events import Mail
from mtad.mail.address import mailbox_key
from mtad.mail.dsn_request import NO_REQUEST, Notify, RecipientRequest
from mtad.mail.envelope import Recipient
from mtad.mail.notes import NO_NOTES, Notes
from mtad.mail.verdict import GO_ON, Addition, Verdict
from mtad.server.collaborators import Delivery, Through
from mtad.server.keeping import requests_of
from mtad.server.transaction import Accepted, Transaction
from mtad.telemetry.events import Events


@dataclass(frozen=True, slots=True)
class Joining:
    """A recipient that is to join a transaction.

    instead_of   those that get nothing: what becomes of this one is what they hear
    notify       what policy itself asks of it
    is_hidden    the client hears nothing of it
    """

    address: str
    request: RecipientRequest
    notes: Notes = NO_NOTES
    is_extra: bool = False
    instead_of: tuple[str, ...] = ()
    notify: Notify = Notify.UNSAID
    is_hidden: bool = False

    @classmethod
    def by(
        cls,
        addition: Addition,
        asked: RecipientRequest,
        notes: Notes = NO_NOTES,
        *,
        is_extra: bool,
        instead_of: tuple[str, ...] = (),
    ) -> Joining:
        """Return who joins by an addition.

        asked   what the sender asks of those that may be redirected to it
        notes   of who was named: they go with all who come by that name
        """
        request, notify = addition.request, addition.request.notify
        if addition.is_redirected:
            request = replace(asked, notify=notify or asked.notify, by=request.by or asked.by)
        is_hidden = addition.is_hidden
        return cls(addition.address, request, notes, is_extra or is_hidden, instead_of, notify, is_hidden)


def opened(delivery: Delivery, transaction: Transaction) -> Through:
    """Return the way to the next hops of a transaction, which begins now."""
    envelope = transaction.envelope
    mail = Mail(
        envelope.reverse_path,
        is_8bit=envelope.is_8bit,
        is_utf8=envelope.is_utf8,
        request=envelope.request,
        is_binary=envelope.is_binary,
        is_verp=envelope.is_verp,
    )
    return delivery.open(mail, trace=transaction.queue_id)


def joining(transaction: Transaction, ruling: Verdict) -> Iterator[Joining]:
    """Yield who is added at the end of the data; the transaction is as it was before that."""
    left: list[Accepted] = []
    for one in transaction.accepted:
        recipient = one.recipient
        verdict = ruling.each.get(recipient.address)
        if verdict is None or not (verdict.is_discarded or verdict.reply):
            left.append(one)
        if verdict is not None:
            asked = recipient.request.of_alias(recipient.address)
            yield from _by_verdict(verdict, [recipient.address], asked, recipient.notes)
    if ruling.added:
        yield from _by_verdict(ruling, [one.recipient.address for one in left], _of_all(left))


def owed_by(verdict: Verdict, address: str) -> Verdict:
    """Return what is left of a verdict on who has the message already: those whom it adds may have it or not.

    Not so the one that stands for it: it is that one who has the message.
    """
    instead = _instead([address] if verdict.is_discarded else [], verdict.added)
    added = tuple(one for one, instead_of in zip(verdict.added, instead, strict=True) if not instead_of)
    return replace(GO_ON, added=added) if added else GO_ON


def _by_verdict(
    verdict: Verdict, named: Sequence[str], asked: RecipientRequest, notes: Notes = NO_NOTES
) -> Iterator[Joining]:
    """Yield who joins by a verdict on those that are named."""
    names = named if verdict.is_discarded else ()
    for addition, instead_of in zip(verdict.added, _instead(names, verdict.added), strict=True):
        yield Joining.by(addition, asked, notes, is_extra=not verdict.is_discarded, instead_of=instead_of)


def _instead(names: Sequence[str], additions: Sequence[Addition]) -> list[tuple[str, ...]]:
    """Return whom each addition stands for: one that is among them for itself, the first of them for all others.

    What is hidden stands for nobody: those that nobody stands for are dropped, as far as the client hears.
    """
    keys = ["" if one.is_hidden else mailbox_key(one.address) for one in additions]
    heard_of = [number for number, key in enumerate(keys) if key]
    found: list[list[str]] = [[] for _ in additions]
    for name in names if heard_of else ():
        key = mailbox_key(name)
        found[keys.index(key) if key in keys else heard_of[0]].append(name)
    return [tuple(one) for one in found]


def _of_all(accepted: Sequence[Accepted]) -> RecipientRequest:
    """Return what the sender asks of a recipient that stands for all others: what it asks of each of them."""
    requests = {one.recipient.request for one in accepted}
    if len(accepted) == 1:
        return accepted[0].recipient.request.of_alias(accepted[0].recipient.address)
    wishes = {request.notify for request in requests}
    return RecipientRequest(wishes.pop()) if len(wishes) == 1 else RecipientRequest()


async def joined(
    transaction: Transaction, coming: Sequence[Joining], events: Events, *, is_queued: bool = False
) -> Transaction:
    """Return the transaction with those that are not in it yet.

    is_queued   nobody is tried while the client waits
    """
    spellings = {mailbox_key(one.recipient.address): one.recipient.address for one in transaction.accepted}
    new: list[Accepted] = []
    renamed: dict[str, str] = {}
    besides: list[tuple[str, RecipientRequest]] = []
    for one in coming:
        key = mailbox_key(one.address)
        is_known = key in spellings
        address = spellings.setdefault(key, one.address)
        renamed |= dict.fromkeys(one.instead_of, address)
        if is_known:
            besides += [(address, one.request)] if one.instead_of else []
            continue
        said = await transaction.policy.deliver(transaction.envelope, address, one.notes)
        if said.is_discarded:
            emit_discarded(events, transaction, address)
            del spellings[key]
            renamed |= dict.fromkeys(one.instead_of, "")
            continue
        is_queued_at_once = said.queue_at_once or is_queued
        recipient = Recipient(address, said.route, said.queue_on_transient, is_queued_at_once, one.request, one.notes)
        new.append(Accepted.by(said, recipient, is_extra=one.is_extra, is_hidden=one.is_hidden, notify=one.notify))
        events.emit(
            "recipient.added", queue_id=transaction.queue_id, recipient=address, instead_of=", ".join(one.instead_of)
        )
    transaction = transaction.joined_by(new, renamed)
    for address, request in besides:
        transaction = transaction.asking_besides(address, request)
    return transaction


def emit_discarded(events: Events, transaction: Transaction, address: str) -> None:
    """Log that policy has dropped what a recipient was to get."""
    events.emit("recipient.discarded", queue_id=transaction.queue_id, recipient=address)


async def asked_for(transaction: Transaction, recipients: Sequence[Recipient], delivery: Delivery) -> Through:
    """Return the way to the next hops, which are asked for those of the recipients that policy has added, too.

    They are not asked before the content is there: whom policy has added the client may name yet.
    """
    through = transaction.through or opened(delivery, transaction)
    requests, added = requests_of(transaction), [one for one in recipients if one.address in transaction.added]
    await asyncio.gather(*(through.add(one.address, one.route, requests.get(one.address, NO_REQUEST)) for one in added))
    return through
