"""What is damaged where a pair has a site: what is fetched from whom, and what is held back meanwhile."""

from replicator.core.events import Damaged, Received
from replicator.core.holding import HELD_SECONDS_MAX
from replicator.core.messages import Fetch, Fetched
from replicator.core.values import Damage, Kind, Record
from tests.fakes.pair import TERMINAL, Side, part, put
from tests.fakes.wan import SITE, Wan, far_of, joined, told


def rot(side: Side, key: str) -> None:
    """Damage an item's content, and let it be found."""
    side.store.rot(key.encode())
    side.step(Damaged((Damage("blob", key.encode()),)))
    side.work_disk()


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
