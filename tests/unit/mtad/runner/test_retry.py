"""What an attempt makes of a queued message."""

import pytest

from mtad.mail.envelope import Client
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply
from mtad.mail.verdict import RetryPlan
from mtad.runner.retry import Attempter, after_attempt, next_due_ms
from mtad.spool.codec import StoredMessage
from mtad.spool.door import ATTEMPTS_KEPT, Attempt, Rank, RecipientState
from replicator.core.values import NO_FLAGS, Branch, Dot, Item

PLAN = RetryPlan((10, 20, 40), 100)
DELIVERED = Outcome(Result.DELIVERED, Reply.of(250, "2.0.0", "Ok"), "mx")
DELAYED = Outcome(Result.DELAYED, Reply.of(451, "4.3.0", "later"), "mx")
FAILED = Outcome(Result.FAILED, Reply.of(550, "5.1.1", "no"), "mx")
UNKNOWN = Outcome(Result.UNKNOWN, Reply.of(451, "4.4.2", "lost"), "mx")


def stored(**recipients):
    return StoredMessage(
        queue_id="01JD4Z8Q6K100000",
        reverse_path="a@example.org",
        arrival_ms=1_000_000,
        item=Item(b"01JD4Z8Q6K100000", Dot(Branch(1, 0), 1), {}, NO_FLAGS, b"", 10),
        client=Client("192.0.2.1", 25),
        recipients=recipients,
        is_held=False,
        hold_reason="",
        is_8bit=False,
        is_utf8=False,
        is_sender_verified=False,
        is_submission=False,
        dsn_of="",
    )


@pytest.mark.parametrize(("count", "due"), [(1, 10), (2, 20), (3, 40), (4, 40), (400, 40)])
def test_the_last_interval_repeats(count, due):
    assert next_due_ms(count, PLAN, 5_000) == 5_000 + due * 1000


@pytest.mark.parametrize(
    ("outcome", "age", "rank", "is_reported"),
    [
        (DELIVERED, 1, Rank.DELIVERED, False),
        (DELIVERED, 1000, Rank.DELIVERED, False),
        (DELAYED, 99, Rank.DEFERRED, False),
        (DELAYED, 100, Rank.FAILED, True),
        (FAILED, 1, Rank.FAILED, True),
        (UNKNOWN, 1, Rank.DEFERRED, False),
        (UNKNOWN, 100, Rank.FAILED, True),
    ],
)
def test_each_outcome_has_its_consequence(outcome, age, rank, is_reported):
    message = stored(bob=RecipientState())
    made = after_attempt(message, {"bob": outcome}, {"bob": PLAN}, Attempter(1, 1_000_000 + age * 1000))
    assert made.states["bob"].rank is rank
    assert bool(made.failed) is is_reported
    assert made.states["bob"].attempts_count == 1
    if rank is Rank.DEFERRED:
        assert made.states["bob"].due_ms == 1_000_000 + age * 1000 + 10_000


@pytest.mark.parametrize("outcome", [UNKNOWN, DELAYED])
def test_who_does_not_own_the_queue_gives_nobody_up(outcome):
    late = Attempter(1, 1_000_000_000, is_owner=False)
    made = after_attempt(stored(bob=RecipientState()), {"bob": outcome}, {"bob": PLAN}, late)
    assert made.states["bob"].rank is Rank.DEFERRED
    assert made.failed == ()


@pytest.mark.parametrize(
    ("earlier", "last", "is_in_doubt"), [(UNKNOWN, DELAYED, True), (UNKNOWN, FAILED, True), (DELAYED, DELAYED, False)]
)
def test_a_doubt_of_an_earlier_attempt_is_remembered(earlier, last, is_in_doubt):
    state = RecipientState(Rank.DEFERRED, 0, (Attempt(1_000_000, earlier, 1),), 1)
    made = after_attempt(stored(bob=state), {"bob": last}, {"bob": PLAN}, Attempter(1, 2_000_000))
    assert made.failed[0].is_in_doubt is is_in_doubt


def test_only_the_recipients_of_the_attempt_change():
    message = stored(bob=RecipientState(), eve=RecipientState(Rank.DELIVERED))
    assert set(after_attempt(message, {"bob": DELAYED}, {"bob": PLAN}, Attempter(1, 1_000_000)).states) == {"bob"}


def test_attempts_are_remembered_to_a_limit_and_counted_beyond_it():
    state = RecipientState()
    for _ in range(ATTEMPTS_KEPT + 5):
        message = stored(bob=state)
        state = after_attempt(message, {"bob": DELAYED}, {"bob": PLAN}, Attempter(2, 1_000_000)).states["bob"]
    assert len(state.attempts) == ATTEMPTS_KEPT
    assert state.attempts_count == ATTEMPTS_KEPT + 5
    assert state.attempts[-1].node == 2
