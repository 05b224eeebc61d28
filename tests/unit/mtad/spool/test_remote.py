"""A worker's stream to the spool process, over a Unix socket: what was kept is said, what is unknown is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply
from mtad.pb import queue_pb2, queue_pb2_grpc
from mtad.rehearsal.rooms import DictMemories
from mtad.spool.door import Attempt, Changes, Committed, Rank, RecipientState, Refusal, Refused
from mtad.spool.remote import NO_COUNTS, RemoteSpool, WorkerCounts
from mtad.spool.service import SpoolService
from mtad.telemetry.events import CollectedEvents
from mtad.telemetry.metrics import Family, Kind, Metric, Sample
from mtad.telemetry.tally import Tally
from tests.fakes.queue import FakeDoor, message
from tests.fakes.waiting import until
from tests.unit.mtad.spool.workers import LIMITS, serving, working


async def test_what_is_committed_arrives_whole_and_the_answer_comes_back(socket: Path) -> None:
    door = FakeDoor(Committed(2))
    attempt = Attempt(5, Outcome(Result.DELAYED, Reply.of(450, "4.2.1", "later"), "mx.test"), 1)
    changes = Changes(
        puts=(message("b@y.test", "c@z.test"),),
        states={"01JD4Z8Q6K100000": {"d@y.test": RecipientState(Rank.DEFERRED, 9, (attempt,), 1)}},
    )
    async with serving(socket, SpoolService(door, DictMemories(), CollectedEvents())), working(socket) as remote:
        assert await remote.commit(changes, is_accepting=True) == Committed(2)
        assert await remote.commit(Changes(puts=changes.puts), is_accepting=False) == Committed(2)
    assert door.commits == [(changes, True), (Changes(puts=changes.puts), False)]


@pytest.mark.parametrize("why", list(Refusal))
async def test_each_refusal_comes_back_as_itself(socket: Path, why: Refusal) -> None:
    async with (
        serving(socket, SpoolService(FakeDoor(Refused(why)), DictMemories(), CollectedEvents())),
        working(socket) as remote,
    ):
        assert await remote.commit(Changes(puts=(message(),)), is_accepting=True) == Refused(why)


async def test_each_worker_is_told_of_a_flush_once(socket: Path) -> None:
    service = SpoolService(FakeDoor(Committed(1)), DictMemories(), CollectedEvents())
    told = [0, 0]

    def note(worker: int) -> None:
        told[worker] += 1

    async with serving(socket, service), working(socket) as one, working(socket) as two:
        one.on_flush(lambda: note(0))
        two.on_flush(lambda: note(1))
        for remote in (one, two):
            await remote.commit(Changes(puts=(message(),)), is_accepting=True)
        assert told == [0, 0]
        for times in (1, 2):
            service.flushed()
            await until(lambda: told == [times, times])  # noqa: B023
        await one.commit(Changes(puts=(message(),)), is_accepting=True)
        assert told == [2, 2]


async def test_workers_are_told_of_a_new_policy_and_those_that_come_later_too(socket: Path) -> None:
    service = SpoolService(FakeDoor(Committed(1)), DictMemories(), CollectedEvents())
    told: list[str] = []
    async with serving(socket, service):
        async with working(socket) as one:
            one.on_reload(lambda: told.append("one"))
            await one.commit(Changes(puts=(message(),)), is_accepting=True)
            assert told == []
            service.reloaded()
            await until(lambda: told == ["one"])
            await one.commit(Changes(puts=(message(),)), is_accepting=True)
            assert told == ["one"]
        async with working(socket) as late:
            late.on_reload(lambda: told.append("late"))
            await until(lambda: told == ["one", "late"])


async def test_a_worker_loads_the_policy_anew_with_another_spool_process(socket: Path) -> None:
    told: list[str] = []

    def service() -> SpoolService:
        return SpoolService(FakeDoor(Committed(1)), DictMemories(), CollectedEvents())

    async with working(socket) as remote:
        remote.on_reload(lambda: told.append("anew"))
        async with serving(socket, service()):
            await remote.commit(Changes(puts=(message(),)), is_accepting=True)
            assert told == []
        async with serving(socket, service()):
            await until(lambda: told == ["anew"])


async def test_nothing_to_keep_is_kept(socket: Path) -> None:
    async with (
        serving(socket, SpoolService(FakeDoor(Committed(0)), DictMemories(), CollectedEvents())),
        working(socket) as remote,
    ):
        assert await remote.commit(Changes(), is_accepting=False) == Committed(0)


async def test_a_fault_refuses_one_call_and_says_nothing_of_itself(socket: Path) -> None:
    door, events = FakeDoor(RuntimeError("secret")), CollectedEvents()
    async with serving(socket, SpoolService(door, DictMemories(), events)), working(socket) as remote:
        assert await remote.commit(Changes(puts=(message(),)), is_accepting=True) == Refused(Refusal.FAILED)
        door.answer = Committed(1)
        assert await remote.commit(Changes(puts=(message(),)), is_accepting=True) == Committed(1)
    assert [fields["error"] for fields in events.named("spool.fault")] == ["RuntimeError: secret"]


async def test_many_calls_at_once_each_get_their_own_answer(socket: Path) -> None:
    class Echo:
        async def commit(self, changes: Changes, *, is_accepting: bool) -> Committed:
            copies = int(changes.puts[0].reverse_path.partition("@")[0])
            await asyncio.sleep(0.001 * (copies % 7))
            return Committed(copies)

    async with serving(socket, SpoolService(Echo(), DictMemories(), CollectedEvents())), working(socket) as remote:
        asked = [Changes(puts=(message(reverse_path=f"{number}@x.test"),)) for number in range(1, 301)]
        answers = await asyncio.gather(*(remote.commit(changes, is_accepting=True) for changes in asked))
    assert answers == [Committed(number) for number in range(1, 301)]


async def test_large_envelopes_travel_in_batches_that_fit(socket: Path) -> None:
    wide = [message(*(f"{'r' * 60}{n}@y.test" for n in range(10_000))) for _ in range(8)]
    async with (
        serving(socket, SpoolService(FakeDoor(Committed(2)), DictMemories(), CollectedEvents())),
        working(socket) as remote,
    ):
        await remote.commit(Changes(puts=(message(),)), is_accepting=True)
        answers = await asyncio.gather(*(remote.commit(Changes(puts=(m,)), is_accepting=True) for m in wide))
    assert answers == [Committed(2)] * 8


async def test_what_is_too_large_for_the_stream_is_refused_and_the_others_are_not(socket: Path) -> None:
    small, events = message(), CollectedEvents()
    large = replace(message(), content=b"x" * LIMITS.message_octets_max)
    async with (
        serving(socket, SpoolService(FakeDoor(Committed(2)), DictMemories(), events)),
        working(socket, events=events) as remote,
    ):
        answers = await asyncio.gather(
            *(remote.commit(Changes(puts=(one,)), is_accepting=True) for one in (small, large, small))
        )
    assert answers == [Committed(2), Refused(Refusal.FAILED), Committed(2)]
    assert len(events.named("spool.too_large")) == 1


async def test_the_largest_that_is_taken_fits(socket: Path) -> None:
    events = CollectedEvents()
    largest = replace(message(), content=b"x" * (LIMITS.message_octets_max - 400))
    async with (
        serving(socket, SpoolService(FakeDoor(Committed(2)), DictMemories(), events)),
        working(socket, events=events) as remote,
    ):
        await until(lambda: remote._is_connected.is_set())
        assert await remote.commit(Changes(puts=(largest,)), is_accepting=True) == Committed(2)
    assert events.named("spool.too_large") == []


async def test_without_a_spool_process_a_commit_is_refused_soon(socket: Path) -> None:
    events = CollectedEvents()
    async with working(socket, replace(LIMITS, connect_seconds_max=0.05), events) as remote:
        assert await remote.commit(Changes(puts=(message(),)), is_accepting=True) == Refused(Refusal.FAILED)
    assert len(events.named("spool.unreachable")) == 1


async def seconds_to_reach_one_that_comes_later(socket: Path) -> float:
    loop = asyncio.get_running_loop()
    async with working(socket) as remote:
        assert not await remote.reached(1.4)
        async with serving(socket, SpoolService(FakeDoor(Committed(1)), DictMemories(), CollectedEvents())):
            began = loop.time()
            assert await remote.reached(10)
            return loop.time() - began


async def test_a_spool_process_that_comes_later_is_reached_soon(socket: Path) -> None:
    for _ in range(3):  # a machine that is busy may take longer once
        if await seconds_to_reach_one_that_comes_later(socket) < 0.8:
            return
        socket.unlink(missing_ok=True)
    pytest.fail("gRPC by itself would wait a second, and then longer")


async def test_stopping_ends_though_the_stream_answers_a_cancellation_with_an_error(socket: Path) -> None:
    class Deaf(RemoteSpool):
        async def _until_down(self) -> str:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
            return "CANCELLED"

    remote = Deaf(str(socket), LIMITS, CollectedEvents(), lambda: WorkerCounts(0, 0))
    await remote.start()
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await remote.stop()


async def test_what_waits_when_the_spool_process_goes_is_refused_and_the_next_one_is_found(socket: Path) -> None:
    door = FakeDoor(Committed(2))
    door.may_answer.clear()
    async with working(socket) as remote:
        async with serving(socket, SpoolService(door, DictMemories(), CollectedEvents())):
            waiting = asyncio.create_task(remote.commit(Changes(puts=(message(),)), is_accepting=True))
            await until(lambda: door.commits)
        assert await waiting == Refused(Refusal.FAILED)
        socket.unlink(missing_ok=True)
        async with serving(socket, SpoolService(FakeDoor(Committed(1)), DictMemories(), CollectedEvents())):
            assert await remote.commit(Changes(puts=(message(),)), is_accepting=True) == Committed(1)


async def test_a_spool_process_that_is_silent_does_not_hold_a_commit_for_ever(socket: Path) -> None:
    door, events = FakeDoor(Committed(2)), CollectedEvents()
    door.may_answer.clear()
    limits = replace(LIMITS, answer_seconds_max=0.05)
    async with serving(socket, SpoolService(door, DictMemories(), events)), working(socket, limits, events) as remote:
        await until(lambda: remote._is_connected.is_set())
        assert await remote.commit(Changes(puts=(message(),)), is_accepting=True) == Refused(Refusal.FAILED)
        assert len(events.named("spool.silent")) == 1
        door.may_answer.set()
        await asyncio.sleep(0.02)  # the late answer is for nobody
        remote._limits = LIMITS  # the next one has all the time that a busy machine takes
        assert await remote.commit(Changes(puts=(message(),)), is_accepting=True) == Committed(2)


async def test_stopping_refuses_what_waits(socket: Path) -> None:
    door = FakeDoor(Committed(2))
    door.may_answer.clear()
    async with serving(socket, SpoolService(door, DictMemories(), CollectedEvents())):
        async with working(socket) as remote:
            waiting = asyncio.create_task(remote.commit(Changes(puts=(message(),)), is_accepting=True))
            await until(lambda: door.commits)
        assert await waiting == Refused(Refusal.FAILED)


async def test_no_more_calls_wait_than_the_limit(socket: Path) -> None:
    door = FakeDoor(Committed(2))
    door.may_answer.clear()
    async with (
        serving(socket, SpoolService(door, DictMemories(), CollectedEvents())),
        working(socket, replace(LIMITS, calls_max=2)) as remote,
    ):
        waiting = [asyncio.create_task(remote.commit(Changes(puts=(message(),)), is_accepting=True)) for _ in range(2)]
        await until(lambda: len(door.commits) == 2)
        assert await remote.commit(Changes(puts=(message(),)), is_accepting=True) == Refused(Refusal.FAILED)
        door.may_answer.set()
        assert await asyncio.gather(*waiting) == [Committed(2)] * 2
        assert await remote.commit(Changes(puts=(message(),)), is_accepting=True) == Committed(2)


class Odd(queue_pb2_grpc.SpoolServicer):
    """Refuses in a word of its own, or drops the stream at the first batch."""

    def __init__(self, *, drops: bool) -> None:
        self.drops = drops
        self.streams_count = 0

    async def Work(self, request_iterator: Any, context: Any) -> AsyncIterator[queue_pb2.ToWorker]:
        self.streams_count += 1
        async for batch in request_iterator:
            if self.drops and self.streams_count == 1:
                await context.abort(grpc.StatusCode.INTERNAL, "dropped")
            calls = [item.commit.call for item in batch.items if item.HasField("commit")]
            yield queue_pb2.ToWorker(answers=[queue_pb2.Answer(call=call, refusal="tired") for call in calls])


async def test_a_refusal_in_an_unknown_word_is_a_refusal(socket: Path) -> None:
    async with serving(socket, Odd(drops=False)), working(socket) as remote:
        for _ in range(2):
            assert await remote.commit(Changes(puts=(message(),)), is_accepting=True) == Refused(Refusal.FAILED)


async def test_a_stream_that_breaks_is_followed_by_another(socket: Path) -> None:
    odd = Odd(drops=True)
    async with serving(socket, odd), working(socket) as remote:
        assert await remote.commit(Changes(puts=(message(),)), is_accepting=True) == Refused(Refusal.FAILED)
        await until(lambda: odd.streams_count >= 2)


async def test_what_cannot_be_sent_ends_the_stream_alone(socket: Path) -> None:
    events = CollectedEvents()
    async with (
        serving(socket, SpoolService(FakeDoor(Committed(2)), DictMemories(), events)),
        working(socket, events=events) as remote,
    ):
        await until(lambda: remote._is_connected.is_set())
        remote._outgoing.report = "no report"  # type: ignore[assignment]
        remote._outgoing.is_wanted.set()
        await until(lambda: events.named("spool.link_down"))
        assert await remote.commit(Changes(puts=(message(),)), is_accepting=True) == Committed(2)


async def test_the_workers_counts_are_added_up_while_they_are_there(socket: Path) -> None:
    service = SpoolService(FakeDoor(Committed(2)), DictMemories(), CollectedEvents())
    async with serving(socket, service):
        async with working(socket), working(socket):
            await until(lambda: service.counts() == WorkerCounts(6, 28, 4, 2, workers=2))
        await until(lambda: service.counts() == WorkerCounts(0, 0, workers=0))


async def test_a_worker_whose_stream_is_cancelled_twice_is_forgotten() -> None:
    """gRPC cancels who serves a stream that the other has left, even while he clears up after it."""
    service = SpoolService(FakeDoor(Committed(1)), DictMemories(), CollectedEvents())
    is_counted, is_given_up = asyncio.Event(), asyncio.Event()

    async def batches() -> AsyncIterator[queue_pb2.FromWorkerBatch]:
        report = queue_pb2.WorkerReport(sessions=3)
        yield queue_pb2.FromWorkerBatch(items=[queue_pb2.FromWorker(report=report)])
        is_counted.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            is_given_up.set()
            await asyncio.Event().wait()

    async def serve() -> None:
        async for _ in service.Work(batches(), None):  # type: ignore[arg-type]
            pass

    serving = asyncio.create_task(serve())
    await is_counted.wait()
    assert service.counts().sessions == 3
    serving.cancel()
    await is_given_up.wait()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert service.counts().sessions == 0


async def test_what_a_worker_has_measured_is_told_once_and_kept_while_nobody_is_there(socket: Path) -> None:
    seen, level = Metric("seen_total", Kind.COUNTER, ("who", "how")), Metric("level", Kind.GAUGE)
    node, worker = Tally(CollectedEvents()), Tally(CollectedEvents())
    service = SpoolService(FakeDoor(Committed(2)), DictMemories(), CollectedEvents(), measured=node.take)
    remote = RemoteSpool(str(socket), LIMITS, CollectedEvents(), lambda: NO_COUNTS, worker.drain)
    worker.tell(seen, ("ü", "b"), 3)
    await remote.start()
    try:
        async with serving(socket, service):
            await until(lambda: len(node.families()) == 1)
            worker.tell(seen, ("ü", "b"), 1)
            worker.tell(level, (), 1 << 40)
            await until(lambda: len(node.families()) == 2)
            assert node.families() == [
                Family(seen, [Sample(("ü", "b"), 4)]),
                Family(level, [Sample((), 1 << 40)]),
            ]
    finally:
        await remote.stop()
