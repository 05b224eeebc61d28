"""Work that takes longer the more octets it is given: on the event loop while it is short, in a thread when it is long.

A thread costs a short piece of work more than it takes; a long one on the loop would hold up all other sessions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

ON_LOOP_OCTETS_MAX = 256 * 1024  # to be hashed or gone through, not more

P = ParamSpec("P")
T = TypeVar("T")


async def off_loop_if_long(octets_count: int, work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """Return what a piece of work comes to, and raise what it raises."""
    if octets_count <= ON_LOOP_OCTETS_MAX:
        return work(*args, **named)
    return await asyncio.to_thread(work, *args, **named)
