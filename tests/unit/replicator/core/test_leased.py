"""Who owns where there is a witness: nothing changes without one of the three, and nobody owns with one alone."""

import pytest

from replicator.core.events import Received, WitnessSaid
from replicator.core.grants import Denied, Granted
from replicator.core.messages import Beat
from replicator.core.status import Link
from replicator.core.values import Authority, Role
from replicator.core.witness import NOBODY
from tests.fakes.pair import Pair, put, witnessed

SPARE = 200_000_000


def roles(pair: Pair) -> tuple[Role, Role]:
    return pair.a.member.role, pair.b.member.role


def owners(pair: Pair) -> list[int]:
    return [side.node for side in pair.sides if side.is_up and side.member.is_owner_at(pair.now, SPARE)]


def cut_link(pair: Pair) -> None:
    pair.is_wire_cut = True


def test_the_owner_holds_the_first_epoch_of_the_witness() -> None:
    pair = witnessed()
    assert owners(pair) == [0]
    assert [(grant.epoch, grant.node) for grant in pair.grants] == [(1, 0)]
    pair.run(20_000)
    assert owners(pair) == [0]
    assert len(pair.grants) == 1  # renewals keep the epoch
    assert pair.b.roles == []


def test_without_the_witness_nothing_changes() -> None:
    pair = witnessed()
    pair.cut_from_witness = {0, 1}
    pair.run(20_000)
    assert owners(pair) == [0]
    assert roles(pair) == (Role.ACTIVE, Role.PASSIVE)
    assert pair.a.member.status.witness.word == "silent"


def test_without_the_peer_nothing_changes() -> None:
    pair = witnessed()
    pair.b.crash()
    pair.run(20_000)
    assert owners(pair) == [0]


def test_without_the_link_nothing_changes() -> None:
    pair = witnessed()
    cut_link(pair)
    pair.run(20_000)
    assert owners(pair) == [0]
    assert roles(pair) == (Role.ACTIVE, Role.PASSIVE)
    assert pair.b.member.status.witness.word == "denied"


def test_the_owner_alone_is_fenced_and_goes_on_accepting() -> None:
    pair = witnessed()
    cut_link(pair)
    pair.cut_from_witness = {0, 1}
    pair.run(1900)
    assert owners(pair) == [0]
    pair.run(1300)
    assert roles(pair) == (Role.FENCED, Role.PASSIVE)
    assert owners(pair) == []
    pair.a.submit(put("x"))
    assert pair.a.keys == ["x"]
    pair.cut_from_witness = {1}
    pair.run(400)
    assert owners(pair) == [0]
    assert pair.a.member.authority == Authority(1, 0)


def test_the_peers_word_alone_unfences_the_owner() -> None:
    pair = witnessed()
    cut_link(pair)
    pair.cut_from_witness = {0, 1}
    pair.run(4000)
    assert roles(pair) == (Role.FENCED, Role.PASSIVE)
    pair.is_wire_cut = False
    pair.link()
    pair.run(600)
    assert owners(pair) == [0]


def test_a_crashed_owner_is_followed_within_its_lease_and_half_a_second() -> None:
    pair = witnessed()
    pair.a.crash()
    pair.run(1900)
    assert owners(pair) == []
    pair.run(1600)
    assert owners(pair) == [1]
    assert pair.b.store.authority == Authority(2, 1)


def test_an_owner_cut_off_from_both_is_fenced_before_the_other_takes_over() -> None:
    pair = witnessed()
    cut_link(pair)
    pair.cut_from_witness = {0}
    for _ in range(600):
        pair.run(10)
        assert len(owners(pair)) <= 1
    assert owners(pair) == [1]
    assert pair.a.member.role is Role.FENCED
    pair.cut_from_witness = set()
    pair.run(400)
    assert pair.a.member.role is Role.REJOINING  # it learns of the higher epoch from the witness
    assert owners(pair) == [1]


def test_a_restarted_member_stands_back_for_what_it_may_have_promised() -> None:
    pair = witnessed()
    pair.cut_from_witness = {0}  # the owner lives by its peer's word
    pair.run(5000)
    assert owners(pair) == [0]
    cut_link(pair)
    pair.b.start()
    for _ in range(220):
        pair.run(10)
        assert owners(pair) == [0]
    pair.run(1900)
    assert owners(pair) == [1]


def test_a_peer_that_stands_by_frees_a_restarted_member() -> None:
    pair = witnessed()
    pair.a.crash()
    pair.b.start()
    pair.a.start()
    pair.link()
    pair.run(4000)
    assert len(owners(pair)) == 1


def test_a_switchover_moves_the_ownership_at_once() -> None:
    pair = witnessed()
    token = pair.a.command("switchover")
    pair.run(300)
    assert owners(pair) == [1]
    assert pair.a.roles[-2:] == [Role.DRAINING, Role.PASSIVE]
    assert pair.a.told[token].is_done
    assert pair.b.member.authority == Authority(2, 1)
    pair.b.command("switchover")
    pair.run(300)
    assert owners(pair) == [0]


def test_a_switchover_is_refused_when_the_witness_is_silent() -> None:
    pair = witnessed()
    pair.cut_from_witness = {0, 1}
    pair.run(3000)
    token = pair.a.command("switchover")
    assert not pair.a.told[token].is_done
    assert pair.a.told[token].text == "the witness does not answer: the peer could not take over"
    assert owners(pair) == [0]


def test_what_nobody_takes_comes_back_to_its_owner() -> None:
    pair = witnessed()
    pair.cut_from_witness = {1}
    pair.a.command("switchover")
    pair.run(300)
    assert owners(pair) == []
    pair.run(6000)
    assert owners(pair) == [0]


