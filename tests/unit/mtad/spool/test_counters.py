"""Counters outlive the process, are told to the other node, stay few in the store, and are no mail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mtad.limits.ledger import Ledger, LedgerLimits
from mtad.limits.questions import Counted, Greylisting, Rate, Stored, Storing
from mtad.spool import counter_codec
from mtad.spool.counters import CounterLimits, CounterStore
from mtad.spool.door import Changes
from mtad.spool.local import LocalSpool
from mtad.telemetry.events import CollectedEvents
from replicator.core.values import Durability, Record
from replicator.node import Node
from replicator.status import Submitted
from tests.fakes.queue import START_MS, WallClock, message, spooling
from tests.fakes.waiting import until

SELDOM = CounterLimits(keep_seconds=1e6, batches_max=4, changed_max=10, batch_max=20)


class Counting:
    """A node's counters; they are kept when the test says so."""

    def __init__(self, node: Node, spool: LocalSpool, wall: WallClock, ledger: Ledger, events: CollectedEvents) -> None:
        self.node, self.spool, self.wall, self.ledger, self.events = node, spool, wall, ledger, events
        spool.counters = self.store = CounterStore(node, ledger, events, wall, SELDOM)

    def take(self, number: int, seconds: int = 3600, limit: int = 1000) -> Counted:
        return self.ledger.ask(rate(number, seconds, limit), self.wall.ms)

    def held(self, number: int, seconds: int = 3600) -> int:
        return self.ledger.ask(Rate(rate(number).counter, 1000, seconds, is_peek=True), self.wall.ms).count

    async def keep(self) -> None:
        self.wall.forward(0.001)
        await self.store.keep()


def rate(number: int, seconds: int = 3600, limit: int = 1000) -> Rate:
    return Rate(number.to_bytes(16, "big"), limit, seconds)


@asynccontextmanager
async def counting(folder: Path, limits: LedgerLimits | None = None, of_node: int = 1) -> AsyncIterator[Counting]:
    wall, events = WallClock(), CollectedEvents()
    async with spooling(folder, wall, events) as (node, spool):
        found = Counting(node, spool, wall, Ledger(of_node, limits), events)
        await found.store.start()
        yield found
        await found.store.stop()
        assert events.named("limits.fault") == []


async def test_they_are_there_after_a_restart(tmp_path: Path) -> None:
    async with counting(tmp_path) as found:
        for number in (1, 1, 2):
            found.take(number)
        await found.keep()
        found.take(1)
        await found.keep()
    async with counting(tmp_path) as found:
        assert (found.held(1), found.held(2), found.held(3)) == (3, 1, 0)
        assert found.take(1) == Counted(False, 4), "and they go on"
        await found.keep()
    async with counting(tmp_path) as found:
        assert found.held(1) == 4


async def test_what_was_counted_last_is_kept_by_the_end(tmp_path: Path) -> None:
    async with counting(tmp_path) as found:
        found.take(1)
    async with counting(tmp_path) as found:
        assert found.held(1) == 1


async def test_they_are_no_mail(tmp_path: Path) -> None:
    kept = message()
    async with counting(tmp_path) as found:
        await found.spool.commit(Changes(puts=(kept,)), is_accepting=True)
        woken: list[object] = []
        found.spool.on_change(woken.append)
        found.take(1)
        await found.keep()
        assert not woken
        assert len(found.store) == 1
        assert [one.queue_id for page in found.spool.pages() for one in page] == [kept.queue_id]
        assert found.spool.status().totals.items == 1
        assert await found.spool.redate() == 0
        assert len(found.spool.memories) == 0


async def test_a_counter_is_kept_where_it_was_kept_last(tmp_path: Path) -> None:
    async with counting(tmp_path) as found:
        for _ in range(20):
            found.take(1)
            await found.keep()
            assert len(found.store) <= 2, "a batch that nobody needs is dropped with the next"
    async with counting(tmp_path) as found:
        assert found.held(1) == 20


