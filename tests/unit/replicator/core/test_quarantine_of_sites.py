"""What is damaged, asked of several who may have it: a site and its members, and what a snapshot has left out."""

from __future__ import annotations

import pytest

from replicator.core.events import Effect, Image, Note, Send, Settings
from replicator.core.journal import Journal
from replicator.core.messages import Fetch, Fetched, SnapshotItem
from replicator.core.neighbour import Neighbour
from replicator.core.quarantine import Quarantine
from replicator.core.status import Link
from replicator.core.values import (
    LACKING,
    NO_FLAGS,
    VOIDED,
    Authority,
    Away,
    Branch,
    Damage,
    Dot,
    Presence,
)
from tests.fakes.neighbour import neighbour
from tests.fakes.pair import put


def of_a_site(*members: Neighbour, put: Dot) -> Quarantine:
    """Return the quarantine of a site on which one item is away."""
    image = Image(b"store", {put.branch: put.seq}, Authority(0, 0), away=(Away(b"one", put),))
    return Quarantine(Settings("group", 2, "far", -1), Journal(Branch(2, 4), image), members, image)


def test_a_site_asks_the_next_member_when_one_has_none() -> None:
    put = Dot(Branch(1, 5), 3)
    members = (neighbour(0, {put.branch: 3}), neighbour(1, {put.branch: 3}))
    quarantine = of_a_site(*members, put=put)
    item = SnapshotItem(b"one", put, (), NO_FLAGS, b"", b"whole")
    out: list[Effect] = []
    quarantine.pump(0, out)
    quarantine.fetched(Fetched(b"one", Presence.AWAY), 0, 1, out)
    assert out == [Send(7, Fetch(b"one"))] * 2, "the second to the other"
    assert quarantine.may_heal(b"one")
    quarantine.fetched(Fetched(b"one", Presence.HELD, item), 0, 2, out)
    assert len(out) == 2, "it was not asked"
    quarantine.fetched(Fetched(b"one", Presence.HELD, item), 1, 3, out)
    assert [effect.name for effect in out if isinstance(effect, Note)] == ["replica.healed"]


def test_a_site_asks_the_next_member_when_one_is_away_or_says_nothing() -> None:
    put = Dot(Branch(1, 5), 3)
    first, second = neighbour(0, {put.branch: 3}), neighbour(1, {put.branch: 3})
    second.session = 8
    quarantine = of_a_site(first, second, put=put)
    out: list[Effect] = []
    quarantine.pump(0, out)
    quarantine.pump(60_000_000_000, out)
    first.link = Link.DOWN
    quarantine = of_a_site(first, second, put=put)
    quarantine.pump(0, out)
    assert out == [Send(7, Fetch(b"one")), Send(8, Fetch(b"one")), Send(8, Fetch(b"one"))]


def test_an_item_is_lost_when_all_members_have_said_so() -> None:
    put = Dot(Branch(1, 5), 3)
    quarantine = of_a_site(neighbour(0, {put.branch: 3}), neighbour(1, {put.branch: 3}), put=put)
    out: list[Effect] = []
    quarantine.pump(0, out)
    for node in (0, 1):
        assert not any(isinstance(effect, Note) for effect in out)
        quarantine.fetched(Fetched(b"one", Presence.ABSENT), node, 1, out)
    assert [effect.name for effect in out if isinstance(effect, Note)] == ["replica.lost"]
    assert not quarantine.may_heal(b"one")


def test_a_member_asks_a_site_when_its_peer_has_none_and_takes_nothing_there_for_finished() -> None:
    put = Dot(Branch(1, 5), 3)
    image = Image(b"store", {put.branch: 3}, Authority(0, 0), away=(Away(b"one", put),))
    site = Neighbour(2, Image(b"store", {}, Authority(0, 0), floors={put.branch: 3}), 0, 3_000_000_000, is_site=True)
    site.session, site.link = 9, Link.UP
    healers = (neighbour(1, {put.branch: 3}), site)
    quarantine = Quarantine(Settings("group", 0, "a", 1), Journal(Branch(0, 4), image), healers, image)
    quarantine.greeted(site)
    out: list[Effect] = []
    quarantine.pump(0, out)
    quarantine.fetched(Fetched(b"one", Presence.AWAY), 1, 1, out)
    assert out == [Send(7, Fetch(b"one")), Send(9, Fetch(b"one"))]
    assert not quarantine.may_heal(b"one"), "no other site is kept waiting for what no member has"
    quarantine.fetched(Fetched(b"one", Presence.ABSENT), 2, 2, out)
    assert [effect.name for effect in out if isinstance(effect, Note)] == ["replica.lost"]


def after_a_snapshot_of_a_site(away: Away, position: int, written: int = 0) -> tuple[Quarantine, Neighbour]:
    """Return a member's quarantine in which one item is away, and the site whose snapshot up to that position of the
    one branch, at 3 when this process began, has ended. The member wrote records of its own before that end."""
    branch, own = Branch(1, 5), Branch(0, 4)
    image = Image(b"store", {branch: 3}, Authority(0, 0), away=(away,))
    site = neighbour(2, {branch: 7, own: written})
    site.is_site = True
    journal = Journal(own, image)
    quarantine = Quarantine(Settings("group", 0, "a", 1), journal, (neighbour(1, {}), site), image)
    for number in range(written):
        journal.write((put(f"own {number}"),), [])
    quarantine.snapshot_ended(2, {branch: position})
    return quarantine, site


