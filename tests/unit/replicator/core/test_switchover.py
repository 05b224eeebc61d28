"""The operator's commands."""

import pytest

from replicator.core.events import Drained, LinkUp, Received, Settings, Told
from replicator.core.messages import Ack, Beat, Handover, Hello
from replicator.core.values import Authority, Mode, Role
from tests.fakes.pair import Pair, Side, joined, put, witnessed


def roles(pair: Pair) -> tuple[Role, Role]:
    return pair.a.member.role, pair.b.member.role


def told(side: Side, token: int) -> tuple[bool, str] | None:
    said = side.told.get(token)
    return (said.is_done, said.text) if said else None


def hello_of(side: Side) -> Hello:
    return next(message for message in reversed(side.sent) if isinstance(message, Hello))


def test_a_switchover_moves_the_ownership_without_waiting_for_silence() -> None:
    pair = joined()
    pair.a.accept("x")
    token = pair.a.command("switchover")
    pair.run(300)
    assert roles(pair) == (Role.PASSIVE, Role.ACTIVE)
    assert pair.a.roles[-2:] == [Role.DRAINING, Role.PASSIVE]
    assert told(pair.a, token) == (True, "node 1 is active")
    pair.run(10_000)
    assert roles(pair) == (Role.PASSIVE, Role.ACTIVE)


def test_operators_are_told_of_the_peer_by_its_name() -> None:
    pair = joined(peer_name="mx.example")
    refused = pair.b.told[pair.b.command("promote")]
    assert refused.text == "mx.example is active: use switchover there, or force"
    assert refused.risk.startswith("mx.example delivers until it hears of this")
    token = pair.a.command("switchover")
    pair.run(300)
    assert told(pair.a, token) == (True, "mx.example is active")
    pair.a.is_disk_stuck = True
    pair.b.submit(put("x"))
    assert pair.b.told[pair.b.command("demote")].risk.startswith("mx.example lacks 1 records")
    pair.cut()
    assert pair.b.told[pair.b.command("refill")].text.startswith("mx.example is not heard")


def test_the_owner_hands_over_only_what_both_have() -> None:
    pair = joined()
    pair.b.is_disk_stuck = True
    pair.a.submit(put("x"))
    pair.a.command("switchover")
    pair.run(500)
    assert roles(pair) == (Role.DRAINING, Role.PASSIVE)
    pair.b.is_disk_stuck = False
    pair.settle()
    assert roles(pair) == (Role.PASSIVE, Role.PROMOTING)


def test_what_is_accepted_while_draining_does_not_delay_it() -> None:
    pair = joined()
    pair.a.command("switchover")
    assert pair.a.member.role is Role.PASSIVE
    pair.a.submit(put("x"))
    pair.run(100)
    assert pair.b.keys == ["x"]


def test_work_that_does_not_end_makes_the_owner_resume() -> None:
    pair = joined()
    pair.a.is_drain_answered = False
    token = pair.a.command("switchover")
    pair.run(2900)
    assert roles(pair) == (Role.DRAINING, Role.PASSIVE)
    pair.run(200)
    assert roles(pair) == (Role.ACTIVE, Role.PASSIVE)
    assert told(pair.a, token) == (False, "work in flight did not end: resumed as owner")


def test_an_unconfirmed_result_makes_the_owner_resume() -> None:
    pair = joined()
    pair.loses = (Ack, Beat)
    pair.a.submit(put("x"), wait=False)
    token = pair.a.command("switchover")
    pair.run(3100)
    assert pair.a.member.role is Role.ACTIVE
    assert told(pair.a, token) in (
        (False, "the peer did not confirm everything: resumed as owner"),
        (False, "the link to the peer broke: resumed as owner"),
    )


def test_a_broken_link_makes_the_owner_resume_at_once() -> None:
    pair = joined()
    pair.a.is_drain_answered = False
    token = pair.a.command("switchover")
    pair.cut()
    assert pair.a.member.role is Role.ACTIVE
    assert told(pair.a, token) == (False, "the link to the peer broke: resumed as owner")


