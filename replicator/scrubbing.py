"""Runs the scrub beside everything else, no faster than it may read."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Executor

import lmdb

from replicator.report import Report
from replicator.settings import NodeSettings
from replicator.store import scrub
from replicator.store.store import Store

STEP_OCTETS_MAX = 1 << 20
STEP_SECONDS_MIN = 0.05


async def scrub_for_ever(store: Store, executor: Executor, settings: NodeSettings, report: Report) -> None:
    """Walk over everything, pause, and begin again. What is damaged goes the way of all damage."""
    while True:
        began = time.monotonic()
        octets, entries = await _walk(store, executor, settings.scrub_octets_per_second, report)
        seconds = time.monotonic() - began
        report.emit("replica.scrubbed", level="debug", octets=octets, entries=entries, seconds=round(seconds, 1))
        await asyncio.sleep(settings.scrub_pause_seconds)


async def _walk(store: Store, executor: Executor, octets_per_second: int, report: Report) -> tuple[int, int]:
    """Walk over everything once; return the octets and the values."""
    octets = entries = 0
    place: scrub.Place | None = scrub.Place()
    step_octets_max = min(STEP_OCTETS_MAX, octets_per_second)
    while place is not None:
        try:
            step = await asyncio.get_running_loop().run_in_executor(executor, scrub.step, store, place, step_octets_max)
        except lmdb.Error as error:  # the store is about to be opened anew
            report.emit("replica.scrub_failed", level="error", what=str(error))
            break
        place = step.place
        octets += step.octets
        entries += step.entries
        await asyncio.sleep(max(STEP_SECONDS_MIN, step.octets / octets_per_second))
    return octets, entries
