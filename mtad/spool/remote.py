"""The queue as a session worker reaches it: one gRPC stream to the spool process over a Unix socket."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import grpc
import grpc.aio

from mtad.limits.questions import Answer, Held, Question, Stored, Storing, Unknown
from mtad.mail.memory import Memory
from mtad.pb import queue_pb2, queue_pb2_grpc
from mtad.spool import counter_codec, measure_codec, memory_codec, worker_codec
from mtad.spool.door import Changes, Committed, Refusal, Refused
from mtad.telemetry.events import Events
from mtad.telemetry.metrics import Family

BATCH_OCTETS_MAX = 1 << 20
RECONNECT_SECONDS = 0.2
REPORT_SECONDS = 1.0
FRAME_OCTETS = 64  # of a batch around one commit, a report beside it included
_AWAY = Unknown("the spool process is away")
_SILENT = Unknown("the spool process does not answer")
_FAILED = queue_pb2.Answer(refusal=Refusal.FAILED.value)
_REFUSALS = {refusal.value: refusal for refusal in Refusal}
READY_SECONDS_MAX = 5.0
_TRY_AGAIN = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
]
"""How soon after a try that failed: the spool process is on this machine, and starts at the same time as we do."""


@dataclass(frozen=True, slots=True)
class RemoteLimits:
    """Bounds of a worker's stream."""

    message_octets_max: int = 80 << 20  # of one commit, protobuf and all
    connect_seconds_max: float = 2.0  # how long a commit waits for a spool process that is not there
    answer_seconds_max: float = 60.0  # how long a commit waits for its answer
    calls_max: int = 20_000  # commits without an answer yet
    limit_seconds_max: float = 1.0  # how long a policy's question waits for its answer: a session must not stand still


@dataclass(frozen=True, slots=True)
class WorkerCounts:
    """What a worker tells of itself."""

    sessions: int
    delivered_through: int
    retries_answered: int = 0
    retries_in_doubt: int = 0
    workers: int = 1

    def __add__(self, other: WorkerCounts) -> WorkerCounts:
        """Return what two of them tell together."""
        return WorkerCounts(
            self.sessions + other.sessions,
            self.delivered_through + other.delivered_through,
            self.retries_answered + other.retries_answered,
            self.retries_in_doubt + other.retries_in_doubt,
            self.workers + other.workers,
        )


NO_COUNTS = WorkerCounts(0, 0, workers=0)


def channel_options(octets_max: int) -> list[tuple[str, int]]:
    """Return the gRPC options that both ends of a worker's stream need."""
    return [("grpc.max_send_message_length", octets_max), ("grpc.max_receive_message_length", octets_max)]


