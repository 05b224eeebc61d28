"""A site that delivers: how it is promoted, who follows it, and how it gives back."""

import pytest

from replicator.core.values import Authority, Mode, Role
from tests.fakes.pair import TERMINAL, Side, part, put
from tests.fakes.wan import SITE, Wan, joined, roles, told


def test_a_site_never_promotes_itself() -> None:
    wan = joined()
    wan.isolate(wan.c)
    wan.run(60_000)
    wan.c.crash()
    wan.c.start()
    wan.run(60_000)
    assert wan.c.member.role is Role.PASSIVE
    wan.a.crash()
    wan.b.crash()
    wan.run(60_000)
    assert wan.c.member.role is Role.PASSIVE


def test_a_site_is_not_promoted_while_an_active_is_heard() -> None:
    wan = joined()
    is_done, text, risk = told(wan.c)
    assert not is_done
    assert text == "node 0 is active: promote its peer there, or force"
    assert "may go out twice" in risk


def test_a_site_is_not_promoted_when_an_active_was_heard_a_moment_ago() -> None:
    wan = joined()
    wan.unlink(wan.a, wan.c)
    is_done, text, _ = told(wan.c)
    assert (is_done, text) == (False, "a member was active a moment ago: wait until the other takes over, or force")


def test_a_site_that_hears_nobody_says_what_is_at_risk() -> None:
    wan = joined()
    wan.isolate(wan.c)
    wan.run(7_000)
    is_done, text, risk = told(wan.c)
    assert not is_done
    assert text == "no member was heard for 7 s: one may be active. Force, if none is"
    assert "not known here" in risk


def test_a_site_that_knows_to_be_behind_says_by_how_much() -> None:
    wan = joined(delay_ms=60_000)
    for number in range(3):
        wan.a.accept(f"k{number}")
    wan.a.command("demote")
    wan.run(500)
    is_done, text, _ = told(wan.c)
    assert not is_done
    assert text.startswith("members have ")


def promoted() -> Wan:
    """Return a world whose pair is gone, and whose site delivers what it left."""
    wan = joined()
    wan.a.accept("x")
    wan.run(500)
    wan.a.crash()
    wan.b.crash()
    wan.run(2_000)
    is_done, _, _ = told(wan.c, force=True)
    assert is_done
    wan.run(200)
    assert wan.c.member.role is Role.ACTIVE
    return wan


def come_back(wan: Wan, *sides: Side) -> None:
    for side in sides:
        side.start()
        wan.link((side, wan.c))
    if len(sides) == 2:
        wan.link(sides)  # type: ignore[arg-type]


def test_members_that_come_back_follow_a_promoted_site() -> None:
    wan = promoted()
    dot = wan.c.store.items[b"x"].put
    wan.c.submit(part("x", dot, TERMINAL), wait=False)
    come_back(wan, wan.a, wan.b)
    wan.run(20_000)
    assert roles(wan) == [Role.PASSIVE, Role.PASSIVE, Role.ACTIVE]
    assert wan.a.keys == wan.b.keys == wan.c.keys == []
    wan.isolate(wan.c)
    wan.run(60_000)
    assert roles(wan)[:2] == [Role.PASSIVE, Role.PASSIVE], "an operator's order is not undone by silence"
    wan.a.crash()
    wan.a.start()
    wan.run(60_000)
    assert wan.a.member.role is Role.PASSIVE


def test_members_follow_a_site_that_had_not_heard_of_their_takeovers() -> None:
    wan = joined()
    wan.isolate(wan.c)
    for owner, other in ((wan.a, wan.b), (wan.b, wan.a)):
        owner.crash()
        wan.run(5_000)
        owner.start()
        wan.link((wan.a, wan.b))
        wan.run(1_000)
        assert other.member.role is Role.ACTIVE
    wan.a.crash()
    wan.b.crash()
    assert wan.c.store.authority < min(wan.a.store.authority, wan.b.store.authority)
    assert told(wan.c, force=True)[0]
    wan.run(200)
    come_back(wan, wan.a, wan.b)
    wan.run(20_000)
    assert roles(wan) == [Role.PASSIVE, Role.PASSIVE, Role.ACTIVE], "an order is not undone by what was missed"


def test_a_living_pair_steps_down_before_a_promoted_site() -> None:
    wan = joined()
    assert told(wan.c, force=True)[0]
    wan.run(3_000)
    assert roles(wan) == [Role.PASSIVE, Role.PASSIVE, Role.ACTIVE]


