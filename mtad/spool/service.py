"""The spool process's side of the workers' streams."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import grpc.aio

from mtad.limits.places import Places
from mtad.limits.questions import Limits, NobodyCounts, Question, Storing
from mtad.pb import queue_pb2, queue_pb2_grpc
from mtad.spool import counter_codec, measure_codec, memory_codec, worker_codec
from mtad.spool.door import Changes, Committed, Door, Refusal
from mtad.spool.memories import LocalMemories
from mtad.spool.remote import NO_COUNTS, WorkerCounts
from mtad.spool.worker_places import WorkerPlaces
from mtad.telemetry.events import Events
from mtad.telemetry.metrics import Family

CALLS_MAX = 20_000  # calls of one worker without an answer; past it the stream is not read on
NEWS_MAX = 10_000  # that wait for one worker; past it the worker is told everything anew


class SpoolService(queue_pb2_grpc.SpoolServicer):
    """Serves one stream a worker; a worker's answers come in the order in which they are ready."""

    def __init__(
        self,
        door: Door,
        memories: LocalMemories,
        events: Events,
        limits: Limits | None = None,
        places: Places | None = None,
        measured: Callable[[Family], None] = lambda family: None,
    ) -> None:
        self._door = door
        self._memories = memories
        self._events = events
        self._limits = limits or NobodyCounts()
        self._places = Places() if places is None else places
        self._measured = measured
        self._workers: dict[int, WorkerCounts] = {}
        self._streams: dict[int, _Stream] = {}
        self._worker_last = 0
        self._is_policy_new = False  # since this process has started

    def counts(self) -> WorkerCounts:
        """Return the sum of what the connected workers last told."""
        return sum(self._workers.values(), start=NO_COUNTS)

    def flushed(self) -> None:
        """Have all workers told that an operator wants next hops to be asked again."""
        for stream in self._streams.values():
            stream.flushed()

    def reloaded(self) -> None:
        """Have all workers load the policy anew, and each that comes later too: it may have read the old one."""
        self._is_policy_new = True
        for stream in self._streams.values():
            stream.reloaded()

    async def Work(  # noqa: N802 (the name is the schema's)
        self,
        request_iterator: AsyncIterator[queue_pb2.FromWorkerBatch],
        context: grpc.aio.ServicerContext[queue_pb2.FromWorkerBatch, queue_pb2.ToWorker],
    ) -> AsyncIterator[queue_pb2.ToWorker]:
        """Serve one worker until it goes; then what its sessions held is given back."""
        self._worker_last += 1
        worker = self._worker_last
        self._workers[worker] = NO_COUNTS
        stream = self._streams[worker] = _Stream(self._door, self._memories, self._limits, self._places, self._events)
        if self._is_policy_new:
            stream.reloaded()
        reader = asyncio.create_task(self._read(worker, stream, request_iterator))
        try:
            with self._memories.following(stream.hear):
                async for told in stream.told():
                    yield told
        finally:
            reader.cancel()
            try:
                await asyncio.gather(reader, return_exceptions=True)
            finally:  # gRPC may cancel us in this very moment: the stream has ended
                stream.places.leave_all()
                del self._workers[worker], self._streams[worker]

    async def _read(self, worker: int, stream: _Stream, requests: AsyncIterator[queue_pb2.FromWorkerBatch]) -> None:
        try:
            async for batch in requests:
                for item in batch.items:
                    if item.HasField("report"):
                        self._workers[worker] = _counts(item.report)
                    elif item.HasField("measured"):
                        self._measured(measure_codec.read_measured(item.measured))
                    else:
                        await stream.take(item)
        finally:
            stream.end()  # in whatever way it ended: a worker that is not read any more must hear of it


def _counts(report: queue_pb2.WorkerReport) -> WorkerCounts:
    return WorkerCounts(report.sessions, report.delivered_through, report.retries_answered, report.retries_in_doubt)


