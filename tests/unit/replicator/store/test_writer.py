"""The writer's thread: what waits goes together, a failure keeps nothing, the reserve is for endings."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import lmdb

from replicator.core.events import Commit
from replicator.core.values import Dot, Kind, PartValue, Record
from replicator.store.environment import StoreSettings
from replicator.store.store import Done, Store
from replicator.store.writer import GROUP_OCTETS_MAX, Writer, Written
from tests.unit.replicator.store.commits import BRANCH, TERMINAL_RANK, done, key, part, put

MEBI = 1 << 20
WAIT_SECONDS = 20.0


class SlowStore(Store):
    """A store whose transactions wait for the test, and that can be made to fail."""

    def __init__(self, settings: StoreSettings) -> None:
        super().__init__(settings)
        self.may_go = threading.Semaphore(0)
        self.has_begun = threading.Semaphore(0)
        self.groups: list[list[int]] = []
        self.fault: Exception | None = None

    def change(self, commits: Sequence[Commit]) -> Done:
        self.groups.append([commit.ticket for commit in commits])
        self.has_begun.release()
        assert self.may_go.acquire(timeout=WAIT_SECONDS)
        if self.fault is not None:
            raise self.fault
        return super().change(commits)


@contextmanager
def writing(
    path: Path, kind: Callable[[StoreSettings], Store] = Store, **limits: int
) -> Iterator[tuple[Store, Writer, queue.Queue[Written]]]:
    limits = {"map_octets": 2 * MEBI, "map_octets_max": 64 * MEBI} | limits
    store = kind(StoreSettings(path, 0, TERMINAL_RANK, **limits))
    results: queue.Queue[Written] = queue.Queue()
    writer = Writer(store, results.put)
    writer.start()
    try:
        yield store, writer, results
    finally:
        writer.stop()
        store.close()


def test_what_waits_is_the_next_transaction(tmp_path: Path) -> None:
    with writing(tmp_path / "store", SlowStore) as (store, writer, results):
        assert isinstance(store, SlowStore)
        writer.put(put(1))
        assert store.has_begun.acquire(timeout=WAIT_SECONDS)
        for number in range(2, 6):
            writer.put(put(number))
        assert writer.waiting_octets > 0
        store.may_go.release(2)
        assert [results.get(timeout=WAIT_SECONDS).ticket for _ in range(2)] == [1, 5]
        assert store.groups == [[1], [2, 3, 4, 5]]
        assert writer.waiting_octets == 0


def test_a_transaction_is_bounded(tmp_path: Path) -> None:
    with writing(tmp_path / "store", SlowStore, map_octets_max=256 * MEBI) as (store, writer, results):
        assert isinstance(store, SlowStore)
        writer.put(put(1))
        assert store.has_begun.acquire(timeout=WAIT_SECONDS)
        for number in (2, 3, 4):
            writer.put(put(number, b"x" * (GROUP_OCTETS_MAX // 2 - MEBI)))
        store.may_go.release(3)
        assert [results.get(timeout=WAIT_SECONDS).ticket for _ in range(3)] == [1, 3, 4]


def test_it_says_once_what_was_finished_and_touched(tmp_path: Path) -> None:
    with writing(tmp_path / "store", SlowStore) as (store, writer, results):
        assert isinstance(store, SlowStore)
        writer.put(put(1))
        assert store.has_begun.acquire(timeout=WAIT_SECONDS)
        for commit in (put(2), part(3, of=1, rank=3), part(4, of=2, rank=3), done(5, of=2)):
            writer.put(commit)
        store.may_go.release(2)
        results.get(timeout=WAIT_SECONDS)
        written = results.get(timeout=WAIT_SECONDS)
        assert written.finished == ((key(1), Dot(BRANCH, 1)),)
        assert written.keys == {key(1), key(2)}


def test_after_a_failure_nothing_is_kept_until_a_new_generation(tmp_path: Path) -> None:
    with writing(tmp_path / "store", SlowStore) as (store, writer, results):
        assert isinstance(store, SlowStore)
        store.fault = lmdb.DiskError("fsync", 5)
        writer.put(put(1))
        assert store.has_begun.acquire(timeout=WAIT_SECONDS)
        writer.put(put(2))
        store.may_go.release()
        failed = results.get(timeout=WAIT_SECONDS)
        assert (failed.ticket, failed.why) == (1, "failed")
        assert "fsync" in failed.detail
        writer.put(put(3))
        assert writer.waiting_octets == 0
        store.fault = None
        writer.begin(1)
        store.may_go.release()
        writer.put(put(1))
        assert results.get(timeout=WAIT_SECONDS) == Written(1, 1, (), frozenset({key(1)}))
        assert store.groups == [[1], [1]]
        assert results.empty()


def test_a_new_generation_waits_for_the_transaction_in_flight(tmp_path: Path) -> None:
    with writing(tmp_path / "store", SlowStore) as (store, writer, results):
        assert isinstance(store, SlowStore)
        writer.put(put(1))
        assert store.has_begun.acquire(timeout=WAIT_SECONDS)
        writer.put(put(2))
        beginning = threading.Thread(target=writer.begin, args=(1,))
        beginning.start()
        beginning.join(0.05)
        assert beginning.is_alive()
        store.may_go.release(2)
        beginning.join(WAIT_SECONDS)
        written = results.get(timeout=WAIT_SECONDS)
        assert (written.generation, written.ticket) == (0, 1)


def test_a_record_that_cannot_be_merged_fails_its_transaction(tmp_path: Path) -> None:
    with writing(tmp_path / "store") as (store, writer, results):
        writer.put(Commit(1, records=((Dot(BRANCH, 9), Record(Kind.VOID, b"v")),)))
        failed = results.get(timeout=WAIT_SECONDS)
        assert (failed.ticket, failed.why) == (1, "failed")
        assert "SequenceGapError" in failed.detail
        assert store.image().vector == {}


def test_a_full_map_grows_and_the_transaction_is_done_again(tmp_path: Path) -> None:
    with writing(tmp_path / "store", map_octets=MEBI) as (store, writer, results):
        writer.put(put(1, b"x" * (8 * MEBI)))
        assert results.get(timeout=WAIT_SECONDS).why == ""
        assert store.blob(key(1)) == b"x" * (8 * MEBI)
        assert store.environment.map_octets >= 16 * MEBI


def test_a_transaction_larger_than_it_looked_makes_the_map_grow(tmp_path: Path) -> None:
    with writing(tmp_path / "store", map_octets=MEBI) as (store, writer, results):
        parts = tuple((b"part%d" % n, PartValue(0, 0, 1, 1, b"d" * 10_000)) for n in range(300))
        record = Record(Kind.PUT, key(1), parts=parts)
        writer.put(Commit(1, records=((Dot(BRANCH, 1), record),)))
        assert results.get(timeout=WAIT_SECONDS).why == ""
        item = store.item(key(1))
        assert item is not None
        assert len(item.parts) == 300


def test_a_full_store_refuses_items_and_records_endings(tmp_path: Path) -> None:
    with writing(tmp_path / "store", SlowStore, map_octets_max=4 * MEBI) as (store, writer, results):
        assert isinstance(store, SlowStore)
        store.may_go.release(100)
        number = 0
        while True:
            number += 1
            writer.put(put(number, b"x" * (300 << 10)))
            if results.get(timeout=WAIT_SECONDS).why:
                break
        held = number - 1
        assert held >= 8
        writer.begin(1)
        for at in range(held):
            commit = part(number + at, of=at + 1, rank=3) if at % 2 else done(number + at, of=at + 1)
            writer.put(commit)
            assert results.get(timeout=WAIT_SECONDS).why == ""
        assert store.totals().parts == 0
        writer.put(put(number + held, b"y"))
        assert results.get(timeout=WAIT_SECONDS).why == "", "what was freed can be used again"


def test_what_stood_before_a_refused_item_is_kept(tmp_path: Path) -> None:
    with writing(tmp_path / "store", SlowStore, map_octets_max=4 * MEBI) as (store, writer, results):
        assert isinstance(store, SlowStore)
        writer.put(put(1))
        assert store.has_begun.acquire(timeout=WAIT_SECONDS)
        writer.put(part(2, of=1, rank=1))
        writer.put(put(3, b"x" * (8 * MEBI)))
        writer.put(part(4, of=1, rank=3))
        store.may_go.release(3)
        written = [results.get(timeout=WAIT_SECONDS) for _ in range(3)]
        assert [(one.ticket, one.why) for one in written] == [(1, ""), (2, ""), (3, "full")]
        assert store.image().vector == {BRANCH: 2}


def test_stop_writes_what_is_queued(tmp_path: Path) -> None:
    with writing(tmp_path / "store") as (store, writer, results):
        for number in range(1, 50):
            writer.put(put(number))
        writer.stop()
        assert store.totals().items == 49
        assert results.qsize() >= 1


def test_a_fault_of_the_store_ends_a_transaction_and_not_the_thread(tmp_path: Path) -> None:
    with writing(tmp_path / "store", SlowStore) as (store, writer, results):
        assert isinstance(store, SlowStore)
        store.may_go.release(2)
        store.fault = IndexError("of an empty deque")
        writer.put(put(1))
        failed = results.get(timeout=WAIT_SECONDS)
        assert (failed.ticket, failed.why, failed.detail) == (1, "failed", "IndexError: of an empty deque")
        store.fault = None
        writer.begin(1)
        writer.put(put(1))
        assert results.get(timeout=WAIT_SECONDS) == Written(1, 1, keys=frozenset({key(1)}))
