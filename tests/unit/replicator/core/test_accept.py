"""When a client is answered, and what it is told when the peer is away."""

import pytest

from replicator.core import accept, links
from replicator.core.accept import PROTECTION, Sign
from replicator.core.events import Received
from replicator.core.messages import Ack, Beat
from replicator.core.values import AckLevel, Durability, Kind, Protection, Role
from tests.fakes.pair import Pair, joined, part, put


def statement_kinds(pair: Pair) -> list[Kind]:
    """Kinds of the records of node 0's own branch, as its log has them."""
    return [record.kind for dot, record in pair.a.store.log.items() if dot.branch == pair.a.member.own]


def test_an_accepted_change_is_on_both_disks() -> None:
    pair = joined()
    pair.a.submit(put("x"))
    assert pair.a.answer() is Durability.REMOTE
    assert pair.a.keys == pair.b.keys == ["x"]


def test_both_members_accept() -> None:
    pair = joined()
    pair.b.submit(put("x"))
    assert pair.b.answer() is Durability.REMOTE
    assert pair.a.keys == ["x"]


def test_no_answer_before_our_own_disk() -> None:
    pair = joined()
    pair.a.is_disk_stuck = True
    pair.a.submit(put("x"))
    assert pair.b.keys == ["x"]
    pair.run(1500)
    assert pair.a.answer() is None
    pair.a.is_disk_stuck = False
    pair.settle()
    assert pair.a.answer() is Durability.REMOTE


def test_our_own_slow_disk_is_not_held_against_the_peer() -> None:
    pair = joined()
    pair.a.is_disk_stuck = True
    pair.a.submit(put("x"))
    pair.run(4000)
    assert pair.a.answer() is None
    assert pair.a.member.protection is Protection.PROTECTED


def test_no_answer_before_the_peers_disk() -> None:
    pair = joined()
    pair.b.is_disk_stuck = True
    pair.a.submit(put("x"))
    pair.run(1500)
    assert pair.a.answer() is None
    pair.b.is_disk_stuck = False
    pair.settle()
    assert pair.a.answer() is Durability.REMOTE


def test_what_nobody_waits_for_is_answered_by_our_disk_alone() -> None:
    pair = joined()
    pair.b.is_disk_stuck = True
    pair.a.submit(put("x"), wait=False)
    assert pair.a.answer() is Durability.LOCAL
    assert pair.a.member.status.unprotected == 0


def test_what_says_no_more_of_an_item_that_is_here_is_not_counted_as_unprotected() -> None:
    pair = joined()
    x = pair.a.accept("x")
    pair.cut()
    pair.run(3000)
    assert pair.a.member.protection is Protection.DEGRADED
    pair.a.submit(part("x", x, 0))
    assert pair.a.answer() is Durability.LOCAL
    assert pair.a.member.status.unprotected == 0


def test_several_records_are_answered_together_and_in_order() -> None:
    pair = joined()
    pair.b.is_disk_stuck = True
    first = pair.a.submit(put("x"), put("y"))
    second = pair.a.submit(put("z"))
    assert pair.a.answer(first) is None
    pair.b.is_disk_stuck = False
    pair.settle()
    assert list(pair.a.answers) == [first, second]


def test_a_silent_peer_is_given_up_once_and_not_for_each_change() -> None:
    pair = joined()
    pair.is_wire_cut = True
    waiting = [pair.a.submit(put(key)) for key in ("x", "y")]
    pair.run(1900)
    assert pair.a.answers == {}
    pair.run(200)
    assert [pair.a.answer(token) for token in waiting] == [Durability.LOCAL, Durability.LOCAL]
    assert pair.a.member.protection is Protection.DEGRADED
    pair.a.submit(put("z"))
    assert pair.a.answer() is Durability.LOCAL
    assert pair.a.member.status.unprotected == 3


def test_before_the_first_link_changes_wait_no_longer_than_t_ack() -> None:
    pair = Pair()
    pair.run(1000)
    early = pair.a.submit(put("x"))
    assert pair.a.answer(early) is None
    pair.run(1100)
    assert pair.a.answer(early) is Durability.LOCAL
    pair.a.submit(put("y"))
    assert pair.a.answer() is Durability.LOCAL


def test_a_link_that_comes_back_soon_costs_no_protection() -> None:
    pair = joined()
    pair.cut()
    token = pair.a.submit(put("x"))
    assert pair.a.member.protection is Protection.SUSPECT
    pair.run(500)
    assert pair.a.answer(token) is None
    pair.link()
    assert pair.a.answer(token) is Durability.REMOTE
    assert pair.a.member.protection is Protection.PROTECTED


