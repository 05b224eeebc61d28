"""A site that follows a pair: who ships to it, what it ships back, how it is promoted and gives back."""

from collections.abc import Sequence
from copy import deepcopy

import pytest

from replicator.core.events import Damaged, Event, ReadItem, ReadLog, ReadSnapshot, Received
from replicator.core.holding import HELD_SECONDS_MAX
from replicator.core.messages import Beat, Fetch, Fetched, Records, SnapshotItem
from replicator.core.status import Far, Link
from replicator.core.values import Authority, Damage, Durability, Kind, Mode, Record, Role
from tests.fakes.pair import TERMINAL, Side, part, put
from tests.fakes.wan import SITE, Wan, joined


def roles(wan: Wan) -> list[Role]:
    return [side.member.role for side in wan.sides]


def far_of(side: Side, node: int) -> Far:
    return next(far for far in side.member.status.far if far.node == node)


def rot(side: Side, key: str) -> None:
    """Damage an item's content, and let it be found."""
    side.store.rot(key.encode())
    side.step(Damaged((Damage("blob", key.encode()),)))
    side.work_disk()


# --- who ships ----------------------------------------------------------------------------------------------


def test_the_passive_ships_to_the_site() -> None:
    wan = joined()
    wan.a.accept("x")
    wan.run(500)
    assert wan.c.keys == ["x"]
    assert wan.shipped(wan.a, wan.c) == []
    assert wan.shipped(wan.b, wan.c) != []
    assert (far_of(wan.a, SITE).is_fed, far_of(wan.b, SITE).is_fed) == (False, True)


def test_the_active_ships_when_the_passive_does_not_reach_the_site() -> None:
    wan = joined(feed_after_ms=5_000)
    wan.unlink(wan.b, wan.c)
    wan.a.accept("x")
    wan.run(4_000)
    assert wan.c.keys == []
    wan.run(2_000)
    assert wan.c.keys == ["x"]
    wan.link((wan.b, wan.c))
    wan.run(1_000)
    wan.carried.clear()
    wan.a.accept("y")
    wan.run(500)
    assert wan.c.keys == ["x", "y"]
    assert wan.shipped(wan.a, wan.c) == [], "the passive does it again"


def test_the_active_ships_at_once_when_the_passive_was_given_up() -> None:
    wan = joined(feed_after_ms=60_000)
    wan.b.crash()
    wan.run(2_500)
    wan.a.accept("x")
    wan.run(500)
    assert wan.c.keys == ["x"]


def test_after_a_takeover_the_other_ships_without_a_snapshot() -> None:
    wan = joined()
    wan.a.accept("x")
    wan.run(500)
    wan.a.crash()
    wan.run(6_000)
    assert wan.b.member.role is Role.ACTIVE
    wan.b.accept("y")
    wan.run(500)
    assert wan.c.keys == ["x", "y"]
    assert not any(isinstance(message, SnapshotItem) for message in wan.shipped(wan.b, wan.c))


def test_the_pair_alone_counts_for_the_answer() -> None:
    wan = joined()
    wan.isolate(wan.c)
    wan.a.submit(put("x"))
    assert wan.a.answer() is Durability.REMOTE
    assert wan.a.member.status.unprotected == 0
    wan.b.crash()
    wan.run(2_500)
    wan.link((wan.a, wan.c))
    wan.a.submit(put("y"))
    assert wan.a.answer() is Durability.LOCAL


def test_an_absent_site_does_not_make_changes_unprotected_after_a_restart() -> None:
    wan = joined()
    wan.isolate(wan.c)
    wan.a.accept("x")
    wan.run(3_000)
    wan.a.crash()
    wan.a.start()
    wan.link((wan.a, wan.b))
    wan.run(1_000)
    wan.a.crash()
    wan.a.start()
    assert wan.a.member.status.unprotected == 0


# --- what goes over the link --------------------------------------------------------------------------------


