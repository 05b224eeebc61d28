"""Waits for what comes about by itself: as long as a busy machine needs, for where all goes well none of it passes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

WAIT_SECONDS = 60.0


async def until(is_so: Callable[[], object], seconds: float = WAIT_SECONDS) -> None:
    """Return when a condition holds. Errors: TimeoutError."""
    async with asyncio.timeout(seconds):
        while not is_so():
            await asyncio.sleep(0.005)
