"""Who waits gets the answer to its own question, or all get one; nobody is remembered longer."""

from __future__ import annotations

import asyncio

import pytest

from replicator.waiting import Waiting


async def test_each_gets_its_own_answer() -> None:
    waiting: Waiting[str] = Waiting()
    tokens = [waiting.begin() for _ in range(3)]
    said = [asyncio.create_task(waiting.answer_to(token)) for token in tokens]
    waiting.answer(tokens[1], "second")
    waiting.answer(tokens[1], "too late")
    assert await said[1] == "second"
    waiting.answer_all("the end")
    assert [await one for one in said] == ["the end", "second", "the end"]


async def test_who_was_taken_out_is_answered_by_the_taker() -> None:
    waiting: Waiting[str] = Waiting()
    token = waiting.begin()
    said = asyncio.create_task(waiting.answer_to(token))
    await asyncio.sleep(0)
    taken = waiting.take(token)
    assert taken is not None
    waiting.answer_all("the end")
    taken.set_result("its own")
    assert await said == "its own"
    assert waiting.take(token) is None


async def test_who_gives_up_is_forgotten() -> None:
    waiting: Waiting[str] = Waiting()
    token = waiting.begin()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await waiting.answer_to(token)
    waiting.answer(token, "nobody hears it")
    assert not waiting._waiters
