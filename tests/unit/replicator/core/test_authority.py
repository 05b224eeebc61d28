"""Who owns the queue, and when the other takes over."""

import pytest

from replicator.core.authority import TRANSITIONS, Cue
from replicator.core.events import Received
from replicator.core.messages import Beat
from replicator.core.values import Authority, Role
from tests.fakes.pair import TERMINAL, Pair, joined, part, put


def roles(pair: Pair) -> tuple[Role, Role]:
    return pair.a.member.role, pair.b.member.role


def test_the_table_has_no_way_to_act_but_through_a_durable_epoch() -> None:
    for (was, cue), move in TRANSITIONS.items():
        if move.role is Role.ACTIVE:
            assert (was, cue) in (
                (Role.PROMOTING, Cue.CONFIRMED),
                (Role.DRAINING, Cue.GIVEN_UP),
                (Role.FENCED, Cue.RENEWED),  # whose epoch was durable before
            )
        assert was is not move.role or cue is Cue.HANDOVER  # which makes a promotion under way begin anew
        assert move.why


def test_every_role_is_left_again_and_every_cue_is_used() -> None:
    assert {was for was, _ in TRANSITIONS} == set(Role)
    assert {cue for _, cue in TRANSITIONS} == set(Cue)


@pytest.mark.parametrize("role", [Role.ACTIVE, Role.DRAINING])
def test_an_outranked_owner_always_steps_down(role: Role) -> None:
    assert TRANSITIONS[role, Cue.OUTRANKED].role is Role.REJOINING


def test_of_two_new_members_the_lower_node_rises() -> None:
    pair = Pair()
    pair.link()
    pair.run(2900)
    assert roles(pair) == (Role.PASSIVE, Role.PASSIVE)
    pair.run(200)
    assert roles(pair) == (Role.ACTIVE, Role.PASSIVE)
    assert pair.a.roles == [Role.PROMOTING, Role.ACTIVE]
    pair.run(10_000)
    assert roles(pair) == (Role.ACTIVE, Role.PASSIVE)
    assert pair.b.roles == []


def test_of_two_passives_that_never_heard_an_active_one_the_higher_node_waits_two_beats_longer() -> None:
    pair = Pair()
    pair.run(3300)
    assert roles(pair) == (Role.ACTIVE, Role.PASSIVE), "there is no link, and both have waited as long"
    pair.run(400)
    assert roles(pair) == (Role.ACTIVE, Role.ACTIVE)


def test_a_member_without_a_peer_is_active_at_once() -> None:
    pair = Pair()
    pair.a.settings = pair.a.settings._replace(peer_node=-1)
    pair.a.start()
    pair.run(30)
    assert pair.a.member.role is Role.ACTIVE
    assert pair.a.store.authority == Authority(1, 0)


def test_the_passive_takes_over_with_a_higher_epoch_on_its_disk() -> None:
    pair = joined()
    pair.a.crash()
    pair.run(2700)
    assert pair.b.member.role is Role.PASSIVE
    pair.run(400)
    assert pair.b.member.role is Role.ACTIVE, "it has heard an active one, and has nobody to wait for"
    assert pair.b.member.authority == pair.b.store.authority == Authority(2, 1)


def test_a_restarted_owner_is_passive_and_stays_so_under_the_new_one() -> None:
    pair = joined()
    pair.a.crash()
    pair.run(3600)
    pair.a.start()
    assert pair.a.member.role is Role.PASSIVE
    pair.link()
    pair.run(10_000)
    assert roles(pair) == (Role.PASSIVE, Role.ACTIVE)
    assert pair.a.store.authority == Authority(2, 1)


def test_an_epoch_is_not_used_before_it_is_durable() -> None:
    pair = joined()
    pair.a.crash()
    pair.b.is_disk_stuck = True
    pair.run(6000)
    assert pair.b.member.role is Role.PROMOTING
    pair.b.is_disk_stuck = False
    pair.run(20)
    assert pair.b.member.role is Role.ACTIVE


def test_an_active_heard_while_the_epoch_is_written_ends_the_promotion() -> None:
    pair = joined()
    pair.is_wire_cut = True
    pair.b.is_disk_stuck = True
    pair.run(3600)
    assert pair.b.member.role is Role.PROMOTING
    pair.is_wire_cut = False
    pair.link()
    pair.b.is_disk_stuck = False
    pair.run(50)
    assert roles(pair) == (Role.ACTIVE, Role.PASSIVE)
    assert Role.ACTIVE not in pair.b.roles
    pair.run(5000)
    assert roles(pair) == (Role.ACTIVE, Role.PASSIVE)


def test_the_owner_claims_an_epoch_above_one_that_was_never_used() -> None:
    pair = joined()
    pair.is_wire_cut = True
    pair.b.is_disk_stuck = True
    pair.run(3600)
    pair.is_wire_cut = False
    pair.link()
    pair.b.is_disk_stuck = False
    pair.run(1000)
    assert pair.a.member.authority == Authority(3, 0)
    assert pair.b.member.authority == Authority(3, 0)
    assert pair.b.store.authority == pair.a.store.authority == Authority(3, 0)


