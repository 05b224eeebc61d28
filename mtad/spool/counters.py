"""The counters' way to the disk and to the other node: what has changed is kept beside the queue, once a second.

A batch of counters is one item. Of a counter that is in several, the newest batch is its home, and a batch that is home
to none is dropped; where there are too many batches, the smallest are written together. So what is written stays in
proportion to what changes, however long it is kept. Each node writes and drops its own batches, and reads the other's;
those that are over, whoever wrote them, are dropped by the queue's owner.

After a restart or a takeover at most what was counted in the last second is missing.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from mtad.limits.ledger import Entry, Ledger, LocalLimits
from mtad.spool import codec, counter_codec
from mtad.telemetry.events import Events
from replicator.core.values import Durability, Item, Record
from replicator.node import Node

PAGE_ITEMS = 16
SWEEP_STEPS = 500  # between two turns of the loop


@dataclass(frozen=True, slots=True)
class CounterLimits:
    """How much is written at a time, and how often."""

    changed_max: int = 1000  # counters that a batch takes because they have changed
    batch_max: int = 2000  # with those that it takes over from other batches
    batches_max: int = 256
    keep_seconds: float = 1.0  # between two batches
    sweep_seconds: float = 60.0  # between two looks for what is over
    worth_ms: int = 5000  # what will be over sooner is not kept


@dataclass(slots=True)
class _Batch:
    until_ms: int
    homed: set[bytes] = field(default_factory=set)  # the counters of this node that it is home to


class CounterStore:
    """Keeps the counters of a node's ledger, and tells it what the other nodes have counted."""

    def __init__(
        self,
        node: Node,
        ledger: Ledger,
        events: Events,
        wall_ms: Callable[[], int],
        limits: CounterLimits | None = None,
    ) -> None:
        self._node = node
        self._ledger = ledger
        self._events = events
        self._wall_ms = wall_ms
        self._limits = limits or CounterLimits()
        self._own: dict[bytes, _Batch] = {}
        self._others: dict[bytes, _Batch] = {}
        self._home: dict[bytes, bytes] = {}  # the batch of each counter
        self._number = 0  # of the last item: milliseconds of UTC, or more where the clock has gone back
        self._is_refused = False
        self._crowded_out_told = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._news: dict[bytes, None] = {}  # keys of items that were added, changed or removed
        self._has_news = asyncio.Event()
        self.door = LocalLimits(ledger, wall_ms)
        ledger.on_drop(self._leave_home)

    def __len__(self) -> int:
        """How many items of the store they are."""
        return len(self._own) + len(self._others)

    def keys(self) -> Collection[bytes]:
        """Return the keys of these items."""
        return (*self._own, *self._others)

    async def start(self) -> None:
        """Read what is kept, and begin to keep. Changes must be told from before on."""
        after = counter_codec.PREFIX
        while page := self._node.items(after, PAGE_ITEMS):
            for item in page:
                if not item.key.startswith(counter_codec.PREFIX):
                    break
                self._learn(item)
                await asyncio.sleep(0)
            after = page[-1].key
        self._tasks = [asyncio.create_task(self._keep_for_ever()), asyncio.create_task(self._hear_for_ever())]

    async def stop(self) -> None:
        """Keep what has changed, and nothing any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._tasks:
            await self._tried(self.keep())

    # --- what the store tells -------------------------------------------------------------------------------

    def changed(self, keys: Iterable[bytes]) -> None:
        """Hear which items were added, changed or removed; they are looked at one by one, in turns of the loop."""
        self._news.update((key, None) for key in keys if key.startswith(counter_codec.PREFIX))
        if self._news:
            self._has_news.set()

    async def _hear_for_ever(self) -> None:
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            while self._news:
                self._look_at(self._news.popitem()[0])
                await asyncio.sleep(0)

    def _look_at(self, key: bytes) -> None:
        try:
            item = self._node.item(key)
        except Exception as error:  # noqa: BLE001 (the boundary of one look: the store may be about to be reopened)
            self._report(error)
            return
        if item is None:
            self._forget(key)
        elif key not in self._own:  # one of this node is not, where it has lost its disk and the other refills it
            self._learn(item)

    def _learn(self, item: Item) -> None:
        """Take in a batch; those of this node in whatever order they come."""
        try:
            stored = counter_codec.counters_of(item)
        except DecodeError as error:
            self._events.emit("queue.unreadable", level="error", queue_id=repr(item.key), error=str(error))
            return
        is_own = stored.node == self._ledger.node
        (self._own if is_own else self._others)[item.key] = _Batch(stored.until_ms)
        self._number = max(self._number, counter_codec.number_of(item.key)) if is_own else self._number
        now_ms = self._wall_ms()
        for counter, entry in counter_codec.entries_of(stored):
            if entry.until_ms > now_ms:
                self._ledger.learn(stored.node, counter, entry)
                if is_own and self._home.get(counter, b"") > item.key:
                    self._ledger.change_again(counter)  # what both hold is kept together
                elif is_own:
                    self._come_home(counter, item.key)

    def _forget(self, key: bytes) -> None:
        self._others.pop(key, None)
        batch = self._own.pop(key, None)
        for counter in batch.homed if batch is not None else ():
            del self._home[counter]

    # --- where a counter is kept ----------------------------------------------------------------------------

    def _come_home(self, counter: bytes, key: bytes) -> None:
        self._leave_home(counter)
        self._home[counter] = key
        self._own[key].homed.add(counter)

    def _leave_home(self, counter: bytes) -> None:
        key = self._home.pop(counter, None)
        if key is not None:
            self._own[key].homed.discard(counter)

    # --- keeping --------------------------------------------------------------------------------------------

    async def _keep_for_ever(self) -> None:
        since_sweep = 0.0
        while True:
            await asyncio.sleep(self._limits.keep_seconds)
            await self._tried(self.keep())
            since_sweep += self._limits.keep_seconds
            if since_sweep >= self._limits.sweep_seconds:
                since_sweep = 0.0
                await self._tried(self.sweep())

    async def _tried(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 (the boundary of one turn: the store may be about to be reopened)
            self._report(error)

    def _report(self, error: Exception) -> None:
        self._events.emit("limits.fault", level="error", error=f"{type(error).__name__}: {error}")

    async def keep(self) -> None:
        """Keep what has changed, as far as one batch holds it, and drop the batches that nobody needs."""
        now_ms = self._wall_ms()
        changed = self._ledger.take_changed(self._limits.changed_max)
        homeless = [key for key, batch in self._own.items() if not batch.homed]
        merged = self._smallest(len(homeless), len(changed)) if changed else []
        moved = [counter for key in merged for counter in self._own[key].homed]
        entries = dict(self._worth_keeping([*changed, *moved], now_ms))
        self._number = max(now_ms, self._number + 1)
        key = counter_codec.key_of(self._ledger.node, self._number, secrets.randbits(32))
        records = list(self._ends([*homeless, *merged]))
        until_ms = max((entry.until_ms for entry in entries.values()), default=0)
        if entries:
            records.insert(0, counter_codec.counters_record(key, self._ledger.node, until_ms, entries))
        if not records:
            return
        is_kept = False
        if entries:
            self._own[key] = _Batch(until_ms)  # before the news of it comes, which is none
        try:
            is_kept = await self._is_kept(records)
        finally:  # else they would be kept only when they change again: not if the store fails, or this ends, meanwhile
            if not is_kept:
                self._forget(key)
                self.changed((key,))  # it may be in the store all the same
                for counter in changed:
                    self._ledger.change_again(counter)
        if not is_kept:
            return
        for counter in entries:
            if self._ledger.entry(counter) is not None:  # it may have been dropped meanwhile
                self._come_home(counter, key)
        for gone in (*homeless, *merged):
            self._forget(gone)

    def _worth_keeping(self, counters: Iterable[bytes], now_ms: int) -> Iterator[tuple[bytes, Entry]]:
        for counter in counters:
            entry = self._ledger.entry(counter)
            if entry is not None and entry.until_ms - now_ms >= self._limits.worth_ms:
                yield counter, entry

    def _smallest(self, homeless_count: int, changed_count: int) -> list[bytes]:
        """Return the batches that a new one takes over, so that there are not too many."""
        limits = self._limits
        if len(self._own) - homeless_count < limits.batches_max:
            return []
        chosen, room = [], limits.batch_max - changed_count
        for key, batch in sorted(self._own.items(), key=lambda one: len(one[1].homed)):
            room -= len(batch.homed)
            if room < 0:
                break
            if batch.homed:
                chosen.append(key)
        return chosen

    async def _is_kept(self, records: list[Record]) -> bool:
        """Make the records durable here, and have them sent to the other node."""
        submitted = await self._node.submit(tuple(records), wait=False)
        was_refused, self._is_refused = self._is_refused, submitted.durability is Durability.REFUSED
        if self._is_refused and not was_refused:
            self._events.emit("limits.refused", level="warning", why=submitted.why)
        return not self._is_refused

    def _ends(self, keys: Iterable[bytes]) -> Iterator[Record]:
        """Yield the records that drop batches, those that are in the store still."""
        for key in keys:
            item = self._node.item(key)
            if item is not None:
                yield codec.done_record(item)

    # --- what is over ---------------------------------------------------------------------------------------

    async def sweep(self) -> None:
        """Forget what is over; what another node has written of it is dropped where this one owns the queue."""
        now_ms = self._wall_ms()
        for step, _ in enumerate(self._ledger.sweep(now_ms), 1):
            if not step % SWEEP_STEPS:
                await asyncio.sleep(0)
        crowded_out = self._ledger.crowded_out_count - self._crowded_out_told
        if crowded_out:
            self._crowded_out_told += crowded_out
            self._events.emit("limits.full", level="warning", forgotten=crowded_out, held=len(self._ledger))
        over = [key for key, batch in self._others.items() if batch.until_ms <= now_ms]
        if over and self._node.is_owner:
            await self._is_kept(list(self._ends(over)))
