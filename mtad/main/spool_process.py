"""The spool process: the one writer of the queue, its replication, redelivery, and the admin service."""

from __future__ import annotations

import asyncio
import signal

from mtad.limits.ledger import Ledger
from mtad.main.assembly import QueueIds, build_shared, counting
from mtad.main.back import Back
from mtad.main.child import Handed, run_child
from mtad.main.listening import adopt
from mtad.main.queue_assembly import STORE_ERRORS
from mtad.main.start import tell_ready
from mtad.telemetry.events import LineEvents


async def _serve(handed: Handed, stop: asyncio.Event) -> None:
    settings = handed.settings
    counted = counting(LineEvents(style=settings.log.format, level=settings.log.level))
    events, _ = counted
    shared = build_shared(handed.config, settings, counted, share=1)
    shared.maps.start(events)
    back = Back(settings, shared, QueueIds(settings.node.id), Ledger(settings.node.id), counted)
    await back.start(adopt(handed.sockets))
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, shared.policy.begin_reload)
    tell_ready(handed.ready)
    await stop.wait()
    await back.stop()
    await shared.delivery.close()
    await shared.maps.close()


def main() -> None:
    """Run the spool process; started by the supervisor alone."""
    run_child("spool", _serve, *STORE_ERRORS)


if __name__ == "__main__":
    main()