def test_a_site_that_was_away_resumes_by_the_log() -> None:
    wan = joined()
    wan.isolate(wan.c)
    for number in range(20):
        wan.a.accept(f"k{number:02}")
    wan.run(10_000)
    status = far_of(wan.b, SITE)
    assert (status.link, status.lag_records) == (Link.DOWN, 20)
    assert status.lag_octets > 20 * len(b"content")
    assert 9.5 < status.lag_seconds < 10.5
    wan.link((wan.a, wan.c), (wan.b, wan.c))
    wan.run(500)
    assert wan.c.keys == wan.a.keys
    assert not any(isinstance(message, SnapshotItem) for message in wan.shipped(wan.b, wan.c))
    status = far_of(wan.b, SITE)
    assert (status.lag_records, status.lag_octets, status.lag_seconds) == (0, 0, 0.0)


def test_a_site_that_was_away_too_long_resumes_by_a_snapshot() -> None:
    wan = joined(log_records_max=5)
    wan.isolate(wan.c)
    dots = [wan.a.accept(f"k{number:02}") for number in range(20)]
    wan.a.submit(part("k00", dots[0], TERMINAL))
    wan.run(1_000)
    wan.link((wan.b, wan.c))
    wan.run(1_000)
    assert wan.c.keys == wan.a.keys == [f"k{number:02}" for number in range(1, 20)]
    assert any(isinstance(message, SnapshotItem) for message in wan.shipped(wan.b, wan.c))
    wan.a.accept("later")
    wan.run(500)
    assert "later" in wan.c.keys


def test_the_log_is_kept_for_a_site_that_is_away() -> None:
    wan = joined()
    wan.isolate(wan.c)
    dot = wan.a.accept("x")
    wan.a.submit(part("x", dot, TERMINAL))
    wan.run(3_000)
    assert (dot.branch, 1) in wan.a.store.log
    wan.link((wan.a, wan.c), (wan.b, wan.c))
    wan.run(3_000)
    assert (dot.branch, 1) not in wan.a.store.log


def test_the_log_is_kept_for_a_site_that_was_not_heard_since_a_restart() -> None:
    wan = joined()
    wan.isolate(wan.c)
    dot = wan.a.accept("x")
    wan.a.submit(part("x", dot, TERMINAL))
    wan.a.crash()
    wan.a.start()
    wan.link((wan.a, wan.b))
    wan.run(6_000)
    assert (dot.branch, 1) in wan.a.store.log
    wan.link((wan.a, wan.c), (wan.b, wan.c))
    wan.run(3_000)
    assert (dot.branch, 1) not in wan.a.store.log


def test_mail_that_is_done_before_the_delay_never_crosses() -> None:
    wan = joined(delay_ms=3_000)
    done = wan.a.accept("done")
    wan.a.accept("stays")
    wan.a.submit(part("done", done, TERMINAL))
    wan.run(2_500)
    assert wan.shipped(wan.b, wan.c) == []
    wan.run(1_500)
    assert wan.c.keys == ["stays"]
    kinds = [
        (record.kind, record.blob)
        for message in wan.shipped(wan.b, wan.c)
        if isinstance(message, Records)
        for record in message.records
    ]
    assert kinds[:2] == [(Kind.VOID, b""), (Kind.PUT, b"content")]
    assert far_of(wan.b, SITE).lag_records == 0


def test_the_site_sends_nothing_back() -> None:
    wan = joined()
    wan.a.accept("x")
    wan.run(1_000)
    assert wan.shipped(wan.c, wan.a) == wan.shipped(wan.c, wan.b) == []


def test_mail_taken_at_the_site_flows_home() -> None:
    wan = joined()
    wan.c.submit(put("x"))
    assert wan.c.answer() is Durability.LOCAL
    wan.run(500)
    assert wan.a.keys == wan.b.keys == ["x"]
    dot = wan.a.store.items[b"x"].put
    wan.a.submit(part("x", dot, TERMINAL))
    wan.run(1_000)
    assert wan.a.keys == wan.b.keys == wan.c.keys == []


