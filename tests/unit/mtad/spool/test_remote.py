"""A worker's stream to the spool process, over a Unix socket: what was kept is said, what is unknown is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc.aio
import pytest

from mtad.limits.ledger import Ledger, LocalLimits
from mtad.limits.places import Places
from mtad.limits.questions import Answer, Counted, Greylisting, Held, Question, Rate, Stored, Storing, Unknown
from mtad.mail.memory import Memory
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply
from mtad.pb import queue_pb2, queue_pb2_grpc
from mtad.rehearsal.rooms import DictMemories
from mtad.spool.door import Attempt, Changes, Committed, Rank, RecipientState, Refusal, Refused
from mtad.spool.remote import NO_COUNTS, RemoteLimits, RemoteSpool, WorkerCounts, channel_options
from mtad.spool.service import NEWS_MAX, SpoolService
from mtad.telemetry.events import CollectedEvents
from mtad.telemetry.metrics import Family, Kind, Metric, Sample
from mtad.telemetry.tally import Tally
from tests.fakes.queue import START_MS, FakeDoor, message
from tests.fakes.waiting import until

LIMITS = RemoteLimits(message_octets_max=4 << 20, connect_seconds_max=30, limit_seconds_max=60.0)


@pytest.fixture
def socket() -> Any:
    with TemporaryDirectory() as folder:  # short: the path of a Unix socket has 107 octets
        yield Path(folder) / "s"


@asynccontextmanager
async def serving(socket: Path, servicer: queue_pb2_grpc.SpoolServicer) -> AsyncIterator[None]:
    server = grpc.aio.server(options=channel_options(LIMITS.message_octets_max))
    queue_pb2_grpc.add_SpoolServicer_to_server(servicer, server)
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    try:
        yield
    finally:
        await server.stop(0)


@asynccontextmanager
async def working(
    socket: Path, limits: RemoteLimits = LIMITS, events: CollectedEvents | None = None
) -> AsyncIterator[RemoteSpool]:
    remote = RemoteSpool(str(socket), limits, events or CollectedEvents(), lambda: WorkerCounts(3, 14, 2, 1))
    await remote.start()
    try:
        yield remote
    finally:
        await remote.stop()


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


# --- what is remembered -------------------------------------------------------------------------------------

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


# --- what policies count ------------------------------------------------------------------------------------

RATE = Rate(b"c" * 16, limit=2, seconds=60)


async def test_workers_count_together(socket: Path) -> None:
    door = LocalLimits(Ledger(1), lambda: START_MS)
    service = SpoolService(FakeDoor(Committed(2)), DictMemories(), CollectedEvents(), door)
    async with serving(socket, service), working(socket) as one, working(socket) as other:
        assert await one.reached(5)
        assert await other.reached(5)
        assert await one.ask(RATE) == Counted(False, 1)
        assert await other.ask(replace(RATE, is_peek=True)) == Counted(False, 1)
        assert await other.ask(RATE) == Counted(False, 2)
        assert await one.ask(RATE) == Counted(True, 2)
        assert await one.ask(replace(RATE, limit=9, cost=5)) == Counted(False, 7)


async def test_where_the_spool_process_is_away_nobody_waits_to_count(socket: Path) -> None:
    limits = replace(LIMITS, connect_seconds_max=1e6)
    async with working(socket, limits) as remote:
        assert await remote.ask(RATE) == Unknown("the spool process is away")


class Silent:
    """Never answers."""

    async def ask(self, question: Question) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_question_waits_for_its_answer_so_long_and_no_longer(socket: Path) -> None:
    limits = replace(LIMITS, limit_seconds_max=0.05, answer_seconds_max=1e6)
    service, events = (
        SpoolService(FakeDoor(Committed(2)), DictMemories(), CollectedEvents(), Silent()),
        CollectedEvents(),
    )
    async with serving(socket, service), working(socket, limits, events) as remote:
        assert await remote.reached(5)
        assert await remote.ask(RATE) == Unknown("the spool process does not answer")
        assert events.named("spool.silent") == [], "the policy says so"


async def test_where_nobody_counts_a_worker_hears_so(socket: Path) -> None:
    service = SpoolService(FakeDoor(Committed(2)), DictMemories(), CollectedEvents())
    async with serving(socket, service), working(socket) as remote:
        assert await remote.reached(5)
        assert await remote.ask(RATE) == Unknown("nobody counts here")


async def test_a_greylist_is_asked_for_as_a_rate_is(socket: Path) -> None:
    now, asked = [START_MS], Greylisting(b"g" * 16, 10, 60, 3600)
    service = SpoolService(
        FakeDoor(Committed(2)), DictMemories(), CollectedEvents(), LocalLimits(Ledger(1), lambda: now[0])
    )
    async with serving(socket, service), working(socket) as remote:
        assert await remote.reached(5)
        found = []
        for seconds in (0, 9, 1, 3599, 3600):
            now[0] += seconds * 1000
            found.append(await remote.ask(asked))
        assert found == [Counted(True, 10), Counted(True, 1), Counted(False, 0), Counted(False, 0), Counted(True, 10)]


async def test_a_value_is_held_for_all_workers(socket: Path) -> None:
    service = SpoolService(
        FakeDoor(Committed(2)), DictMemories(), CollectedEvents(), LocalLimits(Ledger(1), lambda: START_MS)
    )
    asked, empty = Storing(b"v" * 16), Storing(b"e" * 16, "", 60)
    async with serving(socket, service), working(socket) as remote, working(socket) as other:
        assert await remote.store(asked) == Unknown("the spool process is away")
        assert await remote.reached(5)
        assert await other.reached(5)
        assert await remote.store(asked) == Stored(None)
        assert await remote.store(Storing(asked.counter, "ä\udcff", 60)) == Stored("ä\udcff")
        assert await other.store(asked) == Stored("ä\udcff")
        assert await other.store(empty) == await remote.store(Storing(empty.counter)) == Stored("")


async def test_a_value_is_not_known_where_nobody_counts(socket: Path) -> None:
    service = SpoolService(FakeDoor(Committed(2)), DictMemories(), CollectedEvents())
    async with serving(socket, service), working(socket) as remote:
        assert await remote.reached(5)
        assert await remote.store(Storing(b"v" * 16)) == Unknown("nobody counts here")


async def test_a_place_is_one_workers_until_it_is_given_back(socket: Path) -> None:
    places = Places()
    service = SpoolService(FakeDoor(Committed(2)), DictMemories(), CollectedEvents(), places=places)
    async with serving(socket, service), working(socket) as one:
        assert await one.reached(5)
        async with working(socket) as other:
            assert await other.reached(5)
            held = await one.take(b"p" * 16, 2)
            assert isinstance(held, Held)
            assert isinstance(await other.take(b"p" * 16, 2), Held)
            assert await one.take(b"p" * 16, 2) == Counted(True, 2)
            held.leave()
            await until(lambda: places.take(b"p" * 16, 2) == Counted(False, 2))
            places.leave(b"p" * 16)
        await until(lambda: len(places) == 0)  # the other worker has ended, whatever it held


async def test_places_are_told_to_a_spool_process_that_was_restarted(socket: Path) -> None:
    async with working(socket) as remote:
        async with serving(socket, SpoolService(FakeDoor(Committed(2)), DictMemories(), CollectedEvents())):
            assert await remote.reached(5)
            held, gone = await remote.take(b"p" * 16, 2), await remote.take(b"q" * 16, 2)
        assert isinstance(held, Held)
        assert isinstance(gone, Held)
        await until(lambda: not remote._is_connected.is_set())
        gone.leave()  # while nobody hears it
        assert isinstance(await remote.take(b"r" * 16, 2), Unknown)
        places = Places()
        socket.unlink(missing_ok=True)
        service = SpoolService(FakeDoor(Committed(2)), DictMemories(), CollectedEvents(), places=places)
        async with serving(socket, service):
            await until(lambda: len(places) == 1)
            assert await remote.take(b"p" * 16, 1) == Counted(True, 1)
            held.leave()
            await until(lambda: len(places) == 0)


async def test_a_place_that_was_not_waited_for_is_given_back(socket: Path) -> None:
    places = Places()
    service = SpoolService(FakeDoor(Committed(2)), DictMemories(), CollectedEvents(), places=places)
    async with serving(socket, service), working(socket) as remote:
        assert await remote.reached(5)
        asking = asyncio.create_task(remote.take(b"p" * 16, 2))
        await asyncio.sleep(0)
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
        assert isinstance(await remote.take(b"q" * 16, 2), Held)  # whose answer comes after that of the other
        assert places.take(b"p" * 16, 1) == Counted(False, 1)