async def test_small_batches_are_written_together(tmp_path: Path) -> None:
    async with counting(tmp_path) as found:
        for number in range(40):
            found.take(number)
            await found.keep()
            assert len(found.store) <= SELDOM.batches_max + 1
    async with counting(tmp_path) as found:
        assert [found.held(number) for number in range(40)] == [1] * 40


async def test_a_batch_takes_so_many(tmp_path: Path) -> None:
    async with counting(tmp_path) as found:
        for number in range(25):
            found.take(number)
        await found.keep()
        assert [len(list(counter_codec.entries_of(stored(found, key)))) for key in keys(found)] == [10]
        await found.keep()
        await found.keep()
        assert len(keys(found)) == 3


def keys(found: Counting) -> list[bytes]:
    return [item.key for item in found.node.items(counter_codec.PREFIX) if item.key.startswith(counter_codec.PREFIX)]


def stored(found: Counting, key: bytes) -> object:
    item = found.node.item(key)
    assert item is not None
    return counter_codec.counters_of(item)


@pytest.mark.parametrize("seconds", [2, 60])  # not worth being kept by itself, and worth it
async def test_a_value_that_was_set_for_less_brings_back_none_before_it(tmp_path: Path, seconds: int) -> None:
    longer, beside = Storing(rate(1).counter, "first", 86400), Storing(rate(2).counter, "beside", 86400)
    async with counting(tmp_path) as found:
        for storing in (longer, beside):
            found.ledger.store(storing, found.wall.ms)
        await found.keep()
        found.ledger.store(Storing(longer.counter, "second", seconds), found.wall.ms)
        await found.keep()
        found.wall.forward(seconds + 1)
        await found.store.sweep()
        await found.keep()
    async with counting(tmp_path) as found:
        found.wall.forward(seconds + 1)
        await found.store.sweep()
        assert found.ledger.store(Storing(longer.counter), found.wall.ms) == Stored(None)
        assert found.ledger.store(Storing(beside.counter), found.wall.ms) == Stored("beside")
        found.wall.forward(86400)
        await found.store.sweep()
        await found.keep()
        assert len(found.ledger) == len(found.store) == 0, "and it is not held for ever"


async def test_what_is_over_soon_is_not_kept(tmp_path: Path) -> None:
    async with counting(tmp_path) as found:
        found.take(1, seconds=2)
        await found.keep()
        assert len(found.store) == 0
        assert found.held(1, seconds=2) == 1


async def test_what_is_over_is_dropped(tmp_path: Path) -> None:
    async with counting(tmp_path) as found:
        found.take(1, seconds=60)
        await found.keep()
        found.wall.forward(100)
        await found.store.sweep()
        assert len(found.ledger) == 0
        await found.keep()
        assert keys(found) == []
        assert len(found.store) == 0


async def test_what_is_dropped_for_want_of_room_is_not_kept_for_ever(tmp_path: Path) -> None:
    async with counting(tmp_path, LedgerLimits(windows_max=5)) as found:
        for number in range(100):
            found.take(number)
            await found.keep()
        assert len(found.ledger) == 5
        assert len(found.store) <= SELDOM.batches_max + 1
        for _ in range(2):
            await found.store.sweep()
        (told,) = found.events.named("limits.full")
        assert (told["forgotten"], told["held"]) == (95, 5)


