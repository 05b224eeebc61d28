"""A spool process to be asked over a Unix socket, and a worker that asks it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio

from mtad.pb import queue_pb2_grpc
from mtad.spool.remote import RemoteLimits, RemoteSpool, WorkerCounts, channel_options
from mtad.telemetry.events import CollectedEvents

LIMITS = RemoteLimits(message_octets_max=4 << 20, connect_seconds_max=30, limit_seconds_max=60.0)


@asynccontextmanager
async def serving(socket: Path, servicer: queue_pb2_grpc.SpoolServicer) -> AsyncIterator[None]:
    """Have somebody answer workers at a socket."""
    server = grpc.aio.server(options=channel_options(LIMITS.message_octets_max))
    queue_pb2_grpc.add_SpoolServicer_to_server(servicer, server)
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    try:
        yield
    finally:
        await server.stop(0)


@asynccontextmanager
async def working(
    socket: Path, limits: RemoteLimits = LIMITS, events: CollectedEvents | None = None
) -> AsyncIterator[RemoteSpool]:
    """Run a worker's stream to whoever answers there."""
    remote = RemoteSpool(str(socket), limits, events or CollectedEvents(), lambda: WorkerCounts(3, 14, 2, 1))
    await remote.start()
    try:
        yield remote
    finally:
        await remote.stop()
