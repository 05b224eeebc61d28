"""What policy says of recipients that are due: its stage `deliver`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from mtad.mail.envelope import Envelope, Recipient
from mtad.mail.notes import NO_NOTES, Notes
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply
from mtad.mail.route import Route
from mtad.mail.verdict import Disposition, RetryPlan
from mtad.runner.reconsider import Judge, envelope_of
from mtad.spool.codec import StoredMessage

DISCARDED = Outcome(Result.DELIVERED, Reply.of(250, "2.0.0", "Dropped by policy"))
"""Nobody is told of it (RFC 5228 §4.4), not even who wants to hear of a success."""


class Routing(Judge, Protocol):
    """The stages of policy about what is queued."""

    async def deliver(self, envelope: Envelope, recipient: str, notes: Notes) -> Disposition: ...


@dataclass(frozen=True, slots=True)
class Routed:
    """What becomes of some recipients.

    routes      of those that are to be tried
    plans       of all
    discarded   those that nobody tries any more
    is_lacking  policy failed for others: what it would have said is not known
    """

    routes: Mapping[str, Route]
    plans: Mapping[str, RetryPlan]
    discarded: Mapping[str, Outcome]
    is_lacking: bool


async def routed(routing: Routing, message: StoredMessage, recipients: Iterable[str]) -> Routed:
    """Ask policy for the plan of each recipient, and the route where its stage `queue` has not said another one."""
    recipients = tuple(recipients)
    envelope = replace(envelope_of(message), recipients=tuple(Recipient(a, Route()) for a in recipients))
    notes = message.noted.recipients
    said = {a: await routing.deliver(envelope, a, notes.get(a, NO_NOTES)) for a in recipients}
    going = {a: one for a, one in said.items() if not one.is_fault and not one.is_discarded}
    return Routed(
        {address: message.recipients[address].route or one.route for address, one in going.items()},
        {address: one.retry for address, one in said.items()},
        {address: DISCARDED for address, one in said.items() if one.is_discarded},
        any(one.is_fault for one in said.values()),
    )
