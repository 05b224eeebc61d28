"""Calls that block, each in a thread of its own: few at a time, and none that keeps anybody waiting for ever."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ThreadLimits:
    """Bounds of one map, in one process."""

    threads_max: int = 4
    answer_seconds_max: float = 10.0  # with the wait for a thread


class Threads:
    """Runs them. A call that does not come back keeps its place, and not the process."""

    def __init__(self, limits: ThreadLimits | None = None) -> None:
        self._limits = limits or ThreadLimits()
        self._places = asyncio.Semaphore(self._limits.threads_max)

    async def run(self, call: Callable[[], T]) -> T:
        """Return what a call returns. Errors: TimeoutError, and what it raises."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._limits.answer_seconds_max):
            await self._places.acquire()
            future: asyncio.Future[T] = loop.create_future()

            def done(give: Callable[[], None]) -> None:
                self._places.release()
                if not future.done():  # else whoever asked is gone
                    give()

            def work() -> None:
                try:
                    result = call()
                except Exception as error:  # noqa: BLE001 - raised where it was asked for
                    failure = error
                    give: Callable[[], None] = lambda: future.set_exception(failure)  # noqa: E731
                else:
                    give = lambda: future.set_result(result)  # noqa: E731
                with suppress(RuntimeError):  # the loop has ended meanwhile
                    loop.call_soon_threadsafe(done, give)

            try:
                threading.Thread(target=work, name="map", daemon=True).start()
            except RuntimeError:  # the system has none to give
                self._places.release()
                raise
            return await future
