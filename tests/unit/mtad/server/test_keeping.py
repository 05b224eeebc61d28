"""The states that recipients enter the queue with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtad.mail.deliver_by import DeliverBy, Late
from mtad.mail.dsn_request import Notify, RecipientRequest
from mtad.mail.envelope import Client, Envelope, Recipient
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply
from mtad.mail.route import Route
from mtad.mail.verdict import RetryPlan
from mtad.server.background import PENDING_AGAIN_SECONDS
from mtad.server.keeping import (
    PENDING_SECONDS,
    due_in_time,
    requests_of,
    state_after,
    state_at_commit,
    state_while_pending,
)
from mtad.server.transaction import Accepted, Transaction
from mtad.spool.door import DUE_AT_ONCE, Attempt, Claim, Rank, RecipientState
from tests.fakes.server_rooms import DELAYED, DELIVERED, FAILED, UNKNOWN, FakePolicy

NOW_MS = 1_000_000
PLAN = RetryPlan((60, 600))


def accepted(*, is_fault: bool = False) -> Accepted:
    return Accepted(Recipient("b@example.net", Route()), PLAN, is_fault=is_fault)


@pytest.mark.parametrize(
    ("outcome", "rank", "due_ms"),
    [
        (DELIVERED, Rank.DELIVERED, 0),
        (FAILED, Rank.FAILED, 0),
        (DELAYED, Rank.DEFERRED, NOW_MS + 60_000),
        (UNKNOWN, Rank.DEFERRED, NOW_MS + 60_000),
    ],
)
def test_after_an_attempt(outcome: Outcome, rank: Rank, due_ms: int) -> None:
    expected = RecipientState(rank, due_ms, (Attempt(NOW_MS, outcome, 3),), 1)
    assert state_after(outcome, PLAN, now_ms=NOW_MS, node=3) == expected
    assert state_at_commit(accepted(), outcome, is_pending=False, now_ms=NOW_MS, node=3) == expected


def test_a_fault_of_ours_is_no_attempt_that_counts() -> None:
    fault = Outcome(Result.DELAYED, Reply.of(451, "4.3.2", "Delivery was stopped"))
    assert state_after(fault, PLAN, now_ms=NOW_MS, node=3).uncounted_count == 1


@pytest.mark.parametrize(
    ("plan", "seconds"),
    [
        (RetryPlan((300,), 432_000, 14_400), 300),
        (RetryPlan((300,), 432_000, 60), 60),
        (RetryPlan((300,), 432_000, 0), 300),
        (RetryPlan((300,), 120, 0), 120),
    ],
)
def test_it_is_tried_again_when_the_sender_may_have_to_be_told(plan: RetryPlan, seconds: int) -> None:
    assert state_after(DELAYED, plan, now_ms=NOW_MS, node=3).due_ms == NOW_MS + seconds * 1000


@pytest.mark.parametrize(
    ("is_pending", "is_fault", "due_ms"),
    [
        (False, False, DUE_AT_ONCE),
        (True, False, NOW_MS + PENDING_SECONDS * 1000),
        (False, True, NOW_MS + 60_000),
    ],
)
def test_without_an_outcome(is_pending: bool, is_fault: bool, due_ms: int) -> None:
    state = state_at_commit(accepted(is_fault=is_fault), None, is_pending=is_pending, now_ms=NOW_MS, node=3)
    claim = Claim(3, NOW_MS, due_ms) if is_pending else None
    assert state == RecipientState(Rank.QUEUED, due_ms, claim=claim)


def test_an_attempt_is_heard_of_again_before_it_is_given_up() -> None:
    assert PENDING_SECONDS >= 2 * PENDING_AGAIN_SECONDS
    assert state_while_pending(NOW_MS, 3, since_ms=NOW_MS) == state_at_commit(
        accepted(), None, is_pending=True, now_ms=NOW_MS, node=3
    )


def test_what_policy_queues_for_later_is_due_then() -> None:
    later = replace(accepted(), seconds=300)
    state = state_at_commit(later, None, is_pending=False, now_ms=NOW_MS, node=3)
    assert state == RecipientState(Rank.DEFERRED, NOW_MS + 300_000)


@pytest.mark.parametrize(
    ("outcome", "seconds", "rank", "due_ms"),
    [
        (DELAYED, 300, Rank.DEFERRED, NOW_MS + 300_000),
        (DELAYED, 30, Rank.DEFERRED, NOW_MS + 60_000),
        (DELIVERED, 300, Rank.DELIVERED, 0),
        (FAILED, 300, Rank.FAILED, 0),
    ],
)
def test_what_policy_queues_for_later_is_not_due_before_though_its_next_hop_was_asked(
    outcome: Outcome, seconds: int, rank: Rank, due_ms: int
) -> None:
    later = replace(accepted(), seconds=seconds)
    state = state_at_commit(later, outcome, is_pending=False, now_ms=NOW_MS, node=3)
    assert (state.rank, state.due_ms) == (rank, due_ms)


@pytest.mark.parametrize(("seconds", "due_ms"), [(300, NOW_MS + 300_000), (30, NOW_MS + 60_000)])
def test_nor_though_a_fault_has_left_its_route_unknown(seconds: int, due_ms: int) -> None:
    later = replace(accepted(is_fault=True), seconds=seconds)
    state = state_at_commit(later, None, is_pending=False, now_ms=NOW_MS, node=3)
    assert state == RecipientState(Rank.QUEUED, due_ms)


def test_a_sender_hears_of_whom_it_names_though_policy_had_added_it_before() -> None:
    asked = RecipientRequest(Notify.FAILURE)
    added = replace(accepted(), recipient=Recipient("b@example.net", Route(), request=asked), is_extra=True)
    extended = Transaction(Envelope("a@client.example", Client("192.0.2.1", 25)), FakePolicy()).joined_by([added], {})
    assert requests_of(extended) == {"b@example.net": RecipientRequest(Notify.NEVER)}
    assert requests_of(extended.naming("b@example.net", "b@example.net")) == {"b@example.net": asked}


@pytest.mark.parametrize(
    ("late", "seconds", "is_put_off", "due_seconds"),
    [
        (Late.RETURN, 20, False, 20),
        (Late.RETURN, 20, True, 20),
        (Late.RETURN, 90, False, 60),
        (Late.RETURN, -20, False, 0),
        (Late.NOTIFY, 20, False, 20),
        (Late.NOTIFY, 20, True, 60),
        (Late.NOTIFY, -20, False, 60),
    ],
)
def test_it_is_due_as_it_gets_late(late: Late, seconds: int, is_put_off: bool, due_seconds: int) -> None:
    state = state_after(DELAYED, PLAN, now_ms=NOW_MS, node=3)
    deliver_by = DeliverBy(NOW_MS + seconds * 1000, late)
    due = due_in_time(state, deliver_by, NOW_MS, is_put_off=is_put_off).due_ms
    assert due == NOW_MS + due_seconds * 1000


def test_what_is_done_or_goes_on_is_due_no_sooner() -> None:
    late = DeliverBy(NOW_MS, Late.RETURN)
    pending = state_while_pending(NOW_MS, 3, since_ms=NOW_MS)
    done = state_after(DELIVERED, PLAN, now_ms=NOW_MS, node=3)
    assert [due_in_time(state, late, NOW_MS) for state in (pending, done)] == [pending, done]
    assert due_in_time(pending, None, NOW_MS) == pending
