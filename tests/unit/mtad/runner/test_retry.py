"""What an attempt makes of a queued message."""

from dataclasses import replace

import pytest

from mtad.mail.deliver_by import DeliverBy, Late
from mtad.mail.dsn import Action
from mtad.mail.dsn_request import MessageRequest, Notify, RecipientRequest
from mtad.mail.envelope import Client
from mtad.mail.outcome import Outcome, Result, Success
from mtad.mail.reply import Reply
from mtad.mail.route import Route
from mtad.mail.verdict import RetryPlan
from mtad.pb import queue_pb2
from mtad.runner.retry import Attempter, after_attempt, next_due_ms
from mtad.spool.codec import StoredMessage, claim_record, due_record, part_value, read_state, state_message
from mtad.spool.door import ATTEMPTS_KEPT, Attempt, Claim, Rank, RecipientState
from replicator.core.merge import join_part
from replicator.core.values import NO_FLAGS, Branch, Dot, Item

PLAN = RetryPlan((10, 20, 40), 100)
DELIVERED = Outcome(Result.DELIVERED, Reply.of(250, "2.0.0", "Ok"), "mx")
DELAYED = Outcome(Result.DELAYED, Reply.of(451, "4.3.0", "later"), "mx")
FAILED = Outcome(Result.FAILED, Reply.of(550, "5.1.1", "no"), "mx")
UNKNOWN = Outcome(Result.UNKNOWN, Reply.of(451, "4.4.2", "lost"), "mx")


OWNER = Attempter(1, 1_001_000)


def restored(state: RecipientState) -> RecipientState:
    """Return a state as it comes back from the disk."""
    kept = queue_pb2.RecipientState.FromString(state_message(state).SerializeToString())
    return read_state(state.rank, state.due_ms, kept)


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
        is_binary=False,
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
    assert bool(made.notices) is is_reported
    assert made.states["bob"].attempts_count == 1
    if rank is Rank.DEFERRED:
        assert made.states["bob"].due_ms == 1_000_000 + min(age + 10, PLAN.expire_seconds) * 1000, "tried as it expires"


@pytest.mark.parametrize(("before", "rank"), [(0, Rank.DEFERRED), (1, Rank.DEFERRED), (2, Rank.FAILED)])
def test_after_as_many_attempts_as_there_may_be_it_is_given_up(before, rank):
    message = stored(bob=RecipientState(attempts_count=before))
    made = after_attempt(message, {"bob": DELAYED}, {"bob": replace(PLAN, attempts_max=3)}, Attempter(1, 1_001_000))
    assert made.states["bob"].rank is rank
    assert bool(made.notices) is (rank is Rank.FAILED)


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(Result.DELAYED, Reply.of(451, "4.3.0", "Local error")),
        Outcome(Result.DELAYED, Reply.of(451, "4.3.2", "Delivery was stopped"), "mx", is_ours=True),
        Outcome(Result.DELAYED, Reply.of(450, "4.4.3", "The recipient's domain cannot be looked up now")),
    ],
)
@pytest.mark.parametrize("before", [0, 2, ATTEMPTS_KEPT])
def test_what_a_fault_of_ours_has_ended_is_none_of_the_attempts_that_there_may_be(outcome, before):
    plans, by = {"bob": replace(PLAN, attempts_max=3)}, Attempter(1, 1_001_000)
    state = RecipientState()
    for _ in range(before):
        made = after_attempt(stored(bob=state), {"bob": outcome}, plans, by)
        state = restored(made.states["bob"])
        assert (state.rank, made.notices) == (Rank.DEFERRED, ())
    assert state.attempts_count == before
    for rank in (Rank.DEFERRED, Rank.DEFERRED, Rank.FAILED):
        faulted = after_attempt(stored(bob=state), {"bob": outcome}, plans, by).states["bob"]
        assert faulted.rank is Rank.DEFERRED, "nor the last one"
        state = restored(after_attempt(stored(bob=faulted), {"bob": DELAYED}, plans, by).states["bob"])
        assert state.rank is rank


@pytest.mark.parametrize("reply", [Reply.of(451, "4.3.0", "later"), Reply.of(450, "4.4.3", "I know no such domain")])
def test_what_a_next_hop_says_of_its_own_system_is_an_attempt(reply):
    refused = Outcome(Result.DELAYED, reply, "mx")
    made = after_attempt(stored(bob=RecipientState()), {"bob": refused}, {"bob": replace(PLAN, attempts_max=1)}, OWNER)
    assert made.states["bob"].rank is Rank.FAILED


def test_a_route_stays_until_there_is_another_one():
    message, by = stored(bob=RecipientState()), Attempter(1, 1_001_000)
    first, second = Route(hosts=("a",)), Route(hosts=("b",))
    for route, expected in ((None, None), (first, first), (None, first), (second, second), (Route(), Route())):
        plans = {"bob": replace(PLAN, route=route)}
        made = after_attempt(message, {"bob": DELAYED}, plans, by).states["bob"]
        assert made.route == expected
        message = stored(bob=made)


