"""The spool process's side of the workers' streams."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

import grpc.aio

from mtad.pb import queue_pb2, queue_pb2_grpc
from mtad.spool import codec
from mtad.spool.door import Changes, Committed, Door, Refusal, Refused
from mtad.spool.remote import WorkerCounts
from mtad.telemetry.events import Events

CALLS_MAX = 20_000  # commits of one worker without an answer; past it the stream is not read on


class SpoolService(queue_pb2_grpc.SpoolServicer):
    """Serves one stream a worker; a worker's answers come in the order in which they are ready."""

    def __init__(self, door: Door, events: Events) -> None:
        self._door = door
        self._events = events
        self._workers: dict[int, WorkerCounts] = {}
        self._worker_last = 0

    def counts(self) -> WorkerCounts:
        """Return the sum of what the connected workers last told."""
        return WorkerCounts(
            sum(counts.sessions for counts in self._workers.values()),
            sum(counts.delivered_through for counts in self._workers.values()),
        )

    async def Work(  # noqa: N802 (the name is the schema's)
        self,
        request_iterator: AsyncIterator[queue_pb2.FromWorkerBatch],
        context: grpc.aio.ServicerContext[queue_pb2.FromWorkerBatch, queue_pb2.ToWorker],
    ) -> AsyncIterator[queue_pb2.ToWorker]:
        """Serve one worker until it goes."""
        self._worker_last += 1
        worker = self._worker_last
        self._workers[worker] = WorkerCounts(0, 0)
        stream = _Stream(self._door, self._events)
        reader = asyncio.create_task(self._read(worker, stream, request_iterator))
        try:
            async for answers in stream.answers():
                yield answers
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            del self._workers[worker]

    async def _read(self, worker: int, stream: _Stream, requests: AsyncIterator[queue_pb2.FromWorkerBatch]) -> None:
        try:
            async for batch in requests:
                for item in batch.items:
                    if item.HasField("report"):
                        self._workers[worker] = WorkerCounts(item.report.sessions, item.report.delivered_through)
                    else:
                        await stream.take(item.commit)
        finally:
            stream.end()  # in whatever way it ended: a worker that is not read any more must hear of it


class _Stream:
    """One worker's calls: each a task, their answers sent together."""

    def __init__(self, door: Door, events: Events) -> None:
        self._door = door
        self._events = events
        self._places = asyncio.Semaphore(CALLS_MAX)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready: deque[queue_pb2.Answer] = deque()
        self._is_wanted = asyncio.Event()
        self._is_ended = False

    async def take(self, request: queue_pb2.CommitRequest) -> None:
        await self._places.acquire()
        task = asyncio.create_task(self._commit(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _commit(self, request: queue_pb2.CommitRequest) -> None:
        try:
            changes = Changes(
                puts=tuple(codec.read_new_message(message) for message in request.puts),
                states={change.queue_id: codec.read_parts(change.parts) for change in request.states},
            )
            result = await self._door.commit(changes, is_accepting=request.is_accepting)
        except Exception as error:  # noqa: BLE001 (the boundary of one call: the client hears 451 and keeps its mail)
            self._events.emit("spool.fault", level="error", error=f"{type(error).__name__}: {error}")
            result = Refused(Refusal.FAILED)
        finally:
            self._places.release()
        self._ready.append(
            queue_pb2.Answer(call=request.call, copies=result.copies, is_received=result.is_received)
            if isinstance(result, Committed)
            else queue_pb2.Answer(call=request.call, refusal=result.why.value)
        )
        self._is_wanted.set()

    def end(self) -> None:
        self._is_ended = True
        self._is_wanted.set()

    async def answers(self) -> AsyncIterator[queue_pb2.ToWorker]:
        while not self._is_ended:
            await self._is_wanted.wait()
            self._is_wanted.clear()
            if self._ready:
                answers = list(self._ready)
                self._ready.clear()
                yield queue_pb2.ToWorker(answers=answers)
