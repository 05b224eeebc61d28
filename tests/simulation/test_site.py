"""A site that follows the pair: it has what they have, changes nothing for them, and owns by an order alone."""

from __future__ import annotations

from tests.simulation import campaign
from tests.simulation.campaign import CALM_ABROAD, FOLLOWING, LOST_PAIRS


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