def test_a_route_that_cannot_be_followed_is_forgotten():
    message = stored(bob=RecipientState(route=Route(hosts=("a",), sources=("192.0.2.7",))))
    misled = Outcome(Result.DELAYED, Reply.of(451, "4.3.5", "The route names no source address"))
    of_the_hop = Outcome(Result.DELAYED, misled.reply, "mx")
    assert after_attempt(message, {"bob": of_the_hop}, {"bob": PLAN}, OWNER).states["bob"].route is not None
    assert after_attempt(message, {"bob": misled}, {"bob": PLAN}, OWNER).states["bob"].route is None


@pytest.mark.parametrize("outcome", [UNKNOWN, DELAYED])
def test_who_does_not_own_the_queue_gives_nobody_up(outcome):
    late = Attempter(1, 1_000_000_000, is_owner=False)
    made = after_attempt(stored(bob=RecipientState()), {"bob": outcome}, {"bob": PLAN}, late)
    assert made.states["bob"].rank is Rank.DEFERRED
    assert made.notices == ()


@pytest.mark.parametrize(
    ("earlier", "last", "is_in_doubt"), [(UNKNOWN, DELAYED, True), (UNKNOWN, FAILED, True), (DELAYED, DELAYED, False)]
)
def test_a_doubt_of_an_earlier_attempt_is_remembered(earlier, last, is_in_doubt):
    state = RecipientState(Rank.DEFERRED, 0, (Attempt(1_000_000, earlier, 1),), 1)
    made = after_attempt(stored(bob=state), {"bob": last}, {"bob": PLAN}, Attempter(1, 2_000_000))
    assert made.notices[0].is_in_doubt is is_in_doubt


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


# --- telling the sender ---------------------------------------------------------------------------------------

SLOW = RetryPlan((10, 20, 40), 1000, warn_seconds=50)
START = 1_000_000


def attempted(message, outcome, age, *, plan=SLOW, is_owner=True):
    """Return what an attempt at that age makes of bob: the message after it, and what is told."""
    by = Attempter(1, START + age * 1000, is_owner)
    made = after_attempt(message, {"bob": outcome}, {"bob": plan}, by)
    return replace(message, recipients={"bob": made.states["bob"]}), made.notices


def known(**fields):
    return replace(stored(bob=RecipientState()), **{"is_submission": True, **fields})


def test_a_delay_is_told_once_at_its_time():
    message, told = known(), []
    ages = []
    while (age := (message.recipients["bob"].due_ms or START) / 1000 - START / 1000) < 500:
        ages.append(round(age))
        message, notices = attempted(message, DELAYED, age)
        told.append([(notice.action, notice.retry_until_ms) for notice in notices])
    assert ages[:6] == [0, 10, 30, 50, 90, 130]  # without the warning it would have been 70 after 30
    assert [age for age, notices in zip(ages, told, strict=True) if notices] == [50]
    assert told[3] == [(Action.DELAYED, START + 1_000_000)]
    assert message.recipients["bob"].delay_told_ms == START + 50_000


@pytest.mark.parametrize(
    ("message", "plan", "is_owner"),
    [
        (known(), replace(SLOW, warn_seconds=0), True),
        (known(), SLOW, False),
        (known(is_submission=False), SLOW, True),
        (known(reverse_path=""), SLOW, True),
        (known(requests={"bob": RecipientRequest(Notify.NEVER)}), SLOW, True),
        (known(requests={"bob": RecipientRequest(Notify.FAILURE)}), SLOW, True),
        (known(recipients={"bob": RecipientState(delay_told_ms=1)}), SLOW, True),
    ],
)
def test_who_is_not_to_be_told_of_a_delay_is_not(message, plan, is_owner):
    after, notices = attempted(message, DELAYED, 60, plan=plan, is_owner=is_owner)
    assert notices == ()
    assert after.recipients["bob"].delay_told_ms == message.recipients["bob"].delay_told_ms
    assert after.recipients["bob"].due_ms == START + 70_000


def test_who_asked_for_it_is_told_of_a_success():
    relayed = replace(DELIVERED, success=Success.RELAYED)
    asked = known(requests={"bob": RecipientRequest(Notify.SUCCESS)})
    assert [notice.action for notice in attempted(asked, relayed, 1)[1]] == [Action.RELAYED]
    assert attempted(asked, DELIVERED, 1)[1] == ()
    assert attempted(known(), relayed, 1)[1] == ()


def test_a_warning_is_remembered_through_what_follows():
    message, _ = attempted(known(), DELAYED, 60)
    item = item_of(message.recipients["bob"])
    claimed = claim_record(item, ["bob"], Claim(1, START, START + 1), 70)
    for record in (claimed, due_record(item, lambda value: 5, 70)):
        ((_, value),) = record.parts
        state = read_state(value.rank, value.due, queue_pb2.RecipientState.FromString(value.data))
        assert state.delay_told_ms == START + 60_000


