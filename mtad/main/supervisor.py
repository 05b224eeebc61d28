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

from mtad.config.settings import Settings
from mtad.main.listening import open_sockets
from mtad.main.processes import notify
from mtad.telemetry.events import Events, LineEvents

RESTART_SECONDS = 0.5  # before a child that ended is started again; doubles up to
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
    try:
        socket_lists = open_sockets(settings.smtp.listen, copies)
    except OSError as error:
        print(f"mtad: {error.strerror or error}", file=sys.stderr)
        return 1
    for made in socket_lists[0]:
        host, port = made.getsockname()[:2]
        events.emit("server.listening", address=f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    if settings.node.workers == 0:
        from mtad.main import single

        return single.run(settings, socket_lists[0], events)
    return asyncio.run(_supervise(config_path, settings, socket_lists, events))


def _children(config_path: Path, socket_lists: Sequence[Sequence[socket.socket]]) -> tuple[Child, list[Child]]:
    config = ("--config", str(config_path), "--parent", str(os.getpid()))
    spool = Child("spool", ("mtad.main.spool_process", *config))
    workers = []
    for index, sockets in enumerate(socket_lists):
        descriptors = tuple(made.fileno() for made in sockets)
        listed = ",".join(str(descriptor) for descriptor in descriptors)
        arguments = ("mtad.main.worker", *config, "--index", str(index), "--sockets", listed)
        workers.append(Child(f"worker{index}", arguments, descriptors))
    return spool, workers


async def _supervise(
    config_path: Path, settings: Settings, socket_lists: Sequence[Sequence[socket.socket]], events: Events
) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    spool, workers = _children(config_path, socket_lists)
    spool_keeper = _Keeper(spool, events)
    worker_keepers = [_Keeper(worker, events) for worker in workers]
    keepers = [spool_keeper, *worker_keepers]
    try:
        spool_keeper.start()
        if not await _is_up(spool_keeper, settings.node.admin_socket, stop):
            return 0 if stop.is_set() else 1
        for keeper in worker_keepers:
            keeper.start()
        notify("READY=1")
        events.emit("node.ready", node=settings.node.name, workers=settings.node.workers)
        await stop.wait()
        return 0
    finally:
        notify("STOPPING=1")
        events.emit("node.stopping", node=settings.node.name)
        await asyncio.gather(*(keeper.stop() for keeper in worker_keepers))
        await keepers[0].stop()


async def _is_up(keeper: _Keeper, admin_socket: Path, stop: asyncio.Event) -> bool:
    """Wait until the spool process answers on its socket; False when it ended first, or takes too long."""
    deadline = asyncio.get_running_loop().time() + READY_SECONDS_MAX
    while asyncio.get_running_loop().time() < deadline and not stop.is_set():
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_unix_connection(str(admin_socket))
            writer.close()
            return True
        if keeper.ended_before_ready:
            return False
        await asyncio.sleep(0.05)
    return False


class _Keeper:
    """Keeps one child alive."""

    def __init__(self, child: Child, events: Events) -> None:
        self._child = child
        self._events = events
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False
        self.ended_before_ready = False

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        pause = RESTART_SECONDS
        loop = asyncio.get_running_loop()
        while not self._is_stopping:
            started = loop.time()
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *self._child.arguments,
                pass_fds=self._child.descriptors,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            code = await self._process.wait()
            if self._is_stopping:
                return
            self.ended_before_ready = True
            self._events.emit("process.ended", level="error", process=self._child.name, code=code)
            pause = RESTART_SECONDS if loop.time() - started > HEALTHY_SECONDS else min(pause * 2, RESTART_SECONDS_MAX)
            await asyncio.sleep(pause)

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