def test_mail_taken_at_the_site_before_its_restart_flows_home() -> None:
    wan = joined()
    wan.isolate(wan.c)
    wan.c.submit(put("x"))
    wan.c.crash()
    wan.c.start()
    wan.link((wan.a, wan.c))
    wan.run(500)
    assert wan.a.keys == ["x"]


def test_what_only_the_site_has_left_comes_home() -> None:
    wan = joined(feed_after_ms=5_000)
    wan.b.crash()
    wan.run(3_000)
    wan.a.submit(put("x"))
    wan.run(500)
    assert wan.a.answer() is Durability.LOCAL
    assert wan.c.keys == ["x"]
    wan.a.crash()
    wan.b.start()
    wan.link((wan.b, wan.c))
    wan.run(4_000)
    assert wan.b.keys == []
    wan.run(4_000)
    assert wan.b.keys == ["x"]


PASSED_OVER = "its snapshot was passed over for the peer's, which ended"
KEYS = ["k0", "k1", "k2", "k3", "k4"]  # more than a piece of a snapshot has


def linked_to_the_site_with_an_empty_store(log_records_max: int = 1 << 30) -> Wan:
    """Return a pair whose former active node comes with another store, and hears the site alone yet."""
    wan = joined(feed_after_ms=5_000, log_records_max=log_records_max)
    for key in KEYS:
        wan.a.accept(key)
    wan.run(500)
    wan.a.crash()
    wan.run(20_000)
    wan.a.store = wan.a.new_store(b"another")
    wan.a.start()
    wan.carried.clear()
    wan.link((wan.a, wan.c))
    wan.run(4_000)
    assert wan.shipped(wan.c, wan.a) == [], "what it lacks is old, that it lacks it is not"
    return wan


def test_a_member_with_an_empty_store_is_filled_at_home() -> None:
    wan = linked_to_the_site_with_an_empty_store()
    wan.link((wan.a, wan.b))
    wan.run(8_000)
    assert wan.a.keys == KEYS
    assert wan.shipped(wan.c, wan.a) == []


def filled_at_home_but_for_the_end(wan: Wan) -> Event:
    """Let the peer fill its node until the site has sent a snapshot meanwhile. Return the end of the peer's."""
    read, held = wan.b.read, []

    def hold_the_end(effect: ReadLog | ReadItem | ReadSnapshot) -> Sequence[Event]:
        told = list(read(effect))
        if isinstance(effect, ReadSnapshot):
            held.append(told.pop())
        return told

    wan.b.read = hold_the_end  # type: ignore[method-assign]
    wan.link((wan.a, wan.b))
    wan.link((wan.a, wan.c))
    wan.run(8_000)
    assert wan.shipped(wan.c, wan.a) != []
    assert (wan.a.keys, wan.a.closed) == ([], [])
    (end,) = held
    return end


def test_one_that_is_being_filled_at_home_takes_no_snapshot_of_the_site() -> None:
    wan = linked_to_the_site_with_an_empty_store(log_records_max=1)
    wan.b.step(filled_at_home_but_for_the_end(wan))
    wan.run(1_000)
    assert wan.a.keys == KEYS
    assert wan.b.closed == []


def test_what_the_site_has_beyond_a_snapshot_that_was_passed_over_comes_on_a_new_link() -> None:
    wan = linked_to_the_site_with_an_empty_store(log_records_max=1)
    wan.isolate(wan.c)
    assert told(wan.c, force=True)[0]
    wan.run(5_000)
    wan.c.accept("far")
    wan.c.accept("farther")
    wan.b.step(filled_at_home_but_for_the_end(wan))
    wan.run(1_000)
    assert wan.a.keys == KEYS
    assert wan.a.closed == [PASSED_OVER]
    wan.link((wan.a, wan.c))
    wan.run(1_000)
    assert wan.a.keys == ["far", "farther", *KEYS]
    assert len(wan.a.closed) == 1


