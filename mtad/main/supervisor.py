"""The supervisor: opens the ports, starts one spool process and N workers, and starts again what ends.

It does nothing else, so that nothing else can end it. All its children end with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtad.config.forms import Address
from mtad.config.settings import Settings
from mtad.main.listening import Sockets, open_sockets
from mtad.main.processes import notify
from mtad.main.start import READY
from mtad.startup import open_files
from mtad.telemetry.events import Events, LineEvents

RESTART_SECONDS = 0.5  # before a child that ended is started again; doubles each time up to
RESTART_SECONDS_MAX = 10.0
HEALTHY_SECONDS = 30.0  # a child that lived so long starts at RESTART_SECONDS again
READY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 40.0  # workers let sessions end, the spool process its attempts


@dataclass(frozen=True, slots=True)
class Child:
    """A process to keep alive."""

    name: str
    arguments: tuple[str, ...]
    descriptors: tuple[int, ...] = ()


def run(config_path: Path, settings: Settings) -> int:
    """Run a node until SIGTERM or SIGINT; returns the exit code.

    Errors: 1 when a port cannot be opened or a process does not come up, said on the error stream.
    """
    events = LineEvents(style=settings.log.format, level=settings.log.level)
    copies = max(1, settings.node.workers)
    open_files.raise_limit()  # the children's too: they inherit it
    try:
        socket_lists = open_sockets([listener.address for listener in settings.smtp.listen], copies)
        (watched,) = open_sockets([] if settings.monitoring is None else settings.monitoring.listen, 1)
    except OSError as error:
        print(f"mtad: {error.strerror or error}", file=sys.stderr)
        return 1
    for listener, made in zip(settings.smtp.listen, socket_lists[0], strict=True):
        bound = listener.address if listener.address.is_unix else Address(*made.getsockname()[:2])
        events.emit("server.listening", address=str(bound), purpose=listener.purpose)
    for made in watched:
        events.emit("server.listening", address=str(Address(*made.getsockname()[:2])), purpose="monitoring")
    if settings.node.workers == 0:
        from mtad.main import single

        return single.run(config_path, settings, Sockets(socket_lists[0], watched), events)
    return asyncio.run(_supervise(settings, _children(config_path, socket_lists, watched), events))


def _children(
    config_path: Path, socket_lists: Sequence[Sequence[socket.socket]], watched: Sequence[socket.socket]
) -> tuple[Child, list[Child]]:
    """Return the spool process, which answers on the sockets of [monitoring], and the workers."""
    config = ("--config", str(config_path), "--parent", str(os.getpid()))

    def child(name: str, words: tuple[str, ...], sockets: Sequence[socket.socket]) -> Child:
        descriptors = tuple(made.fileno() for made in sockets)
        return Child(name, (*words, "--sockets", ",".join(map(str, descriptors))), descriptors)

    workers = [
        child(f"worker{index}", ("mtad.main.worker", *config, "--index", str(index)), sockets)
        for index, sockets in enumerate(socket_lists)
    ]
    return child("spool", ("mtad.main.spool_process", *config), watched), workers


async def _supervise(settings: Settings, children: tuple[Child, list[Child]], events: Events) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    spool, workers = children
    spool_keeper = Keeper(spool, events)
    loop.add_signal_handler(signal.SIGHUP, spool_keeper.hang_up)  # the spool process tells the workers
    worker_keepers = [Keeper(worker, events) for worker in workers]
    keepers = [spool_keeper, *worker_keepers]
    try:
        for keeper in keepers:  # all at once: most of a start is loading modules; workers wait for the spool process
            keeper.start()
        if not await _are_up(keepers, stop):
            return 0 if stop.is_set() else 1
        notify("READY=1")
        events.emit("node.ready", node=settings.node.name, workers=settings.node.workers)
        await stop.wait()
        return 0
    finally:
        notify("STOPPING=1")
        events.emit("node.stopping", node=settings.node.name)
        await asyncio.gather(*(keeper.stop() for keeper in worker_keepers))
        await spool_keeper.stop()


async def _are_up(keepers: Sequence[Keeper], stop: asyncio.Event) -> bool:
    """Wait until these children are up; False when one ended before, when it takes too long, or `stop` is set."""
    stopping = asyncio.create_task(stop.wait())
    rising = asyncio.create_task(_all_started(keepers))
    first: list[asyncio.Task[Any]] = [stopping, rising]
    try:
        await asyncio.wait(first, timeout=READY_SECONDS_MAX, return_when=asyncio.FIRST_COMPLETED)
        return rising.done() and rising.result()
    finally:
        for task in first:
            task.cancel()
        await asyncio.gather(*first, return_exceptions=True)


async def _all_started(keepers: Sequence[Keeper]) -> bool:
    """Wait until all are up, or the first has failed."""
    for started in asyncio.as_completed([asyncio.shield(keeper.has_started) for keeper in keepers]):
        if not await started:
            return False
    return True


class Keeper:
    """Keeps one child alive."""

    def __init__(self, child: Child, events: Events) -> None:
        self._child = child
        self._events = events
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._is_up = False
        self._owes_hang_up = False
        self.has_started: asyncio.Future[bool] = asyncio.get_running_loop().create_future()  # at the first try

    def start(self) -> None:
        """Start the child, and again whenever it ends."""
        self._task = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        pause = RESTART_SECONDS
        loop = asyncio.get_running_loop()
        while not self._is_stopping:
            began = loop.time()
            try:
                code = await self._run_once()
            except OSError as error:  # no process or descriptor to be had: there may be one later
                self._events.emit("process.unstartable", level="error", process=self._child.name, error=str(error))
                code = -1
            if self._is_stopping:
                return
            self._settle(False)
            self._events.emit("process.ended", level="error", process=self._child.name, code=code)
            if loop.time() - began > HEALTHY_SECONDS:
                pause = RESTART_SECONDS
            await asyncio.sleep(pause)
            pause = min(pause * 2, RESTART_SECONDS_MAX)

    async def _run_once(self) -> int:
        """Run the child to its end; returns its exit code."""
        ours, theirs = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *self._child.arguments,
                "--ready",
                str(theirs),
                pass_fds=(*self._child.descriptors, theirs),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        loop = asyncio.get_running_loop()
        loop.add_reader(ours, self._hear, ours)
        try:
            return await self._process.wait()
        finally:
            self._is_up = False
            if loop.remove_reader(ours):
                os.close(ours)

    def _hear(self, descriptor: int) -> None:
        """Take the child's word that it is up; the pipe's end without it tells nothing, for the exit code will."""
        asyncio.get_running_loop().remove_reader(descriptor)
        if os.read(descriptor, 1) == READY:
            self._settle(True)
            self._is_up = True
            self._pay_hang_up()
        os.close(descriptor)

    def _settle(self, is_up: bool) -> None:
        if not self.has_started.done():
            self.has_started.set_result(is_up)

    def hang_up(self) -> None:
        """Send the child SIGHUP; one that is not up yet gets it when it is, for before it would end by it."""
        self._owes_hang_up = True
        if self._is_up:
            self._pay_hang_up()

    def _pay_hang_up(self) -> None:
        if self._owes_hang_up and self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGHUP)
            self._owes_hang_up = False

    async def stop(self) -> None:
        """End the child: first kindly."""
        self._is_stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS_MAX)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
