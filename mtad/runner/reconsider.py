"""What policy makes of recipients that an attempt from the queue has not delivered to: its stage `queue`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from mtad.mail.envelope import Envelope
from mtad.mail.notes import NO_NOTES, Notes
from mtad.mail.outcome import Outcome, Result
from mtad.mail.verdict import Resolution, RetryPlan, Tried
from mtad.spool.codec import StoredMessage

_UNDELIVERED = (Result.DELAYED, Result.FAILED)  # surely: what is in doubt may have arrived, and nobody bounces it


class Judge(Protocol):
    """The queue stage of policy."""

    @property
    def has_queue_stage(self) -> bool: ...

    async def queue(self, envelope: Envelope, recipient: str, notes: Notes, tried: Tried) -> Resolution: ...


async def reconsidered(
    judge: Judge,
    message: StoredMessage,
    outcomes: Mapping[str, Outcome],
    plans: Mapping[str, RetryPlan],
    wall_ms: int,
) -> tuple[dict[str, Outcome], dict[str, RetryPlan]]:
    """Return outcomes and plans as policy has them: it is asked about those who were not delivered to."""
    undelivered = {address: outcome for address, outcome in outcomes.items() if _is_policys(outcome)}
    if not undelivered:
        return dict(outcomes), dict(plans)
    envelope = envelope_of(message)
    said: dict[str, Resolution] = {}
    for address, outcome in undelivered.items():
        attempts_count = message.recipients[address].counted_count + outcome.is_counted
        tried = Tried(outcome, plans[address], attempts_count, max(0, wall_ms - message.arrival_ms) // 1000)
        said[address] = await judge.queue(envelope, address, message.noted.recipients.get(address, NO_NOTES), tried)
    judged = {address: one.outcome for address, one in said.items()}
    return {**outcomes, **judged}, {**plans, **{address: one.retry for address, one in said.items()}}


def envelope_of(message: StoredMessage) -> Envelope:
    """Return the envelope of a queued message, as policy is shown it."""
    return Envelope(
        message.reverse_path,
        message.client,
        is_8bit=message.is_8bit,
        is_utf8=message.is_utf8,
        is_submission=message.is_submission,
        is_sender_verified=message.is_sender_verified,
        notes=message.noted.message,
        queue_id=message.queue_id,
        queue_name=message.queue_name,
        is_verp=message.is_verp,
    )


def _is_policys(outcome: Outcome) -> bool:
    """Tell whether policy is asked what becomes of a recipient; not where it was we who could not go on."""
    return outcome.result in _UNDELIVERED and not outcome.is_our_fault
