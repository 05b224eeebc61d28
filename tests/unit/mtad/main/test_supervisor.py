"""Children are kept alive, say when they are up, and end when asked."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mtad.main import supervisor
from mtad.main.supervisor import Child, Keeper, _are_up
from mtad.telemetry.events import CollectedEvents
from tests.fakes.waiting import until

# Run by `python -m`, as children are: writes its pid, says that it is up where it is told to, and does as it is told.
CHILD = """
import os, signal, sys, time
folder, conduct, ready = sys.argv[1], sys.argv[2], int(sys.argv[4])
with open(folder + "/pids", "a") as pids:
    pids.write(str(os.getpid()) + "\\n")
if conduct == "fails":
    sys.exit(7)
if conduct == "is stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if conduct == "hears":
    time.sleep(0.2)  # SIGHUP would end it here
    signal.signal(signal.SIGHUP, lambda *_: open(folder + "/heard", "a").write("x") and None)
if conduct != "is silent":
    os.write(ready, b"1")
os.close(ready)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "child_for_test.py").write_text(CHILD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(supervisor, "RESTART_SECONDS", 0.01)
    monkeypatch.setattr(supervisor, "STOP_SECONDS_MAX", 0.3)


@asynccontextmanager
async def keeping(folder: Path, conduct: str, events: CollectedEvents) -> AsyncIterator[Keeper]:
    keeper = Keeper(Child("child", ("child_for_test", str(folder), conduct)), events)
    keeper.start()
    try:
        yield keeper
    finally:
        await keeper.stop()


def pids(folder: Path) -> list[int]:
    path = folder / "pids"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_a_child_says_when_it_is_up_and_ends_with_its_keeper(tmp_path: Path) -> None:
    events = CollectedEvents()
    async with keeping(tmp_path, "serves", events) as keeper:
        assert await keeper.has_started
        (pid,) = pids(tmp_path)
        assert is_running(pid)
    assert not is_running(pid)
    assert events.events == []


async def test_a_child_that_ends_is_started_again(tmp_path: Path) -> None:
    events = CollectedEvents()
    async with keeping(tmp_path, "serves", events) as keeper:
        assert await keeper.has_started
        os.kill(pids(tmp_path)[0], signal.SIGKILL)
        await until(lambda: len(pids(tmp_path)) == 2)
    assert events.named("process.ended") == [{"process": "child", "code": -signal.SIGKILL}]


async def test_a_child_hears_sighup_when_it_can(tmp_path: Path) -> None:
    heard, events = tmp_path / "heard", CollectedEvents()
    async with keeping(tmp_path, "hears", events) as keeper:
        await until(lambda: pids(tmp_path))
        keeper.hang_up()
        assert await keeper.has_started
        await until(heard.exists)
        keeper.hang_up()
        await until(lambda: heard.stat().st_size == 2)
        os.kill(pids(tmp_path)[0], signal.SIGKILL)
        await until(lambda: events.named("process.ended"))
        keeper.hang_up()  # the next one is not up yet
        await until(lambda: heard.stat().st_size == 3)
    assert len(pids(tmp_path)) == 2


async def test_a_child_that_cannot_start_is_told_from_one_that_is_slow(tmp_path: Path) -> None:
    events = CollectedEvents()
    async with keeping(tmp_path, "fails", events) as keeper:
        assert not await keeper.has_started
    assert {fields["code"] for fields in events.named("process.ended")} == {7}
    async with keeping(tmp_path, "is silent", events) as keeper:
        await until(lambda: pids(tmp_path)[-1:] and is_running(pids(tmp_path)[-1]))
        await asyncio.sleep(0.05)
        assert not keeper.has_started.done()


async def test_a_child_that_does_not_end_is_made_to(tmp_path: Path) -> None:
    async with keeping(tmp_path, "is stubborn", CollectedEvents()) as keeper:
        assert await keeper.has_started
        (pid,) = pids(tmp_path)
    assert not is_running(pid)


async def test_no_descriptor_is_left_over(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    async with keeping(tmp_path, "fails", CollectedEvents()):
        await until(lambda: len(pids(tmp_path)) >= 3)
    async with keeping(tmp_path, "serves", CollectedEvents()) as keeper:
        assert await keeper.has_started
    assert len(os.listdir("/proc/self/fd")) <= before + 1  # asyncio's own watcher of children may stay


async def test_a_child_that_fails_ends_the_wait_for_those_that_are_slow(tmp_path: Path) -> None:
    never = asyncio.Event()
    folders = [tmp_path / name for name in ("slow", "failing")]
    for folder in folders:
        folder.mkdir()
    events = CollectedEvents()
    async with keeping(folders[0], "is silent", events) as slow, keeping(folders[1], "fails", events) as failing:
        async with asyncio.timeout(20):
            assert not await _are_up([slow, failing], never)
        assert not slow.has_started.done(), "it is still waited for by others"


async def test_a_node_is_up_when_all_its_children_are_or_is_told_to_stop(tmp_path: Path) -> None:
    stop = asyncio.Event()
    async with keeping(tmp_path, "serves", CollectedEvents()) as keeper:
        assert await _are_up([keeper], stop)
    async with keeping(tmp_path, "is silent", CollectedEvents()) as keeper:
        stop.set()
        assert not await _are_up([keeper], stop)
