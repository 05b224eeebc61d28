"""A whole node in one process, for laboratories and tests (`workers = 0`)."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from mtad.config.settings import Settings
from mtad.limits.ledger import Ledger, LocalLimits
from mtad.main.assembly import QueueIds, build_shared, counting, wall_ms
from mtad.main.back import Back
from mtad.main.front import Front
from mtad.main.listening import Sockets
from mtad.main.processes import notify, run_until_stopped
from mtad.main.queue_assembly import STORE_ERRORS
from mtad.main.start import explained
from mtad.telemetry.events import Events


def run(config: Path, settings: Settings, sockets: Sockets, lines: Events) -> int:
    """Run the node until SIGTERM or SIGINT; returns the exit code."""

    async def serve(stop: asyncio.Event) -> None:
        counted = counting(lines)
        events, _ = counted
        ledger = Ledger(settings.node.id)
        shared = build_shared(config, settings, counted, share=1, limits=LocalLimits(ledger, wall_ms))
        shared.maps.start(events)
        queue_ids = QueueIds(settings.node.id)
        back = Back(settings, shared, queue_ids, ledger, counted)
        await back.start(sockets.watched)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, shared.policy.begin_reload)
        front = Front(settings, shared, queue_ids, back.spool, back.spool.memories, events)
        back.counts_here = front.counts
        await front.start(sockets.smtp)
        notify("READY=1")
        events.emit("node.ready", node=settings.node.name, workers=0)
        await stop.wait()
        notify("STOPPING=1")
        events.emit("node.stopping", node=settings.node.name)
        await front.stop()
        await back.stop()
        await shared.maps.close()

    with explained(*STORE_ERRORS):
        run_until_stopped(serve)
    return 0