def test_an_active_learns_of_a_promoted_site_from_its_peer() -> None:
    wan = joined()
    wan.unlink(wan.a, wan.c)
    assert told(wan.c, force=True)[0]
    wan.run(3_000)
    assert roles(wan) == [Role.PASSIVE, Role.PASSIVE, Role.ACTIVE]


def test_a_member_takes_back_and_the_sites_work_comes_home() -> None:
    wan = promoted()
    come_back(wan, wan.a, wan.b)
    wan.run(2_000)
    wan.c.submit(put("at the site"))
    wan.run(1_000)
    assert told(wan.a)[0]
    wan.run(1_000)
    assert roles(wan) == [Role.ACTIVE, Role.PASSIVE, Role.PASSIVE]
    assert wan.a.keys == wan.b.keys == wan.c.keys == ["at the site", "x"]
    wan.run(60_000)
    assert roles(wan) == [Role.ACTIVE, Role.PASSIVE, Role.PASSIVE]


def test_a_member_takes_back_as_soon_as_it_has_everything() -> None:
    wan = promoted()
    come_back(wan, wan.a, wan.b)
    wan.run(200)
    assert told(wan.a)[0]
    wan.run(200)
    assert wan.a.member.role is Role.ACTIVE


def test_a_member_takes_back_through_the_other() -> None:
    wan = promoted()
    come_back(wan, wan.a, wan.b)
    wan.run(2_000)
    wan.unlink(wan.a, wan.c)
    is_done, text, _ = told(wan.a)
    assert not is_done
    assert text == "site far was promoted and is not heard: it may be active. Force, if it is not"
    assert told(wan.a, force=True)[0]
    wan.run(1_000)
    assert roles(wan) == [Role.ACTIVE, Role.PASSIVE, Role.PASSIVE]


def test_a_promoted_site_goes_on_after_a_restart() -> None:
    wan = promoted()
    ordered = wan.c.member.authority
    wan.c.crash()
    wan.c.start()
    wan.run(10_000)
    assert wan.c.member.role is Role.PASSIVE
    wan.run(6_000)
    assert wan.c.member.role is Role.ACTIVE
    assert wan.c.member.authority == Authority(ordered.epoch + 1, SITE), "room for the unheard is left by orders alone"


def test_a_promoted_site_that_meets_an_active_after_its_restart_follows_for_good() -> None:
    wan = promoted()
    wan.a.start()
    wan.run(4_000)
    assert wan.a.member.role is Role.ACTIVE, "it has heard nothing of the site"
    wan.c.crash()
    wan.c.start()
    wan.link((wan.a, wan.c))
    wan.run(1_000)
    assert wan.c.member.role is Role.PASSIVE
    wan.isolate(wan.c)
    wan.c.crash()
    wan.c.start()
    wan.run(60_000)
    assert wan.c.member.role is Role.PASSIVE


@pytest.mark.parametrize("is_forced", [False, True])
def test_with_a_witness_a_member_takes_back_by_its_grant(is_forced: bool) -> None:
    wan = Wan(authority=Mode.WITNESS)
    wan.link_all()
    wan.run(3_000)
    assert roles(wan) == [Role.ACTIVE, Role.PASSIVE, Role.PASSIVE]
    assert told(wan.c, force=True)[0]
    wan.run(3_000)
    assert roles(wan) == [Role.PASSIVE, Role.PASSIVE, Role.ACTIVE]
    wan.run(20_000)
    assert roles(wan) == [Role.PASSIVE, Role.PASSIVE, Role.ACTIVE], "nobody asks the witness"
    assert told(wan.b, force=is_forced)[0]
    wan.run(7_000)
    assert roles(wan) == [Role.PASSIVE, Role.ACTIVE, Role.PASSIVE]


@pytest.mark.parametrize(("is_ordered", "owner"), [(False, Role.PASSIVE), (True, Role.ACTIVE)])
def test_a_switchover_under_way_ends_where_a_site_is_promoted_and_an_order_does_not(
    is_ordered: bool, owner: Role
) -> None:
    wan = Wan(authority=Mode.WITNESS)
    wan.link_all()
    wan.run(3_000)
    wan.isolate(wan.c)
    wan.cut_from_witness = {1}
    wan.a.command("switchover")
    if is_ordered:
        wan.b.command("promote", force=True)
    wan.run(100)
    assert roles(wan)[:2] == [Role.PASSIVE, Role.PASSIVE], "the witness has not granted it yet"
    assert told(wan.c, force=True)[0]
    wan.link((wan.a, wan.c), (wan.b, wan.c))
    wan.run(500)
    wan.cut_from_witness = set()
    wan.run(20_000)
    assert wan.b.member.role is owner
    assert [side.member.role for side in wan.sides].count(Role.ACTIVE) == 1
