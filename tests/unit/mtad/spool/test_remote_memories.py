"""What one worker remembers, another knows: it is told of all that comes and goes, and asks what it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mtad.mail.memory import Memory
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply
from mtad.rehearsal.rooms import DictMemories
from mtad.spool.door import Committed
from mtad.spool.service import NEWS_MAX, SpoolService
from mtad.telemetry.events import CollectedEvents
from tests.fakes.queue import FakeDoor
from tests.fakes.waiting import until
from tests.unit.mtad.spool.workers import LIMITS, serving, working

TAKEN = Outcome(Result.DELIVERED, Reply.of(250, "2.0.0", "Ok, taken"), "mx.example.net")


def memory(mark: int, *recipients: str) -> Memory:
    return Memory(f"01JD4Z8Q6K1{mark:05}", mark.to_bytes(16, "big"), 5, dict.fromkeys(recipients, TAKEN))


async def test_what_one_worker_remembers_another_knows_and_recalls(socket: Path) -> None:
    kept, memories = memory(1, "b@y.test"), DictMemories()
    service = SpoolService(FakeDoor(Committed(2)), memories, CollectedEvents())
    async with serving(socket, service), working(socket) as one, working(socket) as other:
        assert await one.remember(kept)
        await until(lambda: one.has(kept.fingerprint) and other.has(kept.fingerprint))
        assert await other.recall(kept.fingerprint) == (kept,)
        assert await other.recall(b"another") == ()
        memories.forget(kept.fingerprint)
        await until(lambda: not (one.has(kept.fingerprint) or other.has(kept.fingerprint)))


async def test_a_memory_that_is_refused_is_said_to_be(socket: Path) -> None:
    memories = DictMemories(may_remember=False)
    service = SpoolService(FakeDoor(Committed(2)), memories, CollectedEvents())
    async with serving(socket, service), working(socket) as remote:
        assert not await remote.remember(memory(1, "b@y.test"))


async def test_a_new_stream_tells_everything_anew(socket: Path) -> None:
    first, second = memory(1, "b@y.test"), memory(2, "c@y.test")
    memories = DictMemories()
    await memories.remember(first)
    async with working(socket) as remote:
        async with serving(socket, SpoolService(FakeDoor(Committed(2)), memories, CollectedEvents())):
            await until(lambda: remote.has(first.fingerprint))
        assert remote.has(first.fingerprint), "what was told holds while there is no stream"
        socket.unlink(missing_ok=True)
        memories.forget(first.fingerprint)
        await memories.remember(second)
        async with serving(socket, SpoolService(FakeDoor(Committed(2)), memories, CollectedEvents())):
            await until(lambda: remote.has(second.fingerprint))
            assert not remote.has(first.fingerprint)


async def test_what_cannot_be_asked_is_not_taken_for_nothing(socket: Path) -> None:
    async with working(socket, replace(LIMITS, connect_seconds_max=0.05)) as remote:
        assert await remote.recall(b"any") is None
        assert not await remote.remember(memory(1, "b@y.test"))


async def test_a_worker_that_does_not_keep_up_with_the_news_is_told_everything_anew(socket: Path) -> None:
    memories = DictMemories()
    service = SpoolService(FakeDoor(Committed(2)), memories, CollectedEvents())
    async with serving(socket, service), working(socket) as remote:
        await memories.remember(memory(0, "b@y.test"))
        await until(lambda: remote.has(memory(0).fingerprint))
        for mark in range(1, NEWS_MAX + 2):  # without a turn of the loop in which any could be sent
            memories.keep(memory(mark, "b@y.test"))
            memories.forget(memory(mark).fingerprint)
        memories.keep(memory(NEWS_MAX + 9, "b@y.test"))
        await until(lambda: remote.has(memory(NEWS_MAX + 9).fingerprint))
        assert remote.has(memory(0).fingerprint)
        assert not remote.has(memory(1).fingerprint)