class RemoteSpool:
    """A door to the spool process, and its memories; reconnects by itself when that process was restarted.

    drain   gives what the worker has measured and not told yet; what is on its way as a stream breaks is lost
    """

    def __init__(
        self,
        socket_path: str,
        limits: RemoteLimits,
        events: Events,
        counts: Callable[[], WorkerCounts],
        drain: Callable[[], Sequence[Family]] = lambda: (),
    ) -> None:
        self._target = f"unix:{socket_path}"
        self._limits = limits
        self._events = events
        self._counts = counts
        self._drain = drain
        self._calls: dict[int, asyncio.Future[queue_pb2.Answer]] = {}
        self._remembered: set[bytes] = set()  # fingerprints
        self._places: dict[int, bytes] = {}  # that sessions of this worker hold: counters by their numbers
        self._on_flush: Callable[[], None] = lambda: None
        self._on_reload: Callable[[], None] = lambda: None
        self._last_call = 0
        self._outgoing = _Outgoing()
        self._is_connected = asyncio.Event()
        self._was_connected = False
        self._tasks: list[asyncio.Task[None]] = []
        self._is_stopping = False

    def on_flush(self, callback: Callable[[], None]) -> None:
        """Call back when an operator flushes: next hops that did not answer a moment ago are to be asked again."""
        self._on_flush = callback

    def on_reload(self, callback: Callable[[], None]) -> None:
        """Call back when the policy is to be loaded anew."""
        self._on_reload = callback

    async def start(self) -> None:
        """Begin to connect; commits wait for it."""
        self._tasks = [asyncio.create_task(self._keep_connected()), asyncio.create_task(self._report())]

    async def reached(self, seconds_max: float) -> bool:
        """Wait until the spool process is there; False when it was not in time."""
        try:
            async with asyncio.timeout(seconds_max):
                while not self._is_connected.is_set():
                    await self._is_connected.wait()
        except TimeoutError:
            return False
        return True

    async def stop(self) -> None:
        """End the stream; whatever waits is refused."""
        self._is_stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._refuse_all()

    async def commit(self, changes: Changes, *, is_accepting: bool) -> Committed | Refused:
        """Keep the changes, all or none (see `mtad.spool.door.Door`)."""
        answer = await self._ask(
            lambda call: queue_pb2.FromWorker(commit=_request(call, changes, is_accepting=is_accepting))
        )
        return _read_answer(answer)

    def has(self, fingerprint: bytes) -> bool:
        """Tell whether something is remembered (see `mtad.spool.door.Memories`)."""
        return fingerprint in self._remembered

    async def recall(self, fingerprint: bytes) -> tuple[Memory, ...] | None:
        """Return what is remembered (see `mtad.spool.door.Memories`)."""
        answer = await self._ask(
            lambda call: queue_pb2.FromWorker(recall=queue_pb2.RecallRequest(call=call, fingerprint=fingerprint))
        )
        return None if answer.refusal else tuple(memory_codec.read_memory(memory) for memory in answer.memories)

    async def remember(self, memory: Memory) -> bool:
        """Keep a memory (see `mtad.spool.door.Memories`)."""
        stored = memory_codec.memory_message(memory)
        answer = await self._ask(
            lambda call: queue_pb2.FromWorker(remember=queue_pb2.RememberRequest(call=call, memory=stored))
        )
        return not answer.refusal

    async def ask(self, question: Question) -> Answer:
        """Answer, and count (see `mtad.limits.questions.Limits`); where the spool process is away, say so at once."""
        if not self._is_connected.is_set():
            return _AWAY
        return await self._counted(lambda call: counter_codec.asked(call, question))

    async def store(self, storing: Storing) -> Stored | Unknown:
        """Hold a value, or return the one that is held (see `mtad.limits.questions.Limits`)."""
        if not self._is_connected.is_set():
            return _AWAY
        answer = await self._ask(
            lambda call: counter_codec.asked_to_store(call, storing), self._limits.limit_seconds_max
        )
        return _SILENT if answer is _FAILED else counter_codec.read_stored(answer)

    async def _counted(self, request: Callable[[int], queue_pb2.FromWorker]) -> Answer:
        answer = await self._ask(request, self._limits.limit_seconds_max)
        return _SILENT if answer is _FAILED else counter_codec.read_answer(answer)

    async def take(self, counter: bytes, limit: int) -> Held | Answer:
        """Take one of so many places (see `mtad.limits.questions.Limits`); they are told again to a new stream."""
        if not self._is_connected.is_set():
            return _AWAY
        number = 0

        def request(call: int) -> queue_pb2.FromWorker:
            nonlocal number
            number = call
            return counter_codec.asked_for_place(call, counter, limit)

        taken: Answer = _AWAY
        try:
            taken = await self._counted(request)
        finally:
            if isinstance(taken, Unknown) and number:
                self._send(queue_pb2.FromWorker(left=number))  # it may have been given all the same
        if isinstance(taken, Unknown) or taken.is_over:
            return taken
        self._places[number] = counter
        return Held(taken.count, partial(self._leave, number))

    def _leave(self, number: int) -> None:
        del self._places[number]
        self._send(queue_pb2.FromWorker(left=number))

    def _send(self, item: queue_pb2.FromWorker) -> None:
        """Say what needs no answer, if anybody is there to hear it."""
        if self._is_connected.is_set():
            self._outgoing.add(item, item.ByteSize() + FRAME_OCTETS)

    async def _ask(
        self, request: Callable[[int], queue_pb2.FromWorker], seconds_max: float | None = None
    ) -> queue_pb2.Answer:
        """Make a call, with the number that its answer will carry; one that is not answered is refused."""
        if len(self._calls) >= self._limits.calls_max or not await self._connects():
            return _FAILED
        self._last_call += 1
        call = self._last_call
        item = request(call)
        octets = item.ByteSize() + FRAME_OCTETS
        if octets > self._limits.message_octets_max:  # it would end the stream, and with it what others wait for
            self._events.emit("spool.too_large", level="error", octets=octets)
            return _FAILED
        answer: asyncio.Future[queue_pb2.Answer] = asyncio.get_running_loop().create_future()
        self._calls[call] = answer
        self._outgoing.add(item, octets)
        try:
            async with asyncio.timeout(seconds_max or self._limits.answer_seconds_max):
                return await answer
        except TimeoutError:
            if seconds_max is None:  # else it is the policy that says so
                self._events.emit("spool.silent", level="error", socket=self._target)
            return _FAILED
        finally:
            self._calls.pop(call, None)

    async def _connects(self) -> bool:
        """Wait a moment for the spool process where it is not there; tell whether it is."""
        is_there = await self.reached(self._limits.connect_seconds_max)
        if not is_there:
            self._events.emit("spool.unreachable", level="error", socket=self._target)
        return is_there

    async def _keep_connected(self) -> None:
        while not self._is_stopping:  # gRPC may answer a cancellation with an error of its own
            why = await self._until_down()
            self._is_connected.clear()
            self._refuse_all()
            self._events.emit("spool.link_down", level="warning", why=why)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _until_down(self) -> str:
        """Hold one stream for as long as it lasts; return why it ended."""
        options = [*channel_options(self._limits.message_octets_max), *_TRY_AGAIN]
        try:
            async with grpc.aio.insecure_channel(self._target, options=options) as channel:
                await self._converse(channel)
        except grpc.aio.AioRpcError as error:
            return error.code().name
        except TimeoutError:
            return "no answer"
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return "cancelled"  # gRPC says so of a stream that it gave up itself
        except Exception as error:  # noqa: BLE001 (the boundary of a stream: without a next one nothing is kept again)
            return f"{type(error).__name__}: {error}"
        return "ended"

    async def _converse(self, channel: grpc.aio.Channel) -> None:
        async with asyncio.timeout(READY_SECONDS_MAX):
            await channel.channel_ready()
        self._outgoing = _Outgoing()
        for number, counter in self._places.items():
            held = counter_codec.held_place(number, counter)
            self._outgoing.add(held, held.ByteSize() + FRAME_OCTETS)
        stream = queue_pb2_grpc.SpoolStub(channel).Work(self._outgoing.batches())
        self._is_connected.set()
        if self._was_connected:  # the process before this one may have read a policy, and not lived to say so
            self._on_reload()
        self._was_connected = True
        async for told in stream:
            for answer in told.answers:
                waiting = self._calls.get(answer.call)
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
            if told.HasField("news"):
                self._learn(told.news)
            if told.is_flushed:
                self._on_flush()
            if told.is_policy_new:
                self._on_reload()

    def _learn(self, news: queue_pb2.News) -> None:
        """Take in what is remembered. What a stream that is lost has told holds until the next one begins."""
        if news.is_all:
            self._remembered.clear()
        self._remembered.update(news.remembered)
        self._remembered.difference_update(news.forgotten)

    def _refuse_all(self) -> None:
        """The stream is gone: nobody knows what was kept, so nobody hears 250."""
        self._outgoing.end()
        for waiting in self._calls.values():
            if not waiting.done():
                waiting.set_result(_FAILED)

    async def _report(self) -> None:
        while True:
            counts = self._counts()
            self._outgoing.report = queue_pb2.WorkerReport(
                sessions=counts.sessions,
                delivered_through=counts.delivered_through,
                retries_answered=counts.retries_answered,
                retries_in_doubt=counts.retries_in_doubt,
            )
            self._outgoing.is_wanted.set()
            if self._is_connected.is_set():
                for family in self._drain():
                    self._send(measure_codec.measured_message(family))
            await asyncio.sleep(REPORT_SECONDS)


