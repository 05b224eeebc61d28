"""What an attempt's outcomes make of a queued message (pure; RFC 5321 §4.5.4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mtad.mail.deliver_by import DeliverBy
from mtad.mail.dsn import Action, Notice, notice_of
from mtad.mail.dsn_request import NO_REQUEST
from mtad.mail.outcome import Outcome, Result
from mtad.mail.verdict import RetryPlan
from mtad.spool.codec import StoredMessage
from mtad.spool.door import ATTEMPTS_KEPT, FAR_MS, TERMINAL_RANK, Attempt, Rank, RecipientState
from mtad.spool.notification import reported


@dataclass(frozen=True, slots=True)
class Consequence:
    """The new states, and what there is to tell the sender."""

    states: Mapping[str, RecipientState]
    notices: tuple[Notice, ...]


@dataclass(frozen=True, slots=True)
class Attempter:
    """Who made an attempt, and when it ended.

    is_owner   only the queue's owner gives a recipient up
    """

    node: int
    wall_ms: int
    is_owner: bool = True


def next_due_ms(attempts_count: int, plan: RetryPlan, wall_ms: int) -> int:
    """Return when to try again after so many attempts; the plan's last interval repeats.

    attempts_count   at least one
    wall_ms          UTC milliseconds, as is the result
    """
    index = min(attempts_count, len(plan.intervals_seconds)) - 1
    return wall_ms + plan.intervals_seconds[index] * 1000


def after_attempt(
    message: StoredMessage,
    outcomes: Mapping[str, Outcome],
    plans: Mapping[str, RetryPlan],
    by: Attempter,
) -> Consequence:
    """Return what becomes of the recipients of one attempt, but for those that were finished meanwhile.

    message   as it is after the attempt; one that is held waits until it is released
    Who is late by the plan's warn_seconds has that told to the sender, once, by the queue's owner.
    A recipient past its plan's expire_seconds, or after its attempts_max, is given up after this attempt; what a fault
    of ours has ended is none of them, nor what a lookup that failed has. So is one that is not to be delivered late,
    as soon as it is late; of another that is late the sender is told (RFC 2852). Where an attempt ended in doubt the
    DSN says so: whoever sent the mail would rather ask than never hear of it (RFC 5321 §4.5.4.1, §6.1).
    """
    states: dict[str, RecipientState] = {}
    notices: list[Notice] = []
    for address, outcome in outcomes.items():
        before = message.recipients[address]
        if before.rank >= TERMINAL_RANK:
            continue
        attempts = (*before.attempts, Attempt(by.wall_ms, outcome, by.node))[-ATTEMPTS_KEPT:]
        after = replace(
            before,
            due_ms=0,
            attempts=attempts,
            attempts_count=before.attempts_count + 1,
            uncounted_count=before.uncounted_count + (not outcome.is_counted),
            claim=None,
        )
        plan, deliver_by = plans[address], _deliver_by(message, address)
        is_late = deliver_by is not None and deliver_by.is_past(by.wall_ms)
        is_returned = deliver_by is not None and deliver_by.gives_up(by.wall_ms)
        is_expired = by.is_owner and (is_returned or _is_over(message, after, plan, by.wall_ms))
        if outcome.result is Result.DELIVERED:
            states[address] = replace(after, rank=Rank.DELIVERED)
            notice = notice_of(address, outcome, message.requests.get(address, NO_REQUEST))
        elif outcome.result is Result.FAILED or is_expired:
            states[address] = replace(after, rank=Rank.FAILED)
            is_in_doubt = any(attempt.outcome.result is Result.UNKNOWN for attempt in attempts)
            is_given_up = outcome.result is not Result.FAILED
            notice = Notice(address, Action.FAILED, outcome, is_given_up, is_in_doubt, is_silent=plan.is_silent)
            notice = replace(notice, is_late=is_given_up and is_returned)
        else:
            until_ms = _tried_until_ms(message, plan, deliver_by)
            delay = Notice(address, Action.DELAYED, outcome, retry_until_ms=until_ms, is_late=is_late)
            states[address], notice = _deferred(message, after, delay, plan, by)
        if notice is not None:
            notices.append(notice)
    return Consequence(states, tuple(notices))


def _is_over(message: StoredMessage, after: RecipientState, plan: RetryPlan, wall_ms: int) -> bool:
    """Tell whether there is no time left for another attempt, or there were as many as there may be."""
    has_had_all = bool(plan.attempts_max) and after.counted_count >= plan.attempts_max
    is_counted = after.attempts[-1].outcome.is_counted
    return (has_had_all and is_counted) or wall_ms - message.arrival_ms >= plan.expire_seconds * 1000


def _deferred(
    message: StoredMessage, after: RecipientState, delay: Notice, plan: RetryPlan, by: Attempter
) -> tuple[RecipientState, Notice | None]:
    """Return the state of a recipient that is to be tried again, and the news of its delay where they are due.

    A route that policy has chosen stays until it chooses another one, or it proves to be one that cannot be followed:
    policy is not asked then.
    """
    outcome = after.attempts[-1].outcome
    due_ms = next_due_ms(after.attempts_count, plan, by.wall_ms)
    deliver_by = _deliver_by(message, delay.address)
    warnings_ms = (_first_warning_ms(message, after, plan), _late_ms(after, deliver_by))
    if reported(message).why_untold(delay, is_queued=True):
        warnings_ms = (FAR_MS, FAR_MS)
    is_told = by.is_owner and by.wall_ms >= min(warnings_ms)
    for moment_ms in (delay.retry_until_ms, *warnings_ms):
        if by.wall_ms < moment_ms < due_ms:
            due_ms = moment_ms  # whether the sender need be told is best known then
    told_ms = by.wall_ms if is_told else after.delay_told_ms
    due_ms = FAR_MS if message.is_held else due_ms
    route = plan.route or (None if outcome.is_misled else after.route)
    state = replace(after, rank=Rank.DEFERRED, due_ms=due_ms, delay_told_ms=told_ms, route=route)
    return state, delay if is_told else None


def _tried_until_ms(message: StoredMessage, plan: RetryPlan, deliver_by: DeliverBy | None) -> int:
    """Return when it is given up at the latest."""
    expiry_ms = message.arrival_ms + plan.expire_seconds * 1000
    return min(expiry_ms, deliver_by.until_ms) if deliver_by is not None and deliver_by.is_return else expiry_ms


def _first_warning_ms(message: StoredMessage, after: RecipientState, plan: RetryPlan) -> int:
    """Return when a sender that was told of no delay yet is to be told that it takes long."""
    is_told = bool(after.delay_told_ms) or not plan.warn_seconds
    return FAR_MS if is_told else message.arrival_ms + plan.warn_seconds * 1000


def _late_ms(after: RecipientState, deliver_by: DeliverBy | None) -> int:
    """Return when a sender is to be told that it is late; who was told of a delay before that is told again."""
    if deliver_by is None or deliver_by.is_return or deliver_by.is_past(after.delay_told_ms):
        return FAR_MS
    return deliver_by.until_ms


def _deliver_by(message: StoredMessage, address: str) -> DeliverBy | None:
    return message.requests.get(address, NO_REQUEST).time_in(message.request)
