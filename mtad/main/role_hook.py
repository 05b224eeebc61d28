"""Runs the operator's executable when the node's role changes: to move an address, to tell another system.

One run at a time, in a thread, never waited for by mail. What changes meanwhile waits, and of several changes only the
last is told: the executable learns where the node stands, from where it last heard. It is not run by a shell.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mtad.programs.process import SEARCH_PATH
from mtad.telemetry.events import Events

BEFORE_START = "none"
STOPPED = "stopped"
OUTPUT_OCTETS_MAX = 4_096
_PIPE_OCTETS = 1 << 20  # the most that a pipe holds (pipe(7))


@dataclass(frozen=True, slots=True)
class Hook:
    """What is run, for how long at most, and for which node."""

    command: Path
    timeout_seconds: float
    node: str


class Change(NamedTuple):
    """A change of role that is to be told."""

    role: str
    epoch: int
    why: str


class Ended(NamedTuple):
    """How a run ended. code: negative for a signal, None when its time was over."""

    code: int | None
    output: str


class RoleHook:
    """Tells the executable of one change after the other. All methods are for the loop."""

    def __init__(self, hook: Hook, events: Events) -> None:
        self._hook = hook
        self._events = events
        self._told = BEFORE_START
        self._waiting: Change | None = None
        self._running: asyncio.Task[None] | None = None

    def changed(self, role: str, epoch: int, why: str) -> None:
        """Have this told, now or after the run that goes on; it takes the place of what waits."""
        self._waiting = Change(role, epoch, why)
        if self._running is None:
            self._running = asyncio.create_task(self._tell(), name="role-hook")

    async def stop(self, epoch: int) -> None:
        """Tell that the node has stopped, and wait for that: for one run's time at most, and what is left of another's.

        Nothing is told when the node never had a role.
        """
        if self._told != BEFORE_START or self._running is not None:
            self.changed(STOPPED, epoch, "the node stops")
        if self._running is not None:
            await self._running

    async def _tell(self) -> None:
        try:
            while self._waiting is not None:
                change, self._waiting = self._waiting, None
                was, self._told = self._told, change.role
                began = time.monotonic()
                try:
                    ended: Ended | OSError = await asyncio.to_thread(run, self._hook, was, change)
                except OSError as error:
                    ended = error
                self._report(was, change, ended, time.monotonic() - began)
        finally:
            self._running = None

    def _report(self, was: str, change: Change, ended: Ended | OSError, seconds: float) -> None:
        is_done = isinstance(ended, Ended) and ended.code == 0
        if isinstance(ended, OSError):
            how = ended.strerror or str(ended)
        elif ended.code is None:
            how = f"killed after {self._hook.timeout_seconds:g} s"
        else:
            how = f"exit {ended.code}"
        self._events.emit(
            "replica.hook" if is_done else "replica.hook_failed",
            level="info" if is_done else "error",
            command=str(self._hook.command),
            was=was,
            role=change.role,
            epoch=change.epoch,
            how=how,
            seconds=round(seconds, 3),
            output="" if isinstance(ended, OSError) else ended.output,
        )


def run(hook: Hook, was: str, change: Change) -> Ended:
    """Run the executable to its end, or to the end of its time; then it is killed, with all that it started.

    Its first OUTPUT_OCTETS_MAX octets of output are kept. Errors: OSError when it cannot be started.
    """
    deadline = time.monotonic() + hook.timeout_seconds
    environment = {
        "PATH": SEARCH_PATH,
        "LANG": "C.UTF-8",
        "MTAD_NODE": hook.node,
        "MTAD_OLD_ROLE": was,
        "MTAD_NEW_ROLE": change.role,
        "MTAD_EPOCH": str(change.epoch),
        "MTAD_WHY": change.why,
    }
    with subprocess.Popen(  # noqa: S603 - what the operator configured
        [hook.command, was, change.role, str(change.epoch), hook.node],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        cwd="/",
        start_new_session=True,
    ) as process:
        output = _read(process, deadline)
        try:
            code: int | None = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            code = None
    return Ended(code, output.decode("utf-8", "replace").strip())


def _read(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """Read what it writes, until it has ended or its time is over; what it left running may hold the pipe on."""
    assert process.stdout is not None
    pipe = process.stdout.fileno()
    os.set_blocking(pipe, False)
    output = bytearray()
    ending = os.pidfd_open(process.pid)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            selector.register(ending, selectors.EVENT_READ)
            is_over = False
            while not is_over and (left := deadline - time.monotonic()) > 0:
                is_over = any(key.fd == ending for key, _ in selector.select(left))
                with contextlib.suppress(BlockingIOError):
                    piece = os.read(pipe, _PIPE_OCTETS)
                    output += piece[: OUTPUT_OCTETS_MAX - len(output)]
                    is_over = is_over or not piece
    finally:
        os.close(ending)
    return bytes(output)
