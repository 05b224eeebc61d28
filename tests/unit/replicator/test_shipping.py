"""An errand that is ended in the middle of its read leaves nothing behind, and disturbs nobody."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from replicator.core.events import Event, ReadSnapshot, SnapshotRead
from replicator.links import Links
from replicator.shipping import Shipping
from replicator.store.environment import StoreSettings
from replicator.store.shipped import Snapshot, SnapshotPiece
from replicator.store.store import Store
from tests.fakes.collected_report import CollectedReport
from tests.fakes.waiting import until
from tests.unit.replicator.store.commits import TERMINAL_RANK, put

ITEMS = 20


class Roomy:
    """Links that take all that is sent."""

    async def room(self, session: int, seconds: float) -> bool:
        return True


class Yard:
    """A store with items, and what is shipped from it."""

    def __init__(self, path: Path) -> None:
        self.store = Store(StoreSettings(path, 1, TERMINAL_RANK))
        self.store.change([put(number) for number in range(1, ITEMS + 1)])
        self.executor = ThreadPoolExecutor(max_workers=2)
        self.fed: list[Event] = []
        self.shipping = Shipping(self.store, cast(Links, Roomy()), self.executor, self.fed.append, CollectedReport())

    def close(self) -> None:
        self.executor.shutdown(wait=True)
        self.store.close()


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    yard = Yard(tmp_path / "store")
    yield yard
    yard.close()


class Held:
    """Reads of snapshots that wait, inside, until they may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_reading, self.may_go_on = threading.Event(), threading.Event()
        self.ends: list[BaseException | None] = []
        self._read_first = Snapshot._read_first
        held = self

        def read_first(self: Snapshot, transaction: object) -> object:
            held.is_reading.set()
            assert held.may_go_on.wait(60)
            return held._read_first(self, transaction)

        read = Snapshot.read

        def noted(self: Snapshot, octets_max: int, items_max: int = 1_000) -> SnapshotPiece:
            try:
                piece = read(self, octets_max, items_max)
            except BaseException as error:
                held.ends.append(error)
                raise
            held.ends.append(None)
            return piece

        monkeypatch.setattr(Snapshot, "_read_first", read_first)
        monkeypatch.setattr(Snapshot, "read", noted)


async def test_a_snapshot_is_shipped_whole(yard: Yard) -> None:
    yard.shipping.read_snapshot(ReadSnapshot(1, {}))
    await until(lambda: yard.fed and cast(SnapshotRead, yard.fed[-1]).is_last)
    assert sum(len(cast(SnapshotRead, event).items) for event in yard.fed) == ITEMS


async def test_one_that_is_ended_while_a_piece_is_read_lets_its_reader_end(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    yard.shipping.read_snapshot(ReadSnapshot(1, {}))
    assert await asyncio.to_thread(held.is_reading.wait, 60)
    yard.shipping.cancel()
    await until(lambda: not yard.shipping._tasks)
    held.may_go_on.set()
    await until(lambda: held.ends)
    assert held.ends == [None], "the pages were there to the end of the piece"
    await until(lambda: not yard.store.environment._long_reads)
    assert yard.fed == []


async def test_one_that_is_ended_before_its_first_piece_pins_nothing(yard: Yard) -> None:
    yard.shipping.read_snapshot(ReadSnapshot(1, {}))
    await asyncio.sleep(0)
    yard.shipping.cancel()
    await until(lambda: not yard.shipping._tasks)
    await until(lambda: not yard.store.environment._long_reads)
    assert yard.store.environment.grow()