def test_nothing_waits_for_a_peer_that_is_catching_up() -> None:
    pair = joined()
    pair.cut()
    pair.run(2500)
    for number in range(3):
        pair.a.submit(put(f"alone {number}"))
    assert pair.a.member.status.unprotected == 3
    pair.b.is_disk_stuck = True
    pair.link()
    assert pair.a.member.protection is Protection.CATCHUP
    pair.a.submit(put("x"))
    assert pair.a.answer() is Durability.LOCAL
    pair.b.is_disk_stuck = False
    pair.run(50)
    assert pair.a.member.protection is Protection.PROTECTED
    assert pair.a.member.status.unprotected == 0
    pair.a.submit(put("y"))
    assert pair.a.answer() is Durability.REMOTE
    assert pair.b.keys == pair.a.keys


def test_a_peer_whose_disk_stopped_is_waited_for_again_when_it_confirms() -> None:
    pair = joined()
    pair.b.is_disk_stuck = True
    pair.a.submit(put("x"))
    pair.run(2100)
    assert pair.a.member.protection is Protection.DEGRADED
    pair.a.submit(put("y"))
    assert pair.a.answer() is Durability.LOCAL
    pair.b.is_disk_stuck = False
    pair.run(50)
    assert pair.a.member.protection is Protection.PROTECTED


def test_a_policy_that_forbids_one_copy_refuses_and_takes_back() -> None:
    pair = joined(accept_alone=False)
    pair.is_wire_cut = True
    pair.a.submit(put("x"), put("y"))
    pair.run(1990)
    pair.a.is_disk_stuck = True
    pair.run(100)
    assert pair.a.answer() is None  # not before the ABORT is durable
    pair.a.is_disk_stuck = False
    pair.settle()
    assert pair.a.answers[pair.a.tokens][1:] == (Durability.REFUSED, "peer")
    assert pair.a.keys == []
    assert statement_kinds(pair) == [Kind.PUT, Kind.PUT, Kind.ABORT, Kind.ABORT]
    pair.a.submit(put("z"))
    assert pair.a.answer() is Durability.REFUSED
    assert statement_kinds(pair)[4:] == []  # refused before it was written
    pair.is_wire_cut = False
    pair.link()
    pair.run(500)
    assert pair.b.keys == []
    pair.a.submit(put("z"))
    assert pair.a.answer() is Durability.REMOTE


def test_a_fact_is_kept_whatever_the_policy() -> None:
    pair = joined(accept_alone=False)
    dot = pair.a.accept("x")
    pair.is_wire_cut = True
    together = pair.a.submit(put("notification"), part("x", dot, 1))
    pair.run(2100)
    assert pair.a.answer(together) is Durability.LOCAL
    later = pair.a.submit(part("x", dot, 1, hlc=2))
    assert pair.a.answer(later) is Durability.LOCAL
    assert pair.a.keys == ["notification", "x"]


def test_a_late_acknowledgement_does_not_save_what_was_refused() -> None:
    pair = joined(accept_alone=False)
    pair.b.is_disk_stuck = True
    token = pair.a.submit(put("x"))
    pair.run(2100)
    pair.b.is_disk_stuck = False
    pair.run(100)
    assert pair.a.answer(token) is Durability.REFUSED
    assert pair.a.keys == pair.b.keys == []


def test_a_member_without_a_peer_answers_at_once_and_counts_nothing() -> None:
    pair = Pair(settings={"accept_alone": False})
    pair.a.settings = pair.a.settings._replace(peer_node=-1)
    pair.a.start()
    pair.run(50)
    pair.a.submit(put("x"))
    assert pair.a.answer() is Durability.LOCAL
    assert pair.a.member.status.unprotected == 0


def test_what_a_peer_lost_with_its_disk_counts_as_unprotected() -> None:
    pair = joined()
    for key in ("x", "y"):
        pair.a.accept(key)
    pair.b.crash()
    pair.b.store = pair.b.new_store(b"new disk")
    pair.run(3000)  # the store before it is silent by then
    pair.b.start()
    pair.b.is_disk_stuck = True
    pair.link()
    assert pair.a.member.status.unprotected >= 2
    pair.b.is_disk_stuck = False
    pair.settle()
    assert pair.a.member.status.unprotected == 0


def test_what_got_its_second_copy_late_counts_again_when_that_disk_is_lost() -> None:
    pair = joined()
    pair.cut()
    pair.run(2100)
    pair.a.accept("alone at first")
    pair.link()
    pair.settle()
    assert pair.a.member.status.unprotected == 0
    pair.b.crash()
    pair.b.store = pair.b.new_store(b"new disk")
    pair.run(3000)  # the store before it is silent by then
    pair.b.start()
    pair.b.is_disk_stuck = True
    pair.link()
    assert pair.a.member.status.unprotected >= 1


