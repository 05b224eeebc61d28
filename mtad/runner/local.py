"""What the runner needs to know of its node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mtad.mail.queue_id import QueueId


@dataclass(frozen=True, slots=True)
class Local:
    """This node: its number, its clock, and its names for messages."""

    node: int
    wall_ms: Callable[[], int]
    next_queue_id: Callable[[], QueueId]
