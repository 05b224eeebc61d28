"""The table of replies after the end of data, row by row."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply
from mtad.server.reply_table import (
    DECISIONS,
    Decision,
    Settlement,
    Standing,
    Wish,
    passed_on,
    reply_after_commit,
    reply_after_refusal,
    reply_to_all,
    settle,
    settle_apart,
)

U, V, W = "u@b.test", "v@b.test", "w@c.test"
TAKEN = Outcome(Result.DELIVERED, Reply.of(250, "2.0.0", "Ok"), "mx.b.test")
TAKEN_TOO = Outcome(Result.DELIVERED, Reply.of(250, "2.6.0", "Queued"), "mx.c.test")
SPAM = Outcome(Result.FAILED, Reply.of(554, "5.7.1", "Spam"), "mx.b.test")
NOBODY = Outcome(Result.FAILED, Reply.of(550, "5.1.1", "No such user"), "mx.b.test")
FULL = Outcome(Result.DELAYED, Reply.of(452, "4.2.2", "Over quota"), "mx.b.test")
LOST = Outcome(Result.UNKNOWN, Reply.of(450, "4.4.2", "Connection lost"), "mx.b.test")


def test_every_set_of_standings_has_a_decision() -> None:
    every = {frozenset(some) for count in range(1, 5) for some in combinations(Standing, count)}
    assert set(DECISIONS) == every


@pytest.mark.parametrize("standings", DECISIONS, ids=lambda standings: "+".join(sorted(standings)))
def test_what_is_ours_is_always_kept_and_nothing_delivered_is_refused(standings: frozenset[Standing]) -> None:
    decision = DECISIONS[standings]
    if Standing.OURS in standings:
        assert decision is Decision.KEEP
    if Standing.DELIVERED in standings:
        assert decision not in (Decision.REFUSED, Decision.REFUSED_FOR_NOW)
    if Standing.DELAYED in standings:
        assert decision in (Decision.KEEP, Decision.REFUSED_FOR_NOW)


def test_every_recipient_delivered() -> None:
    assert settle({U: TAKEN}, {}) == Settlement(Reply.of(250, "2.0.0", "Ok: delivered (mx.b.test: 250 2.0.0 Ok)"))
    both = settle({U: TAKEN, V: TAKEN, W: TAKEN_TOO}, {}).reply
    assert str(both) == "250 2.0.0 Ok: delivered (mx.b.test: 250 2.0.0 Ok; mx.c.test: 250 2.6.0 Queued)"


def test_a_long_list_of_next_hops_is_cut() -> None:
    outcomes = {f"u{n}@b.test": Outcome(Result.DELIVERED, TAKEN.reply, f"mx{n}.test") for n in range(9)}
    reply = settle(outcomes, {}).reply
    assert reply is not None
    assert "mx3.test" in reply.text
    assert "mx4.test" not in reply.text
    assert reply.text.endswith("; ...)")


def test_every_recipient_permanently_refused() -> None:
    assert settle({U: SPAM}, {}) == Settlement(SPAM.reply)
    assert settle({U: NOBODY, V: SPAM}, {}, is_submission=True) == Settlement(NOBODY.reply)


def test_every_recipient_transiently_refused_and_the_client_is_an_mta() -> None:
    assert settle({U: FULL, V: FULL}, {}) == Settlement(FULL.reply)


def test_every_recipient_transiently_refused_and_policy_says_queue() -> None:
    assert settle({U: FULL}, {U: Wish(queue_on_transient=True)}) == Settlement(None, (U,))
    assert settle({U: FULL, V: FULL}, {U: Wish(queue_on_transient=True)}) == Settlement(None, (U, V))


def test_every_recipient_transiently_refused_and_the_client_is_a_submitter() -> None:
    assert settle({U: FULL}, {}, is_submission=True) == Settlement(None, (U,))


def test_some_delivered_the_rest_transient() -> None:
    assert settle({U: TAKEN, V: FULL}, {}) == Settlement(None, (V,))


def test_some_delivered_some_permanently_refused() -> None:
    settlement = settle({U: TAKEN, V: NOBODY}, {})
    assert settlement.reply is not None
    assert settlement.reply.code == 250
    assert (settlement.keep, settlement.failed) == ((), (V,))


def test_some_transiently_some_permanently_refused() -> None:
    assert settle({U: NOBODY, V: FULL}, {}) == Settlement(FULL.reply)
    assert settle({U: NOBODY, V: FULL}, {}, is_submission=True) == Settlement(None, (V,), (U,))


def test_some_of_each() -> None:
    assert settle({U: TAKEN, V: NOBODY, W: FULL}, {}) == Settlement(None, (W,), (V,))


@pytest.mark.parametrize("others", [{}, {V: TAKEN}, {V: FULL}, {V: SPAM}])
@pytest.mark.parametrize("open_end", [LOST, None], ids=["unknown", "past the deadline"])
def test_what_is_not_known_is_kept_and_never_bounced(others: dict[str, Outcome], open_end: Outcome | None) -> None:
    settlement = settle({U: open_end, **others}, {})
    assert settlement.reply is None
    assert U in settlement.keep
    assert U not in settlement.failed


def test_what_policy_queues_at_once_is_kept() -> None:
    assert settle({U: None, V: SPAM}, {U: Wish(queue_at_once=True)}) == Settlement(None, (U,), (V,))


def test_after_the_commit() -> None:
    assert str(reply_after_commit(2, "01H")) == "250 2.0.0 Ok: queued as 01H (2 copies)"
    assert str(reply_after_commit(1, "01H")) == "250 2.0.0 Ok: queued as 01H (1 copy)"
    received = "250 2.0.0 Ok: queued as 01H (1 copy, 1 in memory)"
    assert str(reply_after_commit(1, "01H", is_received=True)) == received


@pytest.mark.parametrize(
    ("why", "expected"), [("full", "452 4.3.1"), ("peer", "451 4.4.0"), ("failed", "451 4.3.0"), ("?", "451 4.3.0")]
)
def test_after_a_refused_commit(why: str, expected: str) -> None:
    assert str(reply_after_refusal(why, "01ABC")).startswith(expected)


@pytest.mark.parametrize(("code", "passed"), [(421, 451), (450, 450), (521, 554), (550, 550)])
def test_codes_about_the_next_hops_own_connection_are_not_passed_on(code: int, passed: int) -> None:
    result = Result.DELAYED if code < 500 else Result.FAILED
    outcome = Outcome(result, Reply.of(code, f"{code // 100}.3.2", "Closing"))
    assert passed_on(outcome) == Reply.of(passed, f"{code // 100}.3.2", "Closing")
    assert settle({U: outcome}, {}).reply == passed_on(outcome)


TOLD = Reply.of(250, "2.0.0", "Ok: delivered (mx.b.test: 250 2.0.0 Ok)")
CLOSING = Outcome(Result.DELAYED, Reply.of(421, "4.3.2", "Closing"), "mx.b.test")
BUSY = Reply.of(450, "4.2.0", "Busy")


@pytest.mark.parametrize(
    ("outcome", "wish", "is_submission", "expected"),
    [
        (TAKEN, Wish(), False, TOLD),
        (SPAM, Wish(), False, SPAM.reply),
        (SPAM, Wish(queue_on_transient=True), True, SPAM.reply),
        (FULL, Wish(), False, FULL.reply),
        (CLOSING, Wish(), False, Reply.of(451, "4.3.2", "Closing")),
        (FULL, Wish(), True, None),
        (FULL, Wish(queue_on_transient=True), False, None),
        (LOST, Wish(), False, None),
        (None, Wish(), False, None),
        (None, Wish(queue_at_once=True), False, None),
    ],
)
@pytest.mark.parametrize("others", [{}, {V: TAKEN}, {V: NOBODY}, {V: FULL}, {V: LOST}])
def test_each_recipient_hears_its_own_whatever_the_others_do(
    outcome: Outcome | None, wish: Wish, is_submission: bool, expected: Reply | None, others: dict[str, Outcome]
) -> None:
    settlement = settle_apart({U: outcome, **others}, {U: wish}, is_submission=is_submission)
    assert settlement.each.get(U) == expected
    assert (U in settlement.keep) is (expected is None)
    assert settlement.keep or settlement.reply == reply_to_all(settlement.each.values())


def test_who_hears_its_own_refusal_is_owed_no_dsn() -> None:
    settlement = settle_apart({U: TAKEN, V: NOBODY, W: None}, {})
    assert (settlement.reply, settlement.keep, settlement.failed) == (None, (W,), ())
    assert settlement.each == {U: TOLD, V: NOBODY.reply}


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ([SPAM.reply], "554 5.7.1 Spam"),
        ([SPAM.reply, SPAM.reply], "554 5.7.1 Spam"),
        ([TOLD, TOLD], str(TOLD)),
        ([Reply.of(250, "2.0.0", "Ok: a"), Reply.of(250, "2.6.0", "Ok: b")], "250 2.0.0 Ok: a; Ok: b"),
        ([SPAM.reply, NOBODY.reply], "554 5.0.0 Refused for all recipients, each has its own reply"),
        ([SPAM.reply, BUSY], "450 4.0.0 Refused for all recipients, each has its own reply"),
        ([FULL.reply, BUSY], "450 4.0.0 Refused for all recipients, each has its own reply"),
        ([SPAM.reply, TOLD], "250 2.0.0 Ok for some recipients, each has its own reply"),
        ([BUSY, TOLD], "250 2.0.0 Ok for some recipients, each has its own reply"),
    ],
)
def test_what_replies_come_to(replies: list[Reply], expected: str) -> None:
    assert str(reply_to_all(replies)) == expected
    assert str(reply_to_all(replies[::-1]).code) == expected[:3]


def test_a_long_list_of_replies_is_cut() -> None:
    said = reply_to_all([Reply.of(250, "2.0.0", f"Ok: {n}") for n in range(9)]).text
    assert said == "2.0.0 Ok: 0; Ok: 1; Ok: 2; Ok: 3; ..."


EXTRA = Wish(is_extra=True)
ALL = tuple(product([TAKEN, SPAM, FULL, None], repeat=3))


@pytest.mark.parametrize(("one", "two", "extra"), ALL)
def test_what_policy_adds_changes_no_refusal_and_is_kept_where_the_message_is_taken(
    one: Outcome | None, two: Outcome | None, extra: Outcome | None
) -> None:
    named: dict[str, Outcome | None] = {"one@x.test": one, "two@x.test": two}
    found, alone = settle({"extra@x.test": extra, **named}, {"extra@x.test": EXTRA}), settle(named, {})
    assert found.is_accepting == alone.is_accepting
    if not alone.is_accepting:
        assert found == alone
    elif extra in (FULL, None):
        assert "extra@x.test" in found.keep
    elif extra is SPAM:
        assert "extra@x.test" in found.failed
    assert set(alone.keep) <= set(found.keep)
    if found.reply == alone.reply is not None:
        assert found.keep == ()


@pytest.mark.parametrize(("one", "two", "extra"), ALL)
def test_nobody_hears_of_what_policy_adds(one: Outcome | None, two: Outcome | None, extra: Outcome | None) -> None:
    named: dict[str, Outcome | None] = {"one@x.test": one, "two@x.test": two}
    found, alone = settle_apart({"extra@x.test": extra, **named}, {"extra@x.test": EXTRA}), settle_apart(named, {})
    assert {a: reply for a, reply in found.each.items() if a in named} == alone.each
    assert set(alone.keep) <= set(found.keep)
    is_taken = TAKEN in (one, two) or None in (one, two)
    assert ("extra@x.test" in found.keep) == (is_taken and extra in (FULL, None))
    if not found.keep:
        assert found.reply == alone.reply


@pytest.mark.parametrize(("extra", "is_kept"), [(TAKEN, False), (SPAM, False), (FULL, True), (None, True)])
def test_where_nobody_is_left_of_those_that_were_named_the_rest_is_ours(extra: Outcome | None, is_kept: bool) -> None:
    found = settle_apart({"extra@x.test": extra}, {"extra@x.test": EXTRA})
    assert (found.is_accepting, found.keep) == (True, ("extra@x.test",) if is_kept else ())
    assert found.failed == (("extra@x.test",) if extra is SPAM else ())


HIDDEN = Wish(is_extra=True, is_hidden=True)


@pytest.mark.parametrize(("hidden", "is_kept"), [(TAKEN, False), (SPAM, False), (FULL, True), (None, True)])
def test_where_only_the_hidden_are_left_the_client_hears_nothing_of_them(hidden: Outcome | None, is_kept: bool) -> None:
    found = settle({"extra@x.test": hidden}, {"extra@x.test": HIDDEN})
    assert (found.is_accepting, found.keep) == (True, ("extra@x.test",) if is_kept else ())
    assert found.failed == (("extra@x.test",) if hidden is SPAM else ())
    assert found.reply is None or str(found.reply) == "250 2.0.0 Ok"


@pytest.mark.parametrize(("shown", "hidden"), tuple(product([TAKEN, SPAM, FULL, None], repeat=2)))
def test_the_hidden_change_nothing_of_what_is_heard_of_others_that_policy_adds(
    shown: Outcome | None, hidden: Outcome | None
) -> None:
    alone = settle({"extra@x.test": shown}, {"extra@x.test": EXTRA})
    found = settle({"h@x.test": hidden, "extra@x.test": shown}, {"extra@x.test": EXTRA, "h@x.test": HIDDEN})
    assert found.is_accepting == alone.is_accepting
    assert found.reply in (alone.reply, None)


def test_the_client_is_not_told_of_the_next_hop_of_what_policy_adds() -> None:
    elsewhere = Outcome(Result.DELIVERED, Reply.of(250, "2.0.0", "Ok"), "archive.test")
    found = settle({"extra@x.test": elsewhere, "one@x.test": TAKEN}, {"extra@x.test": EXTRA})
    assert "archive.test" not in str(found.reply)