def _request(call: int, changes: Changes, *, is_accepting: bool) -> queue_pb2.CommitRequest:
    return queue_pb2.CommitRequest(
        call=call,
        puts=[worker_codec.new_message(message) for message in changes.puts],
        states=[
            queue_pb2.StateChange(queue_id=queue_id, parts=worker_codec.parts_message(states))
            for queue_id, states in changes.states.items()
        ],
        is_accepting=is_accepting,
    )


def _read_answer(answer: queue_pb2.Answer) -> Committed | Refused:
    """Return what an answer says; a refusal in a word that we do not know is one all the same."""
    if not answer.refusal:
        return Committed(answer.copies, answer.is_received)
    return Refused(_REFUSALS.get(answer.refusal, Refusal.FAILED))


class _Outgoing:
    """What one stream has yet to send. A new stream has a new one: gRPC may read on from an ended stream's."""

    def __init__(self) -> None:
        self.report: queue_pb2.WorkerReport | None = None  # the last one counts alone
        self.is_wanted = asyncio.Event()
        self._waiting: deque[tuple[queue_pb2.FromWorker, int]] = deque()
        self._is_ended = False

    def add(self, message: queue_pb2.FromWorker, octets: int) -> None:
        self._waiting.append((message, octets))
        self.is_wanted.set()

    def end(self) -> None:
        self._is_ended = True
        self._waiting.clear()
        self.is_wanted.set()

    async def batches(self) -> AsyncIterator[queue_pb2.FromWorkerBatch]:
        """Yield what waits, together, up to BATCH_OCTETS_MAX at a time."""
        while not self._is_ended:
            await self.is_wanted.wait()
            items: list[queue_pb2.FromWorker] = []
            octets = 0
            if self.report is not None:
                items.append(queue_pb2.FromWorker(report=self.report))
                self.report = None
            while self._waiting and (not octets or octets + self._waiting[0][1] <= BATCH_OCTETS_MAX):
                message, size = self._waiting.popleft()
                items.append(message)
                octets += size
            if not self._waiting:
                self.is_wanted.clear()
            if items:
                yield queue_pb2.FromWorkerBatch(items=items)