def test_after_a_partition_one_of_two_owners_is_left_and_both_have_all() -> None:
    pair = joined()
    pair.a.accept("before")
    pair.is_wire_cut = True
    pair.run(4000)
    assert roles(pair) == (Role.ACTIVE, Role.ACTIVE)
    pair.a.submit(put("on a"))
    pair.b.submit(put("on b"))
    pair.is_wire_cut = False
    pair.link()
    pair.run(1000)
    assert roles(pair) == (Role.PASSIVE, Role.ACTIVE)
    assert pair.a.roles[-2:] == [Role.REJOINING, Role.PASSIVE]
    assert pair.a.keys == pair.b.keys == ["before", "on a", "on b"]


def test_equal_epochs_are_ordered_by_node() -> None:
    pair = joined()
    pair.a.step(Received(pair.session, Beat({}, Authority(1, 1), Role.ACTIVE, 1, 1000)))
    assert pair.a.member.role is Role.REJOINING


def test_a_lower_active_does_not_move_the_owner() -> None:
    pair = joined()
    pair.a.crash()
    pair.run(3600)
    pair.a.start()
    pair.link()
    pair.b.step(Received(pair.session, Beat({}, Authority(1, 0), Role.ACTIVE, 1, 1000)))
    assert pair.b.member.role is Role.ACTIVE


def test_two_passives_do_not_wait_for_each_other() -> None:
    pair = joined()
    pair.a.crash()
    pair.a.start()
    pair.link()  # both beat, nobody is active
    pair.run(4000)
    assert Role.ACTIVE in roles(pair)


def test_our_own_pause_is_not_the_owners_silence() -> None:
    pair = joined()
    pair.sleep(5000, pair.b)
    pair.now += 1
    pair.events.clear()  # what it missed is lost: only its clock speaks
    pair.run(50)
    assert pair.b.roles == []
    pair.run(2500)
    assert pair.b.roles == []


@pytest.mark.parametrize(("seconds", "is_owner"), [(1, True), (3, False), (60, False)])
def test_an_owner_that_stood_still_delivers_nothing_before_it_may_have_heard_of_another(
    seconds: int, is_owner: bool
) -> None:
    pair = joined()
    pair.a.submit(put("k"))
    pair.cut()
    pair.now += seconds * 1_000_000_000
    assert pair.a.member.is_owner_at(pair.now, 0) is is_owner, "before its first step, too"
    pair.run(50)
    assert pair.a.member.is_owner_at(pair.now, 0) is is_owner
    pair.run(3000)
    assert pair.a.member.is_owner_at(pair.now, 0), "nobody was heard: it is alone, or the link is cut"


def test_a_pause_during_the_promotion_ends_it() -> None:
    pair = joined()
    pair.a.crash()
    pair.b.is_disk_stuck = True
    pair.run(3600)
    assert pair.b.member.role is Role.PROMOTING
    pair.now += 1_000_000_000
    pair.b.is_disk_stuck = False
    pair.settle()
    pair.run(50)
    assert pair.b.member.role is Role.PASSIVE
    pair.run(3600)
    assert pair.b.member.role is Role.ACTIVE


def test_a_draining_owner_is_alive() -> None:
    pair = joined(drain_within=20_000_000_000)
    pair.a.is_drain_answered = False
    pair.a.command("switchover")
    pair.run(8000)
    assert roles(pair) == (Role.DRAINING, Role.PASSIVE)


def test_anything_from_an_active_peer_shows_that_it_lives() -> None:
    pair = joined()
    pair.run(300)
    pair.loses = (Beat,)  # they wait behind what else is sent
    for number in range(20):
        pair.a.submit(put(f"{number}"))
        pair.run(300)
    assert pair.b.roles == []
    pair.run(4000)
    assert pair.b.member.role is Role.ACTIVE


def test_an_unused_claim_of_the_peer_during_ours_is_passed() -> None:
    pair = Pair()
    pair.link()
    pair.a.is_disk_stuck = True
    pair.run(3100)
    assert pair.a.member.role is Role.PROMOTING
    claimed = Received(pair.session, Beat({}, Authority(7, 1), Role.PASSIVE, 1, 1000))
    pair.a.step(claimed)
    pair.a.is_disk_stuck = False
    pair.run(50)
    assert pair.a.member.role is Role.ACTIVE
    pair.a.step(claimed)
    pair.run(50)
    assert pair.a.member.authority == pair.a.store.authority == Authority(8, 0)


def test_what_is_finished_is_done_by_the_owner_even_when_it_was_passive_then() -> None:
    pair = joined()
    dot = pair.a.accept("x")
    pair.cut()
    pair.b.submit(part("x", dot, TERMINAL), wait=False)  # by a member that is passive
    assert pair.b.keys == ["x"]
    pair.a.crash()
    pair.run(4000)
    assert pair.b.member.role is Role.ACTIVE
    assert pair.b.keys == []


def test_what_was_finished_before_a_crash_is_done_after_it() -> None:
    pair = joined()
    dot = pair.a.accept("x")
    pair.cut()
    pair.b.submit(part("x", dot, TERMINAL), wait=False)
    pair.b.crash()
    pair.a.crash()
    pair.b.start()
    pair.run(4000)
    assert pair.b.keys == []
