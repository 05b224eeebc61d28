"""Octets that are not what was written: found by every read, taken out of use, never in the way of the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from replicator.core.events import Commit, Stretch
from replicator.core.messages import SnapshotItem
from replicator.core.values import NO_FLAGS, VOIDED, Authority, Branch, Damage, Dot, Kind, PartValue, Presence, Record
from replicator.store import layout, scrub
from replicator.store.environment import StoreSettings
from replicator.store.store import Store
from tests.unit.replicator.store.commits import BRANCH, TERMINAL_RANK, done, flip, key, part, put

BLOB = b"b" * 10_000
ITEM = ("item", key(2))
PIECE = ("blob", layout.piece_key(key(2), 0))
RECORD = ("log", layout.dot_key(Dot(BRANCH, 2)))
PLACE = ("due", layout.due_key(100, key(2), b"part"))


def opened(path: Path) -> Store:
    return Store(StoreSettings(path, 0, TERMINAL_RANK, map_octets=4 << 20, map_octets_max=64 << 20))


def undamaged(path: Path) -> Store:
    """Return a store of three items."""
    store = opened(path)
    store.change([put(1, BLOB), put(2, BLOB), put(3, BLOB)])
    return store


def damaged(path: Path, table: str, at: bytes) -> Store:
    """Return a store of three items, with one value of the second flipped."""
    undamaged(path).close()
    flip(path, table, at)
    return opened(path)


def mend(store: Store, ticket: int = 9) -> None:
    """Do what a member does about what reads have found."""
    found = tuple(store.damage)
    store.damage.clear()
    store.change([Commit(ticket, mend=found)])


READS: dict[str, Callable[[Store], object]] = {
    "item": lambda store: store.item(key(2)),
    "items": lambda store: store.items(b"", 10),
    "blob": lambda store: store.blob(key(2)),
    "whole": lambda store: store.whole(key(2)),
    "due": lambda store: store.due(1_000, 10),
    "log": lambda store: store.read_log(BRANCH, 1, 1_000_000).records,
    "snapshot": lambda store: store.snapshot({}).read(1_000_000),
}


@pytest.mark.parametrize(
    ("where", "read", "named"),
    [
        (ITEM, "item", "item"),
        (ITEM, "items", "item"),
        (ITEM, "blob", "item"),
        (ITEM, "whole", "item"),
        (ITEM, "log", "item"),
        (ITEM, "snapshot", "item"),
        (PIECE, "blob", "blob"),
        (PIECE, "whole", "blob"),
        (PIECE, "log", "blob"),
        (PIECE, "snapshot", "blob"),
        (RECORD, "log", "log"),
        (PLACE, "due", "due"),
    ],
)
def test_every_read_notices_and_goes_on(tmp_path: Path, where: tuple[str, bytes], read: str, named: str) -> None:
    store = damaged(tmp_path / "store", *where)
    READS[read](store)
    found = [damage.table for damage in store.damage if damage.table != VOIDED]
    assert found == [named]
    assert (store.blob(key(1)), store.blob(key(3))) == (BLOB, BLOB)
    store.close()


@pytest.mark.parametrize("where", [ITEM, PIECE])
def test_a_damaged_item_is_taken_out_of_use(tmp_path: Path, where: tuple[str, bytes]) -> None:
    store = damaged(tmp_path / "store", *where)
    store.whole(key(2))
    mend(store)
    assert [item.key for item in store.items(b"", 10)] == [key(1), key(3)]
    assert [entry.key for entry in store.due(1_000, 10)] == [key(1), key(3)]
    assert store.whole(key(2))[0] is Presence.AWAY
    totals = store.totals()
    assert (totals.items, totals.parts, totals.octets, totals.damaged) == (2, 2, 2 * len(BLOB), 1)
    assert [away.key for away in store.image().away] == [key(2)]
    with store.environment.read() as transaction:
        assert transaction.stat(store.environment.tables["damaged"])["entries"] == 2, "its octets, and its blob's"
    assert not store.damage
    store.close()


@pytest.mark.parametrize("where", [ITEM, PIECE])
def test_what_is_damaged_is_never_shipped(tmp_path: Path, where: tuple[str, bytes]) -> None:
    store = damaged(tmp_path / "store", *where)
    for _ in ("before it is taken out of use", "after"):
        shipped = store.read_log(BRANCH, 1, 1_000_000).records
        assert shipped is not None
        assert [record.kind for record in shipped] == [Kind.PUT, Kind.VOID, Kind.PUT]
        piece = store.snapshot({}).read(1_000_000)
        assert [item.key for item, _ in piece.items] == [key(1), key(3)]
        assert piece.away == (key(2),), "and its absence is not to be taken for its end"
        mend(store)
    assert store.image().away[0].is_voided, "the peer takes it for finished, and must not be believed about that"
    store.close()


@pytest.mark.parametrize("where", [ITEM, PIECE])
def test_what_is_damaged_ends_a_read_that_is_holding(tmp_path: Path, where: tuple[str, bytes]) -> None:
    store = damaged(tmp_path / "store", *where)
    for _ in ("before it is taken out of use", "after"):
        records, held = store.read_log(BRANCH, 1, 1_000_000, is_holding=True)
        assert ([record.kind for record in records or ()], held) == ([Kind.PUT], key(2))
        assert store.read_log(BRANCH, 2, 1_000_000, is_holding=True) == ((), key(2))
        assert store.snapshot({}, is_holding=True).read(1_000_000).away == (key(2),)
        mend(store)
    assert not store.image().away[0].is_voided, "nobody takes it for finished"
    store.close()


def fetched(rank: int = 0) -> SnapshotItem:
    """Return the item as the peer has it."""
    parts = ((b"part", PartValue(rank, 0, 1, 100, b"")),)
    return SnapshotItem(key(2), Dot(BRANCH, 2), parts, NO_FLAGS, b"meta", BLOB)


def test_the_state_of_an_item_outlives_its_content(tmp_path: Path) -> None:
    store = damaged(tmp_path / "store", *PIECE)
    store.change([part(4, of=2, rank=1)])
    known = store.item(key(2))
    store.blob(key(2))
    mend(store)
    orphans = store.snapshot({}).read(1_000_000).orphans
    assert known is not None
    assert [(orphan.put, orphan.parts, orphan.flags) for orphan in orphans] == [(known.put, known.parts, known.flags)]
    store.change([Commit(5, items=(fetched(),))])
    assert store.item(key(2)) == known, "and not as it was long ago"
    store.close()


def test_an_item_comes_back_with_what_was_said_meanwhile(tmp_path: Path) -> None:
    store = damaged(tmp_path / "store", *ITEM)
    before = undamaged(tmp_path / "like")
    store.item(key(2))
    mend(store)
    store.change([part(4, of=2, rank=1)])
    assert store.item(key(2)) is None
    store.change([Commit(5, items=(fetched(),))])
    before.change([part(4, of=2, rank=1)])
    assert store.item(key(2)) == before.item(key(2))
    assert store.blob(key(2)) == BLOB
    assert store.due(1_000, 10) == before.due(1_000, 10)
    assert store.totals() == before.totals()
    assert store.image().away == ()
    with store.environment.read() as transaction:
        for table in ("damaged", "away", "orphan"):
            assert transaction.stat(store.environment.tables[table])["entries"] == 0
    store.close()
    before.close()


def test_a_change_that_meets_damage_is_kept(tmp_path: Path) -> None:
    """The transaction does not fail: the member would start again, and again."""
    store = damaged(tmp_path / "store", *ITEM)
    change = store.change([part(4, of=2, rank=3), put(5)])
    assert [away.key for away in change.away] == [key(2)]
    assert change.finished == ()
    assert store.item(key(5)) is not None
    store.change([Commit(6, items=(fetched(),))])
    item = store.item(key(2))
    assert item is not None
    assert item.parts[b"part"].rank == 3
    assert dict(store.image().finished) == {key(2): Dot(BRANCH, 2)}
    store.close()


def test_what_is_finished_need_not_come_back(tmp_path: Path) -> None:
    store = damaged(tmp_path / "store", *ITEM)
    store.item(key(2))
    mend(store)
    store.change([part(4, of=2, rank=3), done(5, of=2)])
    assert store.image().away == ()
    assert store.whole(key(2))[0] is Presence.ABSENT
    store.change([Commit(6, items=(fetched(),))])
    assert store.item(key(2)) is None, "it was finished"
    with store.environment.read() as transaction:
        for table in ("damaged", "away", "orphan"):
            assert transaction.stat(store.environment.tables[table])["entries"] == 0
    store.close()


@pytest.mark.parametrize("change", [done(4, of=2), Commit(4, items=(fetched(),))], ids=["ended", "came back"])
def test_what_is_away_no_longer_is_told(tmp_path: Path, change: Commit) -> None:
    store = damaged(tmp_path / "store", *ITEM)
    found = store.change([Commit(3, mend=(Damage("item", key(2)),))])
    assert ([away.key for away in found.away], found.back) == ([key(2)], ())
    assert store.change([change]).back == (key(2),)
    assert store.change([Commit(5, authority=Authority(1, 0))]).back == ()
    store.close()


def test_what_is_found_and_ends_at_once_is_told_as_both(tmp_path: Path) -> None:
    store = damaged(tmp_path / "store", *ITEM)
    found = store.change([done(4, of=2)])
    assert ([away.key for away in found.away], found.back) == ([key(2)], (key(2),))
    store.close()


def test_a_snapshot_of_the_peer_brings_it_back_or_leaves_it_away(tmp_path: Path) -> None:
    store = damaged(tmp_path / "store", *ITEM)
    store.item(key(2))
    mend(store)
    covered = fetched(rank=1)._replace(blob=None)
    vector = {BRANCH: 3}
    everything = Stretch(vector, b"", None)
    store.change([Commit(4, begin=vector, items=(covered,), is_snapshot=True, stretch=everything, vector=vector)])
    assert [away.key for away in store.image().away] == [key(2)]
    store.change([Commit(5, items=(fetched(),))])
    item = store.item(key(2))
    assert item is not None
    assert item.parts[b"part"].rank == 1
    store.close()


def test_a_damaged_place_in_the_order_of_time_is_made_anew(tmp_path: Path) -> None:
    store = damaged(tmp_path / "store", *PLACE)
    assert [entry.key for entry in store.due(1_000, 10)] == [key(1), key(3)]
    mend(store)
    assert [entry.key for entry in store.due(1_000, 10)] == [key(1), key(2), key(3)]
    store.close()


def test_a_damaged_finished_item_is_found_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "store"
    first = opened(path)
    first.change([put(1), part(2, of=1, rank=3)])
    first.close()
    flip(path, "finished", key(1))
    store = opened(path)
    assert store.image().finished == ()
    mend(store)
    assert store.image().finished == ((key(1), Dot(BRANCH, 1)),)
    store.close()


def test_a_damaged_log_reaches_back_no_further(tmp_path: Path) -> None:
    store = damaged(tmp_path / "store", *RECORD)
    before = store.read_log(BRANCH, 1, 1_000_000).records
    assert before is not None
    assert len(before) == 1
    assert store.read_log(BRANCH, 2, 1_000_000).records is None
    mend(store)
    assert store.read_log(BRANCH, 2, 1_000_000).records is None
    assert store.read_log(BRANCH, 3, 1_000_000).records is not None
    store.close()


def test_a_damaged_orphan_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "store"
    ahead = Dot(Branch(1, 7), 1)
    parts = ((b"part", PartValue(1, 0, 1, 100, b"")),)
    first = opened(path)
    first.change([Commit(1, records=((Dot(BRANCH, 1), Record(Kind.PART, b"ahead", ahead, parts)),))])
    first.close()
    flip(path, "orphan", layout.dot_key(ahead))
    store = opened(path)
    store.change([Commit(2, records=((ahead, Record(Kind.PUT, b"ahead", parts=parts, blob=b"")),))])
    assert store.item(b"ahead") is not None
    store.close()


def test_a_damaged_count_is_counted_anew(tmp_path: Path) -> None:
    store = damaged(tmp_path / "store", "meta", b"octets")
    assert store.totals().octets == 0
    mend(store)
    assert store.totals().octets == 3 * len(BLOB)
    store.close()


# --- the scrub ----------------------------------------------------------------------------------------------


def walk(store: Store, octets_max: int) -> int:
    """Scrub everything; return how many steps that took."""
    place: scrub.Place | None = scrub.Place()
    steps = octets = 0
    while place is not None:
        step = scrub.step(store, place, octets_max)
        place, steps, octets = step.place, steps + 1, octets + step.octets
        assert steps < 1_000
    assert octets > 2 * len(BLOB)
    return steps


@pytest.mark.parametrize("where", [ITEM, PIECE, RECORD, PLACE])
def test_the_scrub_finds_what_nobody_reads(tmp_path: Path, where: tuple[str, bytes]) -> None:
    store = damaged(tmp_path / "store", *where)
    few, many = walk(store, 1 << 20), walk(store, 1)
    assert few < many
    key_of = where[1] if where is RECORD else key(2)
    assert list(store.damage) == [Damage(where[0], key_of)] * 2, list(store.damage)
    store.close()


def test_the_scrub_finds_nothing_where_nothing_is_damaged(tmp_path: Path) -> None:
    store = undamaged(tmp_path / "store")
    walk(store, 1 << 20)
    assert not store.damage
    store.close()