def test_what_was_passed_over_for_a_snapshot_that_broke_off_comes_from_the_site() -> None:
    wan = linked_to_the_site_with_an_empty_store(log_records_max=1)
    filled_at_home_but_for_the_end(wan)
    wan.b.crash()
    wan.run(1_000)
    assert wan.a.closed == [PASSED_OVER]
    wan.link((wan.a, wan.c))
    wan.run(1_000)
    assert wan.a.keys == KEYS


def test_one_that_nobody_at_home_fills_is_filled_by_the_site() -> None:
    wan = linked_to_the_site_with_an_empty_store()
    wan.run(2_000)
    assert wan.a.keys == KEYS


def test_a_lack_that_is_over_does_not_count_for_what_an_old_backup_lacks() -> None:
    wan = joined(feed_after_ms=5_000)
    backup = deepcopy(wan.b.store)
    wan.isolate(wan.b)
    wan.link((wan.b, wan.c))
    wan.run(2_500)  # until the active one gives its peer up
    wan.a.accept("x")
    wan.run(1_000)
    assert (wan.b.keys, wan.c.keys) == ([], ["x"])
    wan.link((wan.a, wan.b))
    wan.run(8_000)
    wan.b.crash()
    wan.b.store = backup
    wan.b.start()
    wan.carried.clear()
    wan.link((wan.b, wan.c))
    wan.run(4_000)
    assert wan.shipped(wan.c, wan.b) == []


def test_records_with_a_delay_are_read_no_further_than_they_are_old() -> None:
    wan = joined(delay_ms=3_000)
    wan.a.accept("old")
    wan.run(2_900)
    wan.a.accept("new")
    wan.run(600)
    assert wan.c.keys == ["old"]


def test_a_damaged_item_of_a_site_comes_back_from_a_member() -> None:
    wan = joined()
    wan.a.accept("x")
    wan.run(500)
    rot(wan.c, "x")
    assert wan.c.keys == []
    wan.run(1_000)
    assert wan.c.keys == ["x"]


def test_a_member_gets_an_item_from_the_site_behind_all_that_it_relies_on() -> None:
    wan = joined()
    dot = wan.a.accept("one")
    wan.run(500)
    wan.unlink(wan.a, wan.b)
    wan.a.submit(put("notification"), part("one", dot, 1), wait=False)
    wan.run(5_500)
    assert wan.c.keys == ["notification", "one"]
    assert wan.b.keys == ["one"]
    rot(wan.b, "one")
    for _ in range(600):
        wan.run(10)
        assert "one" not in wan.b.keys or "notification" in wan.b.keys
    assert wan.b.store.items == wan.c.store.items
    answers = [(start, end) for start, end, message in wan.carried if isinstance(message, Fetched)]
    assert answers == [(SITE, 1)] * 2, "what was read before the snapshot that came first, and what after it"


def test_an_item_that_ends_while_the_site_is_asked_for_it_does_not_come_back() -> None:
    """The site reads it, must not send it yet, hears of its end, and tells that by a snapshot that leaves it out."""
    wan = joined()
    dot = wan.a.accept("one")
    wan.run(500)
    wan.unlink(wan.a, wan.b)
    wan.a.submit(put("two"), wait=False)
    wan.run(5_500)
    rot(wan.b, "one")
    wan.run(500)
    assert not any(isinstance(message, Fetched) for _, _, message in wan.carried)
    wan.a.submit(part("one", dot, TERMINAL), Record(Kind.DONE, b"one", dot), wait=False)
    wan.run(8_000)
    assert any(isinstance(message, Fetched) for _, _, message in wan.carried)
    assert (wan.b.keys, wan.c.keys) == (["two"], ["two"])
    wan.link((wan.a, wan.b))
    wan.run(2_000)
    assert wan.a.keys == wan.b.keys == ["two"]
    assert wan.b.store.tables.away == {}