def test_of_an_earlier_life_the_unconfirmed_is_counted() -> None:
    pair = joined()
    pair.a.accept("both have it")
    pair.run(1100)  # so that the log's floor is written
    pair.cut()
    pair.run(2100)
    pair.a.accept("alone")
    pair.a.crash()
    pair.a.start()
    assert pair.a.member.status.unprotected == 1


def test_a_peer_that_is_nearly_full_is_not_waited_for() -> None:
    pair = joined()
    authority = pair.b.member.authority
    pair.a.step(Received(pair.session, Beat({}, authority, Role.PASSIVE, 1, 40)))
    pair.a.step(Received(pair.session, Beat({}, authority, Role.PASSIVE, 1, 40)))
    pair.run(10)
    assert pair.a.member.protection is Protection.DEGRADED
    pair.run(300)  # its next beat tells of room
    assert pair.a.member.protection is Protection.PROTECTED


def test_who_waited_for_a_peer_that_becomes_full_is_answered_though_nothing_more_is_written() -> None:
    pair = joined()
    pair.b.is_disk_stuck = True
    pair.a.submit(put("x"))
    pair.run(100)
    assert pair.a.answer() is None
    pair.a.step(Received(pair.session, Beat({}, pair.b.member.authority, Role.PASSIVE, 1, 40)))
    pair.run(10)
    assert pair.a.member.protection is Protection.DEGRADED
    assert pair.a.answer() is Durability.LOCAL


def test_who_waited_for_a_peer_that_is_lost_again_is_answered_though_nothing_more_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(links, "LAG_RECORDS_MAX", 0)
    pair = joined()
    pair.cut()
    token = pair.a.submit(put("x"))
    pair.b.is_disk_stuck = True
    pair.link()
    assert pair.a.member.protection is Protection.CATCHUP
    assert pair.a.answer(token) is None
    pair.cut()
    pair.run(10)
    assert pair.a.member.protection is Protection.DEGRADED
    assert pair.a.answer(token) is Durability.LOCAL


def test_new_items_are_refused_when_the_disk_is_nearly_full_and_facts_are_not() -> None:
    pair = joined(full_below_permille=1001)
    pair.a.submit(put("x"))
    assert pair.a.answers[pair.a.tokens][1:] == (Durability.REFUSED, "full")
    pair.a.submit(put("notification"), wait=False)
    assert pair.a.answer() is Durability.LOCAL


def test_every_sign_of_trouble_leads_away_from_waiting() -> None:
    waits = (Protection.PROTECTED, Protection.SUSPECT)
    for (was, sign), becomes in PROTECTION.items():
        assert was is not becomes
        if sign in (Sign.TIMEOUT, Sign.PEER_FULL):
            assert becomes is Protection.DEGRADED
        if becomes is Protection.PROTECTED:
            assert sign is Sign.CAUGHT_UP
        if was not in waits and becomes in waits:
            assert sign is Sign.CAUGHT_UP
    assert {was for was, _ in PROTECTION} == set(Protection)


# --- the other levels ---------------------------------------------------------------------------------------


def protection(pair: Pair) -> Protection:
    return pair.a.member.protection


def test_at_remote_received_the_peers_memory_is_enough() -> None:
    pair = joined(level=AckLevel.REMOTE_RECEIVED)
    pair.b.is_disk_stuck = True
    pair.a.submit(put("x"))
    assert pair.a.answer() is Durability.RECEIVED
    assert pair.b.keys == []
    assert pair.a.member.status.unprotected == 1
    pair.b.is_disk_stuck = False
    pair.run(300)
    assert pair.a.member.status.unprotected == 0
    assert protection(pair) is Protection.PROTECTED


def test_at_remote_received_our_own_disk_and_the_peer_are_both_waited_for() -> None:
    pair = joined(level=AckLevel.REMOTE_RECEIVED)
    pair.a.is_disk_stuck = True
    first = pair.a.submit(put("x"))
    assert pair.a.answer(first) is None
    pair.a.is_disk_stuck = False
    pair.settle()
    assert pair.a.answer(first) is Durability.REMOTE, "the peer's disk was faster than ours, and that is said"
    pair.is_wire_cut = True
    second = pair.a.submit(put("y"))
    pair.run(1900)
    assert pair.a.answer(second) is None
    pair.run(200)
    assert pair.a.answer(second) is Durability.LOCAL
    assert protection(pair) is Protection.DEGRADED


def test_what_a_lost_link_had_received_is_not_believed_any_more() -> None:
    pair = joined(level=AckLevel.REMOTE_RECEIVED)
    pair.a.is_disk_stuck = pair.b.is_disk_stuck = True
    token = pair.a.submit(put("x"))
    pair.b.crash()
    pair.a.is_disk_stuck = False
    pair.settle()
    assert pair.a.answer(token) is None
    pair.run(2100)
    assert pair.a.answer(token) is Durability.LOCAL


