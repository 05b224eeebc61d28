"""Reads the log and the snapshots that the core wants to send, off the loop, no faster than the link takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from functools import partial
from typing import Any

import lmdb

from replicator.codec import DamagedError
from replicator.core.events import Event, ItemRead, LogRead, ReadItem, ReadLog, ReadSnapshot, SnapshotRead
from replicator.links import Links
from replicator.report import Report
from replicator.store.environment import SnapshotBrokenError
from replicator.store.store import Store

SNAPSHOT_PIECE_OCTETS = 256 << 10
SNAPSHOT_STALL_SECONDS_MAX = 90.0  # a snapshot pins pages: a peer that takes no packet for so long has lost it


class Shipping:
    """Does the core's errands of one member's life; `cancel` ends them with it.

    feed   hands an event to the core at once
    """

    def __init__(
        self, store: Store, links: Links, executor: Executor, feed: Callable[[Event], None], report: Report
    ) -> None:
        self._store = store
        self._links = links
        self._executor = executor
        self._feed = feed
        self._report = report
        self._tasks: set[asyncio.Task[None]] = set()
        self._snapshots: dict[int, asyncio.Task[None]] = {}  # by session

    def cancel(self) -> None:
        """End all errands."""
        for task in self._tasks:
            task.cancel()

    def read_log(self, ask: ReadLog) -> None:
        """Answer a ReadLog by LogRead."""
        self._start(self._read_log(ask), ask.session)

    def read_snapshot(self, ask: ReadSnapshot) -> None:
        """Answer a ReadSnapshot by SnapshotRead, piece by piece; a newer one takes the place of one under way."""
        before = self._snapshots.pop(ask.session, None)
        if before is not None:
            before.cancel()
        self._snapshots[ask.session] = reading = self._start(self._read_snapshot(ask), ask.session)
        reading.add_done_callback(lambda ended: self._forget(ask.session, ended))

    def _forget(self, session: int, ended: asyncio.Task[None]) -> None:
        if self._snapshots.get(session) is ended:
            del self._snapshots[session]

    def read_item(self, ask: ReadItem) -> None:
        """Answer a ReadItem by ItemRead."""
        self._start(self._read_item(ask), ask.session)

    def _start(self, errand: Coroutine[Any, Any, None], session: int) -> asyncio.Task[None]:
        task = asyncio.create_task(self._guard(errand, session))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guard(self, errand: Coroutine[Any, Any, None], session: int) -> None:
        """End the link when an errand fails: the core asks anew on the next one."""
        try:
            await errand
        except TimeoutError:
            self._links.close(session, "the peer is too slow for a snapshot")
        except SnapshotBrokenError as error:
            self._links.close(session, f"snapshot broken off: {error}")
        except (DamagedError, lmdb.Error) as error:
            self._report.emit("replica.damaged", level="error", where="store", what=str(error))
            self._links.close(session, "the store could not be read")

    async def _read_log(self, ask: ReadLog) -> None:
        read = partial(self._store.read_log, ask.branch, ask.first_seq, ask.octets_max, is_holding=ask.is_holding)
        piece = await asyncio.get_running_loop().run_in_executor(self._executor, read)
        self._feed(LogRead(ask.session, ask.branch, ask.first_seq, *piece))

    async def _read_item(self, ask: ReadItem) -> None:
        found = await asyncio.get_running_loop().run_in_executor(self._executor, self._store.whole, ask.key)
        self._feed(ItemRead(ask.session, ask.key, *found))

    async def _read_snapshot(self, ask: ReadSnapshot) -> None:
        loop = asyncio.get_running_loop()
        snapshot = self._store.snapshot(ask.known, is_holding=ask.is_holding)
        try:
            is_last = False
            while not is_last:
                if not await self._links.room(ask.session, SNAPSHOT_STALL_SECONDS_MAX):
                    return
                piece = await loop.run_in_executor(self._executor, snapshot.read, SNAPSHOT_PIECE_OCTETS)
                is_last = piece.is_last
                self._feed(SnapshotRead(ask.session, piece.vector, piece.items, is_last, piece.orphans, piece.away))
        finally:  # a piece may still be read when this errand is cancelled: its thread is waited for, not here
            self._executor.submit(snapshot.close)