def test_an_item_that_a_promoted_site_has_delivered_does_not_come_back_with_a_member_that_was_away() -> None:
    """The end went with the log: a snapshot left it out at a member that could not read its copy, and gave it past."""
    wan = joined(log_records_max=3)
    for side in (wan.a, wan.b):
        wan.isolate(side)
    told(wan.c, force=True)
    wan.link((wan.b, wan.c))
    dot = wan.b.accept("one")
    wan.run(6_000)
    assert wan.c.keys == ["one"]
    wan.unlink(wan.b, wan.c)
    wan.c.submit(part("one", dot, TERMINAL), Record(Kind.DONE, b"one", dot), wait=False)
    for number in range(4):
        wan.c.submit(put(f"far{number}"), wait=False)
    wan.b.store.rot(b"one", "item")
    wan.link((wan.b, wan.c))
    wan.run(1_000)
    wan.link((wan.a, wan.b))
    wan.run(1_000)
    wan.link((wan.a, wan.c))
    wan.run(4_000)
    assert wan.a.store.items == wan.b.store.items == wan.c.store.items
    assert (wan.b.store.tables.away, "one" in wan.b.keys) == ({}, False)
    assert not any(note.name == "replica.lost" for note in wan.b.notes)


def test_a_site_gets_an_item_at_once() -> None:
    wan = joined()
    wan.a.accept("one")
    wan.run(500)
    wan.c.is_disk_stuck = True
    wan.a.accept("two")
    session = next(session for session, ends in wan.links.items() if ends == (wan.b, wan.c))
    wan.b.step(Received(session, Fetch(b"one")))
    wan.settle()
    assert [(start, end) for start, end, message in wan.carried if isinstance(message, Fetched)] == [(1, SITE)]


def look(side: Side) -> None:
    """Tell a side what its reads have found damaged."""
    side.step(Damaged(tuple(side.store.found)))
    side.store.found.clear()
    side.pair.settle()


def noted(side: Side, name: str) -> list[str]:
    return [str(dict(note.fields)["key"]) for note in side.notes if note.name == name]


def damaged_at_the_feeder(log_records_max: int = 1 << 30) -> Wan:
    """Return a pair whose passive has a damaged item, about which it cannot ask, and which the site lacks."""
    wan = joined(log_records_max=log_records_max, feed_after_ms=1_000)
    wan.isolate(wan.c)
    for key in ("w", "x", "y"):
        wan.a.accept(key)
    wan.run(500)
    wan.unlink(wan.a, wan.b)
    wan.b.store.rot(b"x")
    wan.link((wan.b, wan.c))
    wan.run(2_500)  # until it gives up its peer
    look(wan.b)
    return wan


def test_an_item_that_is_damaged_here_is_not_shipped_before_it_is_healed() -> None:
    wan = damaged_at_the_feeder()
    wan.run(500)
    assert wan.c.keys == ["w"], "what follows in its branch waits"
    assert "x is damaged here" in far_of(wan.b, SITE).why
    wan.link((wan.a, wan.b))
    wan.run(1_000)
    assert wan.c.keys == ["w", "x", "y"]
    assert far_of(wan.b, SITE).why == ""


def test_other_branches_go_on_past_an_item_that_is_held_back() -> None:
    wan = damaged_at_the_feeder()
    wan.b.accept("z")
    wan.run(1_000)
    assert wan.c.keys == ["w", "z"]


def test_what_another_member_has_shipped_is_not_held_back_any_more() -> None:
    wan = damaged_at_the_feeder()
    wan.link((wan.a, wan.c))
    wan.run(1_000)
    assert wan.c.keys == ["w", "x", "y"]
    wan.run(500)
    assert far_of(wan.b, SITE).why == ""


def test_a_snapshot_that_lacks_a_damaged_item_does_not_end_before_it_is_healed() -> None:
    wan = damaged_at_the_feeder(log_records_max=1)
    wan.run(500)
    assert not any(seq for branch, seq in wan.c.store.vector.items() if branch == wan.a.member.own)
    assert wan.b.store.tables.away[b"x"].is_voided is False
    wan.link((wan.a, wan.b))
    wan.run(1_500)
    assert wan.c.keys == ["w", "x", "y"]
    assert wan.c.store.vector[wan.a.member.own] == 3