def test_of_two_nodes_one_warning_outlasts_the_other_nodes_older_state():
    """Whatever order they come in: the owner's later attempt, with its warning, joins above what was known before."""
    before = known(recipients={"bob": RecipientState(Rank.DEFERRED, 0, (), 3)})
    after, _ = attempted(before, DELAYED, 60)
    old, new = (part_value(message.recipients["bob"], 1) for message in (before, after))
    for joined in (join_part(old, new), join_part(new, old)):
        assert joined == new


def item_of(state):
    value = part_value(state, 60)
    return Item(b"k", Dot(Branch(1, 0), 1), {b"bob": value}, NO_FLAGS, b"", 1)


def timed(seconds, late, **changed):
    """Return a submitter's message that is to be delivered so long after it came."""
    deliver_by = DeliverBy(1_000_000 + seconds * 1000, late)
    return replace(stored(bob=RecipientState(**changed)), is_submission=True, request=MessageRequest(by=deliver_by))


@pytest.mark.parametrize(("late", "told"), [(Late.RETURN, Action.FAILED), (Late.NOTIFY, Action.DELAYED)])
@pytest.mark.parametrize("outcome", [DELAYED, UNKNOWN])
def test_what_is_late_is_given_up_or_told_and_tried_on(outcome, late, told):
    early = after_attempt(timed(5, late), {"bob": outcome}, {"bob": PLAN}, OWNER)
    assert (early.notices, early.states["bob"].due_ms) == ((), 1_005_000), "looked at again as it gets late"
    made = after_attempt(timed(5, late), {"bob": outcome}, {"bob": PLAN}, Attempter(1, 1_005_000))
    [notice] = made.notices
    assert (notice.action, notice.is_late) == (told, True)
    assert made.states["bob"].rank is (Rank.FAILED if late is Late.RETURN else Rank.DEFERRED)


@pytest.mark.parametrize("late", Late)
def test_who_does_not_own_the_queue_gives_up_nothing_and_tells_nobody(late):
    made = after_attempt(timed(5, late), {"bob": DELAYED}, {"bob": PLAN}, Attempter(1, 1_005_000, is_owner=False))
    assert (made.notices, made.states["bob"].rank) == ((), Rank.DEFERRED)


def test_that_it_is_late_is_told_once_whatever_was_told_before():
    plan = replace(PLAN, warn_seconds=2)
    warned = after_attempt(timed(5, Late.NOTIFY), {"bob": DELAYED}, {"bob": plan}, Attempter(1, 1_002_000))
    assert [notice.is_late for notice in warned.notices] == [False]
    state = warned.states["bob"]
    assert (state.delay_told_ms, state.due_ms) == (1_002_000, 1_005_000)
    message = replace(timed(5, Late.NOTIFY), recipients={"bob": state})
    late = after_attempt(message, {"bob": DELAYED}, {"bob": plan}, Attempter(1, 1_005_000))
    assert [notice.is_late for notice in late.notices] == [True]
    message = replace(message, recipients=late.states)
    assert after_attempt(message, {"bob": DELAYED}, {"bob": plan}, Attempter(1, 1_025_000)).notices == ()


@pytest.mark.parametrize(("late", "until_ms"), [(Late.RETURN, 1_005_000), (Late.NOTIFY, 1_100_000)])
def test_a_warning_says_until_when_it_is_really_tried(late, until_ms):
    plan = replace(PLAN, warn_seconds=2)
    made = after_attempt(timed(5, late), {"bob": DELAYED}, {"bob": plan}, Attempter(1, 1_002_000))
    assert [notice.retry_until_ms for notice in made.notices] == [until_ms]


def test_that_it_is_late_is_told_to_who_has_not_asked_for_less():
    message = replace(timed(5, Late.NOTIFY), requests={"bob": RecipientRequest(Notify.FAILURE)})
    assert after_attempt(message, {"bob": DELAYED}, {"bob": PLAN}, Attempter(1, 1_005_000)).notices == ()


def test_a_recipient_may_have_a_time_of_its_own():
    own = RecipientRequest(by=DeliverBy(1_003_000, Late.RETURN))
    message = replace(timed(5, Late.NOTIFY), requests={"bob": own})
    made = after_attempt(message, {"bob": DELAYED}, {"bob": PLAN}, Attempter(1, 1_003_000))
    assert made.states["bob"].rank is Rank.FAILED


def test_policy_may_give_up_before_it_is_late():
    made = after_attempt(timed(500, Late.NOTIFY), {"bob": DELAYED}, {"bob": PLAN}, Attempter(1, 1_100_000))
    [notice] = made.notices
    assert (notice.action, notice.is_late, notice.is_expired) == (Action.FAILED, False, True)
