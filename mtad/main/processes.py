"""What every process of mtad does at its start: its loop, its signals, its parent (systemd included)."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable

import uvloop

_PR_SET_PDEATHSIG = 1
SWITCH_INTERVAL_SECONDS = 0.0005  # lets the commit thread have its turn; the interpreter's default is 5 ms


def die_with_parent(parent: int) -> None:
    """Have the kernel end this process when its supervisor ends, however that happens (prctl(2)).

    A worker without its supervisor would hold the listening socket, a spool process the queue.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def run_until_stopped(serve: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `serve(stop)` on uvloop; `stop` is set by SIGTERM and SIGINT. SIGHUP is for `serve` to hear, or nothing."""

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        gc.collect()
        gc.freeze()
        await serve(stop)

    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    uvloop.run(main())


def notify(state: str) -> None:
    """Tell systemd how the service is (sd_notify(3)); nothing where it does not listen."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.connect(address)
        channel.sendall(state.encode())
