"""By what right a message is delivered from the queue, and how that right ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

MayFinish = Callable[[Collection[str]], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Warrant:
    """What the queue's owner says of one message.

    may_finish   asked right before each final dot, for those who would get it; where it says False the connection is
                 closed without it (DELAYED, 451). It never raises
    withdrawn    once it is done, what has no final dot yet is given up (DELAYED, 451), and what has is awaited
    """

    may_finish: MayFinish
    withdrawn: asyncio.Future[None]