def test_an_answer_to_an_earlier_drain_counts_for_nothing() -> None:
    pair = joined()
    pair.a.is_drain_answered = False
    pair.a.command("switchover")
    pair.run(3100)
    pair.a.command("switchover")
    pair.a.step(Drained(1))
    assert pair.a.member.role is Role.DRAINING
    pair.a.step(Drained(2))
    assert pair.a.member.role is Role.PASSIVE


def test_an_owner_that_is_outranked_meanwhile_says_so() -> None:
    pair = joined()
    pair.a.is_drain_answered = False
    token = pair.a.command("switchover")
    pair.b.command("promote", force=True)
    pair.run(600)
    assert pair.b.member.role is Role.ACTIVE
    assert not pair.a.member._ownership.is_owner
    said = pair.a.told[token]
    assert (said.is_done, said.text.split(":")[0]) == (False, "outranked")


def test_a_lost_handover_leaves_nobody_for_no_longer_than_t_p() -> None:
    pair = joined()
    pair.loses = (Handover,)
    token = pair.a.command("switchover")
    assert roles(pair) == (Role.PASSIVE, Role.PASSIVE)
    pair.run(4000)
    assert Role.ACTIVE in roles(pair)
    assert told(pair.a, token) is not None


@pytest.mark.parametrize("epoch", [1, 9])
def test_a_handover_reaches_a_taker_that_is_promoting(epoch: int) -> None:
    pair = joined()
    pair.b.is_disk_stuck = True
    pair.run(300)
    pair.is_wire_cut = True
    pair.run(3600)  # silence makes it promote
    assert roles(pair) == (Role.ACTIVE, Role.PROMOTING)
    pair.link()
    heard = Received(pair.session, Beat({}, Authority(epoch, 0), Role.DRAINING, 1, 1000))
    pair.b.step(Received(pair.session, hello_of(pair.a)))
    pair.b.step(heard)
    pair.b.step(Received(pair.session, Handover(Authority(epoch, 0))))
    pair.b.is_disk_stuck = False
    pair.run(50)
    assert pair.b.member.role is Role.ACTIVE
    assert pair.b.member.authority == Authority(max(epoch, 2) + 1, 1)


def test_switchover_is_refused_where_it_cannot_be() -> None:
    pair = joined()
    assert told(pair.b, pair.b.command("switchover")) == (False, "this member is passive, not active")
    pair.cut()
    assert told(pair.a, pair.a.command("switchover")) == (False, "there is no link to the peer")
    pair.run(2100)
    pair.a.accept("x")
    pair.b.is_disk_stuck = True
    pair.link()
    assert told(pair.a, pair.a.command("switchover")) == (False, "the peer has not caught up: catchup")
    assert pair.a.member.role is Role.ACTIVE


def test_promote_is_refused_while_the_peer_is_active() -> None:
    pair = joined()
    token = pair.b.command("promote")
    assert told(pair.b, token) == (False, "node 0 is active: use switchover there, or force")
    assert pair.b.roles == []
    assert pair.b.told[token].risk == (
        "node 0 delivers until it hears of this: what it has in flight then may go out twice; "
        "this node has every record that node 0 had when it was last heard"
    )


def test_what_a_promotion_would_miss_is_counted() -> None:
    pair = joined()
    pair.b.is_disk_stuck = True
    for key in ("x", "y", "z"):
        pair.a.submit(put(key))
    pair.run(300)
    told_b = pair.b.told[pair.b.command("promote")]
    assert "this node lacks 3 records of node 0" in told_b.risk


def test_what_a_member_that_heard_nobody_may_miss_is_not_known() -> None:
    pair = Pair(settings={"authority": Mode.MANUAL})
    refused = pair.b.told[pair.b.command("promote")]
    assert not refused.is_done
    assert "if node 0 is active unheard, what both hold may go out twice" in refused.risk
    assert "what node 0 has beyond this node is not known" in refused.risk
    done = pair.b.told[pair.b.command("promote", force=True)]
    assert (done.is_done, done.risk) == (True, refused.risk)