def test_a_policy_that_forbids_one_copy_takes_back_what_nobody_received() -> None:
    pair = joined(level=AckLevel.REMOTE_RECEIVED, accept_alone=False)
    pair.is_wire_cut = True
    pair.a.submit(put("x"))
    pair.run(2100)
    assert pair.a.answer() is Durability.REFUSED
    assert pair.a.keys == []


def test_an_old_peer_that_tells_nothing_is_waited_for_until_it_is_durable() -> None:
    pair = joined(level=AckLevel.REMOTE_RECEIVED)
    assert pair.b.member._pair.incoming is not None
    pair.b.member._pair.incoming._wants_received = False
    pair.b.is_disk_stuck = True
    pair.a.submit(put("x"))
    assert pair.a.answer() is None
    pair.b.is_disk_stuck = False
    pair.settle()
    assert pair.a.answer() is Durability.REMOTE


def test_nobody_is_told_what_is_received_who_did_not_ask() -> None:
    pair = joined()
    pair.a.accept("x")
    assert not any(isinstance(message, Ack) and message.received for message in pair.b.sent)


def test_a_reception_of_what_we_never_wrote_ends_the_link() -> None:
    pair = joined(level=AckLevel.REMOTE_RECEIVED)
    pair.a.step(Received(pair.session, Ack({}, {pair.a.member.own: 5})))
    assert pair.a.closed == ["position of our own branch: expected at most 0, came 5"]


def test_at_local_nobody_is_waited_for_and_everything_is_shipped() -> None:
    pair = joined(level=AckLevel.LOCAL, accept_alone=False)
    pair.b.is_disk_stuck = True
    pair.a.submit(put("x"))
    assert pair.a.answer() is Durability.LOCAL
    assert pair.a.member.status.unprotected == 1
    pair.b.is_disk_stuck = False
    pair.settle()
    assert pair.b.keys == ["x"]
    assert pair.a.member.status.unprotected == 0
    pair.cut()
    pair.run(2500)
    pair.a.submit(put("y"))
    assert (pair.a.answer(), protection(pair)) == (Durability.LOCAL, Protection.DEGRADED)
    pair.link()
    pair.run(300)
    assert (pair.b.keys, protection(pair)) == (["x", "y"], Protection.PROTECTED)


@pytest.mark.parametrize("level", [AckLevel.REMOTE_RECEIVED, AckLevel.LOCAL])
def test_a_peer_whose_disk_does_not_keep_up_protects_nothing(level: AckLevel) -> None:
    pair = joined(level=level)
    pair.b.is_disk_stuck = True
    for number in range(3):
        pair.a.submit(put(f"{number}"))
        pair.run(500)
    assert protection(pair) is Protection.PROTECTED
    pair.run(600)
    assert protection(pair) is Protection.DEGRADED
    assert pair.a.member.status.unprotected == 3
    pair.b.is_disk_stuck = False
    pair.run(300)
    assert protection(pair) is Protection.PROTECTED
    assert pair.a.member.status.unprotected == 0
    pair.run(5000)
    assert protection(pair) is Protection.PROTECTED


def test_a_peer_that_catches_up_is_not_given_up_for_what_was_late_before() -> None:
    pair = joined(level=AckLevel.LOCAL)
    pair.cut()
    for number in range(60):
        pair.a.submit(put(f"{number}"))
        pair.run(100)
    pair.b.is_disk_stuck = True
    pair.link()
    pair.b.is_disk_stuck = False
    for number in range(60, 100):
        pair.a.submit(put(f"{number}"))
        pair.run(100)
        assert protection(pair) in (Protection.CATCHUP, Protection.PROTECTED)
    assert protection(pair) is Protection.PROTECTED


@pytest.mark.parametrize(
    ("level", "reached"), [(AckLevel.LOCAL, None), (AckLevel.REMOTE_RECEIVED, Durability.RECEIVED)]
)
def test_a_word_to_the_peer_reaches_it_at_every_level(level: AckLevel, reached: Durability | None) -> None:
    pair = joined(level=level)
    dot = pair.a.accept("x")
    pair.b.is_disk_stuck = True
    token = pair.a.submit(part("x", dot, 1))
    assert pair.a.answer(token) is reached
    assert pair.a.member.status.unprotected == 0
    pair.b.is_disk_stuck = False
    pair.settle()
    assert pair.a.answer(token) is (reached or Durability.REMOTE)


def test_spans_of_what_is_alone_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accept, "SPANS_MAX", 3)
    pair = joined(level=AckLevel.LOCAL)
    pair.b.is_disk_stuck = True
    for number in range(9):
        pair.a.submit(put(f"{number}"))
    assert len(pair.a.member._accept._alone) == 3
    assert pair.a.member.status.unprotected == 9
