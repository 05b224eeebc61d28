"""Processes of the laboratory: each ends with it, however the laboratory ends.

Run as `python -m mtad.lab.child PARENT COMMAND…`, this module asks the kernel for that (prctl(2)) and becomes the
command, under the same pid.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

STOP_SECONDS_MAX = 10.0
_PR_SET_PDEATHSIG = 1


class Child:
    """A running process of the laboratory."""

    def __init__(self, name: str, command: Sequence[str], process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.command = tuple(command)
        self.log = log
        self._process = process

    @classmethod
    async def start(cls, name: str, command: Sequence[str], log: Path, *, is_answering: bool = False) -> Child:
        """Start a command with its errors in a log file, in a session of its own: Ctrl-C is the laboratory's alone.

        is_answering   its standard output is read with `answer`; otherwise that goes to the log too
        """
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "mtad.lab.child", str(os.getpid()), *command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if is_answering else output,
                stderr=output,
                start_new_session=True,
            )
        return cls(name, command, process, log)

    @property
    def pid(self) -> int:
        """The pid of the command."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    @property
    def exit_code(self) -> int | None:
        """How it ended: negative for a signal; None while it runs."""
        return self._process.returncode

    async def answer(self) -> bytes:
        """Read one line of its standard output; b'' when it has ended."""
        return await self._process.stdout.readline() if self._process.stdout is not None else b""

    async def ended(self) -> None:
        """Wait until it has ended."""
        await self._process.wait()

    def kill(self) -> None:
        """End it at once, as a power loss would."""
        if self.is_running:
            self._process.kill()

    async def stop(self) -> None:
        """End it: kindly first."""
        if self.is_running:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            try:
                async with asyncio.timeout(STOP_SECONDS_MAX):
                    await self._process.wait()
            except TimeoutError:
                self.kill()
        await self._process.wait()

    def last_lines(self, count_max: int = 12) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count_max:])


def become(parent: int, command: Sequence[str]) -> None:
    """Have the kernel end this process with its parent, then run the command in its place."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel was asked
        sys.exit(1)
    os.execv(command[0], list(command))  # noqa: S606


if __name__ == "__main__":
    become(int(sys.argv[1]), sys.argv[2:])
