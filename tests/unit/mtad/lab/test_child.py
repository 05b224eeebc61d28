"""Processes of the laboratory end with it, however it ends."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from mtad.lab.child import Child
from tests.fakes.waiting import until

SLEEPER = (sys.executable, "-c", "import sys, time; print('up', flush=True); time.sleep(60)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
)


async def test_a_child_runs_under_its_pid_and_stops(tmp_path: Path) -> None:
    child = await Child.start("sleeper", SLEEPER, tmp_path / "log", is_answering=True)
    assert await child.answer() == b"up\n"
    assert child.is_running
    assert b"time.sleep" in Path(f"/proc/{child.pid}/cmdline").read_bytes()
    await child.stop()
    assert (child.is_running, child.exit_code) == (False, -15)


async def test_a_child_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtad.lab.child.STOP_SECONDS_MAX", 0.05)
    child = await Child.start("stubborn", STUBBORN, tmp_path / "log", is_answering=True)
    await child.answer()
    await child.stop()
    assert child.exit_code == -9


async def test_what_a_child_writes_is_in_its_log(tmp_path: Path) -> None:
    child = await Child.start("talker", (sys.executable, "-c", "print(1); print(2)"), tmp_path / "log")
    await child.ended()
    assert (child.exit_code, child.last_lines(1), child.last_lines()) == (0, "2", "1\n2")
    child.kill()  # has ended already: nothing happens
    await child.stop()


PARENT = """
import asyncio, os, sys
from pathlib import Path
from mtad.lab.child import Child
async def main():
    child = await Child.start("sleeper", sys.argv[2:], Path(sys.argv[1]), is_answering=True)
    await child.answer()
    print(child.pid, flush=True)
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""


async def test_a_child_does_not_outlive_a_laboratory_that_is_killed(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, str(tmp_path / "log"), *SLEEPER), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await parent.communicate()
    pid = int(said)
    await until(lambda: not _is_running(pid))


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
