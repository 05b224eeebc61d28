"""A site that follows a pair: who ships to it, and what goes over the link both ways."""

from collections.abc import Sequence
from copy import deepcopy

from replicator.core.events import Event, ReadItem, ReadLog, ReadSnapshot
from replicator.core.messages import Beat, Records, SnapshotItem
from replicator.core.status import Link
from replicator.core.values import Dot, Durability, Kind, Mode, Role
from tests.fakes.pair import TERMINAL, part, put
from tests.fakes.wan import SITE, Wan, far_of, joined, told

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
    """Let the peer fill its node for longer than a site waits. Return the end of the peer's snapshot."""
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
    assert (wan.a.keys, wan.a.closed) == ([], [])
    (end,) = held
    return end


def test_one_that_is_filled_at_home_for_long_is_sent_no_snapshot_by_the_site() -> None:
    wan = linked_to_the_site_with_an_empty_store(log_records_max=1)
    end = filled_at_home_but_for_the_end(wan)
    assert wan.shipped(wan.c, wan.a) == []
    wan.b.step(end)
    wan.run(8_000)
    assert wan.a.keys == KEYS
    assert wan.shipped(wan.c, wan.a) == wan.b.closed == []


def test_what_the_site_has_beyond_a_snapshot_that_was_passed_over_comes_on_a_new_link() -> None:
    wan = linked_to_the_site_with_an_empty_store(log_records_max=1)
    wan.isolate(wan.c)
    assert told(wan.c, force=True)[0]
    wan.run(5_000)
    wan.c.accept("far")
    wan.c.accept("farther")
    end = filled_at_home_but_for_the_end(wan)
    assert wan.shipped(wan.c, wan.a) != []
    wan.b.step(end)
    wan.run(1_000)
    assert wan.a.keys == KEYS
    assert wan.a.closed == [PASSED_OVER]
    wan.link((wan.a, wan.c))
    wan.run(1_000)
    assert wan.a.keys == ["far", "farther", *KEYS]
    assert len(wan.a.closed) == 1


def test_what_a_snapshot_that_broke_off_did_not_bring_comes_from_the_site() -> None:
    wan = linked_to_the_site_with_an_empty_store(log_records_max=1)
    filled_at_home_but_for_the_end(wan)
    wan.b.crash()
    wan.run(1_000)
    assert wan.a.keys == KEYS


def test_what_was_passed_over_for_a_snapshot_that_broke_off_comes_on_a_new_link() -> None:
    wan = linked_to_the_site_with_an_empty_store(log_records_max=1)
    wan.isolate(wan.c)
    assert told(wan.c, force=True)[0]
    wan.run(5_000)
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


def sent_a_part_of_everything() -> tuple[Wan, list[Dot]]:
    """Return a site that lacks what the log no longer has, and was sent the first piece of a snapshot; and the dots."""
    wan = joined(log_records_max=5)
    wan.isolate(wan.c)
    dots = [wan.a.accept(f"k{number}") for number in range(8)]
    read = wan.b.read

    def give_the_first_piece(effect: ReadLog | ReadItem | ReadSnapshot) -> Sequence[Event]:
        told = list(read(effect))
        return told[:1] if isinstance(effect, ReadSnapshot) else told

    wan.b.read = give_the_first_piece  # type: ignore[method-assign]
    wan.c.crash()
    wan.c.settings = wan.c.settings._replace(gathered_octets_max=1)  # each item goes to the disk as it comes
    wan.c.start()
    wan.link((wan.b, wan.c))
    wan.run(500)
    wan.b.read = read  # type: ignore[method-assign]
    wan.isolate(wan.c)
    return wan, dots


def test_the_next_snapshot_takes_away_what_one_that_broke_off_has_left_and_the_pair_has_ended() -> None:
    wan, dots = sent_a_part_of_everything()
    assert wan.c.keys == ["k0", "k1", "k2"]
    wan.a.submit(part("k1", dots[1], TERMINAL))
    wan.run(500)
    wan.link((wan.b, wan.c))
    wan.run(1_000)
    assert wan.c.keys == wan.a.keys == ["k0", "k2", "k3", "k4", "k5", "k6", "k7"]


def test_what_is_left_of_a_snapshot_stays_when_both_disks_are_lost() -> None:
    """It may be the last copy: nobody is left who could tell whether it has ended."""
    wan, _ = sent_a_part_of_everything()
    for side in (wan.a, wan.b):
        side.crash()
        side.store = side.new_store(f"new {side.node}".encode())
        side.start()
    wan.link((wan.a, wan.b))
    later = [f"later{number}" for number in range(8)]  # more than the log has
    for key in later:
        wan.a.accept(key)
    wan.run(20_000)  # until the site believes that they have other stores
    wan.link((wan.b, wan.c))
    wan.run(1_000)
    assert wan.c.keys == ["k0", "k1", "k2", *later]
