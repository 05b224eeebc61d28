"""A session worker's process: no LMDB, no replication; what is to be queued goes to the spool process."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from mtad.config.settings import Settings
from mtad.main.assembly import MESSAGE_EXTRA_OCTETS, QueueIds, build_shared, counting, settings_of_child
from mtad.main.front import Front
from mtad.main.listening import adopt
from mtad.main.processes import die_with_parent, run_until_stopped
from mtad.main.start import explained, tell_ready
from mtad.spool.remote import RemoteLimits, RemoteSpool
from mtad.telemetry.events import LineEvents

SPOOL_SECONDS_MAX = 30.0  # for which a worker that starts waits for the spool process, before it takes clients


async def _serve(config: Path, settings: Settings, descriptors: str, ready: int, stop: asyncio.Event) -> None:
    counted = counting(LineEvents(style=settings.log.format, level=settings.log.level))
    events, tally = counted
    limits = RemoteLimits(message_octets_max=settings.smtp.size_octets_max + MESSAGE_EXTRA_OCTETS)
    door = RemoteSpool(str(settings.node.admin_socket), limits, events, lambda: front.counts(), tally.drain)
    shared = build_shared(config, settings, counted, share=max(1, settings.node.workers), limits=door)
    shared.maps.start(events)
    front = Front(settings, shared, QueueIds(settings.node.id), door, door, events)
    door.on_flush(shared.delivery.forget_failures)
    door.on_reload(shared.policy.begin_reload)
    await door.start()
    await _reached(door, stop)
    if not stop.is_set():
        await front.start(adopt(descriptors))
        tell_ready(ready)
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
    parser = argparse.ArgumentParser(prog="mtad worker")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--index", type=int, required=True)
    parser.add_argument("--sockets", required=True)
    parser.add_argument("--ready", type=int, required=True)
    options = parser.parse_args()
    die_with_parent(options.parent)
    settings = settings_of_child(options.config)
    with explained():
        run_until_stopped(lambda stop: _serve(options.config, settings, options.sockets, options.ready, stop))


if __name__ == "__main__":
    main()
