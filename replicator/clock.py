"""The clock by which the core lives."""

from __future__ import annotations

import time


def now() -> int:
    """Return nanoseconds that run on while the machine is suspended."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
