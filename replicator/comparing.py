"""Compares what the two members hold, while mail flows: whatever differs is looked at again before it is named.

The member's core has no part in it: nothing is decided, and nothing changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from functools import partial
from itertools import chain
from typing import TypeVar

import lmdb

from replicator.core.compare import (
    LEAF_KEYS,
    RANGES_MAX,
    Comparison,
    Difference,
    Range,
    differences,
    differing,
    ranges_of,
)
from replicator.core.messages import Compare, Compared, Message
from replicator.store.states import States, read_states, states_of
from replicator.store.store import Store
from replicator.transport import wire

DIFFERENCES_MAX = 1_000
QUESTIONS_MAX = 4  # of the peer, waiting for their answers
ANSWER_SECONDS_MAX = 30.0
LOOKS = 5  # a difference that is under way on the link is gone at a later look
LOOK_SECONDS = 0.25  # before the second look; twice as long before each further one


T = TypeVar("T")


class _NoAnswerError(Exception):
    """The peer did not answer, or could not."""


class Comparing:
    """Asks and answers. send: puts a message on the link of that session, if it stands."""

    def __init__(self, store: Store, executor: Executor, send: Callable[[int, Message], None]) -> None:
        self._store = store
        self._executor = executor
        self._send = send
        self._numbers = 0
        self._waiting: dict[int, asyncio.Future[Compared]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_answering = asyncio.Lock()

    def cancel(self) -> None:
        """End all that is under way."""
        for task in self._tasks:
            task.cancel()
        for waiting in self._waiting.values():
            waiting.cancel()

    # --- answering ------------------------------------------------------------------------------------------

    def received(self, session: int, message: Compare | Compared) -> None:
        """Take in a question, or the answer to ours."""
        if isinstance(message, Compared):
            waiting = self._waiting.get(message.number)
            if waiting is not None and not waiting.done():
                waiting.set_result(message)
            return
        if len(self._tasks) >= QUESTIONS_MAX:
            self._send(session, Compared(message.number, (), (), True))
            return
        task = asyncio.create_task(self._answer(session, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, session: int, asked: Compare) -> None:
        """Hold our states against the ranges, or give those of the keys; one question at a time."""
        async with self._is_answering:
            try:
                if asked.ranges:
                    which, states = await self._read(partial(self._hold_against, asked))
                else:
                    which, states = [], await self._read(partial(states_of, self._store, asked.keys))
            except lmdb.Error:
                self._send(session, Compared(asked.number, (), (), True))
                return
        self._send(session, Compared(asked.number, tuple(which), tuple(states), False))

    def _hold_against(self, asked: Compare) -> tuple[list[int], States]:
        pages = list(self._pages(asked.begin, asked.ranges[-1].end))
        return differing(asked.ranges, list(chain.from_iterable(pages)))

    def _pages(self, begin: bytes, end: bytes) -> Iterable[States]:
        while True:
            states, begin = read_states(self._store, begin, end)
            yield states
            if not begin:
                return

    async def _read(self, work: Callable[[], T]) -> T:
        """Read the store off the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    # --- asking ---------------------------------------------------------------------------------------------

    async def verify(self, session: int) -> Comparison:
        """Compare everything with the peer of that session."""
        try:
            return await self._verify(session)
        except _NoAnswerError as error:
            return Comparison(why=str(error))
        except lmdb.Error as error:
            return Comparison(why=f"the store cannot be read: {error}")

    async def _verify(self, session: int) -> Comparison:
        found: list[Difference] = []
        items = octets = 0
        begin, is_over = b"", False
        while not is_over and len(found) <= DIFFERENCES_MAX:
            states, following = await self._read(partial(read_states, self._store, begin, b"", RANGES_MAX * LEAF_KEYS))
            ranges = ranges_of(states, following)
            answer, size = await self._ask(session, begin, tuple(ranges), ())
            octets += size
            items += len(states)
            which = frozenset(answer.differing)
            mine = {key: state for at, (key, state) in enumerate(states) if at // LEAF_KEYS in which}
            found += differences(mine, dict(answer.states))
            begin, is_over = following, not following
        is_cut_short = len(found) > DIFFERENCES_MAX or not is_over
        found, size = await self._look_again(session, found[:DIFFERENCES_MAX])
        return Comparison(items, tuple(found), is_cut_short and bool(found), octets + size)

    async def _look_again(self, session: int, found: list[Difference]) -> tuple[list[Difference], int]:
        """Drop what was under way: it is the same a little later."""
        octets = 0
        for look in range(LOOKS):
            if not found:
                break
            await asyncio.sleep(LOOK_SECONDS * 2**look)
            keys = tuple(difference.key for difference in found)
            answer, size = await self._ask(session, b"", (), keys)
            octets += size
            found = differences(dict(await self._read(partial(states_of, self._store, keys))), dict(answer.states))
        return found, octets

    async def _ask(
        self, session: int, begin: bytes, ranges: tuple[Range, ...], keys: tuple[bytes, ...]
    ) -> tuple[Compared, int]:
        """Return the peer's answer, and how many octets it and the question took."""
        self._numbers += 1
        question = Compare(self._numbers, begin, ranges, keys)
        waiting: asyncio.Future[Compared] = asyncio.get_running_loop().create_future()
        self._waiting[question.number] = waiting
        try:
            self._send(session, question)
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                answer = await waiting
        except TimeoutError:
            raise _NoAnswerError("the peer does not answer") from None
        except asyncio.CancelledError:
            if waiting.cancelled():
                raise _NoAnswerError("the link ended") from None
            raise
        finally:
            del self._waiting[question.number]
        if answer.is_failed:
            raise _NoAnswerError("the peer cannot read its store")
        return answer, len(wire.encode(session, question)) + len(wire.encode(session, answer))
