from __future__ import annotations

import asyncio
import threading

import pytest

from mtad.maps.threads import ThreadLimits, Threads


async def test_results_and_failures_come_back() -> None:
    threads = Threads()
    assert await threads.run(lambda: threading.current_thread().name) == "map"
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0)


async def test_few_run_at_a_time() -> None:
    running, most, lock = 0, 0, threading.Lock()
    all_there = threading.Barrier(2)

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        all_there.wait(5)
        with lock:
            running -= 1

    threads = Threads(ThreadLimits(threads_max=2))
    await asyncio.gather(*(threads.run(work) for _ in range(6)))
    assert most == 2


async def test_a_call_that_does_not_come_back_keeps_its_place() -> None:
    gate = threading.Event()
    threads = Threads(ThreadLimits(threads_max=1, answer_seconds_max=0.1))
    try:
        with pytest.raises(TimeoutError):
            await threads.run(gate.wait)
        with pytest.raises(TimeoutError):
            await threads.run(lambda: None)
    finally:
        gate.set()
    async with asyncio.timeout(60):
        while True:
            try:
                assert await threads.run(lambda: 7) == 7
                break
            except TimeoutError:
                continue


async def test_where_no_thread_can_be_had_the_place_is_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    threads = Threads(ThreadLimits(threads_max=1, answer_seconds_max=1))
    with monkeypatch.context() as none_left:
        none_left.setattr(threading.Thread, "start", start)
        with pytest.raises(RuntimeError):
            await threads.run(lambda: 1)
    assert await threads.run(lambda: 2) == 2