async def test_what_another_node_has_counted_counts_here(tmp_path: Path) -> None:
    async with counting(tmp_path) as found:
        theirs = Ledger(2)
        theirs.ask(rate(1), START_MS)
        window = theirs.entry(rate(1).counter)
        assert window is not None
        key = counter_codec.key_of(2, START_MS, 7)
        record = counter_codec.counters_record(key, 2, window.until_ms, {rate(1).counter: window})
        await found.node.submit((record,), wait=False)
        await until(lambda: len(found.store) == 1)
        assert found.take(1) == Counted(False, 2)
        assert len(found.store) == 1
        await found.keep()
        own = next(list(counter_codec.entries_of(stored(found, key))) for key in keys(found))
        assert [one.taken for _, one in own] == [{START_MS // 450_000: 1}], "each keeps its own alone"
        found.wall.forward(7200)
        await found.store.sweep()
        await found.keep()
        await until(lambda: len(found.store) == 0)
        assert keys(found) == [], "the owner drops what is over"
    async with counting(tmp_path) as found:
        assert found.held(1) == 0


async def test_what_the_other_node_left_counts_after_a_restart(tmp_path: Path) -> None:
    async with counting(tmp_path, of_node=2) as found:
        found.take(1)
    async with counting(tmp_path) as found:
        assert found.held(1) == 1


async def submit_own(found: Counting, at_ms: int, asked: Greylisting | None = None) -> bytes:
    """Have the store hold what this node had counted before it lost its disk, and return its key."""
    lost = Ledger(1)
    for question in (rate(1), rate(1), *((asked,) if asked else ())):
        lost.ask(question, at_ms)
    if asked:
        assert not lost.ask(asked, at_ms + asked.delay_seconds * 1000).is_over
    counters = [rate(1).counter, *((asked.counter,) if asked else ())]
    entries = {counter: entry for counter in counters if (entry := lost.entry(counter)) is not None}
    key = counter_codec.key_of(1, at_ms, 7)
    until_ms = max(entry.until_ms for entry in entries.values())
    await found.node.submit((counter_codec.counters_record(key, 1, until_ms, entries),), wait=False)
    return key


async def test_what_the_other_node_gives_back_counts_at_once(tmp_path: Path) -> None:
    asked = Greylisting(b"g" * 16, 300, 3600, 86_400)
    async with counting(tmp_path) as found:
        await submit_own(found, START_MS - 450_000, asked)
        await until(lambda: len(found.store) == 1)
        assert found.held(1) == 2
        assert found.ledger.ask(asked, found.wall.ms) == Counted(False, 0)
        found.wall.forward(100_000)
        await found.store.sweep()
        found.take(2)
        await found.keep()
        await found.keep()
        assert len(keys(found)) == 1, "and is dropped when it is over"


async def test_what_is_given_back_is_kept_with_what_was_counted_since(tmp_path: Path) -> None:
    async with counting(tmp_path) as found:
        found.take(1)
        await found.keep()
        older = await submit_own(found, START_MS - 450_000)
        await until(lambda: len(found.store) == 2)
        assert found.held(1) == 3
        await found.keep()
        await found.keep()
        assert older not in keys(found)
        assert len(keys(found)) == 1
    async with counting(tmp_path) as found:
        assert found.held(1) == 3


class BusyNode:
    """Counts something while it keeps, and lets the news of what it keeps be heard before it answers."""

    def __init__(self, found: Counting) -> None:
        self._found, self._node = found, found.node

    async def submit(self, records: tuple[Record, ...], *, wait: bool) -> Submitted:
        self._found.take(2)
        submitted = await self._node.submit(records, wait=wait)
        await asyncio.sleep(0.01)
        await until(lambda: not self._found.store._news)
        return submitted

    def __getattr__(self, name: str) -> object:
        return getattr(self._node, name)


async def test_the_news_of_what_is_being_kept_brings_back_nothing(tmp_path: Path) -> None:
    async with counting(tmp_path, LedgerLimits(windows_max=1)) as found:
        found.take(1)
        node, found.store._node = found.node, BusyNode(found)  # type: ignore[assignment]
        await found.keep()
        found.store._node = node
        assert (found.held(1), found.held(2)) == (0, 1)


class FullNode:
    """Refuses what it is to keep, for as long as the test says."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.is_full = True

    async def submit(self, records: tuple[Record, ...], *, wait: bool) -> Submitted:
        if self.is_full:
            return Submitted(Durability.REFUSED, "full")
        return await self._node.submit(records, wait=wait)

    def __getattr__(self, name: str) -> object:
        return getattr(self._node, name)


async def test_what_could_not_be_kept_is_kept_later(tmp_path: Path) -> None:
    async with counting(tmp_path) as found:
        full = FullNode(found.node)
        found.store._node = full  # type: ignore[assignment]
        for _ in range(3):
            found.take(1)
            await found.keep()
        assert len(found.events.named("limits.refused")) == 1, "it is told once"
        assert found.held(1) == 3, "limits hold meanwhile"
        full.is_full = False
        await found.keep()
        assert len(keys(found)) == 1
    async with counting(tmp_path) as found:
        assert found.held(1) == 3


class FailingNode:
    """Fails when it is to keep something, or is at it for ever."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.is_hanging = False
        self.is_asked = asyncio.Event()

    async def submit(self, records: tuple[Record, ...], *, wait: bool) -> Submitted:
        self.is_asked.set()
        if self.is_hanging:
            await asyncio.Event().wait()
        raise OSError("the store is being reopened")

    def __getattr__(self, name: str) -> object:
        return getattr(self._node, name)


async def test_what_was_to_be_kept_when_the_store_failed_is_kept_later(tmp_path: Path) -> None:
    async with counting(tmp_path) as found:
        node, failing = found.node, FailingNode(found.node)
        found.store._node = failing  # type: ignore[assignment]
        found.take(1)
        with pytest.raises(OSError, match="reopened"):
            await found.keep()
        failing.is_hanging = True
        failing.is_asked.clear()
        keeping = asyncio.create_task(found.keep())
        await failing.is_asked.wait()
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        found.store._node = node
        await found.keep()
        assert len(keys(found)) == 1
    async with counting(tmp_path) as found:
        assert found.held(1) == 1


async def test_they_are_kept_by_themselves(tmp_path: Path) -> None:
    wall, events = WallClock(), CollectedEvents()
    async with spooling(tmp_path, wall, events) as (node, spool):
        ledger = Ledger(1)
        spool.counters = store = CounterStore(node, ledger, events, wall, CounterLimits(keep_seconds=0.01))
        await store.start()
        ledger.ask(rate(1), wall.ms)
        await until(lambda: len(store) == 1)
        await store.stop()


async def test_who_has_passed_a_greylist_is_known_after_a_restart(tmp_path: Path) -> None:
    asked = [Greylisting(bytes([number]) * 16, 300, 3600, 86_400) for number in range(2)]
    async with counting(tmp_path) as found:
        for one in asked:
            assert found.ledger.ask(one, found.wall.ms).is_over
        await found.keep()
        assert not found.ledger.ask(asked[0], found.wall.ms + 300_000).is_over
    async with counting(tmp_path) as found:
        assert found.ledger.ask(asked[0], found.wall.ms + 10_000) == Counted(False, 0)
        assert found.ledger.ask(asked[1], found.wall.ms + 10_000) == Counted(True, 290)
    async with counting(tmp_path, of_node=2) as found:
        assert found.ledger.ask(asked[0], found.wall.ms + 20_000) == Counted(False, 0), "at the other node too"


async def test_what_policies_have_set_is_there_after_a_restart(tmp_path: Path) -> None:
    counters = [bytes([number]) * 16 for number in range(2)]
    async with counting(tmp_path) as found:
        for counter in counters:
            found.ledger.store(Storing(counter, "ä\udcff", 3600), found.wall.ms)
        await found.keep()
        found.ledger.store(Storing(counters[0], "", 60), found.wall.ms + 1)
    for of_node in (1, 2):
        async with counting(tmp_path, of_node=of_node) as found:
            stored = [found.ledger.store(Storing(counter), found.wall.ms + 10) for counter in counters]
            assert stored == [Stored(""), Stored("ä\udcff")]


async def test_what_was_kept_last_counts_whatever_the_clock_says(tmp_path: Path) -> None:
    asked = Greylisting(b"g" * 16, 300, 3600, 86_400)
    async with counting(tmp_path) as found:
        for seconds, back_seconds in ((0, 0), (300, 3)):
            found.ledger.ask(asked, START_MS + seconds * 1000)
            found.wall.ms = START_MS - back_seconds * 1000
            await found.store.keep()
        for _ in range(2):  # as after a crash: nothing was tidied up
            ledger = Ledger(1)
            store = CounterStore(found.node, ledger, found.events, found.wall, SELDOM)
            await store.start()
            ledger.ask(rate(1), found.wall.ms)
            await store.keep()
            assert ledger.ask(asked, START_MS + 100_000) == Counted(False, 0)
            await store.stop()
