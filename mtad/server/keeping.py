"""What the queue is told of recipients that could not be delivered while the client waited (pure)."""

from __future__ import annotations

from dataclasses import replace

from mtad.mail.deliver_by import DeliverBy
from mtad.mail.dsn_request import NO_REQUEST, Notify, Requests
from mtad.mail.outcome import Outcome, Result
from mtad.mail.verdict import RetryPlan
from mtad.server.transaction import Accepted, Transaction
from mtad.spool.door import DUE_AT_ONCE, TERMINAL_RANK, Attempt, Claim, Rank, RecipientState

PENDING_SECONDS = 60  # as long a recipient stays with the attempt in the background that was heard of last

_RANKS = {
    Result.DELIVERED: Rank.DELIVERED,
    Result.FAILED: Rank.FAILED,
    Result.DELAYED: Rank.DEFERRED,
    Result.UNKNOWN: Rank.DEFERRED,
}


def state_after(outcome: Outcome, retry: RetryPlan, *, now_ms: int, node: int) -> RecipientState:
    """Return the state of a recipient after its first attempt."""
    rank = _RANKS[outcome.result]
    due_ms = now_ms + retry.first_seconds * 1000 if rank is Rank.DEFERRED else 0
    attempts = (Attempt(now_ms, outcome, node),)
    return RecipientState(rank, due_ms, attempts, 1, uncounted_count=int(not outcome.is_counted))


def state_at_commit(
    accepted: Accepted, outcome: Outcome | None, *, is_pending: bool, now_ms: int, node: int
) -> RecipientState:
    """Return the state that a recipient enters the queue with.

    outcome      None when nothing is known: it is pending, or no attempt was to be made
    is_pending   its attempt goes on in the background, and claims it: nothing is due before that has ended, or is not
                 heard of any more
    """
    not_before_ms = now_ms + accepted.seconds * 1000
    if outcome is not None:
        state = state_after(outcome, accepted.retry, now_ms=now_ms, node=node)
        return replace(state, due_ms=max(state.due_ms, not_before_ms)) if state.rank is Rank.DEFERRED else state
    if is_pending:
        return state_while_pending(now_ms, node, since_ms=now_ms)
    if accepted.is_fault:
        return RecipientState(due_ms=max(now_ms + accepted.retry.first_seconds * 1000, not_before_ms))
    if accepted.seconds:
        return RecipientState(Rank.DEFERRED, not_before_ms)
    return RecipientState(due_ms=DUE_AT_ONCE)


def due_in_time(
    state: RecipientState, deliver_by: DeliverBy | None, now_ms: int, *, is_put_off: bool = False
) -> RecipientState:
    """Return the state due no later than it is to be delivered by: then it is given up, or its delay told.

    What is late already, or put off by policy, waits its turn, unless it is to be returned.
    """
    if deliver_by is None or state.rank >= TERMINAL_RANK or state.claim is not None:
        return state
    if not deliver_by.is_return and (is_put_off or deliver_by.is_past(now_ms)):
        return state
    return replace(state, due_ms=min(state.due_ms, max(deliver_by.until_ms, now_ms)))


def state_while_pending(now_ms: int, node: int, *, since_ms: int) -> RecipientState:
    """Return the state of a recipient whose attempt goes on: whoever makes it says so again before it is due.

    An attempt ends with its process, and that must not delay the mail for as long as a next hop may take to answer.
    """
    until_ms = now_ms + PENDING_SECONDS * 1000
    return RecipientState(due_ms=until_ms, claim=Claim(node, since_ms, until_ms))


def requests_of(transaction: Transaction) -> Requests:
    """Return what is asked of recipients.

    Whom policy has added no sender has named: of those one that may be forged hears what policy asks alone.
    """
    envelope = transaction.envelope
    answered = transaction.answered
    is_sender_known = envelope.is_sender_verified or envelope.is_submission
    found = {one.address: one.request for one in envelope.recipients if one.request is not NO_REQUEST}
    for one in () if is_sender_known else transaction.accepted:
        if one.is_extra and one.recipient.address not in answered:
            found[one.recipient.address] = replace(one.recipient.request, notify=one.notify or Notify.NEVER)
    return found
