"""What is remembered: kept beside the mail and no mail, found by its fingerprint, bounded, and gone after a day."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mtad.limits.ledger import Ledger
from mtad.limits.questions import Rate
from mtad.mail.memory import Memory, name_of_recipient
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply
from mtad.pb import queue_pb2
from mtad.spool import codec, memory_codec
from mtad.spool.codec import QueueFormatError
from mtad.spool.counters import CounterStore
from mtad.spool.door import FAR_MS, Changes
from mtad.spool.local import LocalSpool
from mtad.spool.memories import LocalMemories, MemoryLimits
from mtad.telemetry.events import CollectedEvents
from replicator.core.values import Durability, Record
from replicator.node import Node
from replicator.resyncing import Resynced
from replicator.status import Submitted
from tests.fakes.queue import START_MS, WallClock, message, new_queue_id, spooling
from tests.fakes.waiting import until

DAY_MS = 86_400_000
TAKEN = Outcome(Result.DELIVERED, Reply.of(250, "2.0.0", "Ok, taken"), "mx.example.net")
REFUSED = Outcome(Result.FAILED, Reply.of(550, "5.1.1", "No such mailbox"), "mx.example.net")
OUTCOMES = {"b@y.test": TAKEN, "c@y.test": TAKEN, "d@z.test": REFUSED}


def memory(mark: int = 1, at_ms: int = START_MS) -> Memory:
    return Memory(new_queue_id(), mark.to_bytes(16, "big"), at_ms, OUTCOMES, brought=b"by whom")


def going_on(settled: Memory, until_ms: int = START_MS + 1000) -> Memory:
    return replace(settled, outcomes=dict.fromkeys(OUTCOMES), until_ms=until_ms)


@asynccontextmanager
async def remembering(
    folder: Path, limits: MemoryLimits | None = None
) -> AsyncIterator[tuple[LocalMemories, LocalSpool, Node, WallClock]]:
    wall = WallClock()
    async with spooling(folder, wall, CollectedEvents()) as (node, spool):
        if limits is not None:
            spool.memories = LocalMemories(node, CollectedEvents(), wall, limits)
        await spool.memories.start()
        yield spool.memories, spool, node, wall
        await spool.memories.stop()


def remembered(memories: LocalMemories, *kept: Memory) -> list[bool]:
    return [memories.has(one.fingerprint) for one in kept]


async def test_what_is_kept_is_known_and_recalled(tmp_path: Path) -> None:
    kept = memory()
    async with remembering(tmp_path) as (memories, _, _, _):
        assert not memories.has(kept.fingerprint)
        assert await memories.remember(kept)
        assert memories.has(kept.fingerprint)
        assert await memories.recall(kept.fingerprint) == (kept,)
        assert await memories.recall(b"another") == ()


async def test_it_is_there_after_a_restart(tmp_path: Path) -> None:
    kept = [memory(mark) for mark in range(600)]  # more than a page
    async with remembering(tmp_path) as (memories, _, _, _):
        assert all(await asyncio.gather(*map(memories.remember, kept)))
    async with remembering(tmp_path) as (memories, _, _, _):
        assert len(memories) == 600
        assert await memories.recall(kept[7].fingerprint) == (kept[7],)


async def test_what_is_set_aside_is_not_remembered_until_it_comes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, unstored = memory(1), memory(2)
    async with remembering(tmp_path) as (memories, spool, node, wall):
        ledger = Ledger(1)
        spool.counters = counters = CounterStore(node, ledger, CollectedEvents(), wall)
        await counters.start()
        assert await memories.remember(kept)
        ledger.ask(Rate(b"c" * 16, 9, 3600), wall.ms)
        await counters.keep()
        (key,) = memories.keys()
        item = node.item(key)
        assert item is not None
        assert (len(memories), len(counters)) == (1, 1)

        async def refuse(records: tuple[Record, ...], *, wait: bool) -> Submitted:
            return Submitted(Durability.REFUSED, "full")

        async def set_aside(*, is_full: bool, force: bool) -> Resynced:
            monkeypatch.setattr(node, "item", lambda _key: None)
            return Resynced(set_aside=str(tmp_path))

        with monkeypatch.context() as full:
            full.setattr(node, "submit", refuse)
            await memories.remember(unstored)
        monkeypatch.setattr(node, "resync", set_aside)
        await spool.resync(is_full=True, force=False)
        await until(lambda: len(counters) == 0)
        assert len(memories) == 0
        assert remembered(memories, kept, unstored) == [False, True], "what no store holds is known to us alone"
        monkeypatch.setattr(node, "item", lambda _key: item)
        spool._changed(frozenset((key,)))
        assert (len(memories), remembered(memories, kept)) == (1, [True])
        await counters.stop()


async def test_it_is_no_mail(tmp_path: Path) -> None:
    kept = message()
    async with remembering(tmp_path) as (memories, spool, node, _):
        await spool.commit(Changes(puts=(kept,)), is_accepting=True)
        await memories.remember(memory())
        assert [one.queue_id for page in spool.pages() for one in page] == [kept.queue_id]
        totals = spool.status().totals
        assert (totals.items, totals.parts, totals.octets) == (1, 1, len(kept.content))
        assert [due.queue_id for due in spool.due(FAR_MS + 1, 10)] == [kept.queue_id]
        assert await spool.redate() == 0
        assert spool.status().unprotected == node.status().unprotected == 0


async def test_mail_alone_wakes_the_runner(tmp_path: Path) -> None:
    woken: list[bool] = []
    async with remembering(tmp_path) as (memories, spool, _, _):
        spool.on_change(lambda queue_ids: woken.append(True))
        woken.clear()
        await memories.remember(memory())
        assert not woken
        await spool.commit(Changes(puts=(message(),)), is_accepting=True)
        assert woken


def test_a_program_that_knows_only_mail_leaves_it_alone() -> None:
    """Whatever the meta of a message becomes, what stands here has a format above it."""
    record = memory_codec.memory_record(memory())
    assert not record.parts, "it is due to nobody"
    assert record.key > codec.key_of("Z" * 16), "it stands behind all mail"
    item = codec.Item(record.key, codec.Dot(None, 1), {}, record.flags, record.meta, 0)  # type: ignore[arg-type]
    with pytest.raises(QueueFormatError):
        codec.read_message(item)


def test_it_survives_the_way_into_the_store() -> None:
    for kept in (memory(), going_on(memory())):
        stored = queue_pb2.Memory.FromString(memory_codec.memory_message(kept).SerializeToString())
        assert memory_codec.read_memory(stored) == kept
    assert len(memory_codec.memory_message(memory()).fates) == 2, "recipients with one outcome stand together"


def test_who_got_nothing_is_kept_with_the_others() -> None:
    ended = replace(memory(), outcomes={"a@z.test": None, name_of_recipient("b@z.test"): None}).ended(
        {"a@z.test": TAKEN}
    )
    stored = queue_pb2.Memory.FromString(memory_codec.memory_message(ended).SerializeToString())
    assert memory_codec.read_memory(stored).outcomes == ended.outcomes
    assert [outcome.result for outcome in ended.outcomes.values() if outcome] == [Result.DELAYED, Result.DELIVERED]


def test_a_result_of_a_newer_program_is_not_guessed_at() -> None:
    stored = memory_codec.memory_message(memory())
    stored.fates[0].result = "relayed-by-owl"
    assert memory_codec.read_memory(stored).outcomes == {"d@z.test": REFUSED}


# --- an attempt that goes on --------------------------------------------------------------------------------


async def test_a_recall_waits_for_the_end_of_the_attempt(tmp_path: Path) -> None:
    kept = memory()
    async with remembering(tmp_path) as (memories, _, _, _):
        await memories.remember(going_on(kept, START_MS + 10_000))
        recall = asyncio.create_task(memories.recall(kept.fingerprint))
        await asyncio.sleep(0.02)
        assert not recall.done()
        await memories.remember(kept)
        assert await recall == (kept,)
        await until(lambda: len(memories) == 1)  # what went on is not remembered any more


async def test_an_attempt_that_came_to_nothing_is_not_remembered(tmp_path: Path) -> None:
    kept = memory()
    async with remembering(tmp_path) as (memories, _, _, _):
        await memories.remember(going_on(kept, START_MS + 10_000))
        recall = asyncio.create_task(memories.recall(kept.fingerprint))
        await asyncio.sleep(0.02)
        assert await memories.remember(replace(kept, outcomes={}))
        assert await recall == ()
        assert len(memories) == 0
        assert await memories.remember(replace(memory(2), outcomes={}))
        assert len(memories) == 0


@pytest.mark.parametrize(("recall_seconds", "goes_on_ms"), [(0.01, 60_000), (60.0, 10)])
async def test_a_recall_waits_no_longer_than_the_attempt_may_last_nor_for_ever(
    tmp_path: Path, recall_seconds: float, goes_on_ms: int
) -> None:
    kept = going_on(memory(), START_MS + goes_on_ms)
    async with remembering(tmp_path, MemoryLimits(recall_seconds_max=recall_seconds)) as (memories, spool, _, wall):
        spool.memories = memories
        await memories.remember(kept)
        asyncio.get_running_loop().call_later(0.02, wall.forward, goes_on_ms / 1000)
        assert await memories.recall(kept.fingerprint) == (kept,)


async def test_two_attempts_of_one_message_are_both_recalled(tmp_path: Path) -> None:
    first, second = memory(), memory()
    async with remembering(tmp_path) as (memories, _, _, _):
        await memories.remember(second)
        await memories.remember(first)
        assert await memories.recall(first.fingerprint) == (first, second), "the oldest first"


async def test_a_memory_is_written_once(tmp_path: Path) -> None:
    kept = memory()
    async with remembering(tmp_path) as (memories, _, node, _):
        assert await asyncio.gather(*(memories.remember(kept) for _ in range(3))) == [True] * 3
        assert await memories.remember(kept)
        assert sum(node.status().position.values()) == 1


# --- its bounds ---------------------------------------------------------------------------------------------


async def test_one_too_many_drops_the_oldest(tmp_path: Path) -> None:
    kept = [memory(mark) for mark in range(5)]
    async with remembering(tmp_path, MemoryLimits(memories_max=3)) as (memories, _, _, _):
        for one in kept:
            await memories.remember(one)
        assert remembered(memories, *kept) == [False, False, True, True, True]


async def test_too_many_octets_drop_the_oldest(tmp_path: Path) -> None:
    kept = [memory(mark) for mark in range(5)]
    size = len(memory_codec.memory_record(kept[0]).meta)
    async with remembering(tmp_path, MemoryLimits(octets_max=size * 5 // 2)) as (memories, _, _, _):
        for one in kept:
            await memories.remember(one)
        assert remembered(memories, *kept) == [False, False, False, True, True]


async def test_it_is_dropped_after_a_day(tmp_path: Path) -> None:
    kept = [memory(mark, START_MS - DAY_MS + mark) for mark in range(600)]
    async with remembering(tmp_path) as (memories, _, node, wall):
        await asyncio.gather(*map(memories.remember, kept))
        await memories.sweep()
        assert len(memories) == 600
        wall.forward(0.598)
        await memories.sweep()
        assert remembered(memories, *kept[-3:]) == [False, True, True]
        assert len(memories) == 2
        assert len(node.items(b"", 10)) == 2


async def test_what_is_not_in_the_store_any_more_is_forgotten(tmp_path: Path) -> None:
    kept = [memory(mark, START_MS - DAY_MS - 1) for mark in range(300)]  # more than a page
    async with remembering(tmp_path) as (memories, _, node, _):
        await asyncio.gather(*map(memories.remember, kept))
        for item in node.items(b"", 290):
            await node.submit((codec.done_record(item),), wait=False)
            memories._learn(item)  # as if the store had been replaced unheard
        assert len(memories) == 300
        await memories.sweep()
        assert len(memories) == 0
        assert memories.fingerprints() == set()


async def test_only_the_owner_drops_what_is_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = memory(at_ms=START_MS - DAY_MS - 1)
    async with remembering(tmp_path) as (memories, _, _, _):
        await memories.remember(kept)
        monkeypatch.setattr(Node, "is_owner", property(lambda _node: False))
        await memories.sweep()
        assert memories.has(kept.fingerprint)


class Full(Node):
    """A node whose disk has no room."""

    async def submit(self, records: tuple[Record, ...], *, wait: bool) -> Submitted:
        return Submitted(Durability.REFUSED, "full")


async def test_what_the_store_cannot_keep_is_kept_while_the_process_runs(tmp_path: Path) -> None:
    events, kept, other = CollectedEvents(), memory(1), memory(2)
    begun = going_on(kept, START_MS + 10)
    told: list[tuple[bytes, bool]] = []
    async with remembering(tmp_path) as (_, _, node, wall):
        memories = LocalMemories(node, events, wall, MemoryLimits(recall_seconds_max=0.1))
        node.__class__ = Full
        with memories.following(lambda fingerprint, is_there: told.append((fingerprint, is_there))):
            assert not await memories.remember(begun)
            assert await memories.recall(kept.fingerprint) == (begun,)
            assert not await memories.remember(kept)
            assert await memories.recall(kept.fingerprint) == (kept,)
            assert not await memories.remember(going_on(other))
            assert await memories.remember(replace(other, outcomes={})), "it came to nothing"
            assert remembered(memories, kept, other) == [True, False]
        assert told[-1] == (other.fingerprint, False)
        assert len(memories) == 0, "in the store"
        wall.forward(DAY_MS / 1000 + 1)
        await memories.sweep()
        assert memories.fingerprints() == set()
        node.__class__ = Node
        assert node.items(b"", 10) == []
    assert [fields["why"] for fields in events.named("memory.refused")] == ["full"] * 3


@pytest.mark.parametrize("limits", [MemoryLimits(memories_max=3), MemoryLimits(octets_max=600)])
async def test_what_the_store_cannot_keep_is_bounded_with_the_others(tmp_path: Path, limits: MemoryLimits) -> None:
    stored, unstored = memory(0), [memory(mark) for mark in range(1, 9)]
    async with remembering(tmp_path, limits) as (memories, _, node, _):
        await memories.remember(stored)
        node.__class__ = Full
        for one in unstored:
            await memories.remember(one)
        assert memories.has(stored.fingerprint), "the store has it still"
        assert 2 <= len(memories.fingerprints()) <= 3
        assert memories.has(unstored[-1].fingerprint)
        node.__class__ = Node