def test_demoted_and_promoted_by_the_operator() -> None:
    pair = witnessed()
    pair.a.command("demote")
    pair.run(2500)
    assert owners(pair) == [1]
    pair.b.command("demote")
    token = pair.a.command("promote", force=True)
    assert pair.a.told[token].text == "asking the witness"
    pair.run(600)
    assert owners(pair) == [0]


def test_a_grant_of_an_earlier_generation_is_given_back() -> None:
    pair = witnessed()
    pair.cut_from_witness = {0}
    granted = Granted(pair.a.member.own.incarnation, 1, 5, 1, pair.a.settings.lease)
    pair.a.command("demote", force=True)
    pair.cut_from_witness = set()
    assert pair.witness is not None
    assert pair.witness.holder(pair.now) == 0
    pair.a.step(WitnessSaid(granted))
    assert pair.a.member.role is Role.PASSIVE
    assert pair.witness.holder(pair.now) == NOBODY


def test_a_grant_below_what_was_heard_since_is_given_back() -> None:
    """A site was promoted to the same epoch while the witness was slow to answer."""
    pair = witnessed()
    pair.cut_from_witness = {1}
    pair.a.command("demote")
    pair.b.step(Received(pair.session, Beat({}, Authority(1, 0), Role.PASSIVE, 1, 1000)))
    pair.b.command("promote", force=True)
    pair.b.step(Received(pair.session, Beat({}, Authority(2, 2), Role.PASSIVE, 2, 1000)))
    pair.b.step(WitnessSaid(Granted(pair.b.member.own.incarnation, 1, 1, 2, pair.b.settings.lease)))
    assert pair.b.member.role is Role.PASSIVE
    pair.cut_from_witness = set()
    pair.run(2000)
    assert owners(pair) == [1]
    assert pair.b.member.status.authority == Authority(3, 1)


def test_a_grant_to_an_earlier_life_is_nothing_to_this_one() -> None:
    pair = witnessed()
    incarnation = pair.a.member.own.incarnation
    pair.a.crash()
    pair.a.start()
    pair.cut_from_witness = {0, 1}
    pair.a.step(WitnessSaid(Granted(incarnation, 1, 1, 1, pair.a.settings.lease)))
    pair.a.step(WitnessSaid(Granted(pair.a.member.own.incarnation, 1, 1, 1, pair.a.settings.lease)))  # never asked
    pair.run(100)
    assert pair.a.member.role is Role.PASSIVE


def test_a_lease_counts_from_the_question() -> None:
    pair = witnessed()
    cut_link(pair)
    pair.cut_from_witness = {0, 1}
    pair.run(1000)
    asked_at = pair.now
    pair.cut_from_witness = {1}
    pair.run(760)
    assert pair.a.member.status.witness.lease_left <= pair.a.settings.lease - 50_000_000
    assert pair.a.member._ownership._votes.until - asked_at <= 760_000_000 + pair.a.settings.lease - 50_000_000  # type: ignore[attr-defined]


def test_an_epoch_is_not_used_before_it_is_durable_nor_after_its_lease() -> None:
    pair = witnessed()
    pair.a.crash()
    pair.b.is_disk_stuck = True
    pair.run(4000)
    assert pair.b.member.role is Role.PROMOTING
    assert owners(pair) == []
    pair.cut_from_witness = {0, 1}
    pair.run(4000)
    pair.b.is_disk_stuck = False
    pair.run(20)
    assert pair.b.member.role is Role.PASSIVE
    pair.cut_from_witness = set()
    pair.run(4000)
    assert owners(pair) == [1]


def test_an_active_heard_during_the_promotion_ends_it() -> None:
    pair = witnessed()
    pair.a.crash()
    pair.b.is_disk_stuck = True
    pair.run(4000)
    pair.a.start()
    pair.link()
    pair.b.step(Received(pair.session, Beat({}, Authority(1, 0), Role.ACTIVE, 1, 1000)))
    pair.b.is_disk_stuck = False
    pair.run(30)
    assert Role.ACTIVE not in pair.b.roles
    assert pair.witness is not None
    assert pair.witness.holder(pair.now) == NOBODY


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_refusal_deposes_an_owner_of_a_lower_epoch_alone(epoch: int) -> None:
    pair = witnessed()
    pair.a.step(WitnessSaid(Denied(pair.a.member.own.incarnation, 1, 2, epoch, 1, "held")))
    assert pair.a.member.role is (Role.ACTIVE if epoch == 1 else Role.REJOINING)


def test_an_owner_drops_out_when_the_peer_has_a_higher_epoch() -> None:
    pair = witnessed()
    pair.a.step(Received(pair.session, Beat({}, Authority(2, 1), Role.PROMOTING, 1, 1000)))
    assert pair.a.member.role is Role.REJOINING


def test_a_member_that_asked_gives_up_before_it_stands_back() -> None:
    pair = witnessed()
    pair.cut_from_witness = {0, 1}
    cut_link(pair)
    pair.run(5000)  # b asks in vain
    assert pair.b.member.status.witness.word == "silent"
    before = pair.b.member._ownership._votes.generation  # type: ignore[attr-defined]
    pair.is_wire_cut = False
    pair.link()
    pair.run(600)
    assert owners(pair) == [0]
    assert pair.b.member._ownership._votes.generation > before  # type: ignore[attr-defined]


def test_the_link_is_watched_as_without_a_witness() -> None:
    pair = witnessed()
    cut_link(pair)
    pair.run(3100)
    assert pair.a.member.status.link is Link.DOWN
