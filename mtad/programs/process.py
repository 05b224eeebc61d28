"""Runs a program to its end, or to the end of its time, with all that it starts: no shell reads its arguments.

It has a session of its own and an environment of what it is told. All of it waits: it is for a thread.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
COMPLAINT_OCTETS_MAX = 1_000  # of what it writes to standard error, which is for the log
_PIECE_OCTETS = 1 << 16


@dataclass(frozen=True, slots=True)
class Order:
    """What is run, what it reads, and how much it may use.

    output_octets_max   0: whatever it writes is dropped
    """

    command: Sequence[bytes]
    environment: Mapping[bytes, bytes]
    input: bytes
    seconds_max: float
    output_octets_max: int


@dataclass(slots=True)
class Ended:
    """How it ended.

    code   its status, or the number of the signal that has ended it, as a negative one
    cut    why it was killed; '': it came to its own end
    """

    code: int = 0
    output: bytearray = field(default_factory=bytearray)
    complaint: bytearray = field(default_factory=bytearray)
    cut: str = ""


def run_to_end(order: Order) -> Ended:
    """Run it. What it has left running in its session does not outlive it. Errors: OSError, where it cannot start."""
    with subprocess.Popen(  # noqa: S603 - the operator's program, by a constant name
        order.command,
        stdin=subprocess.PIPE if order.input else subprocess.DEVNULL,
        stdout=subprocess.PIPE if order.output_octets_max else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        bufsize=0,
        env=order.environment,
        cwd="/",
        start_new_session=True,
    ) as process:
        ended = Ended()
        try:
            _Exchange(order, process, ended).go_on()
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # nobody has waited for it: the number is still its own
        ended.code = process.wait()
    return ended


class _Exchange:
    """What goes to and comes from a process while it runs."""

    def __init__(self, order: Order, process: subprocess.Popen[bytes], ended: Ended) -> None:
        self._order = order
        self._process = process
        self._ended = ended
        self._deadline = time.monotonic() + order.seconds_max
        self._unread = memoryview(order.input)

    def go_on(self) -> None:
        """Feed it and hear it until it has ended, or must be ended."""
        ending = os.pidfd_open(self._process.pid)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(ending, selectors.EVENT_READ)
                for pipe, event, act in self._pipes():
                    os.set_blocking(pipe, False)
                    selector.register(pipe, event, act)
                while not self._ended.cut:
                    left = self._deadline - time.monotonic()
                    ready = selector.select(left) if left > 0 else []
                    if not ready:
                        self._ended.cut = f"it ran for more than {self._order.seconds_max:g} s"
                        return
                    for key, _ in ready:
                        if key.data is not None and not key.data(key.fd):
                            selector.unregister(key.fd)
                    if any(key.fd == ending for key, _ in ready):
                        self._take_the_rest()
                        return
        finally:
            os.close(ending)

    def _pipes(self) -> list[tuple[int, int, Callable[[int], bool]]]:
        process = self._process
        assert process.stderr is not None
        pipes: list[tuple[int, int, Callable[[int], bool]]] = [
            (process.stderr.fileno(), selectors.EVENT_READ, self._hear_complaint)
        ]
        if process.stdin is not None:
            pipes.append((process.stdin.fileno(), selectors.EVENT_WRITE, self._feed))
        if process.stdout is not None:
            pipes.append((process.stdout.fileno(), selectors.EVENT_READ, self._hear))
        return pipes

    def _feed(self, pipe: int) -> bool:
        """Write a piece; return whether there is more to be written, and somebody reads it."""
        try:
            self._unread = self._unread[os.write(pipe, self._unread[:_PIECE_OCTETS]) :]
        except BrokenPipeError:
            self._unread = self._unread[:0]
        if not self._unread:
            assert self._process.stdin is not None
            self._process.stdin.close()
        return bool(self._unread)

    def _hear(self, pipe: int) -> bool:
        """Take a piece of what it writes; return whether there may be more."""
        piece = os.read(pipe, _PIECE_OCTETS)
        output = self._ended.output
        output += piece
        if len(output) > self._order.output_octets_max:
            self._ended.cut = f"it wrote more than {self._order.output_octets_max} octets"
        return bool(piece) and not self._ended.cut

    def _hear_complaint(self, pipe: int) -> bool:
        piece = os.read(pipe, _PIECE_OCTETS)
        self._ended.complaint += piece[: COMPLAINT_OCTETS_MAX - len(self._ended.complaint)]
        return bool(piece)

    def _take_the_rest(self) -> None:
        """Take what it had written when it ended; what it has started may hold its pipes open."""
        for stream, hear in ((self._process.stdout, self._hear), (self._process.stderr, self._hear_complaint)):
            if stream is not None:
                with contextlib.suppress(BlockingIOError):
                    while time.monotonic() < self._deadline and hear(stream.fileno()):
                        pass
