"""Whether a client hears what became of its message; where that is in doubt, it is remembered (RFC 1047).

A client that has heard the final reply says something more, if only QUIT, or at least ends the connection in order. One
that was gone before the reply, or is lost after it without another word, may come back with the same message. What it
sent ahead of the reply proves nothing by itself; but it was there then, and is taken to have heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial

from mtad.mail.memory import Memory
from mtad.mail.outcome import Outcome, Result
from mtad.server.fault import emit_fault
from mtad.server.tasks import Tasks
from mtad.spool.door import Memories
from mtad.telemetry.events import Events

Work = Callable[[], Awaitable[None]]
Names = Callable[[Mapping[str, Outcome]], Mapping[str, Outcome]]  # by address -> by the names of a memory
REMEMBERING_MAX = 10_000  # messages of one process whose memories are being written
LATE_MS = 900_000  # longer than a next hop may take to answer the final dot (RFC 5321 §4.5.3.2.6)


class Remembering:
    """Writes the memories of a server's messages, while their connections end."""

    def __init__(self, memories: Memories, events: Events) -> None:
        self._memories = memories
        self._events = events
        self.tasks = Tasks()  # those that write

    def hearing(self, *, is_gone: bool) -> Hearing:
        """Return the hearing of one more message. is_gone: its client has closed its side already."""
        return Hearing(self._remember, self._spawn, is_gone=is_gone)

    async def _remember(self, memory: Memory) -> None:
        if await self._memories.remember(memory) and memory.is_settled and memory.outcomes:
            self._events.emit("mail.unheard", queue_id=memory.queue_id, recipients=len(memory.settled))

    def _spawn(self, queue_id: str, work: Work) -> None:
        if len(self.tasks) >= REMEMBERING_MAX:
            self._events.emit("memory.refused", level="warning", queue_id=queue_id, why="busy")
            return
        self.tasks.begin(self._guarded(queue_id, work))

    async def _guarded(self, queue_id: str, work: Work) -> None:
        try:
            await work()
        except Exception:  # noqa: BLE001 - boundary of a memory: without it the client's retry is delivered again
            emit_fault(self._events, session="", trace=queue_id, stage="memory")


class Hearing:
    """What is known of one message, from the end of its data until its client has surely heard. Made by `Remembering`.

    Acceptance tells it what becomes of the message, the connection what becomes of the client.
    """

    def __init__(
        self,
        remember: Callable[[Memory], Awaitable[None]],
        spawn: Callable[[str, Work], None],
        *,
        is_gone: bool,
    ) -> None:
        self._remember = remember
        self._spawn = spawn
        self._is_gone = is_gone  # before the reply
        self._is_answered = False
        self._has_heard = False
        self._is_over = False  # nothing more can put it in doubt
        self._begun: Memory | None = None
        self._names: Names = dict
        self._taken: dict[str, Outcome] = {}
        self._late: Mapping[str, asyncio.Future[Outcome]] = {}
        self._is_settled = False
        self._is_accepted = False
        self._is_awaited = False
        self._ended = asyncio.Event()  # the attempt, in whatever way

    # What becomes of the message.

    def begin(self, memory: Memory, names: Names) -> None:
        """Say that an attempt begins: from now on the message may arrive."""
        self._begun, self._names = memory, names
        if self._is_gone:
            self._doubt()

    def take(self, outcomes: Mapping[str, Outcome]) -> None:
        """Say which recipients, by address, are not to be delivered to again, and why."""
        self._taken.update(outcomes)

    def wait_for(self, late: Mapping[str, asyncio.Future[Outcome]]) -> None:
        """Say which attempts go on though the client is about to hear a refusal: for as long as they may last."""
        self._late = late
        if self._begun is not None and late:
            self._begun = replace(self._begun, until_ms=self._begun.until_ms + LATE_MS)

    def settle(self, *, is_accepted: bool, is_awaited: bool = False) -> None:
        """Say that all is known. A client that hears a refusal comes back, though some may have the message.

        is_awaited   for some recipients it comes back, and policy may lead the message to others again
        """
        self._is_settled, self._is_accepted, self._is_awaited = True, is_accepted, is_awaited
        if self._late:
            self._doubt()  # remembered as going on, before it is remembered as it ended
        self._ended.set()
        if self._taken and not is_accepted:
            self._doubt()

    # What becomes of the client.

    def gone(self, *, has_acknowledged: bool) -> None:
        """Say that the client has closed its side, or is lost. has_acknowledged: its system has taken all replies."""
        if self._is_answered and has_acknowledged:
            self.heard()
        elif not self._is_answered:
            self._is_gone = True
            if self._begun is not None:
                self._doubt()

    def answered(self, *, is_ahead: bool) -> None:
        """Say that the reply was written. is_ahead: the client has sent more than the message."""
        self._is_answered = True
        if is_ahead:
            self.heard()

    def heard(self) -> None:
        """Say that the client has gone on."""
        if self._is_answered and not self._is_gone:
            self._has_heard = True
            if self._taken and self._is_awaited:
                self._doubt()
            self._is_over = True

    def end(self) -> None:
        """Say that the connection has ended. An attempt that is not settled now was cut off, and never will be."""
        self._ended.set()
        if self._taken:
            self._doubt()

    def _doubt(self) -> None:
        """Have the message remembered, now and when all is known."""
        begun, was_over, self._is_over = self._begun, self._is_over, True
        if begun is not None and not was_over:
            self._spawn(begun.queue_id, partial(self._write, begun))

    async def _write(self, begun: Memory) -> None:
        if self._late or not self._ended.is_set():
            await self._remember(begun)
            await self._ended.wait()
        in_time = self._names(self._taken)
        for address, late in self._late.items():
            outcome = await late
            if outcome.result is Result.DELIVERED:
                self._taken[address] = outcome
        if self._is_settled or self._taken:
            heard = in_time if self._has_heard and self._is_accepted else ()
            await self._remember(begun.ended(self._names(self._taken), heard))
