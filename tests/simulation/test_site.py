"""A site that follows the pair: it has what they have, changes nothing for them, and owns by an order alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from replicator.core import merge
from replicator.core.authority import Cue
from replicator.core.following import Following
from replicator.core.values import NO_FLAGS, Authority, Branch, Dot, Durability, Item, PartValue, Role
from tests.simulation import campaign
from tests.simulation.campaign import ABROAD, CALM_ABROAD, FOLLOWING, LOST_PAIRS, ROTTEN_ABROAD
from tests.simulation.clock import MS, SECOND, Violation
from tests.simulation.lives import Life
from tests.simulation.ranks import BOUNCED, DELIVERED
from tests.simulation.script import Deed, Script, draw
from tests.simulation.site import SITE
from tests.simulation.world import World

LEFT_AT_SITE = "excused: what has ended, left at the site of a snapshot that never did"


def test_calm_histories_reach_the_site_and_deliver_everything_once() -> None:
    total = campaign.run(range(1, 16), CALM_ABROAD)
    assert total.failures == []
    assert total.counts["duplicate"] == 0
    assert total.counts["acknowledged"] > 80
    assert total.counts["site fed by a passive"] > 100
    assert total.counts["site spared what was finished within its delay"] > 20


def test_what_the_site_has_outlives_both_disks_and_is_taken_home() -> None:
    total = campaign.run(range(1, 61), LOST_PAIRS)
    assert total.failures == []
    assert total.counts["disk wiped"] > 30
    assert total.counts["site promoted with pending mail"] > 5
    assert total.counts["a site sends home what others wrote"] > 5
    assert total.counts["site taken back home"] > 15


def test_a_site_that_was_away_is_fed_again_by_whoever_reaches_it() -> None:
    total = campaign.run(range(1, 41), FOLLOWING)
    assert total.failures == []
    assert total.counts["site fed by a snapshot"] > 20
    assert total.counts["site fed by an active"] > 20
    assert total.counts["site promoted"] == 0


def _promoted_behind_the_pair() -> Script:
    """Return a history in which the pair is lost after takeovers that the site, promoted then, had not heard of."""
    deeds = (
        Deed(883 * MS, "cut one way", 3003450400),
        Deed(955 * MS, "site away", 2105412783),
        Deed(5175 * MS, "pair lost", 1405746223),
    )
    return replace(draw(200057370, ABROAD), deeds=deeds)


def test_a_site_that_is_promoted_behind_the_pair_owns_until_it_is_taken_back() -> None:
    world, failure = campaign.play_script(_promoted_behind_the_pair())
    assert failure is None
    assert world.clock.counts["site promoted"] == world.clock.counts["site taken back home"] == 1


def test_an_order_that_does_not_outrank_what_the_site_missed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def epoch_by(self: Following, cue: Cue) -> int:
        return self.seen.epoch + 1

    monkeypatch.setattr(Following, "epoch_by", epoch_by)
    assert campaign.failure_of(_promoted_behind_the_pair()) == "S19"


def _overtaken_by_the_peer() -> Script:
    """Return a history in which a member merges the promoted site's snapshot, and the peer brings an item behind it
    that the site had finished."""
    deeds = (
        Deed(746637686, "site cut off", 1838447285),
        Deed(938022705, "site cut off", 3840724491),
        Deed(1267236148, "pair lost", 540405527),
    )
    return replace(draw(500039871, LOST_PAIRS), deeds=deeds)


def test_what_a_site_has_finished_does_not_stay_behind_its_snapshot() -> None:
    assert campaign.failure_of(_overtaken_by_the_peer()) == ""


def test_what_the_peer_brings_behind_a_snapshot_of_the_site_and_is_left_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(merge, "was_left_out", lambda *about: False)
    assert campaign.failure_of(_overtaken_by_the_peer()) == "S9"


def test_what_a_member_learns_of_its_former_life_is_no_claim() -> None:
    world, _ = campaign.play(1, CALM_ABROAD)
    site, member = world.site, world.machines[0]
    assert site is not None
    member.role, member.is_ordered = Role.PASSIVE, False
    site.learnt(member, Authority(1, SITE), Authority(2, member.node))
    member.role = Role.PROMOTING
    with pytest.raises(Violation, match="S18"):
        site.learnt(member, Authority(1, SITE), Authority(2, member.node))


def test_what_a_peer_handed_over_before_the_site_was_heard_of_is_no_leave_to_claim() -> None:
    world, _ = campaign.play(1, CALM_ABROAD)
    site, member = world.site, world.machines[0]
    assert site is not None
    member.role, member.is_ordered = Role.PROMOTING, False
    world.clock.now += SECOND
    site.learnt(member, Authority(1, member.node), Authority(1001, SITE))
    member.handed_over_at = world.clock.now
    site.learnt(member, Authority(1001, SITE), Authority(1002, member.node))
    world.clock.now += MS
    site.learnt(member, Authority(1002, member.node), Authority(2002, SITE))
    with pytest.raises(Violation, match="S18"):
        site.learnt(member, Authority(2002, SITE), Authority(2003, member.node))


def _left_at_one_member() -> tuple[World, Life]:
    """Return a world at rest, in which one member has an item again that was delivered, and nobody the record of it."""
    world, failure = campaign.play(1, CALM_ABROAD)
    assert failure is None
    life = next(life for life in world.truth.lives.values() if life.done)
    life.done = [dot._replace(seq=1_000_000) for dot in life.done]
    world.machines[0].disk.store.items[life.key] = Item(life.key, life.put, {}, NO_FLAGS, b"", 0)
    return world, life


def test_an_item_whose_end_the_site_alone_was_told_of_is_excused() -> None:
    world, _ = _left_at_one_member()
    world.agreement.check()
    world.agreement.check()
    assert world.clock.counts["excused: an end that the site alone was told of"] == 1
    world.agreement.check_end()


def test_one_for_which_something_is_owed_is_not() -> None:
    world, life = _left_at_one_member()
    life.delivered.clear()
    with pytest.raises(Violation, match="S10"):
        world.agreement.check()


def test_one_whose_end_the_pair_was_told_of_is_not() -> None:
    world, life = _left_at_one_member()
    life.done = [dot._replace(seq=1) for dot in life.done]
    with pytest.raises(Violation, match="S10"):
        world.agreement.check()


def test_one_whose_end_nobody_wrote_is_not() -> None:
    world, life = _left_at_one_member()
    life.done = []
    with pytest.raises(Violation, match="S10"):
        world.agreement.check()


def test_one_that_the_site_has_too_is_not() -> None:
    world, life = _left_at_one_member()
    assert world.site is not None
    world.site.machine.disk.store.items[life.key] = world.machines[0].disk.store.items[life.key]
    with pytest.raises(Violation, match="S10"):
        world.agreement.check()


def _known_less_at_home(home: int = 0, abroad: int = DELIVERED) -> tuple[World, Life]:
    """Return a world at rest, in which all three have an item again, the site with another state of its one part."""
    world, failure = campaign.play(1, CALM_ABROAD)
    assert failure is None
    life = next(iter(world.truth.lives.values()))
    for machine in world.truth.everybody:
        rank = home if machine in world.machines else abroad
        parts = {b"part0": PartValue(rank, 1, 1, 0, b"")}
        machine.disk.store.items[life.key] = Item(life.key, life.put, parts, NO_FLAGS, b"", 0)
    life.untold = {machine.disk.number for machine in world.machines}
    return world, life


def test_a_state_that_no_snapshot_could_tell_is_excused() -> None:
    world, _ = _known_less_at_home()
    world.agreement.check()
    assert world.clock.counts["excused: a state that a damaged copy could not tell"] == 2


def test_one_that_the_pair_alone_knows_is_not() -> None:
    world, _ = _known_less_at_home(home=DELIVERED, abroad=0)
    with pytest.raises(Violation, match="S10"):
        world.agreement.check()


def test_one_that_came_by_records_alone_is_not() -> None:
    world, life = _known_less_at_home()
    life.untold.clear()
    with pytest.raises(Violation, match="S10"):
        world.agreement.check()


def test_one_that_is_still_unknown_when_all_is_over_is_not() -> None:
    world, _ = _known_less_at_home()
    with pytest.raises(Violation, match="S10"):
        world.agreement.check_end()


def test_what_the_pair_finished_stays_at_the_site_when_a_snapshot_broke_off_and_both_disks_were_lost() -> None:
    deeds = (
        Deed(744 * MS, "bit flips", 2645867265),
        Deed(2061 * MS, "site away", 3523059310),
        Deed(2790 * MS, "pair lost", 1886617579),
    )
    world, failure = campaign.play_script(replace(draw(400026099, ROTTEN_ABROAD), deeds=deeds))
    assert failure is None
    assert world.clock.counts[LEFT_AT_SITE] > 0


def _left_at_the_site() -> tuple[World, Life]:
    """Return a world at rest, in which the site has an item that was delivered, and no position covers it."""
    world, failure = campaign.play(1, CALM_ABROAD)
    assert failure is None
    assert world.site is not None
    life = next(life for life in world.truth.lives.values() if life.done)
    life.put = Dot(Branch(0, 1), 1)  # of a disk that was lost
    world.site.machine.disk.store.items[life.key] = Item(life.key, life.put, {}, NO_FLAGS, b"", 0)
    return world, life


def test_what_a_snapshot_that_never_ended_left_at_the_site_is_excused() -> None:
    world, _ = _left_at_the_site()
    world.agreement.check_end()
    assert world.clock.counts[LEFT_AT_SITE] == 1


def test_what_is_left_at_the_site_and_owed_is_not() -> None:
    world, life = _left_at_the_site()
    life.delivered.clear()
    life.acked = Durability.REFUSED  # else S2 says it first
    with pytest.raises(Violation, match="S10"):
        world.agreement.check_end()


def test_what_is_left_where_a_position_covers_it_is_not() -> None:
    world, life = _left_at_the_site()
    for machine in world.truth.everybody:
        machine.disk.vector[life.put.branch] = life.put.seq
    with pytest.raises(Violation, match="S10"):
        world.agreement.check_end()


def test_what_is_left_at_a_member_is_not() -> None:
    world, life = _left_at_the_site()
    assert world.site is not None
    item = world.site.machine.disk.store.items.pop(life.key)
    world.machines[1].disk.store.items[life.key] = item
    with pytest.raises(Violation, match="S10"):
        world.agreement.check_end()


def _bounced_without_notification() -> tuple[World, Life, Life]:
    """Return a world at rest, an item of it, and a notification that nobody has."""
    world, failure = campaign.play(1, CALM_ABROAD)
    assert failure is None
    life = next(iter(world.truth.lives.values()))
    notice = Life(b"dsn", life.put._replace(seq=1_000_000), (b"sender",))
    world.truth.notices[(life.key, b"part0")] = [notice]
    return world, life, notice


def test_a_bounce_that_came_home_is_excused_when_its_notification_was_destroyed() -> None:
    world, life, notice = _bounced_without_notification()
    world.truth.excused.add(notice.key)
    world.truth._check_end(world.machines[0], life, b"part0", PartValue(BOUNCED, 1, 1, 0, b""))
    assert world.clock.counts["excused: a bounce that came home without its notification"] == 1


def test_a_bounce_without_a_notification_that_may_yet_come_is_not() -> None:
    world, life, _ = _bounced_without_notification()
    with pytest.raises(Violation, match="S3"):
        world.truth._check_end(world.machines[0], life, b"part0", PartValue(BOUNCED, 1, 1, 0, b""))


def test_a_bounce_without_its_notification_is_not_excused_where_there_is_no_site() -> None:
    world, life, notice = _bounced_without_notification()
    world.truth.excused.add(notice.key)
    world.truth.everybody = world.truth.machines
    with pytest.raises(Violation, match="S3"):
        world.truth._check_end(world.machines[0], life, b"part0", PartValue(BOUNCED, 1, 1, 0, b""))
