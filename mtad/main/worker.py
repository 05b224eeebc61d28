"""A session worker's process: no LMDB, no replication; what is to be queued goes to the spool process."""

from __future__ import annotations

import asyncio

from mtad.main.assembly import MESSAGE_EXTRA_OCTETS, QueueIds, build_shared, counting
from mtad.main.child import Handed, run_child
from mtad.main.front import Front
from mtad.main.listening import adopt
from mtad.main.start import tell_ready
from mtad.spool.remote import RemoteLimits, RemoteSpool
from mtad.telemetry.events import LineEvents

SPOOL_SECONDS_MAX = 30.0  # for which a worker that starts waits for the spool process, before it takes clients


async def _serve(handed: Handed, stop: asyncio.Event) -> None:
    settings = handed.settings
    counted = counting(LineEvents(style=settings.log.format, level=settings.log.level))
    events, tally = counted
    limits = RemoteLimits(message_octets_max=settings.smtp.size_octets_max + MESSAGE_EXTRA_OCTETS)
    door = RemoteSpool(str(settings.node.admin_socket), limits, events, lambda: front.counts(), tally.drain)
    shared = build_shared(handed.config, settings, counted, share=max(1, settings.node.workers), limits=door)
    shared.maps.start(events)
    front = Front(settings, shared, QueueIds(settings.node.id), door, door, events)
    door.on_flush(shared.delivery.forget_failures)
    door.on_reload(shared.policy.begin_reload)
    await door.start()
    await _reached(door, stop)
    if not stop.is_set():
        await front.start(adopt(handed.sockets))
        tell_ready(handed.ready)
        await stop.wait()
        await front.stop()
    await door.stop()
    await shared.maps.close()


async def _reached(door: RemoteSpool, stop: asyncio.Event) -> None:
    """Wait until the spool process is there, for a while; no longer than until `stop`."""
    waiting = (asyncio.create_task(door.reached(SPOOL_SECONDS_MAX)), asyncio.create_task(stop.wait()))
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


def main() -> None:
    """Run one worker; started by the supervisor alone."""
    run_child("worker", _serve)


if __name__ == "__main__":
    main()
