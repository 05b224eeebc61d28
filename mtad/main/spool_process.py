"""The spool process: the one writer of the queue, its replication, redelivery, and the admin service."""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

from mtad.config.settings import Settings
from mtad.limits.ledger import Ledger
from mtad.main.assembly import QueueIds, build_shared, counting, settings_of_child
from mtad.main.back import Back
from mtad.main.listening import adopt
from mtad.main.processes import die_with_parent, run_until_stopped
from mtad.main.queue_assembly import STORE_ERRORS
from mtad.main.start import explained, tell_ready
from mtad.telemetry.events import LineEvents


async def _serve(config: Path, settings: Settings, sockets: str, ready: int, stop: asyncio.Event) -> None:
    counted = counting(LineEvents(style=settings.log.format, level=settings.log.level))
    events, _ = counted
    shared = build_shared(config, settings, counted, share=1)
    shared.maps.start(events)
    back = Back(settings, shared, QueueIds(settings.node.id), Ledger(settings.node.id), counted)
    await back.start(adopt(sockets))
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, shared.policy.begin_reload)
    tell_ready(ready)
    await stop.wait()
    await back.stop()
    await shared.delivery.close()
    await shared.maps.close()


def main() -> None:
    """Run the spool process; started by the supervisor alone."""
    parser = argparse.ArgumentParser(prog="mtad spool")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--sockets", required=True)
    parser.add_argument("--ready", type=int, required=True)
    options = parser.parse_args()
    die_with_parent(options.parent)
    settings = settings_of_child(options.config)
    with explained(*STORE_ERRORS):
        run_until_stopped(lambda stop: _serve(options.config, settings, options.sockets, options.ready, stop))


if __name__ == "__main__":
    main()
