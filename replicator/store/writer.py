"""The writer's thread: one transaction in flight, and all that is queued meanwhile is the next one.

No timer: an idle disk is written to at once, a busy one gathers its own groups. Nothing of a transaction that fails
is kept, nor anything queued after it, until the driver begins a new generation on the durable image.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import lmdb

from replicator.codec import DamagedError
from replicator.core import merge
from replicator.core.events import Commit
from replicator.core.values import Away, Dot, Kind, Record
from replicator.store.store import Store
from replicator.store.tables import LimitError

GROUP_OCTETS_MAX = 32 << 20
GROUP_COMMITS_MAX = 4_096
_RECORD_OCTETS = 1_024  # about what a change takes beside its blob, in pages of all tables
_REFUSED = (
    merge.SequenceGapError,
    merge.KeyTakenError,
    merge.BlobMissingError,
    LimitError,
    DamagedError,
)


class Written(NamedTuple):
    """What became of a transaction: durable up to `ticket`; or, with a `why`, nothing from `ticket` on was kept."""

    generation: int
    ticket: int
    finished: tuple[tuple[bytes, Dot], ...] = ()
    keys: frozenset[bytes] = frozenset()
    away: tuple[Away, ...] = ()
    back: tuple[bytes, ...] = ()
    why: str = ""  # 'full' or 'failed'
    detail: str = ""  # for the log


class _Ticket(NamedTuple):
    commit: Commit
    octets: int
    brings_items: bool


def _measure(records: Iterable[Record]) -> tuple[int, bool]:
    """Return about how many octets these take, and whether a new item is among them."""
    octets, brings_items = _RECORD_OCTETS, False
    for record in records:
        octets += len(record.blob) + _RECORD_OCTETS
        if record.kind is Kind.PUT:
            brings_items = True
    return octets, brings_items


def _ticket(commit: Commit) -> _Ticket:
    octets, brings_items = _measure([record for _, record in commit.records])
    for item in commit.items:
        octets += len(item.blob or b"") + _RECORD_OCTETS
    return _Ticket(commit, octets, brings_items or bool(commit.items))


class Writer:
    """Owns the thread that alone writes to the store.

    deliver   called in that thread, once a transaction
    """

    def __init__(self, store: Store, deliver: Callable[[Written], None]) -> None:
        self._store = store
        self._deliver = deliver
        self._condition = threading.Condition()
        self._queue: deque[_Ticket] = deque()
        self._generation = 0
        self._has_failed = False
        self._is_stopping = False
        self._is_writing = False
        self._is_paused = False
        self._octets = 0
        self._thread = threading.Thread(target=self._run, name="replica-writer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is queued, then end the thread; returns when it has ended."""
        with self._condition:
            self._is_stopping = True
            self._condition.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def waiting_octets(self) -> int:
        """What is queued or being written."""
        return self._octets

    def has_room_for(self, records: Iterable[Record]) -> bool:
        """Tell whether a transaction of these would be refused as full; what is queued already counts."""
        octets, brings_items = _measure(records)
        return not brings_items or self._store.environment.has_room_for(self._octets + octets)

    def begin(self, generation: int) -> None:
        """Take the commits of a new member; whatever is left of the one before is dropped.

        Waits for the transaction in flight, so that the image read after this is final.
        """
        with self._condition:
            while self._is_writing:
                self._condition.wait()
            self._generation = generation
            self._has_failed = False
            self._octets -= sum(ticket.octets for ticket in self._queue)
            self._queue.clear()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let no transaction be in flight; what is queued waits."""
        with self._condition:
            while self._is_paused or self._is_writing:
                self._condition.wait()
            self._is_paused = True
        try:
            yield
        finally:
            with self._condition:
                self._is_paused = False
                self._condition.notify_all()

    def put(self, commit: Commit) -> None:
        """Queue one Commit effect. After a failure it goes nowhere, as nothing may be kept."""
        ticket = _ticket(commit)
        with self._condition:
            if self._has_failed:
                return
            self._queue.append(ticket)
            self._octets += ticket.octets
            if len(self._queue) == 1:
                self._condition.notify_all()

    def _run(self) -> None:
        while True:
            with self._condition:
                while self._is_paused or (not self._queue and not self._is_stopping):
                    self._condition.wait()
                if not self._queue:
                    return
                generation = self._generation
                group = self._take_group()
                self._is_writing = True
            written = self._write(generation, group)
            with self._condition:
                self._is_writing = False
                self._octets -= sum(ticket.octets for ticket in group)
                if written.why and generation == self._generation:
                    self._has_failed = True
                    self._octets -= sum(ticket.octets for ticket in self._queue)
                    self._queue.clear()
                self._condition.notify_all()
            self._deliver(written)

    def _take_group(self) -> list[_Ticket]:
        """Take the next transaction: all that waits, up to a size. The caller holds the condition."""
        group = [self._queue.popleft()]
        octets = group[0].octets
        while self._queue and len(group) < GROUP_COMMITS_MAX:
            octets += self._queue[0].octets
            if octets > GROUP_OCTETS_MAX:
                break
            group.append(self._queue.popleft())
        return group

    def _write(self, generation: int, group: list[_Ticket]) -> Written:
        """Make a group durable; what brings new items is refused when it would take the reserve."""
        octets = sum(ticket.octets for ticket in group)
        environment = self._store.environment
        if any(ticket.brings_items for ticket in group) and not environment.has_room_for(octets):
            first = next(index for index, ticket in enumerate(group) if ticket.brings_items)
            if first:
                before = self._write(generation, group[:first])
                if before.why:
                    return before
                self._deliver(before)
            return Written(generation, group[first].commit.ticket, why="full", detail="the reserve is reached")
        try:
            environment.grow_for(octets)
            return self._change(generation, group)
        except _REFUSED as error:
            return self._failed(generation, group, "failed", error)
        except lmdb.Error as error:
            return self._failed(generation, group, "full" if environment.is_full(error) else "failed", error)
        except Exception as error:  # noqa: BLE001 - this thread's end would leave all who wait for it without an answer
            return self._failed(generation, group, "failed", error)

    def _change(self, generation: int, group: list[_Ticket]) -> Written:
        commits = [ticket.commit for ticket in group]
        while True:
            try:
                done = self._store.change(commits)
            except lmdb.MapFullError:
                if not self._store.environment.grow():
                    raise
            else:
                return Written(generation, commits[-1].ticket, done.finished, done.keys, done.away, done.back)

    @staticmethod
    def _failed(generation: int, group: list[_Ticket], why: str, error: Exception) -> Written:
        detail = f"{type(error).__name__}: {error}"
        return Written(generation, group[0].commit.ticket, why=why, detail=detail)
