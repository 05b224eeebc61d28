"""What policies count, counted for all workers by the spool process."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from mtad.limits.ledger import Ledger, LocalLimits
from mtad.limits.places import Places
from mtad.limits.questions import Answer, Counted, Greylisting, Held, Question, Rate, Stored, Storing, Unknown
from mtad.rehearsal.rooms import DictMemories
from mtad.spool.door import Committed
from mtad.spool.service import SpoolService
from mtad.telemetry.events import CollectedEvents
from tests.fakes.queue import START_MS, FakeDoor
from tests.fakes.waiting import until
from tests.unit.mtad.spool.workers import LIMITS, serving, working

RATE = Rate(b"c" * 16, limit=2, seconds=60)


async def test_workers_count_together(socket: Path) -> None:
    door = LocalLimits(Ledger(1), lambda: START_MS)
    service = SpoolService(FakeDoor(Committed(2)), DictMemories(), CollectedEvents(), door)
    async with serving(socket, service), working(socket) as one, working(socket) as other:
        assert await one.reached(5)
        assert await other.reached(5)
        assert await one.ask(RATE) == Counted(False, 1)
        assert await other.ask(replace(RATE, is_peek=True)) == Counted(False, 1)
        assert await other.ask(RATE) == Counted(False, 2)
        assert await one.ask(RATE) == Counted(True, 2)
        assert await one.ask(replace(RATE, limit=9, cost=5)) == Counted(False, 7)


async def test_where_the_spool_process_is_away_nobody_waits_to_count(socket: Path) -> None:
    limits = replace(LIMITS, connect_seconds_max=1e6)
    async with working(socket, limits) as remote:
        assert await remote.ask(RATE) == Unknown("the spool process is away")


class Silent:
    """Never answers."""

    async def ask(self, question: Question) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_question_waits_for_its_answer_so_long_and_no_longer(socket: Path) -> None:
    limits = replace(LIMITS, limit_seconds_max=0.05, answer_seconds_max=1e6)
    service, events = (
        SpoolService(FakeDoor(Committed(2)), DictMemories(), CollectedEvents(), Silent()),
        CollectedEvents(),
    )
    async with serving(socket, service), working(socket, limits, events) as remote:
        assert await remote.reached(5)
        assert await remote.ask(RATE) == Unknown("the spool process does not answer")
        assert events.named("spool.silent") == [], "the policy says so"


async def test_where_nobody_counts_a_worker_hears_so(socket: Path) -> None:
    service = SpoolService(FakeDoor(Committed(2)), DictMemories(), CollectedEvents())
    async with serving(socket, service), working(socket) as remote:
        assert await remote.reached(5)
        assert await remote.ask(RATE) == Unknown("nobody counts here")


async def test_a_greylist_is_asked_for_as_a_rate_is(socket: Path) -> None:
    now, asked = [START_MS], Greylisting(b"g" * 16, 10, 60, 3600)
    service = SpoolService(
        FakeDoor(Committed(2)), DictMemories(), CollectedEvents(), LocalLimits(Ledger(1), lambda: now[0])
    )
    async with serving(socket, service), working(socket) as remote:
        assert await remote.reached(5)
        found = []
        for seconds in (0, 9, 1, 3599, 3600):
            now[0] += seconds * 1000
            found.append(await remote.ask(asked))
        assert found == [Counted(True, 10), Counted(True, 1), Counted(False, 0), Counted(False, 0), Counted(True, 10)]


async def test_a_value_is_held_for_all_workers(socket: Path) -> None:
    service = SpoolService(
        FakeDoor(Committed(2)), DictMemories(), CollectedEvents(), LocalLimits(Ledger(1), lambda: START_MS)
    )
    asked, empty = Storing(b"v" * 16), Storing(b"e" * 16, "", 60)
    async with serving(socket, service), working(socket) as remote, working(socket) as other:
        assert await remote.store(asked) == Unknown("the spool process is away")
        assert await remote.reached(5)
        assert await other.reached(5)
        assert await remote.store(asked) == Stored(None)
        assert await remote.store(Storing(asked.counter, "ä\udcff", 60)) == Stored("ä\udcff")
        assert await other.store(asked) == Stored("ä\udcff")
        assert await other.store(empty) == await remote.store(Storing(empty.counter)) == Stored("")


async def test_a_value_is_not_known_where_nobody_counts(socket: Path) -> None:
    service = SpoolService(FakeDoor(Committed(2)), DictMemories(), CollectedEvents())
    async with serving(socket, service), working(socket) as remote:
        assert await remote.reached(5)
        assert await remote.store(Storing(b"v" * 16)) == Unknown("nobody counts here")


async def test_a_place_is_one_workers_until_it_is_given_back(socket: Path) -> None:
    places = Places()
    service = SpoolService(FakeDoor(Committed(2)), DictMemories(), CollectedEvents(), places=places)
    async with serving(socket, service), working(socket) as one:
        assert await one.reached(5)
        async with working(socket) as other:
            assert await other.reached(5)
            held = await one.take(b"p" * 16, 2)
            assert isinstance(held, Held)
            assert isinstance(await other.take(b"p" * 16, 2), Held)
            assert await one.take(b"p" * 16, 2) == Counted(True, 2)
            held.leave()
            await until(lambda: places.take(b"p" * 16, 2) == Counted(False, 2))
            places.leave(b"p" * 16)
        await until(lambda: len(places) == 0)  # the other worker has ended, whatever it held


async def test_places_are_told_to_a_spool_process_that_was_restarted(socket: Path) -> None:
    async with working(socket) as remote:
        async with serving(socket, SpoolService(FakeDoor(Committed(2)), DictMemories(), CollectedEvents())):
            assert await remote.reached(5)
            held, gone = await remote.take(b"p" * 16, 2), await remote.take(b"q" * 16, 2)
        assert isinstance(held, Held)
        assert isinstance(gone, Held)
        await until(lambda: not remote._is_connected.is_set())
        gone.leave()  # while nobody hears it
        assert isinstance(await remote.take(b"r" * 16, 2), Unknown)
        places = Places()
        socket.unlink(missing_ok=True)
        service = SpoolService(FakeDoor(Committed(2)), DictMemories(), CollectedEvents(), places=places)
        async with serving(socket, service):
            await until(lambda: len(places) == 1)
            assert await remote.take(b"p" * 16, 1) == Counted(True, 1)
            held.leave()
            await until(lambda: len(places) == 0)


async def test_a_place_that_was_not_waited_for_is_given_back(socket: Path) -> None:
    places = Places()
    service = SpoolService(FakeDoor(Committed(2)), DictMemories(), CollectedEvents(), places=places)
    async with serving(socket, service), working(socket) as remote:
        assert await remote.reached(5)
        asking = asyncio.create_task(remote.take(b"p" * 16, 2))
        await asyncio.sleep(0)
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
        assert isinstance(await remote.take(b"q" * 16, 2), Held)  # whose answer comes after that of the other
        assert places.take(b"p" * 16, 1) == Counted(False, 1)