class _Stream:
    """One worker's calls: each a task, their answers sent together; and the news of what is remembered."""

    def __init__(self, door: Door, memories: LocalMemories, limits: Limits, places: Places, events: Events) -> None:
        self._door = door
        self._memories = memories
        self._limits = limits
        self._events = events
        self.places = WorkerPlaces(places)
        self._room = asyncio.Semaphore(CALLS_MAX)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready: deque[queue_pb2.Answer] = deque()
        self._news: dict[bytes, bool] | None = None  # by fingerprint; None: everything is to be told
        self._is_flushed = False  # and the worker has not been told
        self._is_policy_new = False  # the same
        self._is_wanted = asyncio.Event()
        self._is_wanted.set()
        self._is_ended = False

    async def take(self, item: queue_pb2.FromWorker) -> None:
        match item.WhichOneof("what"):
            case "place":  # these at once: a place must not be given back before it is taken
                counted = self.places.take(item.place.call, item.place.counter, item.place.limit)
                self._tell(item.place.call, counter_codec.answer_message(counted))
            case "held":
                self.places.hold(item.held.number, item.held.counter)
            case "left":
                self.places.leave(item.left)
            case _:
                await self._room.acquire()
                task = asyncio.create_task(self._answer(item))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _answer(self, item: queue_pb2.FromWorker) -> None:
        """Carry out one call."""
        kind = item.WhichOneof("what")
        try:
            answer = await _CALLS[kind or "commit"](self, item)
        except Exception as error:  # noqa: BLE001 (the boundary of one call: the client hears 451 and keeps its mail)
            self._events.emit("spool.fault", level="error", error=f"{type(error).__name__}: {error}")
            answer = queue_pb2.Answer(refusal=Refusal.FAILED.value)
        finally:
            self._room.release()
        self._tell(getattr(item, kind or "commit").call, answer)

    def _tell(self, call: int, answer: queue_pb2.Answer) -> None:
        answer.call = call
        self._ready.append(answer)
        self._is_wanted.set()

    async def _commit(self, request: queue_pb2.CommitRequest) -> queue_pb2.Answer:
        changes = Changes(
            puts=tuple(worker_codec.read_new_message(message) for message in request.puts),
            states={change.queue_id: worker_codec.read_parts(change.parts) for change in request.states},
        )
        result = await self._door.commit(changes, is_accepting=request.is_accepting)
        if isinstance(result, Committed):
            return queue_pb2.Answer(copies=result.copies, is_received=result.is_received)
        return queue_pb2.Answer(refusal=result.why.value)

    async def _remember(self, request: queue_pb2.RememberRequest) -> queue_pb2.Answer:
        is_kept = await self._memories.remember(memory_codec.read_memory(request.memory))
        return queue_pb2.Answer(copies=1) if is_kept else queue_pb2.Answer(refusal=Refusal.FAILED.value)

    async def _recall(self, request: queue_pb2.RecallRequest) -> queue_pb2.Answer:
        recalled = await self._memories.recall(request.fingerprint)
        return queue_pb2.Answer(memories=[memory_codec.memory_message(memory) for memory in recalled])

    async def _ask(self, question: Question) -> queue_pb2.Answer:
        return counter_codec.answer_message(await self._limits.ask(question))

    async def _store(self, storing: Storing) -> queue_pb2.Answer:
        return counter_codec.stored_message(await self._limits.store(storing))

    def hear(self, fingerprint: bytes, is_remembered: bool) -> None:
        """Have the worker told of a change; what is newest of a fingerprint counts alone."""
        if self._news is not None:
            self._news[fingerprint] = is_remembered
            if len(self._news) > NEWS_MAX:
                self._news = None
        self._is_wanted.set()

    def flushed(self) -> None:
        """Have the worker told that an operator wants next hops to be asked again."""
        self._is_flushed = True
        self._is_wanted.set()

    def reloaded(self) -> None:
        """Have the worker load the policy anew."""
        self._is_policy_new = True
        self._is_wanted.set()

    def end(self) -> None:
        self._is_ended = True
        self._is_wanted.set()

    async def told(self) -> AsyncIterator[queue_pb2.ToWorker]:
        """Yield what waits for the worker, together."""
        while not self._is_ended:
            await self._is_wanted.wait()
            self._is_wanted.clear()
            told = queue_pb2.ToWorker(
                answers=list(self._ready), is_flushed=self._is_flushed, is_policy_new=self._is_policy_new
            )
            self._ready.clear()
            self._is_flushed = self._is_policy_new = False
            if self._news is None:
                told.news.is_all = True
                told.news.remembered.extend(self._memories.fingerprints())
            elif self._news:
                told.news.remembered.extend(mark for mark, is_there in self._news.items() if is_there)
                told.news.forgotten.extend(mark for mark, is_there in self._news.items() if not is_there)
            self._news = {}
            if told.answers or told.is_flushed or told.is_policy_new or told.HasField("news"):
                yield told


_CALLS: Mapping[str, Callable[[_Stream, queue_pb2.FromWorker], Awaitable[queue_pb2.Answer]]] = {
    "commit": lambda stream, item: stream._commit(item.commit),
    "remember": lambda stream, item: stream._remember(item.remember),
    "recall": lambda stream, item: stream._recall(item.recall),
    "rate": lambda stream, item: stream._ask(counter_codec.rate_of(item.rate)),
    "greylist": lambda stream, item: stream._ask(counter_codec.greylisting_of(item.greylist)),
    "store": lambda stream, item: stream._store(counter_codec.storing_of(item.store)),
}