def test_an_item_that_no_member_has_is_left_out_at_a_site() -> None:
    wan = damaged_at_the_feeder()
    wan.a.store.rot(b"x")
    wan.link((wan.a, wan.b))
    wan.run(1_500)
    assert wan.c.keys == ["w", "y"]


def test_a_site_does_not_wait_for_ever() -> None:
    wan = damaged_at_the_feeder()
    wan.run(11_000)
    assert noted(wan.b, "replica.held_back") == ["x"]
    wan.now += HELD_SECONDS_MAX * 1_000_000_000
    wan.link((wan.b, wan.c))
    wan.run(11_000)
    assert wan.c.keys == ["w"], "on a new link it begins anew"
    wan.run(HELD_SECONDS_MAX * 1_000)
    assert noted(wan.b, "replica.held_too_long") == ["x"]
    assert wan.c.keys == ["w", "y"]


# --- who delivers -------------------------------------------------------------------------------------------


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


def told(side: Side, verb: str = "promote", *, force: bool = False) -> tuple[bool, str, str]:
    answer = side.told[side.command(verb, force=force)]
    return answer.is_done, answer.text, answer.risk


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


def test_beats_of_members_carry_no_plea_to_a_site() -> None:
    wan = Wan(authority=Mode.WITNESS)
    wan.link_all()
    wan.run(3_000)
    beats = [message for start, end, message in wan.carried if end == SITE and isinstance(message, Beat)]
    assert beats
    assert all(beat.plea is beat.consent is None and beat.feeding == () for beat in beats)


def test_a_member_alone_may_have_a_site() -> None:
    wan = Wan()
    wan.a.settings = wan.a.settings._replace(peer_node=-1)
    wan.a.start()
    wan.link((wan.a, wan.c))
    wan.run(500)
    assert wan.a.member.role is Role.ACTIVE
    wan.a.accept("x")
    wan.run(500)
    assert wan.c.keys == ["x"]
    wan.a.crash()
    assert told(wan.c, force=True)[0]
    wan.run(500)
    wan.a.start()
    wan.link((wan.a, wan.c))
    wan.run(5_000)
    assert [wan.a.member.role, wan.c.member.role] == [Role.PASSIVE, Role.ACTIVE]


def test_a_link_across_a_wan_bears_a_longer_silence() -> None:
    wan = joined()
    before = len(wan.b.closed)
    wan.c.is_up = False
    wan.run(14_000)
    assert len(wan.b.closed) == before
    wan.run(2_000)
    assert wan.b.closed[before:] == ["nothing was heard for 15000 ms"]


def test_one_that_stops_shipping_in_a_snapshot_ends_it_first() -> None:
    wan = joined(log_records_max=3, feed_after_ms=1_000)
    wan.isolate(wan.c)
    for number in range(10):
        wan.a.accept(f"k{number}")
    wan.run(1_500)
    held: list[ReadSnapshot] = []
    read = wan.a.read

    def hold_snapshots(effect: ReadLog | ReadItem | ReadSnapshot) -> Sequence[Event]:
        if not isinstance(effect, ReadSnapshot):
            return read(effect)
        held.append(effect)
        return []

    wan.a.read = hold_snapshots  # type: ignore[method-assign]
    wan.link((wan.a, wan.c))
    wan.run(500)
    assert held
    wan.link((wan.b, wan.c))
    wan.run(1_000)
    assert far_of(wan.a, SITE).is_fed
    wan.a.read = read  # type: ignore[method-assign]
    wan.events.extend((wan.a, told) for told in read(held[-1]))
    wan.run(1_000)
    assert not far_of(wan.a, SITE).is_fed
    assert wan.c.keys == wan.a.keys
