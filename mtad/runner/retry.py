"""What an attempt's outcomes make of a queued message (pure; RFC 5321 §4.5.4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mtad.mail.dsn import FailedRecipient
from mtad.mail.outcome import Outcome, Result
from mtad.mail.verdict import RetryPlan
from mtad.spool.codec import StoredMessage
from mtad.spool.door import ATTEMPTS_KEPT, FAR_MS, TERMINAL_RANK, Attempt, Rank, RecipientState


@dataclass(frozen=True, slots=True)
class Consequence:
    """The new states, and the recipients whose sender is owed a DSN."""

    states: Mapping[str, RecipientState]
    failed: tuple[FailedRecipient, ...]


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
    A recipient past its plan's expire_seconds is given up after this attempt. Where an attempt ended in doubt the DSN
    says so: whoever sent the mail would rather ask than never hear of it (RFC 5321 §4.5.4.1, §6.1).
    """
    states: dict[str, RecipientState] = {}
    failed: list[FailedRecipient] = []
    for address, outcome in outcomes.items():
        before = message.recipients[address]
        if before.rank >= TERMINAL_RANK:
            continue
        count = before.attempts_count + 1
        attempts = (*before.attempts, Attempt(by.wall_ms, outcome, by.node))[-ATTEMPTS_KEPT:]
        plan = plans[address]
        is_expired = by.is_owner and by.wall_ms - message.arrival_ms >= plan.expire_seconds * 1000
        if outcome.result is Result.DELIVERED:
            states[address] = RecipientState(Rank.DELIVERED, 0, attempts, count)
        elif outcome.result is Result.FAILED or is_expired:
            states[address] = RecipientState(Rank.FAILED, 0, attempts, count)
            is_in_doubt = any(attempt.outcome.result is Result.UNKNOWN for attempt in attempts)
            failed.append(FailedRecipient(address, outcome, outcome.result is not Result.FAILED, is_in_doubt))
        else:
            due_ms = FAR_MS if message.is_held else next_due_ms(count, plan, by.wall_ms)
            states[address] = RecipientState(Rank.DEFERRED, due_ms, attempts, count)
    return Consequence(states, tuple(failed))
