"""Places: so many at a time, held to the end of a session or of a transaction, given back once however it ends."""

from __future__ import annotations

import asyncio

import pytest

from mtad.limits.ledger import Ledger, LocalLimits
from mtad.limits.places import PLACES_OF_SESSION_MAX, Holder, Places
from mtad.limits.questions import Answer, Counted, Held, NobodyCounts, Unknown

A, B = b"a" * 16, b"b" * 16


def counting() -> tuple[LocalLimits, Places]:
    ledger = Ledger(1)
    return LocalLimits(ledger, lambda: 0), ledger.places


async def taken(holder: Holder, limits: LocalLimits, *, counter: bytes = A, limit: int = 2) -> Answer:
    return await holder.take(limits, counter, limit, is_of_transaction=False)


def test_so_many_at_a_time() -> None:
    places = Places()
    assert [places.take(A, 2) for _ in range(3)] == [Counted(False, 1), Counted(False, 2), Counted(True, 2)]
    assert places.take(B, 2) == Counted(False, 1)
    places.leave(A)
    assert places.take(A, 2) == Counted(False, 2)
    for counter in (A, A, B):
        places.leave(counter)
    assert len(places) == 0, "nothing is left of what nobody holds"


async def test_a_session_holds_one_place_until_it_ends() -> None:
    limits, places = counting()
    one, other, third = Holder(), Holder(), Holder()
    assert await taken(one, limits) == Counted(False, 1)
    assert await taken(one, limits) == Counted(False, 1), "which it has already"
    assert await taken(other, limits) == Counted(False, 2)
    assert await taken(third, limits) == Counted(True, 2)
    third.end()
    one.end_transaction()
    assert await taken(third, limits) == Counted(True, 2)
    one.end()
    one.end()
    assert await taken(third, limits) == Counted(False, 2)
    other.end()
    third.end()
    assert len(places) == 0


async def test_a_transaction_gives_its_places_back() -> None:
    limits, places = counting()
    holder = Holder()
    await holder.take(limits, A, 2, is_of_transaction=True)
    await holder.take(limits, B, 2, is_of_transaction=False)
    holder.end_transaction()
    assert len(places) == 1
    holder.end()
    assert len(places) == 0


async def test_a_session_holds_so_many_places() -> None:
    limits, places = counting()
    holder = Holder()
    for number in range(PLACES_OF_SESSION_MAX):
        assert await taken(holder, limits, counter=number.to_bytes(16, "big")) == Counted(False, 1)
    assert isinstance(await taken(holder, limits, counter=A), Unknown)
    assert len(places) == PLACES_OF_SESSION_MAX
    holder.end()
    assert len(places) == 0


async def test_where_nobody_counts_nothing_is_held() -> None:
    holder = Holder()
    assert isinstance(await holder.take(NobodyCounts(), A, 1, is_of_transaction=False), Unknown)
    holder.end()


class Slow(LocalLimits):
    """Takes a place, and then tells nobody for a while."""

    async def take(self, counter: bytes, limit: int) -> Held | Answer:
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_session_that_is_cut_off_while_it_asks_holds_nothing() -> None:
    ledger = Ledger(1)
    holder = Holder()
    asking = asyncio.create_task(holder.take(Slow(ledger, lambda: 0), A, 1, is_of_transaction=False))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    holder.end()
    assert len(ledger.places) == 0