def test_force_says_that_it_does_not_overrule_the_witness() -> None:
    pair = witnessed()
    refused = pair.b.told[pair.b.command("promote")]
    assert (refused.is_done, refused.risk.split(":")[0]) == (False, "force does not overrule the witness")


def test_a_demotion_says_what_the_peer_lacks() -> None:
    pair = joined()
    pair.b.is_disk_stuck = True
    pair.a.submit(put("x"))
    demoted = pair.a.told[pair.a.command("demote")]
    assert demoted.is_done
    assert demoted.risk.startswith("node 1 lacks 1 records")


def test_promote_by_force_makes_the_other_step_down() -> None:
    pair = joined()
    token = pair.b.command("promote", force=True)
    assert told(pair.b, token) == (True, "promoting with epoch 2")
    pair.run(1000)
    assert roles(pair) == (Role.PASSIVE, Role.ACTIVE)


def test_an_order_by_force_is_not_undone_by_the_owner_it_deposes() -> None:
    pair = joined()
    pair.b.is_disk_stuck = True
    pair.b.command("promote", force=True)
    pair.run(1000)  # the owner hears of the claim
    assert roles(pair) == (Role.ACTIVE, Role.PROMOTING)
    pair.b.is_disk_stuck = False
    pair.run(1000)
    assert roles(pair) == (Role.PASSIVE, Role.ACTIVE)


def test_an_order_by_force_claims_above_what_it_did_not_know_of() -> None:
    pair = joined()
    pair.b.is_disk_stuck = True
    pair.b.command("promote", force=True)
    pair.b.step(Received(pair.session, Beat({}, Authority(7, 0), Role.ACTIVE, 1, 1000)))
    pair.b.is_disk_stuck = False
    pair.run(1000)
    assert roles(pair) == (Role.PASSIVE, Role.ACTIVE)
    assert pair.b.member.authority == Authority(8, 1)


def test_promote_does_not_wait_for_silence() -> None:
    pair = joined()
    pair.a.crash()
    pair.b.start()  # knows of no active one
    pair.b.command("promote")
    pair.run(30)
    assert pair.b.member.role is Role.ACTIVE
    assert told(pair.b, pair.b.command("promote")) == (True, "already active")


def test_a_demoted_member_stays_down_until_another_was_active() -> None:
    pair = joined()
    token = pair.a.command("demote")
    assert pair.a.member.role is Role.PASSIVE
    assert pair.a.told[token].is_done
    pair.run(4000)
    assert roles(pair) == (Role.PASSIVE, Role.ACTIVE)
    pair.b.crash()
    pair.run(4000)
    assert pair.a.member.role is Role.ACTIVE


def test_a_demotion_is_not_undone_by_what_the_owner_before_says_still() -> None:
    pair = joined()
    pair.a.command("switchover")
    pair.run(300)
    pair.a.command("promote", force=True)
    pair.run(30)
    assert roles(pair) == (Role.ACTIVE, Role.ACTIVE)
    old = Beat({}, pair.b.member.authority, Role.ACTIVE, 99, 1000)
    while pair.b.member.role is Role.ACTIVE:
        pair.run(10)
    pair.a.command("demote")
    pair.a.step(Received(pair.session, old))  # said before it heard of us
    pair.b.submit(put("x"))
    pair.run(10_000)
    assert roles(pair) == (Role.PASSIVE, Role.ACTIVE)
    assert pair.a.roles[-1] is Role.PASSIVE
    assert pair.a.roles.count(Role.ACTIVE) == 2, "at first, and by force"