def when_the_site_has_none(quarantine: Quarantine) -> list[str]:
    """Return what is told of the item when the site, which alone can be asked, says that it has none."""
    out: list[Effect] = []
    quarantine.pump(0, out)
    assert out == [Send(7, Fetch(b"one"))]
    quarantine.fetched(Fetched(b"one", Presence.ABSENT), 2, 1, out)
    return [effect.name for effect in out if isinstance(effect, Note)]


@pytest.mark.parametrize("known", [Dot(Branch(1, 5), 3), None])
def test_what_a_sites_snapshot_left_out_is_finished(known: Dot | None) -> None:
    quarantine, _ = after_a_snapshot_of_a_site(Away(b"one", known), 7, written=2)
    assert when_the_site_has_none(quarantine) == ["replica.healed"]
    assert quarantine.away_count == 0


@pytest.mark.parametrize("known", [Dot(Branch(1, 5), 3), None])
def test_what_a_sites_snapshot_knew_nothing_of_is_not(known: Dot | None) -> None:
    quarantine, _ = after_a_snapshot_of_a_site(Away(b"one", known), 2)
    assert when_the_site_has_none(quarantine) == []
    assert quarantine.away_count == 1


def test_what_cannot_be_read_may_be_of_a_snapshot_that_broke_off() -> None:
    branch = Branch(1, 5)
    image = Image(b"store", {branch: 3}, Authority(0, 0), beyond={branch: 5}, away=(Away(b"one", None),))
    site = neighbour(2, {branch: 7})
    site.is_site = True
    quarantine = Quarantine(Settings("group", 0, "a", 1), Journal(Branch(0, 4), image), (neighbour(1, {}), site), image)
    quarantine.snapshot_ended(2, {branch: 4})
    assert when_the_site_has_none(quarantine) == []


def test_what_went_as_void_is_not_finished_for_being_left_out() -> None:
    quarantine, _ = after_a_snapshot_of_a_site(Away(b"one", Dot(Branch(1, 5), 3), is_voided=True), 7)
    assert when_the_site_has_none(quarantine) == []


def test_what_went_as_void_a_moment_ago_is_not_finished_either() -> None:
    quarantine, _ = after_a_snapshot_of_a_site(Away(b"one", Dot(Branch(1, 5), 3)), 7)
    quarantine.found((Damage(VOIDED, b"one"),), [])
    assert when_the_site_has_none(quarantine) == []


def test_what_the_operator_finds_lacking_is_not_finished_for_a_site_that_has_none() -> None:
    quarantine, _ = after_a_snapshot_of_a_site(Away(b"one", None, LACKING), 7)
    assert when_the_site_has_none(quarantine) == []


def test_on_a_new_link_a_site_may_have_another_store_than_that_of_its_snapshot() -> None:
    quarantine, site = after_a_snapshot_of_a_site(Away(b"one", Dot(Branch(1, 5), 3)), 7)
    quarantine.link_lost(site)
    assert when_the_site_has_none(quarantine) == []


def test_who_says_nothing_has_not_said_that_it_has_none() -> None:
    put = Dot(Branch(1, 5), 3)
    peer = neighbour(1, {put.branch: 3})
    site = Neighbour(2, Image(b"store", {}, Authority(0, 0), floors={put.branch: 3}), 0, 3_000_000_000, is_site=True)
    site.session, site.link = 9, Link.UP
    image = Image(b"store", {put.branch: 3}, Authority(0, 0), away=(Away(b"one", put),))
    quarantine = Quarantine(Settings("group", 0, "a", 1), Journal(Branch(0, 4), image), (peer, site), image)
    out: list[Effect] = []
    quarantine.pump(0, out)
    late = 60_000_000_000
    quarantine.pump(late, out)
    assert quarantine.may_heal(b"one"), "a site that was sent more would take it for finished"
    quarantine.fetched(Fetched(b"one", Presence.ABSENT), 2, late, out)
    assert out == [Send(7, Fetch(b"one")), Send(9, Fetch(b"one")), Send(7, Fetch(b"one"))]
    quarantine.pump(2 * late, out)
    assert out[3:] == [Send(7, Fetch(b"one"))], "the site has said no, and is left alone"
    quarantine.fetched(Fetched(b"one", Presence.AWAY), 1, 2 * late, out)
    assert [effect.name for effect in out if isinstance(effect, Note)] == ["replica.lost"]
    assert not quarantine.may_heal(b"one")


def test_who_says_nothing_is_asked_again_though_another_is_away() -> None:
    put = Dot(Branch(1, 5), 3)
    first, second = neighbour(0, {put.branch: 3}), neighbour(1, {put.branch: 3})
    second.link = Link.DOWN
    quarantine = of_a_site(first, second, put=put)
    out: list[Effect] = []
    for beats in range(3):
        quarantine.pump(beats * 60_000_000_000, out)
    assert out == [Send(7, Fetch(b"one"))] * 3
