"""Tasks that outlive who began them: a server waits for their ends, or cuts them off."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


class Tasks:
    """The tasks that have not ended yet. Each bounds its own faults: nobody awaits its result."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Begin one more."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def drained(self) -> None:
        """Return when all have ended, those too that begin meanwhile."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def cut_off(self) -> None:
        """End them now."""
        for task in self._tasks:
            task.cancel()
        await self.drained()