def test_a_demotion_outlasts_an_owner_whose_grant_is_older() -> None:
    pair = joined()
    pair.cut()
    pair.run(4000)
    assert roles(pair) == (Role.ACTIVE, Role.ACTIVE)
    pair.b.command("demote", force=True)
    pair.a.crash()
    pair.b.step(LinkUp(9, 0))
    pair.b.step(Received(9, hello_of(pair.a)))
    pair.b.step(Received(9, Beat({}, Authority(1, 0), Role.ACTIVE, 1, 1000)))
    pair.run(10_000)
    assert pair.b.member.role is Role.PASSIVE
    pair.b.command("promote")
    pair.run(30)
    assert pair.b.member.role is Role.ACTIVE


def test_demote_is_refused_when_nobody_would_take_over() -> None:
    pair = joined()
    pair.cut()
    assert told(pair.a, pair.a.command("demote")) == (False, "no peer would take over: force, if nobody is to deliver")
    risk = "nobody delivers until a node is promoted; mail is accepted on, and waits"
    assert pair.a.told[pair.a.tokens].risk == risk
    pair.a.command("demote", force=True)
    assert pair.a.told[pair.a.tokens].risk == risk
    pair.run(10_000)
    assert pair.a.member.role is Role.PASSIVE
    pair.a.command("promote")
    pair.run(30)
    assert pair.a.member.role is Role.ACTIVE


def test_an_unknown_command_is_refused() -> None:
    pair = joined()
    token = pair.a.command("reboot")
    assert pair.a.told[token] == Told(token, False, "unknown command 'reboot'")
    assert told(pair.b, pair.b.command("demote")) == (False, "this member is passive, not the owner")


# --- begin anew, and be filled ------------------------------------------------------------------------------


def test_a_member_begins_anew_with_an_empty_store_and_is_filled() -> None:
    pair = joined()
    for key in ("x", "y", "z"):
        pair.a.accept(key)
    pair.b.accept("from b")
    token = pair.b.command("refill")
    assert pair.b.told[token] == Told(token, True, "set aside")
    assert pair.b.keys == []
    pair.link()
    pair.run(500)
    assert pair.b.keys == ["from b", "x", "y", "z"]
    assert roles(pair) == (Role.ACTIVE, Role.PASSIVE)


def test_what_is_on_one_disk_alone_is_not_set_aside() -> None:
    pair = joined()
    pair.a.is_disk_stuck = True
    pair.b.submit(put("x"))
    refused = pair.b.told[pair.b.command("refill")]
    assert (refused.is_done, refused.text) == (False, "1 records of this node are not on both disks: wait, or force")
    assert "may be nowhere else" in refused.risk
    assert pair.b.keys == ["x"]
    done = pair.b.told[pair.b.command("refill", force=True)]
    assert (done.is_done, done.risk, pair.b.keys) == (True, refused.risk, [])


def test_what_is_not_on_this_disk_yet_is_not_refused_to_its_client() -> None:
    pair = joined()
    pair.b.is_disk_stuck = True
    pair.b.submit(put("x"))
    assert pair.a.keys == ["x"]
    assert not pair.b.told[pair.b.command("refill")].is_done
    pair.b.is_disk_stuck = False
    pair.settle()
    assert pair.b.told[pair.b.command("refill")].is_done


def test_an_empty_store_that_nobody_would_fill_is_not_begun() -> None:
    pair = joined()
    pair.cut()
    token = pair.b.command("refill")
    assert told(pair.b, token) == (
        False,
        "node 0 is not heard, and nobody else could fill the new store: force, if it will come",
    )
    assert "until it comes this node has nothing" in pair.b.told[token].risk
    alone = Side(Pair(), 0, Settings("group", 0, "node 0", -1))
    assert told(alone, alone.command("refill", force=True)) == (False, "this node has no peer that would fill it")


def test_an_owner_is_never_emptied() -> None:
    pair = joined()
    token = pair.a.command("refill", force=True)
    assert told(pair.a, token) == (False, "this node is active: hand the queue over first, by switchover")
    assert pair.a.told[token].risk == ""
