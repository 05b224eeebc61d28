"""The programs in the folder that mtad.toml names: which may be run, and how many at a time.

Whoever may change a program, or put another in its place, does what mtad may do: nobody else may write there.
"""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mtad.config.settings import Settings
from mtad.mail.programs import Broken, Declined, Done, NoPrograms, Programs, Result, Task
from mtad.programs.process import SEARCH_PATH, Ended, Order, run_to_end
from mtad.telemetry.events import Events

_WRITERS = stat.S_IWGRP | stat.S_IWOTH
_ALWAYS: Mapping[str, str] = {"PATH": SEARCH_PATH, "LANG": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class ProgramLimits:
    """What programs may use.

    seconds_max        of one run
    at_once_max        that run at a time
    wait_seconds_max   for a place
    output_octets_max  that one writes, whatever it is run for
    """

    seconds_max: float = 10.0
    at_once_max: int = 10
    wait_seconds_max: float = 10.0
    output_octets_max: int = 50_000_000


class ProgramFolder:
    """Runs the programs of a folder, each run in a thread."""

    def __init__(self, folder: Path, limits: ProgramLimits, events: Events) -> None:
        self._folder = folder
        self._limits = limits
        self._events = events
        self._places = asyncio.Semaphore(limits.at_once_max)
        self._threads = ThreadPoolExecutor(limits.at_once_max, "program")

    def problem(self, name: str) -> str:
        """Say why no program of this name can be run."""
        return folder_problem(self._folder) or program_problem(self._folder / name)

    async def run(self, task: Task) -> Result:
        """Run one. What was begun comes to its end though nobody waits for it any more, and keeps its place so long."""
        try:
            async with asyncio.timeout(self._limits.wait_seconds_max):
                await self._places.acquire()
        except TimeoutError:
            return self._broken(task, f"{self._limits.at_once_max} others are running, and none has ended")
        running = asyncio.get_running_loop().run_in_executor(self._threads, run_to_end, self._order(task))
        running.add_done_callback(lambda _: self._places.release())
        began = time.monotonic()
        try:
            ended = await asyncio.shield(running)
        except OSError as error:
            return self._broken(task, f"it cannot be started: {error.strerror}")
        if ended.cut or ended.code < 0:
            return self._broken(task, ended.cut or f"signal {-ended.code} has ended it", ended)
        seconds = round(time.monotonic() - began, 3)
        self._events.emit(
            "program.ended", "debug", program=task.program, status=ended.code, seconds=seconds, said=_said(ended)
        )
        return Declined(ended.code) if ended.code else Done(bytes(ended.output))

    def _order(self, task: Task) -> Order:
        return Order(
            (os.fsencode(self._folder / task.program), *map(_octets, task.arguments)),
            {_octets(name): _octets(value) for name, value in {**_ALWAYS, **task.environment}.items()},
            task.input,
            self._limits.seconds_max,
            min(task.output_octets_max, self._limits.output_octets_max),
        )

    def _broken(self, task: Task, why: str, ended: Ended | None = None) -> Broken:
        said = _said(ended) if ended is not None else ""
        self._events.emit("program.failed", "warning", program=task.program, why=why, said=said)
        return Broken(why)


def programs_of(settings: Settings, events: Events, *, share: int = 1) -> Programs:
    """Return those of a node, in one of `share` processes."""
    table = settings.programs
    if table is None:
        return NoPrograms()
    at_once_max = max(1, table.at_once_max // share)
    limits = ProgramLimits(
        table.timeout_seconds,
        at_once_max,
        wait_seconds_max=table.timeout_seconds,
        output_octets_max=settings.smtp.size_octets_max,
    )
    return ProgramFolder(table.folder, limits, events)


def folder_problem(folder: Path) -> str:
    """Say why nothing of a folder can be run."""
    try:
        mode = folder.stat().st_mode
    except OSError as error:
        return f"{folder}: {error.strerror}"
    if not stat.S_ISDIR(mode):
        return f"{folder} is no folder"
    return f"others can write to {folder} (mode {stat.S_IMODE(mode):04o})" if mode & _WRITERS else ""


def program_problem(path: Path) -> str:
    """Say why a file cannot be run."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return f"{path}: {error.strerror}"
    if not stat.S_ISREG(mode):
        return f"{path} is no file"
    if mode & _WRITERS:
        return f"others can change {path} (mode {stat.S_IMODE(mode):04o})"
    return "" if os.access(path, os.X_OK) else f"{path} may not be executed by this user"


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _said(ended: Ended) -> str:
    """Return what it wrote to standard error, for the log."""
    return ended.complaint.decode("utf-8", "replace").strip()
