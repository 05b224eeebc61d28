"""What is durable: who may open it, what a reader sees, what a damaged value does, how it grows."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import lmdb
import pytest

from replicator.codec import DamagedError
from replicator.core.events import Commit
from replicator.core.values import Branch, Dot, Kind, PartValue, Record
from replicator.status import NO_TOTALS
from replicator.store import layout
from replicator.store.environment import (
    RESERVE_OCTETS_MIN,
    Gate,
    LongRead,
    SnapshotBrokenError,
    StoreFormatError,
    StoreLockedError,
    StoreOwnerError,
    StoreSettings,
)
from replicator.store.retention import MARKS_MAX, Retention
from replicator.store.store import Store
from replicator.store.tables import LimitError
from tests.unit.replicator.store.commits import BRANCH, TERMINAL_RANK, done, flip, key, part, put

MEBI = 1 << 20


def settings(path: Path, **more: int) -> StoreSettings:
    return StoreSettings(path, 0, TERMINAL_RANK, **({"map_octets": 4 * MEBI, "map_octets_max": 64 * MEBI} | more))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(settings(tmp_path / "store"))
    yield opened
    opened.close()


def rewrite(path: Path, table: str, at: bytes, value: bytes) -> None:
    """Write a raw value into a closed store."""
    env = lmdb.open(str(path), max_dbs=16, map_size=64 * MEBI)
    handle = env.open_db(table.encode())
    with env.begin(write=True) as transaction:
        transaction.put(at, value, db=handle)
    env.close()


def digest(path: Path) -> str:
    return hashlib.sha256((path / "data.mdb").read_bytes()).hexdigest()


# --- who may open it ----------------------------------------------------------------------------------------


def test_a_record_of_a_later_version_is_passed_on_as_it_came(store: Store) -> None:
    later = Record(64, b"K", Dot(BRANCH, 1), ((b"part", PartValue(7, 1, 2, 3, b"d")),), meta=b"meta", blob=b"octets")
    store.change([put(1), Commit(2, records=((Dot(BRANCH, 2), later),))])
    assert store.read_log(BRANCH, 2, 1 << 20).records == (later,)


def test_it_is_found_again_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "store"
    first = Store(settings(path))
    first.change([put(1, b"x" * (2 * MEBI))])
    image = first.image()
    first.close()
    again = Store(settings(path))
    assert again.image() == image
    assert again.blob(key(1)) == b"x" * (2 * MEBI)
    again.close()


def test_each_store_has_an_id_of_its_own(tmp_path: Path) -> None:
    stores = [Store(settings(tmp_path / name)) for name in ("a", "b")]
    ids = {store.image().store_id for store in stores}
    assert len(ids) == 2
    assert all(len(store_id) == 16 for store_id in ids)
    for store in stores:
        store.close()


def test_a_newer_format_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "store"
    Store(settings(path)).close()
    rewrite(path, "meta", b"format", layout.seal(b"format", layout.number(layout.FORMAT + 1)))
    before = digest(path)
    with pytest.raises(StoreFormatError, match=r"has format 2; this version knows format 1") as raised:
        Store(settings(path))
    assert (raised.value.found, raised.value.known) == (2, 1)
    assert digest(path) == before


def test_another_members_store_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "store"
    Store(settings(path)).close()
    before = digest(path)
    with pytest.raises(StoreOwnerError, match="of node 0, not of node 7"):
        Store(StoreSettings(path, 7, TERMINAL_RANK))
    assert digest(path) == before


def test_a_store_that_does_not_say_whose_it_is_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store"
    path.mkdir()
    rewrite(path, "meta", b"format", layout.seal(b"format", layout.number(layout.FORMAT)))
    with pytest.raises(DamagedError, match="does not say whose"):
        Store(settings(path))


def test_another_process_is_locked_out(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreLockedError):
        Store(settings(tmp_path / "store"))


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from replicator.store.store import Store;"
        "from replicator.store.environment import StoreSettings;"
        "Store(StoreSettings(Path(sys.argv[1]), 0, 2)); os._exit(9)"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path / "store")], check=False)
    assert ended.returncode == 9
    Store(settings(tmp_path / "store")).close()


# --- what a reader sees -------------------------------------------------------------------------------------


def test_an_item_rises_and_leaves(store: Store) -> None:
    assert store.item(key(1)) is None
    added = store.change([put(1)])
    assert added.keys == {key(1)}
    assert [(entry.due_ms, entry.key, entry.part) for entry in store.due(101, 10)] == [(100, key(1), b"part")]
    assert store.due(100, 10) == []
    store.change([part(2, of=1, rank=1)])
    assert [entry.due_ms for entry in store.due(1_000, 10)] == [900]
    ended = store.change([part(3, of=1, rank=3)])
    assert ended.finished == ((key(1), Dot(BRANCH, 1)),)
    assert store.due(1_000, 10) == []
    assert store.image().finished == ended.finished
    removed = store.change([done(4, of=1)])
    assert (removed.keys, removed.finished) == ({key(1)}, ())
    assert store.image().finished == ()
    assert (store.item(key(1)), store.blob(key(1))) == (None, None)
    assert store.totals() == NO_TOTALS


@pytest.mark.parametrize(
    "size", [0, 1, layout.BLOB_PIECE_OCTETS, layout.BLOB_PIECE_OCTETS + 1, 3 * layout.BLOB_PIECE_OCTETS - 7]
)
def test_blobs_of_all_sizes_come_back(store: Store, size: int) -> None:
    blob = bytes(range(256)) * (size // 256 + 1)
    store.change([put(1, blob[:size])])
    assert store.blob(key(1)) == blob[:size]
    store.change([done(2, of=1)])
    with store.environment.read() as transaction:
        assert transaction.stat(store.environment.tables["blob"])["entries"] == 0


def test_items_are_given_in_pages(store: Store) -> None:
    store.change([put(number) for number in range(1, 8)])
    found: list[bytes] = []
    while page := store.items(found[-1] if found else b"", 3):
        assert len(page) <= 3
        found += [item.key for item in page]
    assert found == [key(number) for number in range(1, 8)]
    assert store.totals().oldest_key == key(1)


def test_a_transaction_is_kept_whole_or_not_at_all(store: Store) -> None:
    with pytest.raises(LimitError, match="a key of 256 octets"):
        store.change([put(1), Commit(2, records=((Dot(BRANCH, 2), Record(Kind.PUT, b"k" * 256)),))])
    assert store.item(key(1)) is None
    assert store.image().vector == {}
    assert store.totals() == NO_TOTALS


@pytest.mark.parametrize("asked", [b"", b"k" * 256, b"k" * 600])
def test_a_key_that_cannot_be_is_not_here(store: Store, asked: bytes) -> None:
    assert (store.item(asked), store.blob(asked)) == (None, None)


# --- damage -------------------------------------------------------------------------------------------------


def test_a_damaged_position_keeps_a_member_from_starting(tmp_path: Path) -> None:
    path = tmp_path / "store"
    first = Store(settings(path))
    first.change([put(1)])
    first.close()
    flip(path, "vector", layout.branch_key(BRANCH))
    again = Store(settings(path))
    with pytest.raises(DamagedError):
        again.image()
    again.close()


# --- the log ------------------------------------------------------------------------------------------------


def test_a_log_that_grows_too_large_loses_its_oldest(tmp_path: Path) -> None:
    store = Store(settings(tmp_path / "store", log_octets_max=64 << 10))
    for begin in range(1, 2_001, 100):
        store.change([put(number, b"") for number in range(begin, begin + 100)])
    assert store.read_log(BRANCH, 1, 1_000).records is None
    newest = store.read_log(BRANCH, 2_000, 1_000).records
    assert newest is not None
    assert newest[0].key == key(2_000)
    with store.environment.read() as transaction:
        assert store.environment.table_octets(transaction, "log") < 256 << 10
    store.close()


def test_floors_cut_their_branch_alone(store: Store) -> None:
    other = Branch(1, 9)
    store.change([put(1), put(2), Commit(3, records=((Dot(other, 1), Record(Kind.VOID, b"v")),))])
    store.change([Commit(4, floors={BRANCH: 1})])
    assert store.read_log(BRANCH, 1, 1_000).records is None
    assert store.read_log(BRANCH, 2, 1_000).records is not None
    assert store.read_log(other, 1, 1_000).records == (Record(Kind.VOID, b"v"),)
    assert store.image().floors == {BRANCH: 1}


def test_the_stores_of_the_neighbours_are_remembered(store: Store) -> None:
    store.change([Commit(1, store_of=(1, b"one")), Commit(2, store_of=(12, b"twelve"))])
    store.change([Commit(3, store_of=(1, b"another"))])
    assert store.image().stores == {1: b"another", 12: b"twelve"}


def test_one_piece_of_the_log_is_bounded(store: Store) -> None:
    store.change([put(number, b"x" * 10_000) for number in range(1, 11)])
    piece = store.read_log(BRANCH, 1, 35_000).records
    assert piece is not None
    assert len(piece) == 3
    single = store.read_log(BRANCH, 1, 10).records
    assert single is not None
    assert len(single) == 1


def test_a_put_whose_key_another_has_now_is_shipped_as_void(store: Store) -> None:
    other = Dot(Branch(1, 9), 1)
    again = Record(Kind.PUT, key(1), blob=b"another")
    store.change([put(1, b"first"), done(2, of=1), Commit(3, records=((other, again),))])
    shipped = store.read_log(BRANCH, 1, 1_000).records
    assert shipped is not None
    assert shipped[0] == Record(Kind.VOID, key(1))
    assert store.read_log(other.branch, 1, 1_000).records == (again,)


# --- space --------------------------------------------------------------------------------------------------


def test_the_map_doubles_up_to_its_limit(store: Store) -> None:
    environment = store.environment
    assert not environment.grow_for(100)
    assert environment.grow_for(5 * MEBI)
    assert environment.map_octets == 8 * MEBI
    store.change([put(1, b"x" * (5 * MEBI))])
    assert environment.grow_for(1 << 40)
    assert environment.map_octets == 64 * MEBI
    assert not environment.grow_for(1 << 40)
    assert not environment.grow()


def test_live_pages_are_what_counts(store: Store) -> None:
    before = store.environment.live_octets
    store.change([put(1, b"x" * MEBI)])
    full = store.free_permille()
    assert store.environment.live_octets >= before + MEBI
    store.change([done(2, of=1)])
    assert store.environment.live_octets < before + MEBI // 4
    assert store.free_permille() > full


def test_new_items_leave_the_reserve(tmp_path: Path) -> None:
    store = Store(settings(tmp_path / "store", map_octets_max=16 * MEBI))
    assert store.environment.has_room_for(14 * MEBI)
    assert not store.environment.has_room_for(16 * MEBI - RESERVE_OCTETS_MIN)
    store.close()


def test_growth_breaks_a_snapshot_off(store: Store) -> None:
    store.change([put(number) for number in range(1, 4)])
    snapshot = store.snapshot({})
    assert not snapshot.read(10_000, items_max=1).is_last
    assert not store.environment.grow_for(int(3.2 * MEBI)), "a long read is spared while there is room"
    assert store.environment.grow_for(40 * MEBI)
    with pytest.raises(SnapshotBrokenError):
        snapshot.read(10_000)
    snapshot.close()
    assert len(store.items(b"", 10)) == 3


def test_a_snapshot_is_of_one_moment(store: Store) -> None:
    store.change([put(1), put(2)])
    snapshot = store.snapshot({})
    first = snapshot.read(10_000, items_max=1)
    store.change([done(3, of=2), put(4)])
    rest = snapshot.read(10_000)
    snapshot.close()
    assert first.vector == {BRANCH: 2}
    assert [item.key for item, _ in first.items + rest.items] == [key(1), key(2)]


def test_a_snapshot_is_closed_behind_the_piece_that_is_being_read(store: Store) -> None:
    store.change([put(1)])
    long_read = LongRead()
    is_reading, may_go_on = threading.Event(), threading.Event()
    log: list[str] = []

    def read() -> None:
        with store.environment.resume(long_read) as transaction:
            is_reading.set()
            may_go_on.wait(10)
            log.append(f"read {transaction.stat(store.environment.tables['item'])['entries']}")

    def close() -> None:
        store.environment.end_long_read(long_read)
        log.append("closed")

    reader, closer = threading.Thread(target=read), threading.Thread(target=close)
    reader.start()
    is_reading.wait(10)
    closer.start()
    closer.join(0.05)
    may_go_on.set()
    for thread in (reader, closer):
        thread.join(10)
    assert log == ["read 1", "closed"]
    with pytest.raises(SnapshotBrokenError), store.environment.resume(long_read):
        pass


def test_reopening_keeps_what_is_durable(store: Store) -> None:
    store.change([put(1)])
    store.reopen()
    store.change([put(2)])
    assert [item.key for item in store.items(b"", 10)] == [key(1), key(2)]


def test_whoever_changes_the_map_is_alone() -> None:
    gate = Gate()
    log: list[str] = []
    is_inside = threading.Event()
    may_leave = threading.Event()

    def read() -> None:
        with gate.shared():
            is_inside.set()
            may_leave.wait(10)
            log.append("read")

    def change() -> None:
        with gate.alone():
            log.append("changed")

    reader, changer = threading.Thread(target=read), threading.Thread(target=change)
    reader.start()
    is_inside.wait(10)
    changer.start()
    while not gate._is_closed:
        pass
    late = threading.Thread(target=lambda: [gate.shared().__enter__(), log.append("late")])
    late.start()
    assert log == []
    may_leave.set()
    for thread in (reader, changer, late):
        thread.join(10)
    assert log == ["read", "changed", "late"]


@pytest.mark.parametrize("items_max", [1, 2, 100])
def test_a_snapshot_begins_with_what_the_receiver_lacks(store: Store, items_max: int) -> None:
    store.change([put(number, b"blob-%d" % number) for number in range(1, 7)])
    snapshot = store.snapshot({BRANCH: 3})
    pieces = [snapshot.read(10_000, items_max)]
    while not pieces[-1].is_last:
        pieces.append(snapshot.read(10_000, items_max))
    snapshot.close()
    found = [(item.key, blob) for piece in pieces for item, blob in piece.items]
    lacking = [(key(number), b"blob-%d" % number) for number in (4, 5, 6)]
    assert found == [*lacking, *((key(number), None) for number in (1, 2, 3))]
    assert [piece.vector for piece in pieces] == [{BRANCH: 6}] + [None] * (len(pieces) - 1)


def test_the_log_is_kept_for_a_time(tmp_path: Path) -> None:
    hours = 0
    store = Store(settings(tmp_path / "store"), monotonic=lambda: 3_600.0 * hours)
    for hours in range(48):
        store.change([put(hours + 1)])
        kept_from = 1 + next(cut for cut in range(hours + 1) if store.read_log(BRANCH, cut + 1, 1).records is not None)
        assert kept_from == max(1, hours + 1 - 23), "a record written a day ago has left, one of 23 hours has not"
    assert len(store.items(b"", 100)) == 48
    store.close()


def test_little_is_remembered_of_how_old_the_log_is() -> None:
    retention = Retention(86_400.0)
    marks = sum(retention.is_due(now) and not retention.mark(now, {}) for now in range(0, 86_400, 60))
    assert marks == MARKS_MAX


def test_a_log_that_is_kept_no_time_is_cut_at_once(tmp_path: Path) -> None:
    retention = Retention(0.0)
    for now in (1.0, 1.0, 2.0):
        assert retention.is_due(now)
        assert retention.mark(now, {BRANCH: int(now)}) == {BRANCH: int(now)}
    store = Store(replace(settings(tmp_path / "store"), log_seconds_max=0.0))
    store.change([put(1)])
    store.change([put(2)])
    assert store.read_log(BRANCH, 1, 1 << 20).records is None
    assert len(store.items(b"", 10)) == 2
    store.close()
