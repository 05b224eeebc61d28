"""What became of messages whose clients may not have heard it, in the process that owns the queue.

Kept beside the queue, for a day, on both nodes. This index of it holds fingerprints alone; the rest is read when a
client comes back. Whoever writes the one too many drops the oldest; what is too old is dropped by the queue's owner.
What the store cannot keep (its disk is full) is kept here alone, as long as the process runs, and goes with the others.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from google.protobuf.message import DecodeError

from mtad.mail.memory import Memory
from mtad.spool import codec, memory_codec
from mtad.telemetry.events import Events
from replicator.core.values import Durability, Item, Record
from replicator.node import Node

PAGE_ITEMS = 256
Hear = Callable[[bytes, bool], None]
"""Told of a fingerprint, and whether it is remembered from now on or not any more."""


@dataclass(frozen=True, slots=True)
class MemoryLimits:
    """How much is remembered, and for how long."""

    memories_max: int = 100_000
    octets_max: int = 64 << 20
    kept_ms: int = 86_400_000
    recall_seconds_max: float = 20.0  # that a recall waits for an attempt that goes on
    sweep_seconds: float = 60.0  # between two looks for what is too old


class _Entry(NamedTuple):
    fingerprint: bytes
    at_ms: int
    octets: int


class LocalMemories:
    """The memories of a node (see `mtad.spool.door.Memories`), and what workers are told of them."""

    def __init__(
        self, node: Node, events: Events, wall_ms: Callable[[], int], limits: MemoryLimits | None = None
    ) -> None:
        self._node = node
        self._events = events
        self._wall_ms = wall_ms
        self._limits = limits or MemoryLimits()
        self._entries: dict[bytes, _Entry] = {}  # by key; about the oldest first
        self._keys: dict[bytes, tuple[bytes, ...]] = {}  # by fingerprint
        self._octets = 0
        self._unstored: dict[bytes, Memory] = {}  # by key; all of them are among the entries
        self._being_kept: set[bytes] = set()  # keys
        self._changes: dict[bytes, asyncio.Future[None]] = {}  # by fingerprint, where a recall waits
        self._hearers: list[Hear] = []
        self._sweeping: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """How many are in the store."""
        return len(self._entries) - len(self._unstored)

    def keys(self) -> Collection[bytes]:
        """Return the keys of all that is in the store."""
        return [key for key in self._entries if key not in self._unstored]

    async def start(self) -> None:
        """Read what the store holds, and begin to drop what is too old. Changes must be told from before on."""
        after = memory_codec.PREFIX
        while page := self._node.items(after, PAGE_ITEMS):
            for item in page:
                self._learn(item)
            after = page[-1].key
            await asyncio.sleep(0)
        self._sweeping = asyncio.create_task(self._sweep_for_ever())

    async def stop(self) -> None:
        """Drop nothing any more."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)

    # --- what the store tells -------------------------------------------------------------------------------

    def changed(self, keys: Iterable[bytes]) -> int:
        """Take in which items were added, changed or removed; return how many of them are memories."""
        ours = [key for key in keys if key.startswith(memory_codec.PREFIX)]
        try:
            for key in ours:
                self._look_at(key)
        except Exception as error:  # noqa: BLE001 (the boundary of one look: the store may be about to be reopened)
            self._report(error)
        return len(ours)

    def _look_at(self, key: bytes) -> None:
        item = self._node.item(key)
        if item is None:
            self._forget(key)
        else:
            self._learn(item)

    def _report(self, error: Exception) -> None:
        self._events.emit("memory.fault", level="error", error=f"{type(error).__name__}: {error}")

    def _learn(self, item: Item) -> None:
        memory = None if item.key in self._entries else self._read(item)
        if memory is None:
            return
        self._enter(item.key, memory, len(item.meta))

    def _enter(self, key: bytes, memory: Memory, octets: int) -> None:
        self._entries[key] = _Entry(memory.fingerprint, memory.at_ms, octets)
        self._octets += octets
        self._keys[memory.fingerprint] = (*self._keys.get(memory.fingerprint, ()), key)
        self._tell(memory.fingerprint, is_remembered=True)

    def _forget(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self._unstored.pop(key, None)
        self._octets -= entry.octets
        others = tuple(other for other in self._keys[entry.fingerprint] if other != key)
        if others:
            self._keys[entry.fingerprint] = others
        else:
            del self._keys[entry.fingerprint]
            self._tell(entry.fingerprint, is_remembered=False)

    def _tell(self, fingerprint: bytes, *, is_remembered: bool) -> None:
        change = self._changes.pop(fingerprint, None)
        if change is not None:
            change.set_result(None)
        for hear in self._hearers:
            hear(fingerprint, is_remembered)

    def _read(self, item: Item) -> Memory | None:
        try:
            return memory_codec.memory_of(item)
        except DecodeError as error:
            self._events.emit("queue.unreadable", level="error", queue_id=repr(item.key), error=str(error))
            return None

    # --- what is remembered ---------------------------------------------------------------------------------

    def fingerprints(self) -> Collection[bytes]:
        """Return all that is remembered now."""
        return self._keys.keys()

    @contextlib.contextmanager
    def following(self, hear: Hear) -> Iterator[None]:
        """Have each change told."""
        self._hearers.append(hear)
        try:
            yield
        finally:
            self._hearers.remove(hear)

    def has(self, fingerprint: bytes) -> bool:
        """Tell whether something is remembered (see `mtad.spool.door.Memories`)."""
        return fingerprint in self._keys

    async def recall(self, fingerprint: bytes) -> tuple[Memory, ...]:
        """Return what is remembered (see `mtad.spool.door.Memories`)."""
        loop = asyncio.get_running_loop()
        latest = loop.time() + self._limits.recall_seconds_max
        while True:
            memories = self._found(fingerprint)
            goes_on_ms = max((memory.until_ms for memory in memories if not memory.is_settled), default=0)
            left_seconds = min(latest - loop.time(), (goes_on_ms - self._wall_ms()) / 1000)
            if left_seconds <= 0:
                return memories
            change = self._changes.setdefault(fingerprint, loop.create_future())
            await asyncio.wait([change], timeout=left_seconds)

    def _found(self, fingerprint: bytes) -> tuple[Memory, ...]:
        """Return the memories of a fingerprint, the oldest first, without those of attempts that have ended since."""
        kept = (self._at(key) for key in sorted(self._keys.get(fingerprint, ())))
        found = [memory for memory in kept if memory is not None]
        settled = {memory.queue_id for memory in found if memory.is_settled}
        return tuple(memory for memory in found if memory.is_settled or memory.queue_id not in settled)

    def _at(self, key: bytes) -> Memory | None:
        unstored = self._unstored.get(key)
        if unstored is not None:
            return unstored
        item = self._node.item(key)
        return None if item is None else self._read(item)

    async def remember(self, memory: Memory) -> bool:
        """Keep a memory (see `mtad.spool.door.Memories`)."""
        key = memory_codec.key_of(memory)
        if key in self._entries or key in self._being_kept:  # a key is never written twice
            return True
        record = memory_codec.memory_record(memory)
        records = [record] if memory.outcomes else []  # of an attempt that came to nothing, nothing is left to know
        records += [*self._ends(self._outlived_by(key)), *self._ends(self._too_many(len(record.meta)))]
        if not records:
            return True
        self._being_kept.add(key)
        try:
            submitted = await self._node.submit(tuple(records), wait=False)
        finally:
            self._being_kept.discard(key)
        is_kept = submitted.durability is not Durability.REFUSED
        if not is_kept:
            self._events.emit("memory.refused", level="warning", queue_id=memory.queue_id, why=submitted.why)
            self._keep_unstored(key, memory, len(record.meta))
        return is_kept

    def _keep_unstored(self, key: bytes, memory: Memory, octets: int) -> None:
        """Keep here what the store does not, in the place of the oldest of its kind where there is none."""
        limits = self._limits
        while self._unstored and (
            len(self._entries) >= limits.memories_max or self._octets + octets > limits.octets_max
        ):
            self._forget(next(iter(self._unstored)))
        if memory.outcomes and len(self._entries) < limits.memories_max and self._octets + octets <= limits.octets_max:
            self._unstored[key] = memory
            self._enter(key, memory, octets)

    def _outlived_by(self, key: bytes) -> list[bytes]:
        """Return the key of the attempt that has now ended, if it was remembered while it went on."""
        going_on = key + memory_codec.GOES_ON_SUFFIX
        return [going_on] if going_on in self._entries else []

    def _too_many(self, octets: int) -> list[bytes]:
        """Return the keys of the oldest that must go for one more."""
        limits = self._limits
        octets_over = self._octets + octets - limits.octets_max
        count_over = len(self._entries) + 1 - limits.memories_max
        chosen: list[bytes] = []
        for key, entry in islice(self._entries.items(), PAGE_ITEMS):
            if count_over <= len(chosen) and octets_over <= 0:
                break
            octets_over -= entry.octets
            chosen.append(key)
        return chosen

    def _ends(self, keys: Iterable[bytes]) -> list[Record]:
        """Return the records that drop memories. What is not in the store any more is forgotten here."""
        ended = []
        for key in keys:
            item = self._node.item(key)
            if item is None:
                self._forget(key)
            else:
                ended.append(codec.done_record(item))
        return ended

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._limits.sweep_seconds)
            try:
                await self.sweep()
            except Exception as error:  # noqa: BLE001 (the boundary of one look: the store may be about to be reopened)
                self._report(error)

    async def sweep(self) -> None:
        """Drop what is too old: from the store where this node owns the queue."""
        oldest_ms = self._wall_ms() - self._limits.kept_ms
        for key in [key for key, memory in self._unstored.items() if memory.at_ms < oldest_ms]:
            self._forget(key)
        while self._node.is_owner:
            page = islice(self._entries.items(), PAGE_ITEMS)
            old = [key for key, entry in page if entry.at_ms < oldest_ms]
            if not old:
                return
            ended = self._ends(old)
            if not ended:
                continue
            submitted = await self._node.submit(tuple(ended), wait=False)
            if submitted.durability is Durability.REFUSED:
                return
